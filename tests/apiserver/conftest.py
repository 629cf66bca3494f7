"""An API over an empty store, with names and uids that count up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import KindRegistry
from lifepod.apiserver.api import Api
from lifepod.apiserver.bootstrap import bootstrap
from lifepod.store import Store

NOW = datetime(2025, 1, 1, tzinfo=UTC)


class CountingIds:
    """Names that can be foreseen."""

    def __init__(self) -> None:
        self.count = 0

    def uid(self) -> str:
        self.count += 1
        return f"00000000-0000-4000-8000-{self.count:012d}"

    def suffix(self, length: int = 5) -> str:
        self.count += 1
        return f"{self.count:0{length}d}"[-length:].translate(str.maketrans("013", "bcd"))

    def hexadecimal(self, length: int) -> str:
        self.count += 1
        return f"{self.count:0{length}x}"

    def fraction(self) -> float:
        self.count += 1
        return (self.count * 0.37) % 1


@pytest.fixture
def api() -> Api:
    made = Api(Store(), KindRegistry(builtin_kinds()), CountingIds())
    bootstrap(made, NOW)
    return made
