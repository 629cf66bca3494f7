"""What can go wrong when the parts are put together."""

from __future__ import annotations

from lifepod.errors import LifepodError


class StartError(LifepodError):
    """A cluster could not be started. Says what was tried and what to do."""


class NameTaken(StartError):
    """A cluster of that name is up already."""
