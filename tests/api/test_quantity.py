"""Quantities are exact, and written back as upstream writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifepod.api.quantity import QuantityError, canonical_quantity, parse_quantity


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"), ("0.5", "500m"), ("1000m", "1"), ("100m", "100m"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("64Mi", "64Mi"),
        ("1e3", "1e3"), ("1000", "1k"), ("2000k", "2M"), ("0.1n", "1n"), ("1023", "1023"), ("1023Ki", "1023Ki"), ("512.5Ki", "524800"),
        ("-1", "-1"), ("+1", "1"), ("1.", "1"), (".5", "500m"), ("12e6", "12e6"), ("123456", "123456"), ("0.001Ki", "1024m"), ("1E", "1E"),
        ("1.1", "1100m"), ("100000", "100k"),
    ],
)  # fmt: skip
def test_canonical_form(text, canonical):
    assert canonical_quantity(text) == canonical


@pytest.mark.parametrize(
    "text", ["", "abc", "1.1.1", "1 Gi", "1i", " 1", "1Kib", "e3", "--1", "1GiGi", "1e99999", "9" * 5000]
)
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(QuantityError):
        parse_quantity(text)


def test_the_refusal_names_the_expression():
    with pytest.raises(QuantityError, match="quantities must match the regular expression"):
        parse_quantity("x")


@pytest.mark.parametrize(
    ("text", "milli", "value"), [("1500m", 1500, 2), ("1n", 1, 1), ("2", 2000, 2), ("1Ki", 1024000, 1024)]
)
def test_whole_units_are_rounded_up(text, milli, value):
    assert (parse_quantity(text).milli, parse_quantity(text).value) == (milli, value)


@given(st.integers(0, 2**40), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "n", "e3"]))
def test_the_canonical_form_is_the_same_amount_and_stays(number, suffix):
    quantity = parse_quantity(f"{number}{suffix}")
    again = parse_quantity(str(quantity))
    assert again.nanos == quantity.nanos
    assert str(again) == str(quantity)
