"""What can go wrong on the way to an API, in words for people."""

from __future__ import annotations

from lifepod.errors import LifepodError


class ClientError(LifepodError):
    """The API could not be reached, or not be understood."""


class KubeconfigError(ClientError):
    """A kubeconfig could not be read or used. Says which file and entry, and what to do."""
