"""A pod that writes more than its emptyDir may hold is evicted at the next measuring."""

from __future__ import annotations

from datetime import timedelta

from test_agent import manifest, reasons, started, status

from lifepod.api.objects import dig


def test_an_empty_dir_over_its_limit_ends_the_pod() -> None:
    script = "i=0; while [ $i -lt 40 ]; do printf 0123456789 >> /v/f; i=$((i+1)); done; sleep 600"
    sim = started(
        manifest(
            script=script,
            container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
            volumes=[{"name": "v", "emptyDir": {"sizeLimit": "300"}}],
        )
    )
    assert status(sim)["phase"] == "Running"
    sim.advance(timedelta(seconds=10))
    assert (status(sim)["phase"], status(sim)["reason"]) == ("Failed", "Evicted")
    assert status(sim)["message"] == 'Usage of EmptyDir volume "v" exceeds the limit "300". '
    assert "Evicted" in reasons(sim)
    assert dig(status(sim)["containerStatuses"][0], "state", "terminated", "exitCode") == 137


def test_a_cluster_without_limits_measures_nothing() -> None:
    sim = started(manifest())
    agent = sim.cluster.agent("node1")
    assert agent is not None
    assert agent.snapshot().measure_at is None
