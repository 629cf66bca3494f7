"""Random expressions have the value, or fail, as with Google's own implementation. Runs where `cel-expr-python` is installed (`.ci/long fuzz`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifepod.api.cel import CelError, compiled

if TYPE_CHECKING:
    from lifepod.api.objects import JsonValue

SELF: dict[str, JsonValue] = {
    "n": 3,
    "zero": 0,
    "big": 9_223_372_036_854_775_807,
    "half": 0.5,
    "name": "web-1",
    "empty": "",
    "on": True,
    "ports": [80, 443, 8080],
    "words": ["a", "bb", "é"],
    "none": [],
    "labels": {"app": "web", "a-b": "c"},
}
FAILED = "failed"

INTS = st.sampled_from(["0", "1", "-2", "7", "self.n", "self.zero", "self.big", "size(self.ports)", "self.missing"])
TEXTS = st.sampled_from(
    ['"a"', '""', '"web-1"', "self.name", "self.empty", "self.words[2]", "self.words[9]", "self.labels.app"]
)
LISTS = st.sampled_from(["[1, 2, 3]", "[]", "self.ports", "self.none", "[self.n, 80]"])
BOOLS = st.sampled_from(
    ["true", "false", "self.on", "has(self.n)", "has(self.missing)", "has(self.labels.app)", "self.missing"]
)


def _more(ints: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    texts = TEXTS | st.builds("({} + {})".format, TEXTS, TEXTS)
    lists = LISTS | st.builds("({} + {})".format, LISTS, LISTS)
    lists |= st.builds("{}.{}(x, x {} {})".format, lists, st.just("filter"), st.sampled_from([">", "<=", "!="]), ints)
    lists |= st.builds("{}.map(x, x {} {})".format, lists, st.sampled_from(["+", "-", "*"]), ints)
    bools = BOOLS | st.builds("({} {} {})".format, ints, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), ints)
    bools |= st.builds("({} {} {})".format, texts, st.sampled_from(["<", "==", "!=", ">="]), texts)
    bools |= st.builds(
        "{}.{}({})".format, texts, st.sampled_from(["startsWith", "endsWith", "contains", "matches"]), texts
    )
    bools |= st.builds("({} in {})".format, ints, lists)
    macro = st.sampled_from(["all", "exists", "exists_one"])
    bools |= st.builds("{}.{}(x, x {} {})".format, lists, macro, st.sampled_from(["<", "==", ">="]), ints)
    bools |= st.builds("({} {} {})".format, bools, st.sampled_from(["&&", "||"]), bools) | st.builds(
        "!{}".format, bools
    )
    grown = st.builds("({} {} {})".format, ints, st.sampled_from(["+", "-", "*", "/", "%"]), ints)
    grown |= st.builds("({} ? {} : {})".format, bools, ints, ints) | st.builds("size({})".format, texts | lists)
    grown |= st.builds("{}[{}]".format, lists, ints) | st.builds(
        "self.?{}.orValue({})".format, st.sampled_from(["n", "gone"]), ints
    )
    return ints | grown | bools.map("({} ? 1 : 0)".format)


EXPRESSIONS = st.recursive(INTS, _more, max_leaves=12)


def _ours(text: str) -> object:
    try:
        return compiled(text, ("self",)).run({"self": SELF})
    except CelError:
        return FAILED


def _theirs(text: str) -> object:
    cel = pytest.importorskip("cel_expr_python.cel")
    optional = pytest.importorskip("cel_expr_python.ext.ext_optional")
    environment = cel.NewEnv(variables={"self": cel.Type.DYN}, extensions=[optional.ExtOptional()])
    try:
        found = environment.compile(text).eval(data={"self": SELF})
    except Exception:  # whatever their kind of failure is
        return FAILED
    return FAILED if found.type() == cel.Type.ERROR else found.plain_value()


@settings(deadline=None, max_examples=2_000)
@given(text=EXPRESSIONS)
def test_an_expression_is_worth_the_same(text: str) -> None:
    assert _ours(text) == _theirs(text)
