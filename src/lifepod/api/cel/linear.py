"""Whether a regular expression is found in a text, in time that grows with the text: all ways at once, none gone back.

Python's own engine is quicker, but can need for ever for `(a+)+$`; patterns that might are run here.

Source: https://swtch.com/~rsc/regexp/regexp2.html (Pike's machine)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from re import _constants as code  # type: ignore[attr-defined]  # the parser of `re`, which typeshed does not know
from re import _parser as parser  # type: ignore[attr-defined]  # as above
from typing import Final, TypeAlias

from lifepod.api.cel.values import CelError

MOST_STEPS: Final = 5_000
MOST_WORK: Final = 2_000_000
_Accept: TypeAlias = Callable[[str], bool]
_Holds: TypeAlias = Callable[[str, int], bool]


def _is_word(text: str, at: int) -> bool:
    return 0 <= at < len(text) and ((text[at].isascii() and text[at].isalnum()) or text[at] == "_")


def _boundary(text: str, at: int) -> bool:
    return _is_word(text, at - 1) != _is_word(text, at)


_ASSERTIONS: Final[dict[object, _Holds]] = {
    code.AT_BEGINNING: lambda text, at: at == 0,
    code.AT_BEGINNING_STRING: lambda text, at: at == 0,
    code.AT_END: lambda text, at: at == len(text),
    code.AT_END_STRING: lambda text, at: at == len(text),
    code.AT_BOUNDARY: _boundary,
    code.AT_NON_BOUNDARY: lambda text, at: not _boundary(text, at),
}
_CATEGORIES: Final[dict[object, _Accept]] = {
    code.CATEGORY_DIGIT: lambda c: c in "0123456789",
    code.CATEGORY_NOT_DIGIT: lambda c: c not in "0123456789",
    code.CATEGORY_SPACE: lambda c: c in " \t\n\r\f\v",
    code.CATEGORY_NOT_SPACE: lambda c: c not in " \t\n\r\f\v",
    code.CATEGORY_WORD: lambda c: (c.isascii() and c.isalnum()) or c == "_",
    code.CATEGORY_NOT_WORD: lambda c: not ((c.isascii() and c.isalnum()) or c == "_"),
}


class Machine:
    """A pattern as steps: accept a character, hold somewhere, go on at other steps. Raises CelError for what it cannot be."""

    def __init__(self, pattern: str) -> None:
        self._accept: list[_Accept | None] = []
        self._holds: list[_Holds | None] = []
        self._next: list[tuple[int, ...]] = []
        tree = parser.parse(pattern, re.ASCII)
        self._fold = bool(tree.state.flags & re.IGNORECASE)
        if tree.state.flags & (re.MULTILINE | re.VERBOSE):
            raise CelError(f"error parsing regexp: too complex: `{pattern}`")
        self._dot_all = bool(tree.state.flags & re.DOTALL)
        end = self._step()
        self._end, self._start = end, self._sequence(tree, end)

    def found_in(self, text: str) -> bool:
        """Whether the pattern is found anywhere in the text."""
        if len(text) * len(self._next) > MOST_WORK:
            raise CelError("operation cancelled: actual cost limit exceeded")
        text = text.lower() if self._fold else text
        states: set[int] = set()
        for at in range(len(text) + 1):
            states = self._closed({*states, self._start}, text, at)
            if self._end in states:
                return True
            if at < len(text):
                states = {
                    after
                    for state in states
                    if (accept := self._accept[state]) is not None and accept(text[at])
                    for after in self._next[state]
                }
        return False

    def _closed(self, states: Iterable[int], text: str, at: int) -> set[int]:
        seen: set[int] = set()
        open_states = list(states)
        while open_states:
            state = open_states.pop()
            if state in seen:
                continue
            seen.add(state)
            holds = self._holds[state]
            if self._accept[state] is None and (holds is None or holds(text, at)):
                open_states += self._next[state]
        return seen

    # ------------------------------------------------------------------------------------------------ making

    def _step(self, *after: int, accept: _Accept | None = None, holds: _Holds | None = None) -> int:
        if len(self._next) >= MOST_STEPS:
            raise CelError("error parsing regexp: expression too large")
        self._accept.append(accept)
        self._holds.append(holds)
        self._next.append(after)
        return len(self._next) - 1

    def _sequence(self, items: Iterable[tuple[object, object]], after: int) -> int:
        for operation, argument in reversed(list(items)):
            after = self._one(operation, argument, after)
        return after

    def _one(self, operation: object, argument: object, after: int) -> int:
        match operation, argument:
            case code.LITERAL | code.NOT_LITERAL, int(number):
                wanted, same = self._folded(chr(number)), operation is code.LITERAL
                return self._step(after, accept=lambda c: (c == wanted) is same)
            case code.ANY, _:
                return self._step(after, accept=(lambda c: True) if self._dot_all else (lambda c: c != "\n"))
            case code.IN, list(members):
                return self._step(after, accept=self._set(members))
            case code.AT, where if where in _ASSERTIONS:
                return self._step(after, holds=_ASSERTIONS[where])
            case code.BRANCH, (_, list(ways)):
                return self._step(*(self._sequence(way, after) for way in ways))
            case code.SUBPATTERN, (_, 0, 0, parser.SubPattern() as body):
                return self._sequence(body, after)
            case code.MAX_REPEAT | code.MIN_REPEAT, (int(least), most, parser.SubPattern() as body):
                return self._repeat(body, least, most, after)
        raise CelError(f"error parsing regexp: invalid or unsupported Perl syntax: {operation}")

    def _repeat(self, body: Iterable[tuple[object, object]], least: int, most: object, after: int) -> int:
        items = list(body)
        if most is code.MAXREPEAT:
            loop = self._step()
            self._next[loop] = (self._sequence(items, loop), after)
            after = loop
        else:
            assert isinstance(most, int)
            end = after
            for _ in range(int(most) - least):
                after = self._step(self._sequence(items, after), end)
        for _ in range(least):
            after = self._sequence(items, after)
        return after

    def _folded(self, character: str) -> str:
        return character.lower() if self._fold else character

    def _set(self, members: list[tuple[object, object]]) -> _Accept:
        negated = members[0][0] is code.NEGATE
        asks = [self._member(*member) for member in members if member[0] is not code.NEGATE]
        return lambda c: any(ask(c) for ask in asks) is not negated

    def _member(self, operation: object, argument: object) -> _Accept:
        match operation, argument:
            case code.LITERAL, int(number):
                wanted = self._folded(chr(number))
                return lambda c: c == wanted
            case code.RANGE, (int(low), int(high)):
                if self._fold:
                    return lambda c: low <= ord(c) <= high or low <= ord(c.upper()[0]) <= high
                return lambda c: low <= ord(c) <= high
            case code.CATEGORY, where if where in _CATEGORIES:
                return _CATEGORIES[where]
        raise CelError(f"error parsing regexp: invalid or unsupported Perl syntax: {operation}")
