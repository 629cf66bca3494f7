"""The commands that the simulated shell knows: each takes the running shell and its words, and answers an exit status.

A command that waits (`sleep`, `wait`, a server) sets what it waits for and answers None. Texts are busybox's. `COMMANDS` is the
whole list; a command that is not in it runs until it is stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from lifepod.runtime.sim.shell_syntax import NotUnderstood, parse
from lifepod.runtime.sim.translate import translate

if TYPE_CHECKING:
    from lifepod.runtime.sim.shell import Running

Command: TypeAlias = "Callable[[Running, list[str]], int | None]"

SIGNALS = {"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "USR2": 12, "TERM": 15}
_NAMES = {str(number): name for name, number in SIGNALS.items()}
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NOT_FOUND = "No such file or directory"
_SHORTEST_SLEEP = 0.001
"""A loop around `sleep 0` must not stop virtual time."""


def duration(text: str) -> float | None:
    """Seconds that `sleep`'s argument names; None when it is no duration; `infinity` is for ever (inf)."""
    if text in ("inf", "infinity"):
        return float("inf")
    unit = _UNITS.get(text[-1:], 0.0)
    digits = text[:-1] if unit else text
    if not digits or not digits.replace(".", "", 1).isdigit():
        return None
    return float(digits) * (unit or 1.0)


# ------------------------------------------------------------------------------------------------ control


def _true(run: Running, words: list[str]) -> int:
    return 0


def _false(run: Running, words: list[str]) -> int:
    return 1


def _exit(run: Running, words: list[str]) -> None:
    code = words[1] if len(words) > 1 else str(run.status)
    run.leave(int(code) % 256 if code.lstrip("-").isdigit() else 2)


def _sleep(run: Running, words: list[str]) -> int | None:
    spans = [duration(word) for word in words[1:]]
    if not spans or None in spans:
        return run.complain(f"sleep: invalid number '{' '.join(words[1:])}'")
    total = sum(span for span in spans if span is not None)
    run.sleep(None if total > 10**9 else max(total, _SHORTEST_SLEEP))
    return None


def _exec(run: Running, words: list[str]) -> int | None:
    if len(words) < 2:
        return 0
    run.replace(words[1:])
    return None


def _sh(run: Running, words: list[str]) -> int | None:
    rest = words[1:]
    while rest and rest[0].startswith(("-", "+")) and rest[0] != "-":
        option = rest.pop(0)
        if option.endswith("c") and not option.startswith("--"):
            if not rest:
                return run.complain("sh: -c requires an argument")
            run.run_script(rest[0], tuple(rest[1:]) or (words[0],))
            return None
    if not rest:
        run.read_script((words[0],))
        return None
    script = run.world.read(run.path(rest[0]))
    if script is None:
        run.complain(f"sh: can't open '{rest[0]}': {_NOT_FOUND}")
        return 2
    run.run_script(script.decode(errors="replace"), tuple(rest))
    return None


def _eval(run: Running, words: list[str]) -> int | None:
    try:
        run.push(parse(" ".join(words[1:])))
    except NotUnderstood:
        run.sleep(None)
    return None


def _trap(run: Running, words: list[str]) -> int | None:
    rest = [word for word in words[1:] if word != "--"]
    if len(rest) < 2:
        return 0
    action, names = rest[0], [_signal_name(word) for word in rest[1:]]
    traps = dict(run.traps)
    for name in names:
        if action == "-":
            traps.pop(name, None)
        elif not action:
            traps[name] = None
        else:
            try:
                traps[name] = parse(action)
            except NotUnderstood:
                traps[name] = None
    run.traps = traps
    return 0


def _signal_name(word: str) -> str:
    return _NAMES.get(word, word.upper().removeprefix("SIG"))


