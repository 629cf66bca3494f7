"""Regular expressions of RE2 in CEL: `matches`, `find`, `findAll`.

Python's engine goes back where RE2 does not, and may do so for ever; what could make it is run by `linear.py`.

Source: github.com/google/re2/wiki/Syntax; k8s.io/apiserver v0.34.4 pkg/cel/library/regex.go
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from lifepod.api.cel.linear import Machine
from lifepod.api.cel.values import CelError, Value, no_overload

_POSIX: Final = {
    "[:alnum:]": "0-9A-Za-z", "[:alpha:]": "A-Za-z", "[:blank:]": "\\t ", "[:digit:]": "0-9", "[:lower:]": "a-z", "[:space:]": "\\s",
    "[:upper:]": "A-Z", "[:word:]": "\\w", "[:xdigit:]": "0-9A-Fa-f", "[:punct:]": "!-/:-@[-`{-~",
}  # fmt: skip
_MAY_GO_BACK: Final = re.compile(r"[*+}]\??\)+[*+{?]|\|[^()]*\)[*+{]|(?:[*+}].*){3}", re.DOTALL)
"""A repetition of repetitions or of choices, or three of them in a row: there Python's engine may go back and back."""
_BACK_REFERENCE: Final = re.compile(r"(?<!\\)(?:\\\\)*(?:\\[1-9]|\(\?(?:[=!]|<[=!]|P=))")
_SHORT: Final = 16
_NOTHING: Final = re.compile(r"(?!)")


@lru_cache(maxsize=512)
def _read(pattern: str) -> tuple[re.Pattern[str], Machine | None]:
    """The pattern, and the patient machine for it if it may take long. Raises CelError."""
    text = pattern
    for name, members in _POSIX.items():
        text = text.replace(name, members)
    text = text.replace("\\z", "\\Z")
    if _BACK_REFERENCE.search(text):
        raise CelError(f"error parsing regexp: invalid or unsupported Perl syntax: `{pattern}`")
    try:
        compiled = re.compile(re.sub(r"(?<!\\)\$", r"\\Z", text) if "[" not in text else text, re.ASCII)
        return compiled, Machine(text) if _MAY_GO_BACK.search(text) else None
    except (re.error, RecursionError, OverflowError) as problem:
        raise CelError(f"error parsing regexp: {problem}: `{pattern}`") from None


def _ready(name: str, text: Value, pattern: Value) -> tuple[str, re.Pattern[str]]:
    if not isinstance(text, str) or not isinstance(pattern, str):
        raise no_overload(name, (text, pattern))
    compiled, patient = _read(pattern)
    if patient is not None and len(text) > _SHORT and not patient.found_in(text):
        return "", _NOTHING
    return text, compiled


def matches(text: Value, pattern: Value) -> Value:
    """Whether the pattern is found anywhere in the text."""
    if not isinstance(text, str) or not isinstance(pattern, str):
        raise no_overload("matches", (text, pattern))
    compiled, patient = _read(pattern)
    if patient is not None and len(text) > _SHORT:
        return patient.found_in(text)
    return compiled.search(text) is not None


def find(text: Value, pattern: Value) -> Value:
    """The first match, or nothing."""
    where, compiled = _ready("find", text, pattern)
    found = compiled.search(where)
    return found[0] if found else ""


def find_all(text: Value, pattern: Value, limit: int = -1) -> Value:
    """All matches, at most `limit`."""
    where, compiled = _ready("findAll", text, pattern)
    found = [match[0] for match in compiled.finditer(where)]
    return found[:limit] if limit >= 0 else found
