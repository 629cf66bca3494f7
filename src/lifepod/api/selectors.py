"""Which objects a label or field selector means: the two grammars of the query string, and `LabelSelector` objects.

Source: k8s.io/apimachinery v0.34.4 pkg/labels/selector.go: Parse, Requirement.Matches
        k8s.io/apimachinery v0.34.4 pkg/fields/selector.go: ParseSelector
        k8s.io/apimachinery v0.34.4 pkg/apis/meta/v1/helpers.go: LabelSelectorAsSelector
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from lifepod.api import names
from lifepod.api.integers import IntegerError, parse_integer
from lifepod.api.objects import JsonObject

Operator = Literal["=", "!=", "in", "notin", "exists", "!", ">", "<"]


class SelectorError(ValueError):
    """The text is no selector; the message is upstream's."""


class LabelTerm(NamedTuple):
    """One requirement on one label."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()


class FieldSelectorTerm(NamedTuple):
    """One requirement on one field, by its label (`spec.nodeName`)."""

    field: str
    value: str
    equal: bool


def labels_match(terms: Iterable[LabelTerm], labels: Mapping[str, str]) -> bool:
    """Whether every term holds for these labels."""
    return all(_term_matches(term, labels.get(term.key)) for term in terms)


def _term_matches(term: LabelTerm, value: str | None) -> bool:
    match term.operator:
        case "=" | "in":
            return value is not None and value in term.values
        case "!=" | "notin":
            return value is None or value not in term.values
        case "exists":
            return value is not None
        case "!":
            return value is None
        case ">" | "<":
            if value is None or not _is_integer(value):
                return False
            have, bound = parse_integer(value), parse_integer(term.values[0])
            return have > bound if term.operator == ">" else have < bound


def _is_integer(text: str) -> bool:
    try:
        parse_integer(text)
    except IntegerError:
        return False
    return True


# ---------------------------------------------------------------------------------------------------------- label grammar

_TOKEN = re.compile(r"\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+)")


def parse_label_selector(text: str) -> tuple[LabelTerm, ...]:
    """The terms of a label selector, in upstream's grammar: `a=b,c!=d,e in (f,g),h,!i,j>5`. Raises SelectorError."""
    if not text.strip():
        return ()
    tokens = [*_TOKEN.findall(text), ""]
    parser = _LabelParser(tokens)
    return parser.terms()


_SPECIAL = frozenset(("=", "==", "!=", "!", "<", ">", "(", ")", ",", ""))


class _LabelParser:
    """Recursive descent over the tokens; the last one is "" (end of string)."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[self._at]

    def _take(self) -> str:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def terms(self) -> tuple[LabelTerm, ...]:
        found: list[LabelTerm] = []
        while True:
            token = self._peek()
            if token != "!" and token in _SPECIAL:
                raise SelectorError(f"found '{token}', expected: !, identifier, or 'end of string'")
            found.append(self._term())
            token = self._take()
            if token == "":
                return tuple(found)
            if token != ",":
                raise SelectorError(f"found '{token}', expected: ',' or 'end of string'")
            following = self._peek()
            if following != "!" and following in _SPECIAL:
                raise SelectorError(f"found '{following}', expected: identifier after ','")

    def _term(self) -> LabelTerm:
        negated = self._peek() == "!"
        if negated:
            self._take()
        key = self._take()
        if key in _SPECIAL:
            raise SelectorError(f"unable to parse requirement: found '{key}', expected: identifier")
        check_label_key(key)
        if negated:
            return LabelTerm(key, "!")
        if self._peek() in ("", ","):
            return LabelTerm(key, "exists")
        return self._compared(key)

    def _compared(self, key: str) -> LabelTerm:
        operator = self._take()
        if operator in ("in", "notin"):
            values = self._set()
            checked = tuple(_checked_value(key, value) for value in values)
            return LabelTerm(key, "in" if operator == "in" else "notin", checked)
        if operator not in ("=", "==", "!=", "<", ">"):
            raise SelectorError(
                f"unable to parse requirement: found '{operator}', expected: in, notin, =, ==, !=, gt, lt"
            )
        value = "" if self._peek() in ("", ",") else self._take()
        if value in _SPECIAL and value:
            raise SelectorError(f"unable to parse requirement: found '{value}', expected: identifier")
        if operator in ("<", ">"):
            if not _is_integer(value):
                raise SelectorError(
                    f"unable to parse requirement: values[0][{key}]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer"
                )
            return LabelTerm(key, ">" if operator == ">" else "<", (value,))
        return LabelTerm(key, "!=" if operator == "!=" else "=", (_checked_value(key, value),))

    def _set(self) -> tuple[str, ...]:
        opening = self._take()
        if opening != "(":
            raise SelectorError(f"unable to parse requirement: found '{opening}' expected: '('")
        values: list[str] = []
        pending = ""
        while True:
            token = self._take()
            if token == ")":
                values.append(pending)
                return tuple(dict.fromkeys(values))
            if token == ",":
                values.append(pending)
                pending = ""
            elif token in _SPECIAL or pending:
                raise SelectorError(f"unable to parse requirement: found '{token}', expected: ',' or ')'")
            else:
                pending = token


def check_label_key(key: str) -> None:
    """Refuse what cannot be a label's key. Raises SelectorError."""
    complaints = names.qualified_name(key)
    if complaints:
        raise SelectorError(f'unable to parse requirement: <nil>: Invalid value: "{key}": {"; ".join(complaints)}')


