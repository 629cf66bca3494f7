"""What holds of limits where no control group can be made, and what the node says about it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from lifepod.runtime.base import Resources
from lifepod.runtime.process.loose_limits import data_limit, with_groups, without_groups

MI = 1024**2
_TAKES = "dd if=/dev/zero of=/dev/null bs={}M count=1"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own accounting")
def test_a_leak_ends_in_failed_allocations_and_programs_within_their_limits_notice_nothing(
    on_level: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """32Mi: up to 320 MiB for each process, in the command and in exec."""
    monkeypatch.setattr("lifepod.runtime.sandbox.runtime.find_cgroups", lambda: None)
    limits = Resources(memory_limit_bytes=32 * MI, cpu_limit_millicores=100)

    async def story(node: Any) -> None:
        sandbox = await node.pod()
        assert (await node.run(sandbox, "sh", "-c", _TAKES.format(250), resources=limits))[0] == 0
        assert (await node.run(sandbox, "sh", "-c", _TAKES.format(400), resources=limits))[0] == 1
        assert (await node.run(sandbox, "sh", "-c", _TAKES.format(400)))[0] == 0, "without a limit"
        container = await node.start(sandbox, "sleep", "100", resources=limits, name="x")
        for size, code in ((250, 0), (400, 1)):
            running = await node.runtime.exec(
                "u1", container, ("sh", "-c", _TAKES.format(size)), stdin=False, tty=False
            )
            assert await running.exit_code() == code
        assert [w for w in node.warnings if 'container "x": no control group can be made' in w]
        assert node.runtime.enforcement() == without_groups()

    on_level(story)


@pytest.mark.parametrize(
    ("controllers", "whole", "reason", "text"),
    [
        ({"memory", "cpu", "pids"}, True, "ControlGroups", "limits on memory and cpu are enforced by control groups, "),
        ({"memory"}, False, "SomeControlGroups", "limits on memory are enforced by control groups, version 1; cpu is"),
    ],
)
def test_the_node_says_which_limits_are_the_kernels(controllers: set[str], whole: bool, reason: str, text: str) -> None:
    found = with_groups(1, frozenset(controllers))
    assert (found.is_whole, found.reason) == (whole, reason)
    assert found.message.startswith(text)


def test_on_other_systems_nothing_is_limited_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lifepod.runtime.process.loose_limits._IS_LINUX", False)
    assert data_limit(MI) == 0
    assert without_groups().message == "no control group can be made: memory is not limited; cpu is not limited"
