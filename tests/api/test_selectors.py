"""The grammars of label and field selectors, and what they match."""

from __future__ import annotations

import pytest

from lifepod.api.selectors import (
    SelectorError,
    label_terms,
    labels_match,
    parse_field_selector,
    parse_label_selector,
    selector_text,
)


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ("a=b", {"a": "b"}, {"a": "c"}),
        ("a==b", {"a": "b"}, {}),
        ("a!=b", {}, {"a": "b"}),
        ("a in (b, c)", {"a": "c"}, {}),
        ("a notin (b,c)", {}, {"a": "b"}),
        ("a", {"a": ""}, {}),
        ("!a", {}, {"a": ""}),
        ("a>5", {"a": "6"}, {"a": "5"}),
        ("a<5", {"a": "4"}, {"a": "x"}),
        ("a=", {"a": ""}, {"a": "b"}),
        ("in in (in)", {"in": "in"}, {"in": "x"}),
        ("a=b , c != d", {"a": "b"}, {"a": "b", "c": "d"}),
    ],
)
def test_a_label_selector_matches(text, matching, other):
    terms = parse_label_selector(text)
    assert labels_match(terms, matching)
    assert not labels_match(terms, other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a=b,", "found '', expected: identifier after ','"),
        ("=", "found '=', expected: !, identifier, or 'end of string'"),
        (
            "a>x",
            "unable to parse requirement: values[0][a]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
        ),
    ],
)
def test_a_wrong_label_selector_is_refused_in_upstreams_words(text, message):
    with pytest.raises(SelectorError) as refused:
        parse_label_selector(text)
    assert str(refused.value) == message


def test_a_key_must_be_a_qualified_name():
    with pytest.raises(SelectorError, match=r'<nil>: Invalid value: "/a": prefix part must be non-empty'):
        parse_label_selector("/a=b")


def test_field_selectors_take_empty_escaped_and_repeated_values():
    terms = parse_field_selector(r"a=,b!=c,d==e\,f,a=")
    assert [(t.field, t.value, t.equal) for t in terms] == [
        ("a", "", True),
        ("b", "c", False),
        ("d", "e,f", True),
        ("a", "", True),
    ]


@pytest.mark.parametrize("text", ["a", "x=a=b"])
def test_a_wrong_field_selector_is_refused(text):
    with pytest.raises(SelectorError):
        parse_field_selector(text)


def test_a_label_selector_object_as_text():
    selector = {
        "matchLabels": {"b": "c"},
        "matchExpressions": [{"key": "a", "operator": "In", "values": ["y", "x"]}, {"key": "z", "operator": "Exists"}],
    }
    assert selector_text(label_terms(selector)) == "a in (x,y),b=c,z"
