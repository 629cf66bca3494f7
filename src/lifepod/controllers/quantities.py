"""Quantities of objects as integers, 0 for what cannot be read (the API has validated it)."""

from __future__ import annotations

from functools import lru_cache

from lifepod.api.quantity import QuantityError, parse_quantity


@lru_cache(maxsize=4096)
def milli(text: str | int) -> int:
    """Thousandths, rounded up: how CPU is counted."""
    try:
        return parse_quantity(str(text)).milli
    except QuantityError:
        return 0


@lru_cache(maxsize=4096)
def whole(text: str | int) -> int:
    """Whole units, rounded up: how memory, pods and extended resources are counted."""
    try:
        return parse_quantity(str(text)).value
    except QuantityError:
        return 0
