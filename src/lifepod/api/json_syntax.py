"""Why a text is not JSON, in the words of Go's encoding/json, which is what every Kubernetes client has seen.

Only called after a real parser refused the text, so it may be slow.

Source: go1.24 src/encoding/json/scanner.go: the state functions; sigs.k8s.io/json keeps the texts
"""

from __future__ import annotations

import re

_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_LITERALS = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}
_END = "unexpected end of JSON input"


class _Broken(Exception):
    """The text is wrong here; the message says how."""


def syntax_error(body: bytes) -> str | None:
    """What Go says of `body`; None when Go would take it (it takes some texts that strict parsers refuse)."""
    try:
        at = _document(body)
        at = _skip(body, at)
        if at < len(body):
            return _unexpected(body, at, "after top-level value")
    except _Broken as broken:
        return str(broken)
    return None


def _skip(body: bytes, at: int) -> int:
    match = _SPACE.match(body, at)
    return match.end() if match else at


def _unexpected(body: bytes, at: int, where: str) -> str:
    if at >= len(body):
        return _END
    return f"invalid character {quoted_char(body[at])} {where}"


def quoted_char(byte: int) -> str:
    """One byte as Go's scanner quotes it: `'b'`, `'\\''`, `'"'`, `'\\x00'`."""
    if byte == ord("'"):
        return "'\\''"
    char = chr(byte)
    named = {
        "\n": "\\n",
        "\t": "\\t",
        "\r": "\\r",
        "\\": "\\\\",
        "\x08": "\\b",
        "\x0c": "\\f",
        "\x07": "\\a",
        "\x0b": "\\v",
    }
    if char in named:
        return f"'{named[char]}'"
    if byte < 32 or byte == 127:
        return f"'\\x{byte:02x}'"
    if 128 <= byte < 160:
        return f"'\\u00{byte:02x}'"
    return f"'{char}'"


def _document(body: bytes) -> int:
    """Walk one value without recursion; return where it ends."""
    at = _skip(body, 0)
    stack: list[int] = []
    while True:
        opened = False
        start = body[at : at + 1]
        if start in (b"{", b"["):
            at = _skip(body, at + 1)
            closer = ord("}") if start == b"{" else ord("]")
            if at < len(body) and body[at] == closer:
                at += 1
            else:
                stack.append(closer)
                at = _key(body, at, "looking for beginning of object key string") if closer == ord("}") else at
                opened = True
        else:
            at = _scalar(body, at)
        while not opened:
            at = _skip(body, at)
            if not stack:
                return at
            in_object = stack[-1] == ord("}")
            if at < len(body) and body[at] == stack[-1]:
                stack.pop()
                at += 1
                continue
            if at >= len(body) or body[at] != ord(","):
                raise _Broken(
                    _unexpected(body, at, "after object key:value pair" if in_object else "after array element")
                )
            at = _skip(body, at + 1)
            if in_object:
                at = _key(body, at, "looking for beginning of object key string")
            opened = True


def _key(body: bytes, at: int, where: str) -> int:
    if at >= len(body) or body[at] != ord('"'):
        raise _Broken(_unexpected(body, at, where))
    at = _skip(body, _string(body, at))
    if at >= len(body) or body[at] != ord(":"):
        raise _Broken(_unexpected(body, at, "after object key"))
    return _skip(body, at + 1)


def _scalar(body: bytes, at: int) -> int:
    if at >= len(body):
        raise _Broken(_END)
    byte = body[at]
    if byte == ord('"'):
        return _string(body, at)
    if byte in b"-0123456789":
        return _number(body, at)
    if byte in _LITERALS:
        return _literal(body, at, _LITERALS[byte])
    raise _Broken(_unexpected(body, at, "looking for beginning of value"))


def _literal(body: bytes, at: int, word: bytes) -> int:
    for offset in range(1, len(word)):
        if at + offset >= len(body) or body[at + offset] != word[offset]:
            expected = f"in literal {word.decode()} (expecting {quoted_char(word[offset])})"
            raise _Broken(_unexpected(body, at + offset, expected))
    return at + len(word)


def _string(body: bytes, at: int) -> int:
    at += 1
    while True:
        match = _STRING_PLAIN.match(body, at)
        at = match.end() if match else at
        if at >= len(body):
            raise _Broken(_END)
        if body[at] == ord('"'):
            return at + 1
        if body[at] != ord("\\"):
            raise _Broken(_unexpected(body, at, "in string literal"))
        at += 1
        if at < len(body) and body[at] == ord("u"):
            for offset in range(1, 5):
                if at + offset >= len(body) or body[at + offset] not in b"0123456789abcdefABCDEF":
                    raise _Broken(_unexpected(body, at + offset, "in \\u hexadecimal character escape"))
            at += 5
        elif at < len(body) and body[at] in b'bfnrt\\/"':
            at += 1
        else:
            raise _Broken(_unexpected(body, at, "in string escape code"))


def _digits(body: bytes, at: int, where: str) -> int:
    if at >= len(body) or body[at] not in b"0123456789":
        raise _Broken(_unexpected(body, at, where))
    while at < len(body) and body[at] in b"0123456789":
        at += 1
    return at


def _number(body: bytes, at: int) -> int:
    if body[at] == ord("-"):
        at += 1
        if at >= len(body) or body[at] not in b"0123456789":
            raise _Broken(_unexpected(body, at, "in numeric literal"))
    at = at + 1 if body[at] == ord("0") else _digits(body, at, "in numeric literal")
    if at < len(body) and body[at] == ord("."):
        at = _digits(body, at + 1, "after decimal point in numeric literal")
    if at < len(body) and body[at] in b"eE":
        at += 1
        if at < len(body) and body[at] in b"+-":
            at += 1
        at = _digits(body, at, "in exponent of numeric literal")
    return at
