"""The plugin in a pytest run of its own: what a failing test prints, scopes, several workers, what stays behind."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CRASHING = """
    POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "worker"},
           "spec": {"containers": [{"name": "main", "image": "busybox", "command": ["false"]}]}}
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider --strict-markers\n")
    return pytester


def test_a_failing_assertion_shows_the_timeline_and_the_line_of_the_test(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        CRASHING
        + """
    def test_it(kube):
        kube.apply(POD)
        kube.advance("1m")
        kube.pod("worker").restarted(1)
    """
    )
    result = suite.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '>*kube.pod("worker").restarted(1)',
            "E*AssertionError: pod worker had 3 restarts, not 1",
            "E*CrashLoopBackOff*main Waiting CrashLoopBackOff restart 1",
        ]
    )
    assert "pod_story.py" not in result.stdout.str(), "the trace ends in the test"


def test_each_test_has_a_cluster_of_its_own(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        CRASHING
        + """
    import os

    def test_one(kube):
        kube.apply(POD)
        assert os.environ["KUBECONFIG"] == str(kube.kubeconfig)

    def test_two(kube):
        assert kube.list("pods") == []
        assert kube.clock.now().hour == 0
    """
    )
    suite.runpytest_subprocess().assert_outcomes(passed=2)


def test_the_scope_can_be_wider(suite: pytest.Pytester) -> None:
    suite.makeini("[pytest]\nlifepod_scope = module\n")
    suite.makepyfile(
        CRASHING
        + """
    def test_one(kube):
        kube.apply(POD)

    def test_two(kube):
        assert len(kube.list("pods")) == 1
    """
    )
    suite.runpytest_subprocess().assert_outcomes(passed=2)


def test_several_workers_do_not_meet(suite: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    suite.makepyfile(
        CRASHING
        + """
    import pytest

    @pytest.mark.parametrize("number", range(20))
    def test_it(kube, number):
        kube.apply(POD)
        assert len(kube.list("pods")) == 1
        kube.advance("1m")
        kube.pod("worker").restarted(3)
    """
    )
    suite.runpytest_subprocess("-n", "2").assert_outcomes(passed=20)


def test_a_wrong_option_of_the_marker_is_said(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
    import pytest

    @pytest.mark.lifepod(colour="red")
    def test_it(kube):
        pass
    """
    )
    result = suite.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*a cluster has no option colour. There are: seed, nodes, *"])


def test_nothing_stays_behind(suite: pytest.Pytester, tmp_path: Path) -> None:
    suite.makepyfile(
        """
    def test_it(kube):
        assert kube.kubeconfig.exists()
    """
    )
    suite._monkeypatch.setenv("TMPDIR", str(tmp_path))
    suite.runpytest_subprocess("--basetemp", str(tmp_path / "pytest")).assert_outcomes(passed=1)
    assert [path.name for path in tmp_path.glob("lifepod-*")] == []


def test_the_plugin_costs_nothing_to_those_who_do_not_use_it(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
    import sys

    def test_it():
        assert not {"lifepod.testing.kube", "lifepod.assembly.simulated", "cryptography"} & set(sys.modules)
    """
    )
    suite.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_failing_test_prints_the_command_that_plays_its_cluster_again(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        CRASHING
        + """
    def test_it(kube):
        kube.apply(POD)
        kube.fault("container-killed worker/main")
        kube.advance("90s")
        assert kube.pod("worker").restarts != 4

    def test_that_passes(kube):
        kube.apply(POD)
    """
    )
    result = suite.runpytest_subprocess()
    result.assert_outcomes(failed=1, passed=1)
    commands = [line.split() for line in result.outlines if "lifepod simulate" in line]
    assert len(commands) == 1
    played = suite.run(sys.executable, "-m", *commands[0], "-o", "events")
    assert played.ret == 0
    pods = [json.loads(line)["object"] for line in played.outlines if '"object":{"kind":"Pod"' in line]
    assert pods[-1]["status"]["containerStatuses"][0]["restartCount"] == 4  # as when the test failed
