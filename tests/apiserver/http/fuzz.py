"""Seeds, damage and a way to send: what the tests that fuzz share.

`LIFEPOD_FUZZ=100` tries a hundred times as many. A failure names its seed: `LIFEPOD_FUZZ_SEED=N` tries that one alone.
"""

import json
import logging
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lifepod.apiserver.exchange import Request, Response
from lifepod.apiserver.webhook_rounds import answered_in_place

FACTOR = int(os.environ.get("LIFEPOD_FUZZ", "1"))
ONLY = os.environ.get("LIFEPOD_FUZZ_SEED")
HEADERS = {"authorization": "Bearer admin-token"}
NS = "/api/v1/namespaces/default"
ODD: list[Any] = [
    None, True, 0, -1, 1e308, 1.5, 2**63, 2**31, "", "x" * 300, "\u0000", "é", "\U0001f600", [], {}, [None], {"": None}, "1Gi", "0x1", "-1",
    ["a", "a"], "9" * 400, "NaN", {"a": {"b": {"c": []}}}, "2026-13-45T99:99:99Z", "$patch", "*", "a/b/c", "..",
]  # fmt: skip

Send = Callable[..., Response | None]


class Chance(random.Random):
    """A source of chance that knows its seed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def some(self, least: int, most: int, make: Callable[[], Any]) -> list[Any]:
        """So many of what `make` makes."""
        return [make() for _ in range(self.randint(least, most))]


def seeds(tries: int = 150) -> Iterator[Chance]:
    """A source of chance per try; the seed stands in the name of the failing assertion."""
    return (Chance(seed) for seed in ([int(ONLY)] if ONLY else range(tries * FACTOR)))


def damaged(value: Any, chance: Chance) -> Any:
    """A copy with one to three places changed."""
    copy = json.loads(json.dumps(value))
    for _ in range(chance.randint(1, 3)):
        at = copy
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = chance.choice(keys)
            if isinstance(at[key], dict | list) and at[key] and chance.random() < 0.8:
                at = at[key]
                continue
            match chance.randrange(5):
                case 0 if isinstance(at, dict):
                    del at[key]
                case 1 if isinstance(at, list):
                    at.append(json.loads(json.dumps(at[key])))
                case _:
                    at[key] = json.loads(json.dumps(chance.choice(ODD)))
            break
    return copy


def scrambled(data: bytes, chance: Chance) -> bytes:
    """Bytes with a few flipped, cut or doubled."""
    made = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(made) + 1)
        match chance.randrange(4):
            case 0 if at < len(made):
                made[at] ^= 1 << chance.randrange(8)
            case 1:
                del made[at : at + chance.randint(1, 8)]
            case 2:
                made[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 4)))
            case _:
                made[at:at] = made[at : at + 8]
    return bytes(made)


def sender(cluster: Any, caplog: pytest.LogCaptureFixture) -> Send:
    """Sends a request; fails when the answer is a mistake of ours, or a Status is none."""
    caplog.set_level(logging.ERROR)

    def call(
        chance: Chance,
        method: str,
        path: str,
        body: bytes,
        content_type: str,
        query: str = "",
        headers: dict[str, str] | None = None,
    ) -> Response | None:
        asked = Request(method, path, query, HEADERS | {"content-type": content_type} | (headers or {}), body)
        told = f"seed {chance.number}: {method} {path}?{query} {content_type} {headers} {body[:2000]!r}"
        try:
            answer = cluster.app.site(asked)
        except Exception as exc:
            raise AssertionError(told) from exc
        if not isinstance(answer, tuple):
            try:
                answer = answered_in_place(answer)  # a webhook's configuration among the objects: it is asked in vain
            except RuntimeError:
                return None  # an exec or a port-forward
        assert not caplog.records, told
        if isinstance(answer, Response):
            assert answer.status in (500, 504) or answer.status < 500, told
            ours = b'"reason":"InternalError"' in answer.body and b"Internal error occurred: failed" not in answer.body
            assert not ours, f"{told}\n{answer.body[:1000]!r}"
            return answer
        return None

    return call
