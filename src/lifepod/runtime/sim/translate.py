"""`tr`: sets of characters, and what becomes of a text by them. Pure.

Source: busybox coreutils/tr.c
"""

from __future__ import annotations

import string
from typing import Final

_CLASSES: Final = {
    "alnum": string.digits + string.ascii_uppercase + string.ascii_lowercase,
    "alpha": string.ascii_uppercase + string.ascii_lowercase,
    "blank": " \t",
    "digit": string.digits,
    "lower": string.ascii_lowercase,
    "punct": string.punctuation,
    "space": " \t\n\r\v\f",
    "upper": string.ascii_uppercase,
    "xdigit": string.hexdigits,
}
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}


def character_set(text: str) -> list[int]:
    """The bytes that a set names, in order: `a-z`, `[:digit:]`, `\\n`."""
    found: list[int] = []
    at = 0
    while at < len(text):
        if text.startswith("[:", at) and (end := text.find(":]", at)) > 0 and text[at + 2 : end] in _CLASSES:
            found += _CLASSES[text[at + 2 : end]].encode()
            at = end + 2
            continue
        first, at = _one(text, at)
        if text[at : at + 1] == "-" and at + 1 < len(text):
            last, at = _one(text, at + 1)
            found += range(first, last + 1)
        else:
            found.append(first)
    return found


def _one(text: str, at: int) -> tuple[int, int]:
    if text[at] == "\\" and text[at + 1 : at + 2] in _ESCAPES:
        return ord(_ESCAPES[text[at + 1]]), at + 2
    return ord(text[at]) & 0xFF, at + 1


def translate(content: bytes, options: str, first: str, second: str | None) -> bytes:
    """`content` with what `first` names (c: all else) deleted (d), made one where it repeats (s), or put as in `second`."""
    chosen = character_set(first)
    if "c" in options:
        chosen = [code for code in range(256) if code not in set(chosen)]
    if "d" in options:
        content = content.translate(None, bytes(chosen))
        chosen = []
    into = character_set(second) if second else []
    if chosen and into:
        filled = into + into[-1:] * (len(chosen) - len(into))
        content = content.translate(bytes.maketrans(bytes(chosen), bytes(filled[: len(chosen)])))
    return _squeezed(content, frozenset(into or chosen)) if "s" in options else content


def _squeezed(content: bytes, which: frozenset[int]) -> bytes:
    made = bytearray()
    for code in content:
        if not made or made[-1] != code or code not in which:
            made.append(code)
    return bytes(made)
