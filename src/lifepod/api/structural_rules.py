"""The rules in CEL (`x-kubernetes-validations`) of a custom resource's schema.

Loaded when the first rule is met and not needed otherwise. What cannot be read here because it uses a function that we do not have
is not checked; `unread_rules` names it so that whoever writes the definition is told.

Source: k8s.io/apiextensions-apiserver v0.34.4 pkg/apiserver/schema/cel/validation.go
        k8s.io/apiserver v0.34.4 pkg/apis/cel/config.go: PerCallLimit, RuntimeCELCostBudget
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, TypeAlias, cast

from lifepod.api.cel import CelError, CelSyntaxError, OverBudget, Program, Value, compiled
from lifepod.api.cel.values import NONE, Optional
from lifepod.api.field_errors import ErrorType, FieldError
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.structural_validation import ABSENT, key_of

Schema: TypeAlias = JsonObject
RULES: Final = "x-kubernetes-validations"
_OLD: Final = re.compile(r"\boldSelf\b")
_VARIABLES: Final = ("oldSelf", "self")


def _program(rule: str) -> Program | None:
    try:
        return compiled(rule, _VARIABLES)
    except CelSyntaxError:
        return None


def has_rules(schema: Schema) -> bool:
    """Whether there is a rule anywhere in the schema."""
    return bool(schema.get(RULES)) or any(has_rules(inner) for inner in _inner_schemas(schema))


def unread_rules(schema: Schema) -> list[str]:
    """The rules that cannot be checked here."""
    own = [rule["rule"] for rule in schema.get(RULES) or () if _program(rule["rule"]) is None]
    return [*own, *(text for inner in _inner_schemas(schema) for text in unread_rules(inner))]


def unreadable_rules(schema: Schema) -> Iterator[tuple[int, str]]:
    """Which of a schema's own rules are no CEL at all, and why; upstream refuses their definition."""
    for index, rule in enumerate(schema.get(RULES) or ()):
        try:
            compiled(str(rule.get("rule") or ""), _VARIABLES)
        except CelSyntaxError as problem:
            if "Syntax error" in str(problem):
                yield index, f"compilation failed: {problem}"


def _inner_schemas(schema: Schema) -> Iterator[Schema]:
    inner = [*(schema.get("properties") or {}).values(), schema.get("items"), schema.get("additionalProperties")]
    return (each for each in inner if isinstance(each, dict))


def rule_errors(value: JsonValue, schema: Schema, path: str = "", old: JsonValue = ABSENT) -> list[FieldError]:
    """The rules that a value and what it holds break. `old`: the value before an update, for transition rules."""
    return list(_errors(value, schema, path, old))


def _errors(value: JsonValue, schema: Schema, path: str, old: JsonValue) -> Iterator[FieldError]:
    for rule in schema.get(RULES) or ():
        if _OLD.search(rule["rule"]) and old is ABSENT and not rule.get("optionalOldSelf"):
            continue
        if found := _broken(rule, value, schema, path, old):
            yield found
    if isinstance(value, dict):
        yield from _member_errors(value, schema, path, old)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        before = {key_of(each, keys): each for each in old} if keys and isinstance(old, list) else {}
        for index, inner in enumerate(value):
            held = before.get(key_of(inner, keys), ABSENT) if keys else ABSENT
            yield from _errors(inner, schema["items"], f"{path}[{index}]", held)


def _member_errors(value: JsonObject, schema: Schema, path: str, old: JsonValue) -> Iterator[FieldError]:
    properties: JsonObject = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    before: JsonObject = old if isinstance(old, dict) else {}
    for name, inner in value.items():
        known = properties.get(name, extra)
        if isinstance(known, dict):
            at = f"{path}.{name}" if path else name
            yield from _errors(inner, known, at, before.get(name, ABSENT))


def _broken(rule: JsonObject, value: JsonValue, schema: Schema, path: str, old: JsonValue) -> FieldError | None:
    program = _program(rule["rule"])
    if program is None:
        return None
    variables: dict[str, Value] = {"self": _as_cel(value, schema), "oldSelf": NONE}
    if old is not ABSENT:
        before = _as_cel(old, schema)
        variables["oldSelf"] = Optional(True, before) if rule.get("optionalOldSelf") else before
    at = f"{path}{rule.get('fieldPath') or ''}".lstrip(".") or "<nil>"
    shown = schema.get("type") or "object"
    try:
        if program.run(variables) is True:
            return None
    except OverBudget:
        return FieldError("FieldValueInvalid", at, shown, f"call cost exceeds limit for rule: {rule['rule']}")
    except CelError as problem:
        text = f"rule: {rule['rule']}: evaluation error: {problem}"
        return FieldError("FieldValueInvalid", at, shown, text)
    reason = cast(ErrorType, rule.get("reason") or "FieldValueInvalid")
    return FieldError(reason, at, shown, _message(rule, variables))


def _message(rule: JsonObject, variables: dict[str, Value]) -> str:
    expression = _program(rule["messageExpression"]) if rule.get("messageExpression") else None
    if expression is not None:
        try:
            text = expression.run(variables)
        except CelError:
            text = ""  # upstream falls back to the message as well
        if isinstance(text, str) and text.strip() and "\n" not in text:
            return text.strip()
    message: str = rule.get("message") or f"failed rule: {rule['rule'].strip()}"
    return message


def _as_cel(value: JsonValue, schema: Schema) -> Value:
    """The value with times, durations and bytes as such, and numbers of type `number` as doubles."""
    if isinstance(value, dict):
        properties: JsonObject = schema.get("properties") or {}
        extra = schema.get("additionalProperties")
        return {
            name: _as_cel(inner, known) if isinstance(known := properties.get(name, extra), dict) else inner
            for name, inner in value.items()
        }
    if isinstance(value, list):
        items = schema.get("items")
        return [_as_cel(inner, items) for inner in value] if isinstance(items, dict) else value
    if isinstance(value, int) and not isinstance(value, bool) and schema.get("type") == "number":
        return float(value)
    if isinstance(value, str) and schema.get("format") in _FORMATTED:
        return _formatted(value, schema["format"])
    return value


_FORMATTED: Final = ("date", "date-time", "duration", "byte")


def _formatted(text: str, format_: str) -> Value:
    if format_ == "duration":
        return _duration(text)
    if format_ == "byte":
        return b64decode(text)
    return _moment(text if format_ == "date-time" else f"{text}T00:00:00Z")


def _moment(text: str) -> Value:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def _duration(text: str) -> Value:
    parts = re.findall(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h|d|w)", text)
    seconds = sum(float(amount) * _UNITS[unit] for amount, unit in parts)
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)
