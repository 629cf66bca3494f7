"""Which objects have a value: a dict of sets that spends nothing on sets of one."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

V = TypeVar("V", bound=Hashable)


class Index(Generic[V]):
    """value → keys. Most values (uids, generated labels) have one key, kept bare; several are kept in a set."""

    __slots__ = ("_found",)

    def __init__(self, found: dict[V, str | set[str]] | None = None) -> None:
        self._found: dict[V, str | set[str]] = {} if found is None else found

    def add(self, value: V, key: str) -> None:
        have = self._found.get(value)
        if have is None:
            self._found[value] = key
        elif isinstance(have, str):
            if have != key:
                self._found[value] = {have, key}
        else:
            have.add(key)

    def remove(self, value: V, key: str) -> None:
        have = self._found.get(value)
        if isinstance(have, set):
            have.discard(key)
            if len(have) == 1:
                self._found[value] = have.pop()
        elif have == key:
            del self._found[value]

    def keys(self, value: V) -> frozenset[str] | set[str]:
        """The keys that have the value. Read, do not change."""
        have = self._found.get(value)
        if have is None:
            return frozenset()
        return frozenset((have,)) if isinstance(have, str) else have

    def keys_of_any(self, values: Iterable[V]) -> set[str]:
        """The keys that have one of the values."""
        return set().union(*(self.keys(value) for value in values))

    def copy(self) -> Index[V]:
        """An index of its own; sets are copied, strings shared."""
        return Index({value: have if isinstance(have, str) else set(have) for value, have in self._found.items()})