def _wait(run: Running, words: list[str]) -> int | None:
    from lifepod.runtime.sim.shell import AwaitingJobs

    job = int(words[1]) if len(words) > 1 and words[1].isdigit() else None
    waited = [(n, j) for n, j in run.jobs if job is None or n == job]
    if all(j.exit_code is not None for _, j in waited):
        run.jobs = tuple((n, j) for n, j in run.jobs if j.exit_code is None)
        return (waited[-1][1].exit_code or 0) if waited and job is not None else 0
    run.wait = AwaitingJobs(job)
    return None


def _kill(run: Running, words: list[str]) -> int:
    name, targets = "TERM", words[1:]
    if targets and targets[0].startswith("-"):
        name = _signal_name(targets[0][1:] if targets[0] != "-s" else targets[1])
        targets = targets[2:] if targets[0] == "-s" else targets[1:]
    own = run.variables.get("$", "1")
    for target in targets:
        if target == "1" and own != "1":
            run.world.signal_init(name)
        elif target in (own, "0"):
            run.receive(name)
        else:
            run.jobs = tuple((n, _killed(run, j, name) if str(n) == target else j) for n, j in run.jobs)
    return 0


def _pgrep(run: Running, words: list[str]) -> int:
    """The processes whose name, or with `-f` whose command line, matches. All are root's."""
    options = "".join(word[1:] for word in words[1:] if word.startswith("-"))
    rest = [word for word in words[1:] if not word.startswith("-")]
    if "u" in options and rest and rest.pop(0) not in ("0", "root"):
        return 1
    pattern = re.compile(re.escape(rest[0]) if rest else "")
    found = [
        number
        for number, command in run.world.processes()
        if pattern.search(" ".join(command) if "f" in options else command[0].rsplit("/", 1)[-1])
    ]
    for number in found:
        run.say(str(number))
    return 0 if found else 1


def _killed(run: Running, job: object, name: str) -> object:
    from lifepod.runtime.sim.shell import Shell

    assert isinstance(job, Shell)
    return job._replace(exit_code=137) if name == "KILL" else job.signal(run.world, name)


def _break(run: Running, words: list[str]) -> int:
    from lifepod.runtime.sim.shell import LOOPS

    run.unwind(LOOPS, keep=False)
    return 0


def _continue(run: Running, words: list[str]) -> int:
    from lifepod.runtime.sim.shell import LOOPS

    run.unwind(LOOPS, keep=True)
    return 0


def _return(run: Running, words: list[str]) -> int:
    from lifepod.runtime.sim.shell import EndFunction

    run.unwind(EndFunction, keep=False)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else run.status


def _timeout(run: Running, words: list[str]) -> int | None:
    """Runs the command without the limit: a command that would outlive it is not told apart from others."""
    rest = [word for word in words[1:] if not word.startswith("-")]
    if len(rest) < 2:
        return run.complain("timeout: missing operand")
    return _run(run, rest[1:])


def _run(run: Running, words: list[str]) -> int | None:
    command = COMMANDS.get(words[0].rsplit("/", 1)[-1])
    if command is None:
        run.sleep(None)
        return None
    return command(run, words)


# ------------------------------------------------------------------------------------------------ variables


def _export(run: Running, words: list[str]) -> int:
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if equals:
            run.set(name, value)
    return 0


def _unset(run: Running, words: list[str]) -> int:
    run.variables = {name: value for name, value in run.variables.items() if name not in words[1:]}
    return 0


def _shift(run: Running, words: list[str]) -> int:
    run.arguments = (*run.arguments[:1], *run.arguments[2:])
    return 0


def _read(run: Running, words: list[str]) -> int:
    line = run.read_line()
    names = [word for word in words[1:] if not word.startswith("-")] or ["REPLY"]
    fields = line.removesuffix(b"\n").decode(errors="replace").split(None, len(names) - 1)
    for at, name in enumerate(names):
        run.set(name, fields[at] if at < len(fields) else "")
    return 0 if line else 1


def _env(run: Running, words: list[str]) -> int | None:
    rest = words[1:]
    while rest and "=" in rest[0]:
        name, _, value = rest.pop(0).partition("=")
        run.set(name, value)
    if rest:
        return _run(run, rest)
    for name, value in run.variables.items():
        if name.isidentifier():
            run.say(f"{name}={value}")
    return 0


