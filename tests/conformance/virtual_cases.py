"""Run a conformance case in virtual time, in this process, and record what a watcher saw in the form that `judge.py` judges.

The recording itself is made by `trace.py`'s own `Recorder`, whose clock is replaced by the cluster's; kubectl's few commands of the
public cases are carried out as API calls.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
import time
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import KindRegistry
from lifepod.api.objects import JsonObject
from lifepod.api.writes import ApiError, Write
from lifepod.assembly.simulated import SimSettings, SimulatedCluster
from lifepod.store.record import Change

CONFORMANCE = Path(__file__).resolve().parents[3] / "shared" / "conformance"
KINDS = KindRegistry(builtin_kinds())


def case_names() -> list[str]:
    """The public cases, none when the folder is absent."""
    return sorted(path.stem for path in (CONFORMANCE / "cases").glob("*.yaml"))


def trace_module() -> Any:
    """`trace.py` of the conformance folder."""
    if str(CONFORMANCE) not in sys.path:
        sys.path.insert(0, str(CONFORMANCE))
    return import_module("trace") if "trace" not in sys.modules else _own_trace()


def _own_trace() -> Any:
    """The standard library has a `trace` too; ours is loaded from its file."""
    import importlib.util

    if "conformance_trace" in sys.modules:
        return sys.modules["conformance_trace"]
    spec = importlib.util.spec_from_file_location("conformance_trace", CONFORMANCE / "trace.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["conformance_trace"] = module
    spec.loader.exec_module(module)
    return module


class VirtualCase:
    """One run of one case."""

    def __init__(self, case: dict[str, Any], seed: int = 0) -> None:
        sys.path.insert(0, str(CONFORMANCE)) if str(CONFORMANCE) not in sys.path else None
        self.trace = _own_trace()
        self.case = case
        self.sim = SimulatedCluster(SimSettings(seed=seed))
        self.trace.time = SimpleNamespace(time=lambda: self.sim.clock.now().timestamp(), strptime=time.strptime)
        self.recorder = self.trace.Recorder(None, case, 0)
        self.recorder.api = None
        self.namespace = self.recorder.ns

    # ---------------------------------------------------------------- kubectl

    def kubectl(self, line: str) -> str:
        """The commands that cases use, with kubectl's answers."""
        words = shlex.split(line.replace("$NS", self.namespace))
        try:
            match words:
                case ["delete", kind, name, *options]:
                    return self._delete(kind, name, options)
                case ["patch", kind, name, *options]:
                    return self._patch(kind, name, options)
                case ["set", "env", target, *values]:
                    return self._set_env(target, values)
                case ["scale", target, option]:
                    return self._scale(target, option)
        except ApiError as exc:
            return f"Error from server ({exc.reason}): {exc}"
        raise NotImplementedError(line)

    def _resource(self, word: str) -> Any:
        for kind in KINDS:
            if word in (kind.plural, kind.singular, *kind.short_names):
                return kind
        raise NotImplementedError(word)

    def _write(self, write: Write) -> JsonObject:
        return self.sim.cluster.write(write, self.sim.clock.now())

    def _delete(self, word: str, name: str, options: list[str]) -> str:
        kind = self._resource(word)
        body: JsonObject = {"propagationPolicy": "Background"}
        for option in options:
            if option.startswith("--grace-period="):
                body["gracePeriodSeconds"] = int(option.partition("=")[2])
        self._write(Write("delete", kind.resource, self.namespace, name, body))
        shown = kind.singular + (f".{kind.group}" if kind.group else "")
        return f'{shown} "{name}" deleted'

    def _patch(self, word: str, name: str, options: list[str]) -> str:
        kind = self._resource(word)
        body = json.loads(options[options.index("-p") + 1])
        types = [o.partition("=")[2] for o in options if o.startswith("--type=")]
        patch_type = types[0] if types else "strategic"
        self._write(Write("patch", kind.resource, self.namespace, name, body, patch_type=patch_type))  # type: ignore[arg-type]
        return f"{_shown(kind)}/{name} patched"

    def _set_env(self, target: str, values: list[str]) -> str:
        word, _, name = target.partition("/")
        kind = self._resource(word)
        obj = self.sim.get(kind.resource, name, self.namespace)
        assert obj is not None
        env = [dict(zip(("name", "value"), value.split("=", 1), strict=True)) for value in values]
        containers = [{"name": c["name"], "env": env} for c in obj["spec"]["template"]["spec"]["containers"]]
        body = {"spec": {"template": {"spec": {"containers": containers}}}}
        self._write(Write("patch", kind.resource, self.namespace, name, body, patch_type="strategic"))
        return f"{_shown(kind)}/{name} env updated"

    def _scale(self, target: str, option: str) -> str:
        word, _, name = target.partition("/")
        kind = self._resource(word)
        body = {"spec": {"replicas": int(option.partition("=")[2])}}
        self._write(Write("patch", kind.resource, self.namespace, name, body))
        return f"{_shown(kind)}/{name} scaled"

    def apply(self, manifest: str) -> str:
        """`kubectl apply` of new objects."""
        said = []
        for obj in yaml.safe_load_all(manifest):
            if not obj:
                continue
            kind = KINDS.named(obj["apiVersion"], obj["kind"])
            assert kind is not None
            applied = json.dumps(obj) + "\n"
            metadata = {**obj["metadata"], "namespace": self.namespace}
            metadata["annotations"] = {
                **(metadata.get("annotations") or {}),
                "kubectl.kubernetes.io/last-applied-configuration": applied,
            }
            body = json.loads(json.dumps({**obj, "metadata": metadata}))
            try:
                self._write(Write("create", kind.resource, self.namespace, metadata["name"], body))
                said.append(f"{_shown(kind)}/{metadata['name']} created")
            except ApiError as exc:
                said.append(f"Error from server ({exc.reason}): {exc}")
        return "\n".join(said)

    # ---------------------------------------------------------------- the story

    def _on_change(self, change: Change) -> None:
        if change.new.namespace != self.namespace:
            return
        obj, _ = self.sim.store.objects_of(change)
        resource = change.new.resource
        if resource == "pods":
            self.recorder.on_pod(change.type, obj)
        else:
            kind = resource.partition(".")[0].removesuffix("s")
            if kind in self.recorder.kinds:
                self.recorder.on_other(kind)(change.type, obj)

    def run(self) -> dict[str, Any]:
        """The whole story; answers the recording."""
        sim, recorder, case = self.sim, self.recorder, self.case
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        self._write(Write("create", "namespaces", "", self.namespace, namespace))
        assert sim.run_until(
            lambda: sim.get("serviceaccounts", "default", self.namespace) is not None, timedelta(seconds=10)
        )
        sim.store.on_change(self._on_change)
        sim.advance(timedelta(milliseconds=300))
        recorder.t0 = sim.clock.now().timestamp()
        begin = sim.clock.now()
        out = {"case": case["name"], "apply": self.trace.mask(self.apply(case["manifest"]), {}).strip()}
        end, actions, is_done, said = (
            begin + timedelta(seconds=case.get("seconds", 60)),
            list(case.get("actions", [])),
            False,
            [],
        )
        while sim.clock.now() < end:
            if actions and self._is_time(actions[0], begin):
                action = actions.pop(0)
                sim.advance(timedelta(seconds=action.get("after", 0)))
                said.append(self.kubectl(action["kubectl"]))
                continue
            if not actions and not is_done and case.get("until") and recorder.holds(case["until"]):
                is_done = True
                end = min(end, sim.clock.now() + timedelta(seconds=case.get("linger", 2)))
            self._go_on(end, begin, actions)
        return self._recording(out, said, is_done)

    def _is_time(self, action: dict[str, Any], begin: datetime) -> bool:
        if "when" in action:
            return bool(self.recorder.holds(action["when"]))
        return self.sim.clock.now() >= begin + timedelta(seconds=action["at"])

    def _go_on(self, end: datetime, begin: datetime, actions: list[dict[str, Any]]) -> None:
        """To the next moment at which something can have changed."""
        due = self.sim.loop.settle()
        stops = [end] + [begin + timedelta(seconds=a["at"]) for a in actions[:1] if "at" in a]
        # Conditions such as "gone" look at the time too, so that nothing is skipped over for long.
        stops.append(self.sim.clock.now() + timedelta(seconds=0.5))
        if due is not None:
            stops.append(max(due, self.sim.clock.now()))
        later = [s for s in stops if s > self.sim.clock.now()]
        self.sim.clock.set(min(later))
        self.sim.loop.settle()

    def _recording(self, out: dict[str, Any], said: list[str], is_done: bool) -> dict[str, Any]:
        """What `trace.Recorder.run` returns at its end, from the same pieces."""
        trace, names = self.trace, self.recorder.names
        events: dict[str, int] = {}
        for e in self.sim.cluster.list("events", self.namespace):
            o = e["involvedObject"]
            src = (e.get("source") or {}).get("component") or e.get("reportingComponent") or ""
            parts = [
                re.sub("#[0-9]+", "#", f"{o.get('kind')}/{trace.mask(o.get('name', ''), names)}"),
                o.get("fieldPath", ""),
                e["type"],
                e["reason"],
                src,
                re.sub("#[0-9]+", "#", trace.mask(e.get("message", ""), names)),
            ]
            key = " | ".join(parts)
            events[key] = events.get(key, 0) + (e.get("count") or (e.get("series") or {}).get("count") or 1)
        other: dict[str, Any] = {}
        for key, obj in self.recorder.objects.items():
            st = obj.get("status") or {}
            plain = {f: v for f, v in st.items() if isinstance(v, (int, str)) and not f.endswith(("Time", "Revision"))}
            other[trace.mask(key, names)] = plain | {
                "conditions": trace.conditions(st, names),
                "order": [x["type"] for x in st.get("conditions") or []],
                "finalizers": obj["metadata"].get("finalizers") or [],
            }
        out |= {
            "pods": self.recorder.seen,
            "final": self.recorder.final,
            "events": events,
            "said": [re.sub("#[0-9]+", "#", trace.mask(x, names)).strip() for x in said],
            "deaf": 0,
            "done": is_done or not self.case.get("until"),
            "jobs": {k[4:]: v for k, v in other.items() if k.startswith("job/")},
            "objects": {k: v for k, v in other.items() if not k.startswith("job/")},
        }
        return dict(json.loads(json.dumps(out)))


