"""What kubectl 1.32 prints at the end of a conformance case is, masked, what it printed when a real node had run it."""

from __future__ import annotations

import asyncio
import difflib
import importlib.util
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest

from lifepod.apiserver.server import Tls, serve
from lifepod.assembly.simulated import virtual_credentials

from .conftest import kubectls

RECORDED_BY = "1.32"
_SPEC = importlib.util.spec_from_file_location("virtual_cases", Path(__file__).parents[1] / "virtual_cases.py")
assert _SPEC is not None
assert _SPEC.loader is not None
cases = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(cases)
RECORDED = cases.CONFORMANCE / "objects"
IN_BETWEEN = {"poststart-fails", "seed-2-crashloop"}
"""They end between an exit and a back-off, where a second more or less shows another status."""
NAMES = [name for name in cases.case_names() if (RECORDED / f"{name}.txt").exists() and name not in IN_BETWEEN]

MASKS = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uid>"),
    (r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "<time>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>"),
    (r"\w+://([0-9a-f]{64}|<id>)", "<runtime>://<id>"),
    (r"([\w./]+@)?sha256:([0-9a-f]{64}|<digest>)", "sha256:<digest>"),
    (r"\b\d+\.\d+\.\d+\.\d+\b", "<ip>"),
    (r"kube-api-access-\w{5}", "kube-api-access-<suffix>"),
    (r"([#@])\d+", r"\1"),
    (r"\(x\d+ over [\w.]+\)", "(again)"),
    (r"\(\d+[\w.]* ago\)", "(ago)"),
    (r"(?<=\s)(\d+[smhdy])+(?=\s|$)(?! *left)", "<age>"),
    (r"<age> \(again\)", "<age>"),
    (r"(failed to resolve reference \S+): .*", r"\1: <why>"),
    (r"^ +sleep 3; mkdir .*", "<the server of the case>"),
    (r"<ns>|\bNS\b", "<ns>"),
]


@contextmanager
def served(site: Any) -> Iterator[str]:
    """The address of a simulated cluster that stands still."""
    ready: Queue[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Queue()

    async def main() -> None:
        credentials, stopped = virtual_credentials(), asyncio.Event()
        server = await serve(site, tls=Tls(credentials.server, credentials.ca.certificate))
        ready.put((server.url, asyncio.get_running_loop(), stopped))
        await stopped.wait()
        await server.stop(0.1)

    thread = Thread(target=lambda: asyncio.run(main()))
    thread.start()
    url, loop, stopped = ready.get(timeout=10)
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(10)


def blocks(text: str) -> list[str]:
    """What each object, or the table, says: masked, with lines that have no order of their own sorted."""
    for pattern, mask in MASKS:
        text = re.sub(pattern, mask, text, flags=re.M)
    found = []
    for block in re.split(r"\n\n\n", text.strip("\n")):
        lines = [re.sub(r"(?<=\S) {2,}", "  ", line).rstrip() for line in block.splitlines() if line.strip()]
        at = next((n for n, line in enumerate(lines) if re.match(r"Events:|LAST SEEN|NAME", line)), len(lines))
        found.append("\n".join([*lines[:at], *sorted(set(lines[at:]))]))
    return sorted(found)


def named(text: str, case: Any) -> str:
    """With the names of the recording in place of those with random suffixes, and its namespace."""
    for name, mask in sorted(case.recorder.names.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(name, mask)
    return text.replace(case.namespace, "NS")


def differences(expected: str, printed: str) -> list[str]:
    """The lines that only one of them has."""
    lines = ["\n\n".join(blocks(text)).splitlines() for text in (expected, printed)]
    return [line for line in difflib.unified_diff(*lines, "recorded", "printed", n=0, lineterm="") if line[:2] != "@@"][
        2:
    ]


@pytest.mark.kubectl
@pytest.mark.skipif(RECORDED_BY not in kubectls(), reason=f"there is no kubectl {RECORDED_BY}")
@pytest.mark.parametrize("name", NAMES or [pytest.param("", marks=pytest.mark.skip("no recordings here"))])
def test_what_is_printed_of_a_case_is_what_was_printed_of_a_real_node(name: str, tmp_path: Path) -> None:
    case = cases.VirtualCase(cases._load(name))
    case.run()
    wrong: list[str] = []
    recorded = re.split(r"^\$ (.*)\n", (RECORDED / f"{name}.txt").read_text(), flags=re.M)[1:]
    with served(case.sim.site) as url:
        config = {
            "clusters": [{"name": "x", "cluster": {"server": url, "insecure-skip-tls-verify": True}}],
            "users": [{"name": "x", "user": {"token": case.sim.plane.token}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x", "namespace": case.namespace}}],
            "current-context": "x",
        }
        (tmp_path / "config").write_text(json.dumps(config))
        env = {"KUBECONFIG": str(tmp_path / "config"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TZ": "UTC"}
        for command, expected in zip(recorded[::2], recorded[1::2], strict=True):
            words = [kubectls()[RECORDED_BY], *command.split()[1:]]
            done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
            printed = named(done.stdout + done.stderr, case)
            if printed := differences(expected, printed):
                wrong += [f"$ {command}", *printed]
    assert not wrong, "\n".join(wrong)
