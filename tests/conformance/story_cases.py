"""Stories beyond the public cases: what a watcher must see, as short lines in the story's own file.

A story has the form of a conformance case (head, `---`, manifests) with two more keys in its head: `shows`, the statuses of its
pods, and `events`. They are written by `python tests/conformance/story_cases.py --rewrite [NAME…]` and reviewed as a diff.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import yaml
from virtual_cases import CONFORMANCE, VirtualCase, _shown

from lifepod.api.objects import JsonObject
from lifepod.api.writes import ApiError, Write

STORIES = Path(__file__).parent / "stories"
SHORT = {
    "PodReadyToStartContainers": "sandbox",
    "Initialized": "init",
    "Ready": "ready",
    "ContainersReady": "containers",
}


def story_names() -> list[str]:
    return sorted(path.stem for path in STORIES.glob("*.yaml"))


class StoryCase(VirtualCase):
    """A story may do more than the public cases: any write to a subresource, new objects later on, faults of the node."""

    def kubectl(self, line: str) -> str:
        words = shlex.split(line.replace("$NS", self.namespace))
        try:
            match words:
                case ["patch", word, name, *options] if any(o.startswith("--subresource=") for o in options):
                    return self._patch_part(word, name, options)
                case ["debug", pod, *options]:
                    return self._debug(pod, options)
                case ["evict", name]:
                    return self._evict(name)
                case ["create", *_]:
                    return self.apply(line.partition(" ")[2])
                case ["lose-sandbox", name]:
                    return self._lose_sandbox(name)
                case ["pause", node]:
                    return self._pause(node, True)
                case ["resume", node]:
                    return self._pause(node, False)
        except ApiError as exc:
            return f"Error from server ({exc.reason}): {exc}"
        return super().kubectl(line)

    def _patch(self, word: str, name: str, options: list[str]) -> str:
        kind = self._resource(word)
        if kind.namespaced:
            return super()._patch(word, name, options)
        body = json.loads(options[options.index("-p") + 1])
        self._write(Write("patch", kind.resource, "", name, body, patch_type="strategic"))
        return f"{_shown(kind)}/{name} patched"

    def _patch_part(self, word: str, name: str, options: list[str]) -> str:
        kind = self._resource(word)
        body = json.loads(options[options.index("-p") + 1])
        part = next(o.partition("=")[2] for o in options if o.startswith("--subresource="))
        types = [o.partition("=")[2] for o in options if o.startswith("--type=")]
        patch_type = types[0] if types else "strategic"
        self._write(Write("patch", kind.resource, self.namespace, name, body, part, patch_type))  # type: ignore[arg-type]
        return f"{_shown(kind)}/{name} patched"

    def _debug(self, pod: str, options: list[str]) -> str:
        """`kubectl debug p --image=… --container=… [--target=…] -- command`."""
        at = options.index("--") if "--" in options else len(options)
        given = dict(o.removeprefix("--").split("=", 1) for o in options[:at])
        container: JsonObject = {"name": given["container"], "image": given["image"], "command": options[at + 1 :]}
        if "target" in given:
            container["targetContainerName"] = given["target"]
        body = {"spec": {"ephemeralContainers": [container]}}
        self._write(Write("patch", "pods", self.namespace, pod, body, "ephemeralcontainers", "strategic"))
        return ""

    def _evict(self, name: str) -> str:
        path = f"/api/v1/namespaces/{self.namespace}/pods/{name}/eviction"
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": self.namespace}}
        self.sim.request("POST", path, body)
        return ""

    def _lose_sandbox(self, name: str) -> str:
        pod = self.sim.get("pods", name, self.namespace)
        assert pod is not None
        runtime: Any = self.sim.cluster.runtime(pod["spec"]["nodeName"])
        runtime.lose_sandbox(pod["metadata"]["uid"], self.sim.clock.now())
        return ""

    def _pause(self, node: str, silent: bool) -> str:
        agent = self.sim.cluster.agent(node)
        assert agent is not None
        agent.pause() if silent else agent.resume()
        self.sim.cluster.poke(agent.name)
        return ""


def _state(state: dict[str, Any]) -> str:
    words = [state["is"] or "none"]
    words += [str(state[k]) for k in ("reason", "exitCode") if k in state]
    return " ".join(words) + (f" ({state['message']})" if state.get("message") else "")


def _container(name: str, c: dict[str, Any]) -> str:
    marks = "".join(m for m, on in (("S", c.get("started")), ("R", c["ready"])) if on)
    last = f" <- {_state(c['last'])}" if c.get("last") else ""
    return f"{name}[{marks}]x{c['restarts']} {_state(c['state'])}{last}"


def _line(status: dict[str, Any]) -> str:
    """One status on one line: time, phase, the conditions that are not plainly True, the containers."""
    if status.get("gone"):
        return f"{status['t']:g}s gone"
    parts = [f"{status['t']:g}s", str(status["phase"])]
    parts += [status[k] for k in ("reason", "message") if status.get(k)]
    if status.get("deleting"):
        parts.append("deleting")
    conditions = []
    for kind, (value, reason, message) in status["conditions"].items():
        if (value, reason) != ("True", ""):
            said = " ".join(x for x in (reason, message) if x)
            conditions.append(f"{SHORT.get(kind, kind)}={value}" + (f" ({said})" if said else ""))
    if conditions:
        parts.append("; ".join(conditions))
    for member in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
        for name, c in status.get(member, {}).items():
            parts.append(_container(name, c))
    return " | ".join(parts)


def shows(recording: dict[str, Any]) -> dict[str, list[str]]:
    """What a watcher saw of each pod."""
    out = {}
    for name, statuses in recording["pods"].items():
        lines = [_line(s) for s in statuses]
        kept = [x for i, x in enumerate(lines) if i == 0 or x.partition(" ")[2] != lines[i - 1].partition(" ")[2]]
        out[name] = kept
    return out


def run_story(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the head of the story, the recording)."""
    head, manifest = (STORIES / f"{name}.yaml").read_text().split("\n---\n", 1)
    case = {"name": name} | yaml.safe_load(head)
    return case, StoryCase(case | {"manifest": manifest}).run()


