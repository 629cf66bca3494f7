"""A scenario's text as lines of words that know where they stand; what the words mean is `scenario_text.py`'s.

Indented lines belong to the line above them. `#` begins a comment. Quotes keep blanks together.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from lifepod.errors import LifepodError

_WORD = re.compile(r"""(?:[^\s"'#]|"[^"]*"|'[^']*'|(?<=\S)\#)+""")
_QUOTED = re.compile(r""""([^"]*)"|'([^']*)'""")
DIVIDER = "----"


class ScenarioError(LifepodError):
    """The scenario cannot be understood; the text says where, what, and what to do."""

    def __init__(self, message: str, line: int, column: int, hint: str = "", source: str = "") -> None:
        self.message, self.line, self.column, self.hint, self.source = message, line, column, hint, source
        super().__init__(str(self))

    def __str__(self) -> str:
        where = f"{self.source}:{self.line}:{self.column}" if self.source else f"line {self.line}, column {self.column}"
        return f"{where}: {self.message}" + (f"\n  {self.hint}" if self.hint else "")


class Word(NamedTuple):
    """One word. `key` and `value` are its halves around the first `=`; without one, `value` is None."""

    text: str
    key: str
    value: str | None
    line: int
    column: int

    def wrong(self, message: str, hint: str = "") -> ScenarioError:
        """An error about this word."""
        return ScenarioError(message, self.line, self.column, hint)


class Line(NamedTuple):
    """A line with what is indented below it. `raw`: the lines below as they stand, for YAML."""

    words: tuple[Word, ...]
    below: tuple[Line, ...]
    number: int
    indent: int
    raw: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The first word."""
        return self.words[0].text

    @property
    def text(self) -> str:
        """The line's words as they were written, without comments."""
        return " ".join(word.text for word in self.words)

    def wrong(self, message: str, hint: str = "") -> ScenarioError:
        """An error about the whole line."""
        return ScenarioError(message, self.number, self.indent + 1, hint)


def split_expected(text: str) -> tuple[str, tuple[str, ...] | None]:
    """The scenario and the lines expected after `----` (None: there is no such line)."""
    lines = text.splitlines()
    if DIVIDER not in lines:
        return text, None
    at = lines.index(DIVIDER)
    return "\n".join(lines[:at]), tuple(line.rstrip() for line in lines[at + 1 :])


def lines_of(text: str) -> tuple[Line, ...]:
    """The text as a tree of lines. Raises ScenarioError."""
    raw = text.splitlines()
    number = 0
    found: list[Line] = []
    while number < len(raw):
        if not _is_blank(raw[number]):
            line, number = _line_at(raw, number)
            if line.indent:
                raise line.wrong("this line is indented, but there is nothing above it that it could belong to")
            found.append(line)
        else:
            number += 1
    return tuple(found)


def _line_at(raw: list[str], number: int) -> tuple[Line, int]:
    """The line there with all that belongs to it, and the number of the next one."""
    own = raw[number]
    indent = len(own) - len(own.lstrip(" "))
    if own.lstrip(" ").startswith("\t"):
        raise ScenarioError("a tab indents this line", number + 1, indent + 1, "Indent with blanks.")
    end = number + 1
    while end < len(raw) and (_is_blank(raw[end]) or _indent(raw[end]) > indent):
        end += 1
    words = _words(own, number + 1)
    if words[0].text == "apply" and len(words) == 1:
        return Line(words, (), number + 1, indent, tuple(raw[number + 1 : end])), end
    below: list[Line] = []
    at = number + 1
    while at < end:
        if _is_blank(raw[at]):
            at += 1
            continue
        line, at = _line_at(raw, at)
        if below and line.indent != below[0].indent:
            raise line.wrong("this line is indented differently from the one above it")
        below.append(line)
    return Line(words, tuple(below), number + 1, indent), end


def _is_blank(line: str) -> bool:
    text = line.strip()
    return not text or text.startswith("#")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _words(line: str, number: int) -> tuple[Word, ...]:
    words: list[Word] = []
    position = 0
    while position < len(line):
        if line[position].isspace():
            position += 1
            continue
        if line[position] == "#":
            break
        match = _WORD.match(line, position)
        if match is None:
            raise ScenarioError("the quotes in this line do not match", number, position + 1)
        words.append(_word(match[0], number, position + 1))
        position = match.end()
    return tuple(words)


def _word(raw: str, line: int, column: int) -> Word:
    key, equals, value = raw.partition("=")
    return Word(raw, _unquoted(key), _unquoted(value) if equals else None, line, column)


def _unquoted(text: str) -> str:
    return _QUOTED.sub(lambda match: match[1] if match[1] is not None else match[2], text)
