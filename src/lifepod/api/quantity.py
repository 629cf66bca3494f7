"""How much a quantity such as `1500m`, `64Mi` or `2e3` is, and how it is written canonically.

Exact: a quantity is an integer count of nano-units, so comparing and adding lose nothing.

Source: k8s.io/apimachinery v0.34.4 pkg/api/resource/quantity.go, suffix.go
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

PATTERN = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_SPLIT = re.compile(r"^([+-]?)(\d+(?:\.\d*)?|\.\d+)(.*)$", re.ASCII)
_EXPONENT = re.compile(r"^[eE]([-+]?\d+)$", re.ASCII)
_NANO = 10**9
_MAX_EXPONENT_DIGITS, _MAX_LENGTH = 3, 400
"""Longer texts are refused, so that a quantity cannot be made to cost memory."""

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_NAMES = {power: name for name, power in _DECIMAL.items()}
_LIMIT = (2**63 - 1) * _NANO

Format = Literal["BinarySI", "DecimalSI", "DecimalExponent"]


class QuantityError(ValueError):
    """The text is no quantity; the message is upstream's."""


class Quantity(NamedTuple):
    """`nanos` billionths of the unit. `format` is how it was written and will be written again."""

    nanos: int
    format: Format = "DecimalSI"

    @property
    def value(self) -> int:
        """In whole units, rounded away from zero (`Quantity.Value()`): bytes, counts."""
        return _round_up(self.nanos, _NANO)

    @property
    def milli(self) -> int:
        """In thousandths, rounded away from zero (`Quantity.MilliValue()`): CPU millicores."""
        return _round_up(self.nanos, _NANO // 1000)

    def __str__(self) -> str:
        return format_quantity(self)


def _round_up(nanos: int, unit: int) -> int:
    return -(-nanos // unit) if nanos >= 0 else nanos // unit


@lru_cache(maxsize=4096)
def parse_quantity(text: str) -> Quantity:
    """The quantity that `text` writes. Finer than nano is rounded up; more than 2^63 is cut to it.

    >>> parse_quantity("1500m").milli, parse_quantity("64Mi").value
    (1500, 67108864)

    Raises QuantityError with upstream's text.
    """
    if not text or len(text) > _MAX_LENGTH:
        raise QuantityError("quantities must match the regular expression '" + PATTERN + "'")
    parts = _SPLIT.match(text)
    if parts is None:
        raise QuantityError("quantities must match the regular expression '" + PATTERN + "'")
    sign, number, suffix = parts.groups()
    (base, power), form = _suffix(suffix)
    whole, _, decimals = number.partition(".")
    scale = power - len(decimals) + 9
    digits = int(whole + decimals) << base
    nanos = digits * 10**scale if scale >= 0 else -(-digits // 10**-scale)
    if form == "BinarySI":
        nanos = min(nanos, _LIMIT)
        if 0 < nanos < _NANO:
            form = "DecimalSI"
    return Quantity(-nanos if sign == "-" else nanos, form)


def _suffix(suffix: str) -> tuple[tuple[int, int], Format]:
    """The powers of two and of ten that a suffix stands for."""
    if suffix in _BINARY:
        return (_BINARY[suffix], 0), "BinarySI"
    if suffix in _DECIMAL:
        return (0, _DECIMAL[suffix]), "DecimalSI"
    exponent = _EXPONENT.match(suffix)
    if exponent is not None and len(exponent[1]) <= _MAX_EXPONENT_DIGITS:
        return (0, int(exponent[1])), "DecimalExponent"
    if re.fullmatch(r"[eEinumkKMGTP]*[-+]?[0-9]*", suffix):
        raise QuantityError("unable to parse quantity's suffix")
    raise QuantityError("quantities must match the regular expression '" + PATTERN + "'")


def format_quantity(quantity: Quantity) -> str:
    """The canonical text: no fraction, the largest suffix that leaves the number whole.

    Source: k8s.io/apimachinery v0.34.4 pkg/api/resource/quantity.go: CanonicalizeBytes
    """
    nanos = quantity.nanos
    if nanos == 0:
        return "0"
    if quantity.format == "BinarySI" and (abs(nanos) < 1024 * _NANO or nanos % _NANO):
        return _decimal(nanos, exponent=False)
    if quantity.format == "BinarySI":
        return _binary(nanos // _NANO)
    return _decimal(nanos, exponent=quantity.format == "DecimalExponent")


def _binary(value: int) -> str:
    best = ""
    for suffix, power in _BINARY.items():
        if value % (1 << power):
            break
        best = suffix
    return f"{value >> _BINARY[best]}{best}" if best else str(value)


def _decimal(nanos: int, *, exponent: bool) -> str:
    power, number = -9, nanos
    while number % 1000 == 0 and power < 18:
        number //= 1000
        power += 3
    if exponent:
        return f"{number}e{power}" if power else str(number)
    return f"{number}{_DECIMAL_NAMES[power]}"


def canonical_quantity(text: str | int | float) -> str:
    """A quantity as the API server writes it back: `0.5` becomes `500m`, `1024Mi` becomes `1Gi`.

    >>> canonical_quantity("0.5"), canonical_quantity("1000m"), canonical_quantity(2)
    ('500m', '1', '2')
    """
    return format_quantity(parse_quantity(str(text)))


def sum_of(quantities: list[Quantity]) -> Quantity:
    """All of them together; written like the first that is not nothing."""
    form: Format = next((q.format for q in quantities if q.nanos), "DecimalSI")
    return Quantity(sum(q.nanos for q in quantities), form)