def _shown(kind: Any) -> str:
    return kind.singular + (f".{kind.group}" if kind.group else "")


def run_case(name: str, seed: int = 0) -> tuple[list[str], list[str]]:
    """Run a public case and judge it: (differences, notes)."""
    run = VirtualCase(_load(name), seed)
    got = run.run()
    golden = json.loads((CONFORMANCE / "golden" / f"{name}.json").read_text())
    found, notes = run.trace.differences(golden, got)
    return list(found), list(notes)


def _load(name: str) -> dict[str, Any]:
    head, manifest = (CONFORMANCE / "cases" / f"{name}.yaml").read_text().split("\n---\n", 1)
    return {"name": name} | yaml.safe_load(head) | {"manifest": manifest}


def main() -> None:
    """Judge the cases named, or all of them."""
    names = sys.argv[1:] or case_names()
    bad = 0
    for name in names:
        began = time.perf_counter()
        try:
            found, _ = run_case(name)
        except Exception as exc:
            found = [f"{type(exc).__name__}: {exc}"]
            if len(names) == 1:
                raise
        bad += bool(found)
        print(
            ("FAIL " if found else "ok   ") + name,
            f"{time.perf_counter() - began:.2f}s",
            *found[:8],
            sep="\n     " if found else " ",
            flush=True,
        )
    print(f"{len(names) - bad} passed, {bad} failed")


if __name__ == "__main__":
    main()
