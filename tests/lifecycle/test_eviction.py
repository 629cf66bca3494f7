"""Evictions for a pod's own limits, and what a node under pressure refuses (lifecycle.md §1.5)."""

from __future__ import annotations

from typing import Any

import pytest

from lifepod.api.objects import JsonObject
from lifepod.lifecycle.eviction import Usage, has_disk_limits, over_own_limits, refusal_under_pressure

MI = 1 << 20


def limited(name: str, limit: str) -> JsonObject:
    return {"name": name, "resources": {"limits": {"ephemeral-storage": limit}}}


def pod(limits: dict[str, str] | None = None, size_limit: str | None = None, **spec: Any) -> JsonObject:
    containers = [limited(name, limit) for name, limit in (limits or {}).items()]
    volume: JsonObject = {"name": "v", "emptyDir": {"sizeLimit": size_limit} if size_limit else {}}
    return {
        "metadata": {"name": "p"},
        "spec": {"containers": containers or [{"name": "c"}], "volumes": [volume], **spec},
    }


@pytest.mark.parametrize(
    ("given", "usage", "message"),
    [
        (pod(size_limit="1Mi"), Usage((("v", 2 * MI),)), 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". '),
        (pod(size_limit="1Mi"), Usage((("v", MI),)), ""),
        (pod(size_limit="0"), Usage((("v", MI),)), ""),
        (pod(), Usage((("v", MI),)), ""),
        (
            pod({"a": "1Mi", "b": "1Mi"}),
            Usage((("v", MI),), (("a", MI), ("b", MI))),
            "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. ",
        ),
        (
            pod({"a": "1Mi", "b": "3Mi"}),
            Usage((), (("a", 2 * MI), ("b", 0))),
            'Container a exceeded its local ephemeral storage limit "1Mi". ',
        ),
        (pod({"a": "1Mi"}), Usage((), (("a", MI),)), ""),
        (pod({"a": "1Mi"}, priority=2_000_000_000), Usage((), (("a", 2 * MI),)), ""),  # a critical pod stays
        (pod({"a": "0"}), Usage((), (("a", 0),)), ""),
        (
            pod({"a": "1Mi"}, initContainers=[limited("i", "3Mi")]),  # the pod may hold what its init container may
            Usage((("v", 3 * MI),), (("a", 0),)),
            "",
        ),
        (pod({"a": "4Mi"}, initContainers=[limited("i", "1Mi")]), Usage((), (("i", 2 * MI),)), ""),
    ],
)
def test_a_pod_over_a_limit_of_its_own_is_evicted_with_one_second(
    given: JsonObject, usage: Usage, message: str
) -> None:
    request = over_own_limits(given, usage)
    assert (request.message if request else "") == message
    if request:
        assert (request.reason, request.grace_period_seconds, request.condition) == ("Evicted", 1, None)


def test_only_pods_with_limits_are_measured() -> None:
    assert not has_disk_limits(pod())
    assert has_disk_limits(pod(size_limit="1Mi"))
    assert has_disk_limits(pod({"a": "1Mi"}))


BURSTABLE = [{"name": "c", "resources": {"requests": {"memory": "1Mi"}}}]


@pytest.mark.parametrize(
    ("given", "pressures", "names"),
    [
        (pod(), (False, False, False), None),
        (pod(), (True, False, False), "MemoryPressure"),
        (pod(containers=BURSTABLE), (True, False, False), None),
        (pod(containers=BURSTABLE), (True, True, False), "MemoryPressure DiskPressure"),
        (pod(tolerations=[{"operator": "Exists"}]), (True, False, False), None),
        (pod(tolerations=[{"operator": "Exists"}]), (False, True, False), "DiskPressure"),
        (pod(priority=2_000_000_000), (True, True, True), None),
        (pod(priority=1_999_999_999), (False, False, True), "PIDPressure"),
        (pod(priority=0), (False, False, True), "PIDPressure"),
    ],
)
def test_a_node_under_pressure_refuses_what_it_can_do_without(
    given: JsonObject, pressures: tuple[bool, bool, bool], names: str | None
) -> None:
    refused = refusal_under_pressure(given, *pressures)
    assert (refused.message if refused else None) == (f"The node had condition: [{names}]. " if names else None)
