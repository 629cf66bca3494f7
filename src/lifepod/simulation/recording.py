"""What came into a cluster from outside, with its number and virtual time: enough to live the same life again.

A cluster's life follows from its settings, its seed and the order of these inputs. A recording is written as lines of JSON, the
first one says what the cluster was. Who records and who replays is `assembly/replay.py`.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

import orjson

from lifepod.api.objects import JsonObject
from lifepod.errors import LifepodError
from lifepod.simulation.scenario import NodeLine

FORMAT = 1
KEPT_HEADERS = ("authorization", "content-type", "accept", "user-agent", "impersonate-user", "impersonate-group")


class BadRecording(LifepodError):
    """The file is no recording, or one of another lifepod."""


class Asked(NamedTuple):
    """A request that may change something. `at` counts from the cluster's start."""

    number: int
    at: timedelta
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    peer: tuple[str, tuple[str, ...]] | None = None


class Faulted(NamedTuple):
    """A fault was asked for (`what` is its line of text), ended (`end …`), random ones begun (`random …`).

    `revision …`: the cluster was set back, and its store's revision went on from there.
    """

    at: timedelta
    what: str


class Replied(NamedTuple):
    """What a webhook answered to the question of that key, or why it could not."""

    at: timedelta
    key: str
    body: bytes
    problem: str


Input: TypeAlias = Asked | Faulted | Replied


class Recording(NamedTuple):
    """A whole recording. `revision`: of the store when it began; `end`: the moment up to which the cluster was lived."""

    seed: int
    start: datetime
    nodes: tuple[NodeLine, ...]
    scripts: tuple[tuple[str, str], ...]
    revision: int
    inputs: tuple[Input, ...]
    end: timedelta

    def encoded(self) -> bytes:
        """As lines of JSON."""
        head: JsonObject = {
            "lifepodRecording": FORMAT,
            "seed": self.seed,
            "start": self.start.isoformat(),
            "nodes": [_node_json(node) for node in self.nodes],
            "scripts": dict(self.scripts),
            "revision": self.revision,
        }
        lines = [head, *(_input_json(each) for each in self.inputs), {"end": _micros(self.end)}]
        return b"".join(orjson.dumps(line) + b"\n" for line in lines)


def is_recording(content: bytes) -> bool:
    """Whether a file's content begins like one."""
    return content.startswith(b'{"lifepodRecording":')


def decoded(content: bytes) -> Recording:
    """The recording of a file's content. Raises BadRecording."""
    try:
        head, *lines = (orjson.loads(line) for line in content.splitlines())
        if head["lifepodRecording"] != FORMAT:
            raise BadRecording(f"this recording has format {head['lifepodRecording']}; this lifepod reads {FORMAT}")
        inputs = tuple(_input_of(line) for line in lines if "end" not in line)
        end = next((_delta(line["end"]) for line in lines if "end" in line), inputs[-1].at if inputs else timedelta(0))
        return Recording(
            head["seed"],
            datetime.fromisoformat(head["start"]),
            tuple(_node_of(node) for node in head["nodes"]),
            tuple(head["scripts"].items()),
            head["revision"],
            inputs,
            end,
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as exc:
        raise BadRecording(f"this is no recording of lifepod: {exc}") from exc


def _micros(delta: timedelta) -> int:
    return delta // timedelta(microseconds=1)


def _delta(micros: int) -> timedelta:
    return timedelta(microseconds=micros)


def _input_json(each: Input) -> JsonObject:
    if isinstance(each, Faulted):
        return {"at": _micros(each.at), "fault": each.what}
    if isinstance(each, Replied):
        reply = base64.b64encode(each.body).decode()
        return {"at": _micros(each.at), "question": each.key, "reply": reply, "problem": each.problem}
    line: JsonObject = {
        "at": _micros(each.at),
        "number": each.number,
        "method": each.method,
        "path": each.path,
        "query": each.query,
        "headers": dict(each.headers),
    }
    if each.peer is not None:
        line["peer"] = [each.peer[0], list(each.peer[1])]
    try:
        line["body"] = each.body.decode()
    except UnicodeDecodeError:
        line["bytes"] = base64.b64encode(each.body).decode()
    return line


def _input_of(line: JsonObject) -> Input:
    at = _delta(line["at"])
    if "fault" in line:
        return Faulted(at, line["fault"])
    if "question" in line:
        return Replied(at, line["question"], base64.b64decode(line["reply"]), line["problem"])
    body = base64.b64decode(line["bytes"]) if "bytes" in line else str(line["body"]).encode()
    peer = (line["peer"][0], tuple(line["peer"][1])) if "peer" in line else None
    headers = tuple(line["headers"].items())
    return Asked(line["number"], at, line["method"], line["path"], line["query"], headers, body, peer)


def _node_json(node: NodeLine) -> JsonObject:
    return {**node._asdict(), "skew": _micros(node.skew), "labels": dict(node.labels)}


def _node_of(line: JsonObject) -> NodeLine:
    labels = tuple(line["labels"].items())
    return NodeLine(
        **{
            **line,
            "skew": _delta(line["skew"]),
            "labels": labels,
            "taints": tuple(line["taints"]),
            "addresses": tuple(line["addresses"]),
        }
    )
