"""What a kubectl can be told, by its own `--help`: commands and their flags; and which of that a line of shell uses."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

GLOBAL = {"-n": "--namespace", "-s": "--server", "-v": "--v", "-h": "--help"}


class Command(NamedTuple):
    """A command without sub-commands, as `create configmap`. `short` leads from `-o` to `--output`."""

    flags: frozenset[str]
    short: dict[str, str]


class Surface(NamedTuple):
    """All commands by name; `aliases` leads from `create cm` to `create configmap`."""

    commands: dict[str, Command]
    aliases: dict[str, str]


@cache
def surface(kubectl: str) -> Surface:
    """Everything that `kubectl --help` and the help of what it names tell of."""
    commands: dict[str, Command] = {}
    aliases: dict[str, str] = {}
    waiting = [""]
    while waiting:
        path = waiting.pop()
        text = subprocess.run([kubectl, *path.split(), "--help"], capture_output=True, text=True, check=True).stdout
        below = _listed(text)
        waiting += [f"{path} {name}".strip() for name in below]
        if path and not below:
            options = re.findall(r"^ {4}(?:(-\w), )?(--[\w-]+)=", text, flags=re.M)
            commands[path] = Command(
                frozenset(name for _, name in options), {short: name for short, name in options if short}
            )
        if match := re.search(r"^Aliases:\n(.*)$", text, flags=re.M):
            above = path.rpartition(" ")[0]
            aliases.update({f"{above} {name}".strip(): path for name in match[1].split(", ")})
    return Surface(commands, aliases)


def _listed(text: str) -> list[str]:
    """The names under the headings that say `Commands`."""
    blocks = re.findall(r"^[\w ,]*Commands[^\n]*:\n((?: {2}\S.*\n)+)", text, flags=re.M)
    return [line.split()[0] for block in blocks for line in block.splitlines()]


def calls(text: str) -> Iterator[list[str]]:
    """The words of each call of kubectl in shell text.

    >>> list(calls("echo a | kubectl -n x get pods -o name; kubectl version"))
    [['-n', 'x', 'get', 'pods', '-o', 'name'], ['version']]
    """
    lexer = shlex.shlex(text.replace("\n", " ; "), posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split, lexer.commenters = True, ""
    call: list[str] | None = None
    for word in lexer:
        if word == "kubectl" or set(word) <= set("();|&"):
            if call:
                yield call
            call = [] if word == "kubectl" else None
        elif call is not None:
            call.append(word)
    if call:
        yield call


def used(call: list[str], known: Surface) -> tuple[str, set[str]]:
    """The command of a call and the flags that stand behind it, in their long form. "" when it names no command."""
    words = call[: call.index("--")] if "--" in call else call
    path, at = _command(words, known)
    if path not in known.commands:
        return "", set()
    short = GLOBAL | known.commands[path].short
    flags: set[str] = set()
    for word in words[at:]:
        if word.startswith("--"):
            flags.add(word.partition("=")[0])
        elif re.match(r"-[a-zA-Z]", word):
            flags |= {short[f"-{letter}"] for letter in word[1:].partition("=")[0] if f"-{letter}" in short}
    return path, flags


def _command(words: list[str], known: Surface) -> tuple[str, int]:
    """Which command it is, by its first word that is one, and where what follows it begins."""
    heads = {name.split()[0] for name in known.commands}
    for at, word in enumerate(words):
        if word in heads:
            path, end = word, at + 1
            while path not in known.commands and end < len(words):
                path = known.aliases.get(f"{path} {words[end]}", f"{path} {words[end]}")
                end += 1
            return path, end
    return "", len(words)
