"""What a test can do wrong with a cluster."""

from __future__ import annotations

from lifepod.errors import LifepodError


class TestingError(LifepodError):
    """The test asked for something that this cluster cannot do; the text says what to do instead."""

    __test__ = False


class NotVirtual(TestingError):
    """Time cannot be turned, and state not put back, where containers really run."""


class ClientMissing(TestingError):
    """The client library is not installed."""
