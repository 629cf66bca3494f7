"""Rules in CEL of a custom resource's schema: which hold, which break, what they say."""

from __future__ import annotations

from typing import Any

import pytest

from lifepod.api.structural_rules import rule_errors, unread_rules, unreadable_rules
from lifepod.api.structural_validation import ABSENT

SPEC = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer"},
        "ratio": {"type": "number"},
        "until": {"type": "string", "format": "date-time"},
        "for": {"type": "string", "format": "duration"},
        "raw": {"type": "string", "format": "byte"},
        "a-b": {"type": "string"},
        "ports": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}, "port": {"type": "integer"}}},
        },
    },
}


def broken(rule: dict[str, Any], value: dict[str, Any], old: Any = ABSENT) -> list[str]:
    schema = {**SPEC, "x-kubernetes-validations": [rule]}
    return [f"{error.path}: {error.detail}" for error in rule_errors(value, schema, "spec", old)]


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ("self.?replicas.orValue(1) <= 3", {}, {"replicas": 4}),
        ("!has(self.replicas) || self.replicas > 0", {}, {"replicas": 0}),
        ("self.ratio == 1.0", {"ratio": 1}, {"ratio": 2}),
        (
            "self.until > timestamp('2025-01-01T00:00:00Z')",
            {"until": "2025-01-02T00:00:00Z"},
            {"until": "2024-01-02T00:00:00Z"},
        ),
        ("self.for <= duration('1h')", {"for": "30m"}, {"for": "1h30m"}),
        ("self.raw == b'abc'", {"raw": "YWJj"}, {"raw": "YWJk"}),
        ("self.a__dash__b == 'x'", {"a-b": "x"}, {"a-b": "y"}),
        (
            "self.ports.all(i, p, p.port > i)",
            {"ports": [{"port": 1}, {"port": 2}]},
            {"ports": [{"port": 1}, {"port": 1}]},
        ),
        ("self.ports.exists_one(p, p.name == 'http')", {"ports": [{"name": "http"}]}, {"ports": []}),
    ],
)
def test_a_rule_holds_or_breaks(rule: str, good: dict[str, Any], bad: dict[str, Any]) -> None:
    assert broken({"rule": rule}, good) == []
    assert broken({"rule": rule}, bad) == [f"spec: failed rule: {rule}"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"message": "too many"}, "spec: too many"),
        ({"messageExpression": "'not ' + string(self.replicas)"}, "spec: not 4"),
        ({"messageExpression": "self.nothing", "message": "too many"}, "spec: too many"),
        ({"fieldPath": ".replicas", "message": "too many"}, "spec.replicas: too many"),
    ],
)
def test_what_a_broken_rule_says(more: dict[str, str], told: str) -> None:
    assert broken({"rule": "self.replicas <= 3", **more}, {"replicas": 4}) == [told]


def test_a_rule_about_a_change_is_asked_of_changes_only() -> None:
    rule = {"rule": "self.replicas >= oldSelf.replicas"}
    assert broken(rule, {"replicas": 1}) == []
    assert broken(rule, {"replicas": 1}, {"replicas": 1}) == []
    assert broken(rule, {"replicas": 1}, {"replicas": 2})


def test_a_rule_that_takes_the_old_value_as_it_comes_is_asked_of_new_objects_too() -> None:
    rule = {"rule": "self.replicas <= oldSelf.?replicas.orValue(2)", "optionalOldSelf": True}
    assert broken(rule, {"replicas": 2}) == []
    assert broken(rule, {"replicas": 3})
    assert broken(rule, {"replicas": 3}, {"replicas": 3}) == []


def test_a_rule_without_a_value_is_an_error_and_one_that_costs_too_much_is_ended() -> None:
    assert broken({"rule": "self.replicas > 1"}, {}) == [
        "spec: rule: self.replicas > 1: evaluation error: no such key: replicas"
    ]
    dear = "self.ports.all(a, self.ports.all(b, self.ports.all(c, a.port + b.port + c.port > 0)))"
    assert broken({"rule": dear}, {"ports": [{"port": 1}] * 1000}) == [
        f"spec: call cost exceeds limit for rule: {dear}"
    ]


def test_which_rules_cannot_be_read() -> None:
    schema = {"x-kubernetes-validations": [{"rule": "self.a =="}, {"rule": "self.a.later()"}, {"rule": "true"}]}
    assert unread_rules(schema) == ["self.a ==", "self.a.later()"]
    assert [index for index, _ in unreadable_rules(schema)] == [0]
