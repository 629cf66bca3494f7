"""A scenario read from its text: which line means what. Mistakes come with line, column and what to write instead.

Words are taken apart in `scenario_lines.py`, objects in short form are made in `scenario_manifests.py`. docs/scenarios.md
describes the format for people.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from lifepod.api.kinds import KindRegistry
from lifepod.api.objects import JsonObject
from lifepod.api.yaml_text import YamlError, read_documents
from lifepod.simulation.durations import duration_of
from lifepod.simulation.faults import BY_NAME, BadFault, Fault, RandomFaults, fault_of
from lifepod.simulation.scenario import (
    Action,
    At,
    Create,
    Delete,
    Evict,
    Expect,
    Inject,
    NodeLine,
    Patch,
    RunUntil,
    Scale,
    Scenario,
    Step,
)
from lifepod.simulation.scenario_lines import Line, ScenarioError, Word, lines_of, split_expected
from lifepod.simulation.scenario_manifests import SHORT_FORMS, object_of, script_text

EXPECTABLE = (
    "phase",
    "ready",
    "reason",
    "restarts",
    "node",
    "status",
    "state",
    "condition",
    "exists",
    "count",
    "exitCode",
)
_LIMIT = timedelta(days=30)
_ACTIONS = ("apply", "delete", "scale", "evict", "patch", "cordon", "uncordon", "fault", "end", "expect")
ReadFile = Callable[[str], bytes]


class _Draft(NamedTuple):
    """What has been read so far."""

    nodes: list[NodeLine]
    steps: list[Step]
    scripts: list[tuple[str, str]]
    random: list[RandomFaults]
    show: list[str]
    settings: dict[str, str]
    runs: list[RunUntil]
    at_end: list[Step]


class ScenarioReader:
    """Reads scenarios. `read_file` gives the bytes of a file that `apply` names, as the scenario's own file sees it."""

    def __init__(self, kinds: KindRegistry, read_file: ReadFile) -> None:
        self._kinds, self._read_file = kinds, read_file

    def read(self, text: str) -> Scenario:
        """The scenario of a text. Raises ScenarioError."""
        body, expected = split_expected(text)
        draft = _Draft([], [], [], [], [], {}, [], [])
        for line in lines_of(body):
            self._take(line, draft)
        if not draft.runs:
            last = len(body.splitlines()) or 1
            raise ScenarioError("the scenario does not say how long it runs", last, 1, "End it with: run until=1m")
        return self._whole(draft, expected)

    def _whole(self, draft: _Draft, expected: tuple[str, ...] | None) -> Scenario:
        count = int(draft.settings.get("nodes", "1"))
        named = draft.nodes or [NodeLine(f"node{number}") for number in range(1, count + 1)]
        end = draft.runs[-1].limit
        late = sorted(draft.steps, key=lambda step: step.at)
        return Scenario(
            nodes=tuple(named),
            steps=(*late, *(step._replace(at=end) for step in draft.at_end)),
            run=draft.runs[-1],
            scripts=tuple(draft.scripts),
            seed=int(draft.settings.get("seed", "0")),
            start=datetime.fromisoformat(draft.settings["start"]) if "start" in draft.settings else None,
            random=tuple(draft.random),
            show=tuple(draft.show),
            expected=expected,
        )

    # ------------------------------------------------------------------------------------------------ lines

    def _take(self, line: Line, draft: _Draft) -> None:
        match line.name:
            case "cluster":
                _take_settings(line, draft)
            case "seed":
                draft.settings["seed"] = str(_number(_second(line, "7")))
            case "node":
                draft.nodes.append(_node(line))
            case "image":
                name = _second(line, "worker run=3s exit=1").text
                words = [";" if w.text == "then" else _script(w) for w in line.words[2:]]
                draft.scripts.append((name, script_text(words, line)))
            case "faults":
                draft.random.append(_random_faults(line))
            case "show":
                draft.show.extend(word.text for word in line.words[1:])
            case "run":
                draft.runs.append(self._run(line))
            case "at" | "every":
                draft.steps.extend(self._timed(line))
            case "expect":
                draft.at_end.append(self._step(timedelta(0), line))
            case _:
                draft.steps.append(self._step(timedelta(0), line))

    def _timed(self, line: Line) -> list[Step]:
        word = _second(line, "30s delete pod/web")
        first = _duration(word, word.text)
        every, until, rest = None, None, 2
        if line.name == "every":
            every = first
            for option in line.words[2:4]:
                if option.key == "from":
                    first, rest = _duration(option, option.value), rest + 1
                elif option.key == "until":
                    until, rest = _duration(option, option.value), rest + 1
        inner = [line._replace(words=line.words[rest:])] if len(line.words) > rest else list(line.below)
        if not inner:
            raise line.wrong(f"what happens {line.text}?", f"Write for example: {line.text} delete pod/web")
        return [self._step(first, each)._replace(every=every, until=until) for each in inner]

    def _step(self, at: timedelta, line: Line) -> Step:
        return Step(at, self._action(line), At(line.number, line.words[0].column), line.text)

    def _run(self, line: Line) -> RunUntil:
        if len(line.words) == 2 and line.words[1].key == "until":
            return RunUntil(_duration(line.words[1], line.words[1].value))
        limits = [w for w in line.words[1:] if w.key == "limit"]
        rest = [w for w in line.words[1:] if w.key != "limit"]
        if len(rest) < 3 or rest[0].text != "until":
            raise line.wrong("until when does it run?", "Write: run until=10m, or: run until pod/web phase=Running")
        holds = self._expect(line._replace(words=tuple(rest)))
        return RunUntil(_duration(limits[0], limits[0].value) if limits else _LIMIT, holds)

    # ------------------------------------------------------------------------------------------------ actions

    def _action(self, line: Line) -> Action:
        name = line.name
        if name in SHORT_FORMS:
            return Create((object_of(line),), line.text)
        match name:
            case "apply":
                return Create(self._manifests(line), line.text)
            case "delete":
                grace = [w for w in line.words[2:] if w.key == "grace"]
                return Delete(*self._target(line), _seconds(grace[0]) if grace else None)
            case "scale":
                return Scale(*self._target(line), _number_option(line, "replicas"))
            case "evict":
                _, namespace, pod = self._target(line)
                return Evict(namespace, pod)
            case "cordon" | "uncordon":
                node = _second(line, "node1").text.removeprefix("node/")
                return Patch("nodes", "", node, {"spec": {"unschedulable": name == "cordon"}})
            case "patch":
                return Patch(*self._target(line), _patch_body(line))
            case "fault":
                return Inject(_fault(line.words[1:], line))
            case "end" if len(line.words) > 2 and line.words[1].text == "fault":
                return Inject(_fault(line.words[2:], line), is_end=True)
            case "expect":
                return self._expect(line)
        known = [*SHORT_FORMS, *_ACTIONS, "at", "every", "cluster", "seed", "node", "image", "faults", "show", "run"]
        near = difflib.get_close_matches(name, [*known, *BY_NAME], 1)
        if near and near[0] in BY_NAME:
            near = [f"fault {near[0]}"]
        hint = f'Did you mean "{near[0]}"?' if near else f"A line begins with one of: {', '.join(known)}."
        if name in ("apiVersion:", "kind:", "---"):
            hint = "This is a manifest: `lifepod run` plays it for real, `apply FILE` takes it into a scenario."
        raise line.words[0].wrong(f'"{name}" means nothing here', hint)

    def _manifests(self, line: Line) -> tuple[JsonObject, ...]:
        if line.raw:
            text = "\n".join(line.raw).encode()
            return self._documents(text, line, line.number)
        word = _second(line, "pod.yaml, or the manifest itself below it, indented")
        try:
            content = self._read_file(word.text)
        except OSError as exc:
            raise word.wrong(f"{word.text} cannot be read: {exc.strerror}") from exc
        return self._documents(content, line, 0)

    def _documents(self, text: bytes, line: Line, offset: int) -> tuple[JsonObject, ...]:
        try:
            values = [document.value for document in read_documents(text)]
        except YamlError as exc:
            where = line.number if not offset else offset + exc.line
            raise ScenarioError(f"{line.text}: {exc.message}", where, exc.column, exc.hint) from exc
        objects = [value for value in values if value]
        for value in objects:
            if not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
                raise line.wrong("this is no Kubernetes object", "It needs apiVersion, kind and metadata.")
        return tuple(value for value in objects if isinstance(value, dict))

    def _target(self, line: Line) -> tuple[str, str, str]:
        return self._target_of(_second(line, "pod/web"))

    def _target_of(self, word: Word) -> tuple[str, str, str]:
        """Resource, namespace and name of `pod/web` or `pod/team/web`; a name without a kind is a pod's."""
        *kinds, name = word.text.split("/")
        kind_word = kinds[0] if kinds else "pod"
        for kind in self._kinds:
            if kind_word in (kind.plural, kind.singular, *kind.short_names):
                namespace = (kinds[1] if len(kinds) > 1 else "default") if kind.namespaced else ""
                return kind.resource, namespace, name
        raise word.wrong(
            f'there is no kind "{kind_word}"', "Write it as kubectl does: pod/web, job/work, deployment/app."
        )

    def _expect(self, line: Line) -> Expect:
        target = _second(line, "pod/web phase=Running")
        words = []
        for word in line.words[2:]:
            if word.key.partition(".")[0] not in EXPECTABLE:
                raise word.wrong(f'"{word.key}" is nothing to expect', f"One of: {', '.join(EXPECTABLE)}.")
            words.append((word.key, word.value if word.value is not None else "true"))
        if not words:
            raise line.wrong("what is expected?", f"Write for example: expect {target.text} phase=Running")
        return Expect(*self._target_of(target), tuple(words))


