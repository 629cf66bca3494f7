"""Numbers as text, as Go reads them."""

from __future__ import annotations

import pytest

from lifepod.api.integers import INT64, UINT64, IntegerError, parse_integer, port_number


@pytest.mark.parametrize(
    ("text", "bounds", "number"),
    [
        ("0", INT64, 0),
        ("-7", INT64, -7),
        ("+7", INT64, 7),
        ("0" * 6_000 + "8", INT64, 8),
        ("9223372036854775807", INT64, 2**63 - 1),
        ("-9223372036854775808", INT64, -(2**63)),
        ("18446744073709551615", UINT64, 2**64 - 1),
    ],
)
def test_what_is_a_number(text: str, bounds: tuple[int, int], number: int) -> None:
    assert parse_integer(text, bounds) == number


@pytest.mark.parametrize("text", ["", "-", "1_000", " 1", "1 ", "1e3", "0x1", "٣", "²", "1.0", "--1"])
def test_what_python_might_take_and_go_does_not(text: str) -> None:
    with pytest.raises(IntegerError, match="invalid syntax"):
        parse_integer(text)


@pytest.mark.parametrize(
    ("text", "bounds", "nearest"),
    [
        ("9223372036854775808", INT64, 2**63 - 1),
        ("-9223372036854775809", INT64, -(2**63)),
        ("18446744073709551616", UINT64, 2**64 - 1),
        ("9" * 5_000, INT64, 2**63 - 1),
        ("-" + "9" * 5_000, INT64, -(2**63)),
    ],
)
def test_what_is_too_far_out_is_told_with_the_nearest_number(text: str, bounds: tuple[int, int], nearest: int) -> None:
    with pytest.raises(IntegerError, match="value out of range") as told:
        parse_integer(text, bounds)
    assert told.value.nearest == nearest


def test_unsigned_numbers_have_no_sign() -> None:
    with pytest.raises(IntegerError, match="invalid syntax"):
        parse_integer("+1", UINT64)


@pytest.mark.parametrize(
    ("text", "port"),
    [("80", 80), ("65535", 65535), ("0", None), ("65536", None), ("http", None), ("²", None), ("", None)],
)
def test_a_port_by_its_number(text: str, port: int | None) -> None:
    assert port_number(text) == port