def _checked_value(key: str, value: str) -> str:
    complaints = names.label_value(value)
    if complaints:
        raise SelectorError(
            f'unable to parse requirement: values[0][{key}]: Invalid value: "{value}": {"; ".join(complaints)}'
        )
    return value


# ---------------------------------------------------------------------------------------------------------- field grammar


def parse_field_selector(text: str) -> tuple[FieldSelectorTerm, ...]:
    """The terms of a field selector: `f=v,g!=w`, values may be empty; `\\,`, `\\=`, `\\\\` are escapes. Raises SelectorError."""
    terms = []
    for part in text.split(",") if "\\" not in text else _split_escaped(text):
        if not part:
            continue
        found = re.match(r"([^=!]*?)(!=|==|=)(.*)", part, re.DOTALL)
        if found is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{part}'")
        field, operator, value = found.groups()
        terms.append(FieldSelectorTerm(field, _unescaped(value, part), operator != "!="))
    return tuple(terms)


def _split_escaped(text: str) -> list[str]:
    parts = [""]
    skip = False
    for char in text:
        if char == "," and not skip:
            parts.append("")
            continue
        skip = char == "\\" and not skip
        parts[-1] += char
    return parts


def _unescaped(value: str, term: str) -> str:
    if "\\" not in value and "=" not in value:
        return value
    plain = ""
    escaped = False
    for char in value:
        if escaped:
            if char not in "\\,=":
                raise SelectorError(f"invalid field selector: invalid escape sequence: \\{char}")
            plain += char
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == "=":
            raise SelectorError(f"invalid field selector: unescaped character in value: {char}")
        else:
            plain += char
    if escaped:
        raise SelectorError("invalid field selector: invalid escape sequence: \\")
    return plain


# ---------------------------------------------------------------------------------------------------------- LabelSelector

_OPERATORS: dict[str, Operator] = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


def label_terms(selector: JsonObject | None) -> tuple[LabelTerm, ...]:
    """The terms of a `metav1.LabelSelector` object; an empty one matches everything (None too: ask before calling)."""
    if not selector:
        return ()
    equal = [LabelTerm(key, "=", (value,)) for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for expression in selector.get("matchExpressions") or ():
        values = tuple(expression.get("values") or ())
        equal.append(LabelTerm(expression["key"], _OPERATORS[expression["operator"]], values))
    return tuple(equal)


def selector_text(terms: Iterable[LabelTerm]) -> str:
    """The selector as text, in upstream's form: `a=b,c in (d,e),!f`; sorted by key."""
    shown = []
    for term in sorted(terms, key=lambda t: t.key):
        match term.operator:
            case "exists":
                shown.append(term.key)
            case "!":
                shown.append(f"!{term.key}")
            case "in" | "notin":
                shown.append(f"{term.key} {term.operator} ({','.join(sorted(term.values))})")
            case _:
                shown.append(f"{term.key}{term.operator}{term.values[0]}")
    return ",".join(shown)
