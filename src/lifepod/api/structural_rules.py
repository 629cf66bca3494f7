"""The rules in CEL (`x-kubernetes-validations`) of a custom resource's schema.

The evaluator is the package common-expression-language, loaded when the first rule is met and not needed otherwise (its compiled
part alone: 25 ms instead of 250). Rules that it cannot read (optional field selection, `.?`) are not checked; `unread_rules` names
them so that whoever writes the definition is told.

Source: k8s.io/apiextensions-apiserver v0.34.4 pkg/apiserver/schema/cel/validation.go
        k8s.io/apiserver v0.34.4 pkg/cel/library (the functions beyond the language's own)
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from importlib import util
from importlib.machinery import ExtensionFileLoader, PathFinder
from typing import Protocol, TypeAlias, cast

from lifepod.api import rule_functions
from lifepod.api.field_errors import ErrorType, FieldError
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.structural_validation import ABSENT, key_of

Schema: TypeAlias = JsonObject
RULES = "x-kubernetes-validations"
_MODULE = "cel.cel"
_OLD = re.compile(r"\boldSelf\b")


class _Program(Protocol):
    def execute(self, context: object) -> JsonValue: ...


class _Cel(Protocol):
    def compile(self, text: str) -> _Program: ...

    def Context(self, variables: dict[str, JsonValue], functions: object) -> object: ...  # noqa: N802 - its name


@lru_cache(maxsize=1)
def _cel() -> _Cel | None:
    """The evaluator's compiled module; None when the package is not installed."""
    if _MODULE in sys.modules:
        return cast(_Cel, sys.modules[_MODULE])
    package = util.find_spec("cel")
    if package is None or not package.submodule_search_locations:
        return None
    found = PathFinder.find_spec(_MODULE, package.submodule_search_locations)
    if found is None or not isinstance(found.loader, ExtensionFileLoader):
        return None
    module = util.module_from_spec(found)
    found.loader.exec_module(module)
    sys.modules[_MODULE] = module  # it must not be set up twice
    return cast(_Cel, module)


@lru_cache(maxsize=1024)
def _program(rule: str) -> _Program | None:
    cel = _cel()
    if cel is None:
        return None
    try:
        return cel.compile(rule)
    except Exception:  # noqa: BLE001 - a foreign parser: whatever it raises, the rule cannot be read
        return None


def has_rules(schema: Schema) -> bool:
    """Whether there is a rule anywhere in the schema."""
    return bool(schema.get(RULES)) or any(has_rules(inner) for inner in _inner_schemas(schema))


def unread_rules(schema: Schema) -> list[str]:
    """The rules that cannot be checked here."""
    own = [rule["rule"] for rule in schema.get(RULES) or () if _program(rule["rule"]) is None]
    return [*own, *(text for inner in _inner_schemas(schema) for text in unread_rules(inner))]


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
        if rule.get("optionalOldSelf"):
            continue  # needs the optional type's syntax, which the evaluator does not read
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
    program, cel = _program(rule["rule"]), _cel()
    if program is None or cel is None:
        return None
    variables = {"self": _as_cel(value, schema)}
    if old is not ABSENT:
        variables["oldSelf"] = _as_cel(old, schema)
    context = cel.Context(variables, rule_functions.FUNCTIONS)
    at = f"{path}{rule.get('fieldPath') or ''}".lstrip(".") or "<nil>"
    shown = schema.get("type") or "object"
    try:
        if program.execute(context) is True:
            return None
    except Exception as problem:  # noqa: BLE001 - a foreign evaluator; upstream too tells its text to the user
        text = f"rule: {rule['rule']}: evaluation error: {problem}"
        return FieldError("FieldValueInvalid", at, shown, text)
    reason = cast(ErrorType, rule.get("reason") or "FieldValueInvalid")
    return FieldError(reason, at, shown, _message(rule, context))


def _message(rule: JsonObject, context: object) -> str:
    expression = _program(rule["messageExpression"]) if rule.get("messageExpression") else None
    if expression is not None:
        try:
            text = expression.execute(context)
            if isinstance(text, str) and text.strip() and "\n" not in text:
                return text.strip()
        except Exception:  # noqa: BLE001 - upstream falls back to the message as well
            pass
    message: str = rule.get("message") or f"failed rule: {rule['rule'].strip()}"
    return message


def _as_cel(value: JsonValue, schema: Schema) -> JsonValue:
    """The value with times and durations as such, and numbers of type `number` as doubles."""
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
    if isinstance(value, str) and schema.get("format") in ("date-time", "duration"):
        return _moment(value) if schema["format"] == "date-time" else _duration(value)
    return value


def _moment(text: str) -> JsonValue:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def _duration(text: str) -> JsonValue:
    parts = re.findall(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h|d|w)", text)
    seconds = sum(float(amount) * _UNITS[unit] for amount, unit in parts)
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)
