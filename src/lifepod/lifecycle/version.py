"""What differs between Kubernetes minors: one profile per minor, chosen by the node. Only 1.34 is filled.

The rules take the profile as a value; nobody else asks for a version.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple


class Profile(NamedTuple):
    """The gates and wordings of one minor (lifecycle.md, table at the top)."""

    minor: str
    container_restart_rules: bool = False


PROFILES = {"1.34": Profile("1.34")}


@lru_cache(maxsize=8)
def profile_of(version: str) -> Profile:
    """The profile of a version such as `1.34` or `v1.34.4`; the newest filled one for any other."""
    minor = ".".join(version.removeprefix("v").split(".")[:2])
    return PROFILES.get(minor, PROFILES["1.34"])