# ------------------------------------------------------------------------------------------------ small readings


def _take_settings(line: Line, draft: _Draft) -> None:
    for word in line.words[1:]:
        if word.key not in ("nodes", "start", "seed"):
            raise word.wrong(f'a cluster has no "{word.key}"', "It has nodes=3, seed=7, start=2025-01-01T00:00:00Z.")
        if word.key != "start":
            _number(word)
        draft.settings[word.key] = word.value or ""
    if "start" in draft.settings:
        try:
            moment = datetime.fromisoformat(draft.settings["start"])
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise line.wrong(f'"{draft.settings["start"]}" is no moment', "Write start=2025-01-01T00:00:00Z.")


def _node(line: Line) -> NodeLine:
    node = NodeLine(_second(line, "big cpu=16").text)
    for word in line.words[2:]:
        value = word.value or ""
        match word.key.partition("."):
            case (("cpu" | "memory" | "pods" | "ephemeral_storage") as field, "", ""):
                node = NodeLine(**{**node._asdict(), field: value})
            case ("storage", "", ""):
                node = node._replace(ephemeral_storage=value)
            case ("label", ".", name):
                node = node._replace(labels=(*node.labels, (name, value)))
            case ("taint", "", ""):
                node = node._replace(taints=(*node.taints, _taint(word)))
            case ("skew", "", ""):
                node = node._replace(skew=_duration(word, value))
            case _:
                raise word.wrong(
                    f'a node has no "{word.key}"',
                    "It has cpu=8 memory=16Gi pods=110 storage=100Gi label.zone=a taint=.",
                )
    return node