def seen(recording: dict[str, Any]) -> dict[str, Any]:
    """The part of a recording that a story states."""
    events = [f"{n}x {key}" for key, n in sorted(recording["events"].items())]
    said = [x for x in recording["said"] if x.startswith("Error")]
    out: dict[str, Any] = {"shows": shows(recording), "events": events}
    if "Error" in recording["apply"]:
        out["refused"] = recording["apply"]
    return out | ({"said": said} if said else {})


def unlawful(recording: dict[str, Any]) -> list[str]:
    """What the judge's laws find; nothing when the judge is not here."""
    if not (CONFORMANCE / "judge.py").exists():
        return []
    sys.path.insert(0, str(CONFORMANCE)) if str(CONFORMANCE) not in sys.path else None
    from judge import laws  # type: ignore[import-not-found]  # it lies beside the cases

    found = []
    for pod, statuses in recording["pods"].items():
        found += [f"{pod}: {x}" for x in laws(statuses, recording["final"][pod]["spec"])]
    return found


def rewrite(name: str) -> None:
    """Put what is seen now into the story's file."""
    path = STORIES / f"{name}.yaml"
    head, manifest = path.read_text().split("\n---\n", 1)
    _, recording = run_story(name)
    kept = head.split("\nshows:")[0].split("\nevents:")[0].split("\nrefused:")[0].rstrip()
    shown = yaml.safe_dump(seen(recording), sort_keys=False, width=10_000, allow_unicode=True).rstrip()
    path.write_text(f"{kept}\n{shown}\n---\n{manifest}")


def main() -> None:
    words = sys.argv[1:]
    names = [w for w in words if not w.startswith("--")] or story_names()
    for name in names:
        _, recording = run_story(name)
        now = seen(recording)
        print("==", name, "SAID" if now.get("said") else "")
        if "--quiet" not in words:
            for pod, lines in now["shows"].items():
                print(f"  {pod}")
                print(*(f"    {x}" for x in lines), sep="\n")
            print(*(f"    {x}" for x in now["events"]), sep="\n")
            print(*(f"    {x}" for x in (now.get("refused"), *(now.get("said") or ())) if x), sep="\n")
        print(*(f"  UNLAWFUL {x}" for x in unlawful(recording)), sep="\n", end="")
        if "--rewrite" in words:
            rewrite(name)


if __name__ == "__main__":
    main()