def _printenv(run: Running, words: list[str]) -> int | None:
    if len(words) < 2:
        return _env(run, words)
    value = run.variables.get(words[1])
    if value is None:
        return 1
    run.say(value)
    return 0


# ------------------------------------------------------------------------------------------------ text


def _echo(run: Running, words: list[str]) -> int:
    rest, newline, escapes = words[1:], True, False
    while rest and rest[0] in ("-n", "-e", "-ne", "-en"):
        newline = newline and "n" not in rest[0]
        escapes = escapes or "e" in rest[0]
        rest = rest[1:]
    text = " ".join(rest)
    run.write(1, (_escaped(text) if escapes else text).encode() + (b"\n" if newline else b""))
    return 0


def _escaped(text: str) -> str:
    for escape, to in (("\\n", "\n"), ("\\t", "\t"), ("\\r", "\r"), ("\\\\", "\\")):
        text = text.replace(escape, to)
    return text


def _printf(run: Running, words: list[str]) -> int:
    if len(words) < 2:
        return run.complain("printf: usage: printf FORMAT [ARG]...")
    text, rest = _escaped(words[1]), words[2:]
    while True:
        once, rest, used = _formatted(text, rest)
        run.write(1, once.encode())
        if not rest or not used:
            return 0


def _formatted(text: str, rest: list[str]) -> tuple[str, list[str], bool]:
    out, at, used = "", 0, False
    while at < len(text):
        if text[at] == "%" and text[at + 1 : at + 2] in ("s", "d", "i", "%"):
            kind = text[at + 1]
            out += "%" if kind == "%" else (rest[0] if rest else "" if kind == "s" else "0")
            if kind != "%":
                rest, used = rest[1:], True
            at += 2
        else:
            out += text[at]
            at += 1
    return out, rest, used


def _inputs(run: Running, words: list[str]) -> tuple[list[tuple[str, bytes]], int]:
    """The contents of the files named, or of stdin; complaints are made on the way."""
    names = [word for word in words[1:] if not word.startswith("-") or word == "-"]
    if not names:
        return [("", run.stdin())], 0
    stdin = run.stdin() if {"-", "/dev/stdin"} & set(names) else b""
    found: list[tuple[str, bytes]] = []
    status = 0
    for name in names:
        if name in ("-", "/dev/stdin"):
            found.append((name, stdin))
            continue
        content = b"" if name == "/dev/null" else run.world.read(run.path(name))
        if content is not None:
            found.append((name, content))
        elif run.world.is_directory(run.path(name)):
            status = run.complain(f"{words[0]}: read error: Is a directory")
        else:
            status = run.complain(f"{words[0]}: can't open '{name}': {_NOT_FOUND}")
    return found, status


def _cat(run: Running, words: list[str]) -> int:
    """What comes from outside is passed on as it comes."""
    if len(words) == 1 and run.input_open and run.files.stdin is None:
        from lifepod.runtime.sim.shell import InputMissing

        run.write(1, run.take_input())
        raise InputMissing
    found, status = _inputs(run, words)
    for _, content in found:
        run.write(1, content)
    return status


def _tee(run: Running, words: list[str]) -> int:
    content = run.stdin()
    run.write(1, content)
    for name in words[1:]:
        if name != "-a":
            old = run.world.read(run.path(name)) or b"" if "-a" in words else b""
            run.world.write(run.path(name), old + content)
    return 0


