"""`/lifepod/clock` over HTTP: the clock of a virtual cluster, for tests in other languages.

GET tells the time. POST turns it; the body is JSON, one of

    {"advance": "24h"}          {"step": true}          {"mode": "manual"}          {"mode": "60x"}
    {"until": {"path": "/api/v1/namespaces/default/pods/web", "jsonPath": "{.status.phase}", "value": "Running"}, "timeout": "1h"}

and the answer, once that is done, tells the time as GET does, for `until` with `reached`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import orjson

from lifepod.api.json_path import JsonPathError, find, parsed
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.writes import ApiError
from lifepod.apiserver.exchange import Answer, Request, Response
from lifepod.apiserver.http_errors import bad_request, method_not_allowed
from lifepod.assembly.simulated import SimulatedCluster
from lifepod.assembly.virtual_clock import TurnedClock
from lifepod.simulation.clock_modes import BadTime

_PATH = "/lifepod/clock"
_WRONG = 'send one of {"advance": "10m"}, {"step": true}, {"mode": "auto"} or {"until": {"path", "jsonPath", "value"}}'


class ClockRequests:
    """Answers them for one cluster."""

    def __init__(self, clock: TurnedClock, sim: SimulatedCluster) -> None:
        self._clock, self._sim = clock, sim

    def answer(self, request: Request) -> Answer | None:
        """The answer; None when the path is another. Raises ApiError."""
        if request.path.rstrip("/") != _PATH:
            return None
        if request.method in ("GET", "HEAD"):
            return self._told()
        if request.method != "POST":
            raise method_not_allowed()
        wish = self._wish(_decoded(request.body))
        return _in_a_thread(lambda: self._told(wish()))

    def _told(self, reached: bool | None = None) -> Response:
        due = self._clock.next_timer
        told: JsonObject = {
            "now": _shown(self._clock.now()),
            "mode": self._clock.mode,
            "next": None if due is None else _shown(due),
        }
        if reached is not None:
            told["reached"] = reached
        return Response(200, orjson.dumps(told) + b"\n")

    def _wish(self, body: JsonObject) -> Callable[[], bool | None]:
        """What to do; it may take its time. Raises ApiError for what is not understood."""
        clock = self._clock
        match body:
            case {"advance": str() | int() | float() as length, **rest} if not rest:
                return lambda: _nothing(clock.advance(length))
            case {"step": True, **rest} if not rest:
                return lambda: _nothing(clock.step())
            case {"mode": str() as mode, **rest} if not rest:
                return lambda: clock.set_mode(mode)
            case {"until": {"path": str() as path, **what}, **rest} if not set(rest) - {"timeout"}:
                holds = self._condition(path, what.get("jsonPath", ""), what.get("value"))
                return lambda: clock.run_until(holds, rest.get("timeout", "1h"))
            case _:
                raise bad_request(_WRONG)

    def _condition(self, path: str, json_path: JsonValue, value: JsonValue) -> Callable[[], bool]:
        """Whether the object at `path` exists and, given a JSONPath, holds `value` there (any value, if none is given)."""
        try:
            parsed(str(json_path))
        except JsonPathError as exc:
            raise bad_request(str(exc)) from exc

        def holds() -> bool:
            try:
                obj = self._sim.request("GET", path)
            except ApiError:
                return False
            found = find(str(json_path), obj) if json_path else [obj]
            return bool(found) and (value is None or value in found)

        return holds


def _decoded(body: bytes) -> JsonObject:
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise bad_request(f"the body is no JSON: {exc}") from exc
    if not isinstance(decoded, dict):
        raise bad_request(_WRONG)
    return decoded


async def _in_a_thread(work: Callable[[], Response]) -> Response:
    """Moving the clock waits for watchers to take what they are owed, which is this loop's work."""
    try:
        return await asyncio.get_running_loop().run_in_executor(None, work)
    except BadTime as exc:
        raise bad_request(str(exc)) from exc


def _nothing(_: object) -> None:
    return None


def _shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
