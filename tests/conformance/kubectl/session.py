"""Sessions: what is typed into a shell with kubectl in it, and what must come back. The files are `sessions/*.session`.

    # a comment
    $ kubectl get pods            a command for sh; lines starting with `> ` go on with it
    NAME  READY                   what it prints, both streams together; masked, runs of blanks as two
    ...                           any lines
    1.32| only this version prints this line
    [exit 1]                      when the exit code is not 0
    ? kubectl get pods            the same, asked again for up to 15 s until it prints what is expected

`LIFEPOD_REWRITE=1` writes what came back into the file; review it as a diff.
"""

import difflib
import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

PATIENCE_SECONDS = 15.0
MASKS = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uid>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "<time>"),
    (r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "<time>"),
    (r"https://127\.0\.0\.1:\d+", "<server>"),
    (r"(Endpoints: +)127\.0\.0\.1:\d+", r"\g<1>127.0.0.1:<port>"),
    (r"127\.0\.0\.1:\d+ ->", "127.0.0.1:<port> ->"),
    (r'("resourceVersion": )"\d+"', r"\1<rv>"),
    (r"(resourceVersion: )\"?\d+\"?", r"\1<rv>"),
    (r"(Resource Version: +)\d+", r"\1<rv>"),
    (r"\b10\.96\.\d+\.\d+\b", "<cluster-ip>"),
    (r"(?<=[\s(])\d+(ms|s|m\d*s?|m)(?=[\s,)]|$)(?! *left)", "<age>"),
    (r"-[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "-<hash>-<suffix>"),
    (r"pod-template-hash=[bcdfghjklmnpqrstvwxz2456789]+", "pod-template-hash=<hash>"),
    (r"(?<=[a-z])-(?=[a-z0-9]*\d)(?=[a-z0-9]*[bcdfghjklmnpqrstvwxz])[bcdfghjklmnpqrstvwxz2456789]{8,10}\b", "-<hash>"),
    (r"kube-api-access-\w{5}", "kube-api-access-<suffix>"),
    (r"process://[0-9a-f]{64}", "process://<id>"),
    (r"sha256:[0-9a-f]{64}", "sha256:<digest>"),
    (r'(?<=start exec ")[0-9a-f]{64}', "<id>"),
    (r":3\d{4}/TCP", ":<node-port>/TCP"),
    (r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "<jwt>"),
    (r"(Created pod: \w+)-[bcdfghjklmnpqrstvwxz2456789]{5}", r"\1-<suffix>"),
    (r"debugger-\w{5}", "debugger-<suffix>"),
    (r"( deleted) from [\w-]+ namespace", r"\1"),
    (r"WARNING: version difference .*\n", ""),
    (r"(deleted) \((server )?dry run\) from [\w-]+ namespace", r"\1 (\2dry run)"),
]


class Step(NamedTuple):
    """One command and what it must print. `comment` stands above it."""

    comment: tuple[str, ...]
    command: tuple[str, ...]
    patient: bool
    expected: tuple[str, ...]


def steps_of(path: Path) -> list[Step]:
    """The steps of a session file."""
    steps: list[Step] = []
    comment: list[str] = []
    command: list[str] = []
    expected: list[str] = []
    patient = False

    def end() -> None:
        if command:
            steps.append(Step(tuple(comment), tuple(command), patient, tuple(expected)))
            comment.clear()
            command.clear()
            expected.clear()

    pending: list[str] = []
    for line in path.read_text().splitlines():
        if line.startswith(("$ ", "? ")):
            end()
            comment += pending
            pending.clear()
            patient = line.startswith("?")
            command.append(line[2:])
        elif line.startswith("> ") and command and not expected:
            command.append(line[2:])
        elif line.startswith("# ") or not line.strip():
            pending.append(line)
        else:
            expected += [text for text in pending if not text.strip()]
            pending.clear()
            expected.append(line)
    end()
    return steps


def masked(output: str) -> list[str]:
    """What a command printed, without what differs from run to run."""
    for pattern, mask in MASKS:
        output = re.sub(pattern, mask, output, flags=re.M)
    lines = [re.sub(r"(?<=\S) {2,}", "  ", line).rstrip() for line in output.expandtabs().splitlines()]
    return [line for line in lines if line]


def expected_lines(step: Step, version: str) -> list[str]:
    """The lines that this version of kubectl must print."""
    found = []
    for line in step.expected:
        marked = re.match(r"((?:\d\.\d+,?)+)\| ?(.*)", line)
        if marked and version not in marked[1].split(","):
            continue
        text = marked[2] if marked else line
        if text.strip():
            found.append(text)
    return found


def matches(expected: list[str], printed: list[str]) -> bool:
    """Whether the lines are as expected; `...` stands for any lines."""
    if not expected:
        return not printed
    head, *rest = expected
    if head == "...":
        return any(matches(rest, printed[at:]) for at in range(len(printed) + 1))
    return bool(printed) and printed[0] == head and matches(rest, printed[1:])


def run(step: Step, version: str, env: dict[str, str], cwd: Path) -> list[str]:
    """What the step printed; a patient one is asked until it prints what it should."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        printed = _once(step, env, cwd)
        if not step.patient or matches(expected_lines(step, version), printed) or time.monotonic() > deadline:
            return printed
        time.sleep(0.1)


def _once(step: Step, env: dict[str, str], cwd: Path) -> list[str]:
    try:
        done = subprocess.run(
            ["sh", "-c", "\n".join(step.command)],
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        return [*masked(exc.stdout.decode() if isinstance(exc.stdout, bytes) else exc.stdout or ""), "[no end in 60 s]"]
    printed = masked(done.stdout)
    return [*printed, f"[exit {done.returncode}]"] if done.returncode else printed


VERSIONS = ("1.32", "1.34", "1.37")
"""What a line without a mark is about."""


def rewritten(steps: list[tuple[Step, list[str]]], version: str) -> str:
    """The session's text with what came back from this version; what others print stays, marked as theirs."""
    lines: list[str] = []
    for step, printed in steps:
        lines += step.comment
        mark = "? " if step.patient else "$ "
        lines += [mark + step.command[0], *("> " + line for line in step.command[1:])]
        held = matches(expected_lines(step, version), printed)
        lines += step.expected if held else _with(step, printed, version)
    return "\n".join(lines) + "\n"


def _with(step: Step, printed: list[str], version: str) -> list[str]:
    """The expected lines when one version prints something else; a line that all versions print carries no mark."""
    if not step.expected:
        return [_marked(set(VERSIONS), text) for text in printed]
    woven: list[tuple[set[str], str]] = []
    for each in VERSIONS:
        lines = printed if each == version else expected_lines(step, each)
        opcodes = difflib.SequenceMatcher(None, [text for _, text in woven], lines, autojunk=False).get_opcodes()
        made: list[tuple[set[str], str]] = []
        for kind, a, b, c, d in opcodes:
            made += [(versions | {each} if kind == "equal" else versions, text) for versions, text in woven[a:b]]
            made += [({each}, text) for text in lines[c:d] if kind != "equal"]
        woven = made
    return [_marked(versions, text) for versions, text in woven]


def _marked(versions: set[str], text: str) -> str:
    """A line as it stands in a file: with its versions when it is not everyone's, or would be read as something else."""
    plain = versions == set(VERSIONS) and not text.startswith(("# ", "$ ", "? "))
    return text if plain else f"{','.join(sorted(versions))}| {text}"