def _taint(word: Word) -> JsonObject:
    what, _, effect = (word.value or "").rpartition(":")
    key, _, value = what.partition("=")
    if effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute") or not key:
        raise word.wrong("this is no taint", "Write taint=dedicated=gpu:NoSchedule.")
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


def _script(word: Word) -> str:
    key = "run" if word.key == "runs" else word.key
    return key if word.value is None else f'{key}="{word.value}"'


def _fault(words: tuple[Word, ...], line: Line) -> Fault:
    try:
        return fault_of([w.key if w.value is None else f"{w.key}={w.value}" for w in words])
    except BadFault as exc:
        wrong = next((w for w in words if w.text == exc.word), None)
        raise (wrong.wrong if wrong is not None else line.wrong)(exc.message, exc.hint) from exc


def _random_faults(line: Line) -> RandomFaults:
    found = RandomFaults(timedelta(minutes=1))
    words = line.words[1:]
    if not words or words[0].text != "random":
        raise line.wrong("which faults?", "Write: faults random every=1m, or one fault: at 30s fault node-silent node1")
    for word in words[1:]:
        value = word.value
        match word.key:
            case "every":
                found = found._replace(every=_duration(word, value))
            case "rate":
                found = found._replace(every=_rate(word))
            case "kinds":
                found = found._replace(kinds=_kinds(word))
            case "from":
                found = found._replace(since=_duration(word, value))
            case "until":
                found = found._replace(until=_duration(word, value))
            case "for":
                found = found._replace(lasts=_duration(word, value))
            case "namespace":
                found = found._replace(namespace=value or "")
            case _:
                raise word.wrong(
                    f'random faults have no "{word.key}"', "They have every=1m (or rate=2/m) kinds= from= until= for=."
                )
    return found


