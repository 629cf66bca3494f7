"""What a number written by a client means: Go's integers of 64 bits, where Python's would be of any size.

Python takes `1_000`, digits of other scripts and blanks, and refuses more than 4,300 digits with an error nobody expects.
"""

from __future__ import annotations

import re

from lifepod.errors import LifepodError

INT64 = (-(2**63), 2**63 - 1)
UINT64 = (0, 2**64 - 1)
_DECIMAL = re.compile(r"[+-]?[0-9]+")
_LONGEST = 40
"""No number of 64 bits has more digits, leading zeros aside."""


class IntegerError(LifepodError):
    """The text is no integer of that size. `nearest` is the largest or smallest one when it is too far out."""

    def __init__(self, message: str, nearest: int = 0) -> None:
        super().__init__(message)
        self.nearest = nearest


def parse_integer(text: str, bounds: tuple[int, int] = INT64) -> int:
    """The integer that a text is in base 10. Raises IntegerError in Go's words.

    Source: golang strconv/atoi.go: ParseInt, ParseUint
    """
    low, high = bounds
    if not _DECIMAL.fullmatch(text) or (low >= 0 and text[0] in "+-"):
        raise IntegerError("invalid syntax")
    digits = text.lstrip("+-").lstrip("0")
    nearest = low if text[0] == "-" else high
    if len(digits) > _LONGEST:
        raise IntegerError("value out of range", nearest)
    number = int(digits or "0") * (-1 if text[0] == "-" else 1)
    if not low <= number <= high:
        raise IntegerError("value out of range", nearest)
    return number


def port_number(text: str) -> int | None:
    """The port that a text names by its number; None when it names none."""
    try:
        return parse_integer(text, (1, 65535))
    except IntegerError:
        return None
