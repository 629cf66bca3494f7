"""Label and field selectors in upstream's grammar."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifepod.api.selectors import (
    FieldSelectorTerm,
    LabelTerm,
    SelectorError,
    label_terms,
    labels_match,
    parse_field_selector,
    parse_label_selector,
    selector_text,
)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ()),
        ("a=b", (LabelTerm("a", "=", ("b",)),)),
        ("a == b , c != d", (LabelTerm("a", "=", ("b",)), LabelTerm("c", "!=", ("d",)))),
        ("a in (x, y),!b,c", (LabelTerm("a", "in", ("x", "y")), LabelTerm("b", "!"), LabelTerm("c", "exists"))),
        ("a notin (),b=", (LabelTerm("a", "notin", ("",)), LabelTerm("b", "=", ("",)))),
        ("x.io/a>5,b<3", (LabelTerm("x.io/a", ">", ("5",)), LabelTerm("b", "<", ("3",)))),
    ],
)
def test_label_selectors(text, terms):
    assert parse_label_selector(text) == terms


@pytest.mark.parametrize(
    "text", ["a=b=c", "a in (b", "a in b", ",", "a=b,", "=b", "a>x", "!", "a/b/c=d", "-a=b", "a=b!"]
)
def test_what_is_no_label_selector(text):
    with pytest.raises(SelectorError):
        parse_label_selector(text)


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        ("a!=b", {}, True),
        ("a notin (b)", {}, True),
        ("!a", {"a": ""}, False),
        ("a", {"a": ""}, True),
        ("a>5", {"a": "6"}, True),
        ("a>5", {"a": "x"}, False),
        ("a<5", {}, False),
    ],
)
def test_absent_labels_and_numbers(selector, labels, matches):
    assert labels_match(parse_label_selector(selector), labels) is matches


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ()),
        ("a.b=c,d!=e", (FieldSelectorTerm("a.b", "c", True), FieldSelectorTerm("d", "e", False))),
        ("a==b,c=", (FieldSelectorTerm("a", "b", True), FieldSelectorTerm("c", "", True))),
        (r"a=x\,y\=z\\", (FieldSelectorTerm("a", "x,y=z\\", True),)),
    ],
)
def test_field_selectors(text, terms):
    assert parse_field_selector(text) == terms


@pytest.mark.parametrize("text", ["abc", r"a=\x", "a=b=c", "a=b\\"])
def test_what_is_no_field_selector(text):
    with pytest.raises(SelectorError):
        parse_field_selector(text)


def test_a_label_selector_object():
    selector = {"matchLabels": {"b": "1"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}
    assert selector_text(label_terms(selector)) == "a,b=1"


@given(st.text(alphabet="ab=!<>(),in/. \\", max_size=30))
def test_any_text_is_parsed_or_refused(text):
    for parse in (parse_label_selector, parse_field_selector):
        with suppress(SelectorError):
            parse(text)