def _lines(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def _head_count(words: list[str]) -> tuple[int, list[str]]:
    """`-n N` or `-N`, and the words without it."""
    count, rest = 10, words[:1]
    at = 1
    while at < len(words):
        word = words[at]
        if word == "-n" and at + 1 < len(words):
            at += 1
            count = abs(int(words[at])) if words[at].lstrip("-+").isdigit() else count
        elif word.startswith("-n") and word[2:].isdigit():
            count = int(word[2:])
        elif word[:1] == "-" and word[1:].isdigit():
            count = int(word[1:])
        else:
            rest.append(word)
        at += 1
    return count, rest


def _head(run: Running, words: list[str]) -> int:
    size, words = _head_bytes(words)
    count, rest = _head_count(words)
    found, status = _inputs(run, rest)
    for _, content in found:
        run.write(1, b"".join(_lines(content)[:count]) if size is None else content[:size])
    return status


def _head_bytes(words: list[str]) -> tuple[int | None, list[str]]:
    """`-c N` or `-cN`, and the words without it."""
    for at, word in enumerate(words):
        if word.startswith("-c"):
            given, rest = (
                (word[2:], words[at + 1 :]) if word[2:] else ("".join(words[at + 1 : at + 2]), words[at + 2 :])
            )
            return (int(given) if given.isdigit() else 0), [*words[:at], *rest]
    return None, words


def _tr(run: Running, words: list[str]) -> int:
    options = "".join(word[1:] for word in words[1:] if word.startswith("-") and len(word) > 1)
    sets = [word for word in words[1:] if not word.startswith("-") or len(word) == 1]
    if not sets or set(options) - set("cCds"):
        return run.complain("tr: usage: tr [-cds] STRING1 [STRING2]")
    run.write(1, translate(run.stdin(), options.replace("C", "c"), sets[0], sets[1] if len(sets) > 1 else None))
    return 0


_STAT_TEXT = "  File: %n\n  Size: %s\tBlocks: 8\tIO Block: 4096\t%F\nAccess: (0%a)\tUid: (%u/%U)\tGid: (%g/%G)"


def _stat(run: Running, words: list[str]) -> int:
    """`stat [-c FORMAT] FILE…`; files belong to root, who may write them."""
    rest, text, status = list(words[1:]), _STAT_TEXT, 0
    if "-c" in rest[:-1]:
        at = rest.index("-c")
        text, rest = rest[at + 1], rest[:at] + rest[at + 2 :]
    for name in (each for each in rest if not each.startswith("-")):
        path = run.path(name)
        content, is_folder = run.world.read(path), run.world.is_directory(path)
        if content is None and not is_folder:
            status = run.complain(f"stat: can't stat '{name}': {_NOT_FOUND}")
            continue
        size = len(content) if content is not None else 4096
        kind, mode = ("directory", "755") if is_folder else ("regular file", "644")
        facts = {"s": str(size), "F": kind, "a": mode, "u": "0", "g": "0", "U": "root", "G": "root", "n": name}
        shown = text
        for letter, fact in facts.items():
            shown = shown.replace(f"%{letter}", fact)
        run.say(shown)
    return status


def _tail(run: Running, words: list[str]) -> int | None:
    count, rest = _head_count(words)
    found, status = _inputs(run, rest)
    for _, content in found:
        run.write(1, b"".join(_lines(content)[-count:] if count else []))
    if "-f" in words or "-F" in words:
        run.sleep(None)
        return None
    return status


def _wc(run: Running, words: list[str]) -> int:
    found, status = _inputs(run, words)
    for name, content in found:
        counts = {"-l": content.count(b"\n"), "-w": len(content.split()), "-c": len(content)}
        wanted = [counts[o] for o in ("-l", "-w", "-c") if o in words] or list(counts.values())
        run.say(" ".join(map(str, wanted)) + (f" {name}" if name else ""))
    return status


def _grep(run: Running, words: list[str]) -> int | None:
    options = "".join(word[1:] for word in words[1:] if word.startswith("-"))
    rest = [word for word in words[1:] if not word.startswith("-")]
    if not rest or set(options) - set("qviEFc"):
        run.sleep(None)
        return None
    try:
        pattern = re.compile(re.escape(rest[0]) if "F" in options else rest[0], re.IGNORECASE if "i" in options else 0)
    except re.error:
        return 2
    found, status = _inputs(run, [words[0], *rest[1:]])
    hits = [
        line
        for _, content in found
        for line in content.decode(errors="replace").splitlines()
        if bool(pattern.search(line)) != ("v" in options)
    ]
    if "c" in options:
        run.say(str(len(hits)))
    elif "q" not in options:
        for line in hits:
            run.say(line)
    return 2 if status else 0 if hits else 1


def _seq(run: Running, words: list[str]) -> int:
    numbers = [int(word) for word in words[1:] if word.lstrip("-").isdigit()]
    if not numbers or len(numbers) > 3:
        return run.complain("seq: usage: seq [FIRST [INC]] LAST")
    first = numbers[0] if len(numbers) > 1 else 1
    step = numbers[1] if len(numbers) == 3 else 1
    for value in range(first, numbers[-1] + (1 if step > 0 else -1), step or 1):
        run.say(str(value))
    return 0


def _date(run: Running, words: list[str]) -> int:
    now = run.world.now
    formats = [word[1:] for word in words[1:] if word.startswith("+")]
    run.say(
        now.strftime(formats[0].replace("%s", str(int(now.timestamp()))) if formats else "%a %b %e %H:%M:%S UTC %Y")
    )
    return 0


def _hostname(run: Running, words: list[str]) -> int:
    run.say(run.world.hostname)
    return 0


def _expr(run: Running, words: list[str]) -> int:
    from lifepod.runtime.sim.expansion import calculate

    value = calculate(" ".join("==" if word == "=" else word for word in words[1:]))
    run.say(str(value))
    return 0 if value else 1


def _id(run: Running, words: list[str]) -> int:
    options = "".join(word[1:] for word in words[1:] if word.startswith("-"))
    number = next((x for x in options if x in "ugG"), "")
    if number:
        run.say("root" if "n" in options else "0 10" if number == "G" else "0")
    else:
        run.say("uid=0(root) gid=0(root) groups=0(root),10(wheel)")
    return 0


def _says(text: str) -> Command:
    def command(run: Running, words: list[str]) -> int:
        run.say(text)
        return 0

    return command


# ------------------------------------------------------------------------------------------------ files


def _names(words: list[str]) -> list[str]:
    return [word for word in words[1:] if not word.startswith("-")]


def _touch(run: Running, words: list[str]) -> int:
    status = 0
    for name in _names(words):
        path = run.path(name)
        if run.world.read(path) is None and not run.world.is_directory(path):
            problem = run.world.write(path, b"")
            status = run.complain(f"touch: {name}: {problem}") if problem else status
    return status


def _rm(run: Running, words: list[str]) -> int:
    options = "".join(word[1:] for word in words[1:] if word.startswith("-"))
    status = 0
    for name in _names(words):
        path = run.path(name)
        if run.world.is_directory(path) and "r" not in options.lower():
            status = run.complain(f"rm: '{name}' is a directory")
        elif not run.world.remove(path) and "f" not in options:
            status = run.complain(f"rm: can't remove '{name}': {_NOT_FOUND}")
    return status


def _mkdir(run: Running, words: list[str]) -> int:
    parents = any("p" in word for word in words[1:] if word.startswith("-"))
    status = 0
    for name in _names(words):
        path = run.path(name)
        exists = run.world.is_directory(path)
        if exists and not parents:
            status = run.complain(f"mkdir: can't create directory '{name}': File exists")
        elif not exists:
            problem = run.world.make_directory(path)
            status = run.complain(f"mkdir: can't create directory '{name}': {problem}") if problem else status
    return status


def _ls(run: Running, words: list[str]) -> int:
    hidden = any("a" in word or "A" in word for word in words[1:] if word.startswith("-"))
    status = 0
    for name in _names(words) or ["."]:
        path = run.path(name)
        if run.world.is_directory(path):
            for entry in sorted(run.world.names_in(path)):
                if hidden or not entry.startswith("."):
                    run.say(entry)
        elif run.world.read(path) is not None:
            run.say(name)
        else:
            status = run.complain(f"ls: {name}: {_NOT_FOUND}")
    return status


def _cp(run: Running, words: list[str]) -> int:
    names = _names(words)
    if len(names) < 2:
        return run.complain("cp: missing operand")
    for name in names[:-1]:
        content = run.world.read(run.path(name))
        if content is None:
            return run.complain(f"{words[0]}: can't stat '{name}': {_NOT_FOUND}")
        to = run.path(names[-1])
        if run.world.is_directory(to):
            to = f"{to}/{name.rsplit('/', 1)[-1]}"
        problem = run.world.write(to, content)
        if problem:
            return run.complain(f"{words[0]}: can't create '{names[-1]}': {problem}")
        if words[0].endswith("mv"):
            run.world.remove(run.path(name))
    return 0


def _cd(run: Running, words: list[str]) -> int:
    to = run.path(words[1] if len(words) > 1 else run.variables.get("HOME", "/"))
    if not run.world.is_directory(to):
        return run.complain(f"sh: cd: can't cd to {words[1]}: {_NOT_FOUND}")
    run.directory = to
    return 0


def _pwd(run: Running, words: list[str]) -> int:
    run.say(run.directory)
    return 0


def _basename(run: Running, words: list[str]) -> int:
    run.say(words[1].rstrip("/").rsplit("/", 1)[-1] if len(words) > 1 else "")
    return 0


def _dirname(run: Running, words: list[str]) -> int:
    folder = words[1].rpartition("/")[0] if len(words) > 1 else ""
    run.say(folder or ("/" if len(words) > 1 and words[1].startswith("/") else "."))
    return 0


# ------------------------------------------------------------------------------------------------ test


def _test(run: Running, words: list[str]) -> int:
    rest = words[1:]
    if words[0].endswith("["):
        if not rest or rest[-1] != "]":
            run.complain("sh: [: missing ]")
            return 2
        rest = rest[:-1]
    return 0 if _holds(run, rest) else 1


def _holds(run: Running, words: list[str]) -> bool:
    for operator in ("-o", "-a"):
        if operator in words[1:-1] and len(words) > 3:
            at = words.index(operator, 1)
            left, right = _holds(run, words[:at]), _holds(run, words[at + 1 :])
            return left or right if operator == "-o" else left and right
    if words[:1] == ["!"] and len(words) > 1:
        return not _holds(run, words[1:])
    if len(words) == 3:
        return _compares(words[0], words[1], words[2])
    if len(words) == 2:
        return _is(run, words[0], words[1])
    return len(words) == 1 and bool(words[0])


def _is(run: Running, operator: str, operand: str) -> bool:
    if operator == "-z":
        return not operand
    if operator == "-n":
        return bool(operand)
    path = run.path(operand)
    directory, content = run.world.is_directory(path), run.world.read(path)
    match operator:
        case "-e" | "-r" | "-w":
            return directory or content is not None
        case "-f":
            return content is not None
        case "-d" | "-x":
            return directory
        case "-s":
            return bool(content)
    return False


def _compares(left: str, operator: str, right: str) -> bool:
    if operator in ("=", "=="):
        return left == right
    if operator == "!=":
        return left != right
    if not (left.lstrip("-").isdigit() and right.lstrip("-").isdigit()):
        return False
    a, b = int(left), int(right)
    return {"-eq": a == b, "-ne": a != b, "-lt": a < b, "-le": a <= b, "-gt": a > b, "-ge": a >= b}.get(operator, False)


# ------------------------------------------------------------------------------------------------ network


def _nslookup(run: Running, words: list[str]) -> int:
    """Busybox 1.28's: status 0 when the name resolves."""
    name = next(iter(_names(words)), "")
    addresses = run.world.addresses_of(name)
    run.write(1, b"Server:    10.96.0.10\nAddress 1: 10.96.0.10 kube-dns.kube-system.svc.cluster.local\n\n")
    if not addresses:
        return run.complain(f"nslookup: can't resolve '{name}'")
    lines = [f"Address {n}: {address}" for n, address in enumerate(addresses, 1)]
    run.say("\n".join([f"Name:      {name}", *lines]))
    return 0


def _getent(run: Running, words: list[str]) -> int:
    names = _names(words)
    addresses = run.world.addresses_of(names[-1]) if names else ()
    for address in addresses:
        run.say(f"{address}  {names[-1]}")
    return 0 if addresses else 2


def _serve(run: Running, port: int, root: str | None) -> None:
    from lifepod.runtime.sim.shell import Listening

    run.listening = (Listening(port, root),)
    run.sleep(None)


def _option(words: list[str], *names: str) -> str | None:
    for at, word in enumerate(words[:-1]):
        if word in names:
            return words[at + 1]
    return None


def _httpd(run: Running, words: list[str]) -> int | None:
    """busybox httpd; without -f it goes to the background and keeps serving while the container lives."""
    address = (_option(words, "-p") or "80").rsplit(":", 1)[-1]
    root = run.path(_option(words, "-h") or ".")
    if not run.world.is_directory(root):
        return run.complain(f"httpd: can't change directory to '{root}': {_NOT_FOUND}")
    if "-f" in words:
        _serve(run, int(address), root)
        return None
    from lifepod.runtime.sim.shell_syntax import Simple, Text

    run.start_job(Simple((), tuple((Text(word, True),) for word in (*words, "-f"))))
    return 0


def _python(run: Running, words: list[str]) -> None:
    if _option(words, "-m") != "http.server":
        run.sleep(None)
        return
    root = run.path(_option(words, "-d", "--directory") or ".")
    given = [w for at, w in enumerate(words) if w.isdigit() and words[at - 1] not in ("-d", "--directory")]
    _serve(run, int(given[0]) if given else 8000, root)


def _nc(run: Running, words: list[str]) -> None:
    options = [word for word in words[1:] if word.startswith("-")]
    port = next((word for word in reversed(words) if word.isdigit()), None)
    if any("l" in option for option in options) and port is not None:
        _serve(run, int(port), None)
    else:
        run.sleep(None)


COMMANDS: dict[str, Command] = {
    ":": _true,
    "true": _true,
    "false": _false,
    "exit": _exit,
    "sleep": _sleep,
    "usleep": _true,
    "exec": _exec,
    "sh": _sh,
    "ash": _sh,
    "bash": _sh,
    "dash": _sh,
    "eval": _eval,
    "trap": _trap,
    "wait": _wait,
    "kill": _kill,
    "pgrep": _pgrep,
    "break": _break,
    "continue": _continue,
    "return": _return,
    "timeout": _timeout,
    "export": _export,
    "local": _export,
    "readonly": _export,
    "unset": _unset,
    "set": _true,
    "umask": _true,
    "sync": _true,
    "chmod": _true,
    "chown": _true,
    "shift": _shift,
    "read": _read,
    "env": _env,
    "printenv": _printenv,
    "echo": _echo,
    "printf": _printf,
    "cat": _cat,
    "tee": _tee,
    "head": _head,
    "tail": _tail,
    "tr": _tr,
    "stat": _stat,
    "wc": _wc,
    "grep": _grep,
    "seq": _seq,
    "date": _date,
    "hostname": _hostname,
    "expr": _expr,
    "whoami": _says("root"),
    "id": _id,
    "uname": _says("Linux"),
    "nproc": _says("1"),
    "touch": _touch,
    "rm": _rm,
    "rmdir": _rm,
    "mkdir": _mkdir,
    "ls": _ls,
    "cp": _cp,
    "mv": _cp,
    "cd": _cd,
    "pwd": _pwd,
    "basename": _basename,
    "dirname": _dirname,
    "test": _test,
    "[": _test,
    "nslookup": _nslookup,
    "getent": _getent,
    "httpd": _httpd,
    "python": _python,
    "python3": _python,
    "nc": _nc,
}
