"""`/lifepod/decisions/<uid>`: what the core noted of a pod, for `lifepod why` in another process."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from lifepod.api.objects import JsonObject, format_micro_time, parse_time
from lifepod.apiserver.exchange import Request, Response
from lifepod.lifecycle.vocabulary import Because

_PREFIX = "/lifepod/decisions/"


class DecisionPages:
    """An `ExtraPath` of the API server."""

    def __init__(self, decisions: Callable[[str], tuple[Because, ...]]) -> None:
        self._decisions = decisions

    def __call__(self, request: Request) -> Response | None:
        if not request.path.startswith(_PREFIX):
            return None
        found = self._decisions(request.path.removeprefix(_PREFIX))
        return Response(200, orjson.dumps({"decisions": [_shown(b) for b in found]}) + b"\n")


def _shown(because: Because) -> JsonObject:
    until = format_micro_time(because.until) if because.until else None
    return {
        "rule": because.rule,
        "subject": because.subject,
        "verdict": because.verdict,
        "facts": [list(fact) for fact in because.facts],
        "until": until,
    }


def decisions_from(page: JsonObject) -> tuple[Because, ...]:
    """The page read back."""
    return tuple(
        Because(
            b["rule"],
            b["subject"],
            b["verdict"],
            tuple((name, text) for name, text in b["facts"]),
            parse_time(b["until"]) if b["until"] else None,
        )
        for b in page.get("decisions") or ()
    )
