"""How the store says no. `apiserver` words these for clients."""

from __future__ import annotations

from lifepod.errors import LifepodError


class StoreError(LifepodError):
    """The store refused; `resource` and `key` say what it was about."""

    def __init__(self, resource: str, key: str) -> None:
        super().__init__(f"{resource} {key}")
        self.resource = resource
        self.key = key


class AlreadyExists(StoreError):
    """There is an object of that name."""


class Missing(StoreError):
    """There is no object of that name."""


class WrongRevision(StoreError):
    """The object has changed since the revision that the write was based on."""


class TooOld(LifepodError):
    """The history no longer reaches back that far. `oldest` is the oldest revision that it does."""

    def __init__(self, revision: int, oldest: int) -> None:
        super().__init__(f"too old resource version: {revision} ({oldest})")
        self.revision = revision
        self.oldest = oldest
