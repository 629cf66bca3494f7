"""The frame of a kind's validation: its metadata, then what is its own. For kinds whose rules are a function of a few lines.

The rules themselves are in the `validation_*` file of their group.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from lifepod.api import names
from lifepod.api.field_errors import FieldError, duplicate, invalid, not_supported, required
from lifepod.api.meta import NameRule, metadata_errors, metadata_update_errors
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.quantity import parse_quantity

Rules: TypeAlias = Callable[[JsonObject], list[FieldError]]
ChangeRules: TypeAlias = Callable[[JsonObject, JsonObject], list[FieldError]]

_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
NOT_NEGATIVE = "must be greater than or equal to 0"


def new_object(rules: Rules, *, namespaced: bool, name_rule: NameRule = names.dns_subdomain) -> Rules:
    """A `validate` of the metadata and of `rules`."""

    def validate(obj: JsonObject) -> list[FieldError]:
        metadata: JsonObject = obj.get("metadata") or {}
        return metadata_errors(metadata, namespaced=namespaced, name_rule=name_rule) + rules(obj)

    return validate


def changed_object(rules: Rules, *, change: ChangeRules | None = None) -> ChangeRules:
    """A `validate_update` of the metadata, of what may not `change`, and of `rules`."""

    def validate_update(obj: JsonObject, old: JsonObject) -> list[FieldError]:
        errors = metadata_update_errors(obj["metadata"], old["metadata"])
        if change is not None:
            errors += change(obj, old)
        return errors + rules(obj)

    return validate_update


def known_value(value: JsonValue, known: tuple[str, ...], path: str) -> list[FieldError]:
    """Where it is set, one of the known values."""
    return [] if value is None or value in known else [not_supported(path, value, known)]


def not_negative(value: JsonValue, path: str) -> list[FieldError]:
    """Zero or more. Source: pkg/apis/core/validation/validation.go: ValidateNonnegativeField"""
    return [invalid(path, value, NOT_NEGATIVE)] if isinstance(value, int) and value < 0 else []


def named(value: JsonValue, rule: NameRule, path: str) -> list[FieldError]:
    """Required, and a name by that rule."""
    if not value:
        return [required(path)]
    return [invalid(path, value, complaint) for complaint in rule(str(value))]


def domain_path_errors(value: str, path: str) -> list[FieldError]:
    """Required, and a path under a domain: `acme.io/foo`.

    Source: k8s.io/apimachinery v0.34.4 pkg/util/validation/validation.go: IsDomainPrefixedPath
    """
    if not value:
        return [required(path)]
    domain, _, rest = value.partition("/")
    if not (domain and rest):
        return [invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    errors = [invalid(path, domain, complaint) for complaint in names.dns_subdomain(domain)]
    if not re.fullmatch(_HTTP_PATH, rest):
        errors.append(invalid(path, rest, f"Invalid path (regex used for validation is '{_HTTP_PATH}')"))
    return errors


def amount(value: JsonValue) -> int:
    """A quantity in billionths."""
    return parse_quantity(str(value)).nanos


def shown_amount(value: JsonValue) -> str:
    """A quantity as it is written in messages."""
    return str(parse_quantity(str(value)))


def repeated(values: list[JsonValue], path: Callable[[int], str]) -> list[FieldError]:
    """Values that occurred before; missing ones do not count."""
    return [duplicate(path(at), value) for at, value in enumerate(values) if value and value in values[:at]]
