"""What a scenario's lines mean, and what is said of those that mean nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import KindRegistry
from lifepod.simulation.scenario import Create, Delete, Expect, Inject, Scenario
from lifepod.simulation.scenario_lines import ScenarioError
from lifepod.simulation.scenario_text import ScenarioReader

END = "\nrun until=1m\n"


def read(text: str) -> Scenario:
    return ScenarioReader(KindRegistry(builtin_kinds()), lambda name: b"kind: [").read(text)


def test_a_pod_in_short_form_is_a_manifest() -> None:
    scenario = read(
        'pod web restartPolicy=Never grace=5s label.app=x\n  init a runs=1s\n  container b env.A="1 2" port=80\n    readiness period=5s tcp=80'
        + END
    )
    action = scenario.steps[0].action
    assert isinstance(action, Create)
    (pod,) = action.objects
    assert pod["metadata"]["labels"] == {"app": "x"}
    assert pod["metadata"]["annotations"] == {"sim.lifepod.dev/a": "run=1s"}
    assert (pod["spec"]["restartPolicy"], pod["spec"]["terminationGracePeriodSeconds"]) == ("Never", 5)
    (container,) = pod["spec"]["containers"]
    assert container["env"] == [{"name": "A", "value": "1 2"}]
    assert container["readinessProbe"] == {"tcpSocket": {"port": 80}, "periodSeconds": 5}


def test_moments_repetitions_and_expectations() -> None:
    scenario = read(
        "at 30s\n  delete pod/team/web grace=2s\n  fault oom web\nevery 10s from=5s until=25s expect pod/a ready=true"
        + END
    )
    delete, fault, expect = sorted(scenario.steps, key=lambda s: s.place.line)
    assert delete.action == Delete("pods", "team", "web", 2)
    assert isinstance(fault.action, Inject)
    assert (expect.at, expect.every, expect.until) == (
        timedelta(seconds=5),
        timedelta(seconds=10),
        timedelta(seconds=25),
    )
    assert expect.action == Expect("pods", "default", "a", (("ready", "true"),))


@pytest.mark.parametrize(
    ("text", "where", "message", "hint"),
    [
        ("pod web\n  container a runs=soon", (2, 3), "no time", "docs/scenarios.md"),
        ("pod web restartPolice=Never\n  container a", (1, 9), 'no field "restartPolice"', '"restartPolicy"'),
        ("pod web", (1, 1), "no container", "container app"),
        ("pod", (1, 1), "pod what?", "pod web"),
        ("pod web\n  box a", (2, 3), '"box"', "init, sidecar"),
        ("node-silent node1", (1, 1), "means nothing", "fault node-silent"),
        ("apiVersion: v1\nkind: Pod", (1, 1), "means nothing", "lifepod run"),
        ("at 30x delete pod/a", (1, 4), "no length of time", "1h30m"),
        ("at 30s", (1, 1), "what happens", "delete pod/web"),
        ("fault node-silent node1 for=x", (1, 25), "no length of time", "for=30s"),
        ("faults random rate=often", (1, 15), "no rate", "2/m"),
        ("delete gadget/a", (1, 8), 'no kind "gadget"', "pod/web"),
        ("expect pod/a colour=red", (1, 14), "nothing to expect", "phase"),
        ("  pod web", (1, 3), "indented", ""),
        ("pod web\n\tcontainer a", (2, 1), "tab", "blanks"),
        ('pod "web', (1, 5), "quotes", ""),
        ("apply web.yaml", (1, 1), "apply web.yaml", ""),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_write(
    text: str, where: tuple[int, int], message: str, hint: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        read(text + END)
    error = caught.value
    assert message in error.message
    assert hint in error.hint
    assert (error.line, error.column) == where


def test_a_scenario_must_say_how_long_it_runs() -> None:
    with pytest.raises(ScenarioError, match="how long"):
        read("pod web\n  container a\n")