def _rate(word: Word) -> timedelta:
    count, _, unit = (word.value or "").partition("/")
    each = duration_of(f"1{unit}")
    try:
        number = float(count)
    except ValueError:
        number = 0
    if each is None or number <= 0:
        raise word.wrong(f'"{word.value}" is no rate', "Write rate=2/m or rate=30/h.")
    return each / number


def _kinds(word: Word) -> tuple[str, ...]:
    names = tuple((word.value or "").split(","))
    for name in names:
        if name not in BY_NAME:
            near = difflib.get_close_matches(name, BY_NAME, 1)
            raise word.wrong(
                f'there is no fault "{name}"',
                f'Did you mean "{near[0]}"?' if near else f"One of: {', '.join(BY_NAME)}.",
            )
    return names


def _patch_body(line: Line) -> JsonObject:
    body: JsonObject = {}
    for word in line.words[2:]:
        if word.value is None:
            raise word.wrong(f'what is "{word.text}" to become?', "Write spec.replicas=3 or metadata.labels.app=web.")
        at = body
        *path, last = word.key.split(".")
        for step in path:
            at = at.setdefault(step, {})
        at[last] = read_documents(word.value.encode())[0].value
    if not body:
        raise line.wrong("what is changed?", f"Write for example: {line.text} metadata.labels.app=web")
    return body


def _second(line: Line, example: str) -> Word:
    if len(line.words) < 2:
        raise line.wrong(f"{line.name} what?", f"Write for example: {line.name} {example}")
    return line.words[1]


def _duration(word: Word, value: str | None) -> timedelta:
    found = duration_of(value or "")
    if found is None:
        raise word.wrong(f'"{value or word.text}" is no length of time', "Write 500ms, 30s, 5m, 1h30m or 2d.")
    return found


def _seconds(word: Word) -> int:
    return int(_duration(word, word.value).total_seconds())


def _number(word: Word) -> int:
    text = word.value if word.value is not None else word.text
    if not text.isdigit():
        raise word.wrong(f'"{text}" is no whole number')
    return int(text)


def _number_option(line: Line, name: str) -> int:
    for word in line.words[2:]:
        if word.key == name:
            return _number(word)
    raise line.wrong(f"{name} is missing", f"Write for example: {line.text} {name}=3")
