"""YAML as kubectl reads it: scalars, places, limits."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifepod.api.yaml_text import YamlError, read_documents


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y", True),
        ("off", False),
        ("'y'", "y"),
        ('"1"', "1"),
        ("0644", 420),
        ("0o17", 15),
        ("0x10", 16),
        ("1_000", 1000),
        ("-5", -5),
        ("1.5", 1.5),
        ("2.0", 2),
        ("1e3", "1e3"),
        ("1e+3", 1000),
        ("2001-01-01", "2001-01-01"),
        ("busybox:1.28'", "busybox:1.28'"),
        ("100m", "100m"),
        ("!!str 5", "5"),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("9223372036854775807", 9223372036854775807),
        ("08", 8),
    ],
)
def test_scalars_are_read_as_kubectl_reads_them(text, value):
    assert read_documents(f"a: {text}")[0].value == {"a": value}
    assert type(read_documents(f"a: {text}")[0].value["a"]) is type(value)


def test_keys_become_strings_and_merge_keys_yield_to_own_ones():
    doc = read_documents("base: &b {x: 1, z: 2}\nuse:\n  <<: *b\n  x: 3\n80: p\ntrue: t\n")[0]
    assert doc.value == {"base": {"x": 1, "z": 2}, "use": {"x": 3, "z": 2}, "80": "p", "true": "t"}


def test_empty_documents_are_left_out():
    assert [d.value for d in read_documents("---\n# nothing\n---\na: 1\n---\n")] == [{"a": 1}]


def test_a_place_is_that_of_the_member_or_of_its_nearest_ancestor():
    doc = read_documents("spec:\n  containers:\n  - name: a\n    image: b\n")[0]
    assert doc.place(("spec", "containers", 0, "image")) == (4, 5)
    assert doc.place(("spec", "containers", 0, "nope")) == (3, 5)
    assert doc.place(("other",)) == (1, 1)


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", 'the key "a" stands here twice, first in line 1', 3),
        ("[" * 100_000, "nested deeper than 128 levels", 1),
        ("a: &a {b: *a}\n", "contains itself", 1),
        ("a: *b\n", "names no anchor", 1),
        (b"a: \xff", "is not UTF-8", 1),
        ("a: \x00", "control character 0x00", 1),
        ("? [1]\n: 2\n", "a key of a map must be a plain word", 1),
        ("a: .inf\n", "JSON has no .inf", 1),
        ("a: &x 1\nb: [" + "*x," * 10_001 + "]", "more than 10,000 aliases", 2),
    ],
)
def test_what_is_no_good_yaml_is_refused_with_its_place(text, words, line):
    with pytest.raises(YamlError, match=words.replace("(", "\\(")) as caught:
        read_documents(text)
    assert caught.value.line == line


def test_a_billion_laughs_is_refused_before_it_grows():
    text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
    )
    with pytest.raises(YamlError, match="grow beyond a million values"):
        read_documents(text)


def test_more_than_three_mebibytes_are_not_read():
    with pytest.raises(YamlError, match="more than the 3145728"):
        read_documents(b"a: " + b"x" * (3 * 1024 * 1024))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a:\n\tb: 1\n", "Line 2 is indented with a tab"),
        ("containers:\n- name:init\n  image: x\n", "put a space after the colon of `name:`"),
    ],
)
def test_common_slips_come_with_what_to_do(text, hint):
    with pytest.raises(YamlError) as caught:
        read_documents(text)
    assert hint in caught.value.hint


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz<", min_size=1, max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), json_values, min_size=1))
def test_json_is_yaml(value):
    assert read_documents(orjson.dumps(value))[0].value == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_cleanly(data):
    place = (1, 1)
    try:
        read_documents(data)
    except YamlError as error:
        place = (error.line, error.column)
    assert min(place) >= 1
