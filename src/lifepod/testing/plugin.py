"""The pytest plugin: the fixtures `kube` and `kube_real`. Imported by every pytest run, so it imports nothing heavy itself."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lifepod.testing.kube import Kube
    from lifepod.testing.real import RealKube

_MADE = pytest.StashKey["tuple[Kube, pytest.TempPathFactory]"]()
"""The cluster of the fixture `kube` at present, and where files of a test go."""
_SCOPES = ("function", "class", "module", "package", "session")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The scope of the fixtures, when each test having its own cluster is not what is wanted."""
    parser.addini("lifepod_scope", f"scope of the fixture kube: {', '.join(_SCOPES)}", default="function")
    parser.addini("lifepod_real_scope", f"scope of the fixture kube_real: {', '.join(_SCOPES)}", default="function")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "lifepod(seed, nodes, faults, kubernetes, clock, start): how the cluster of the `kube` fixture is made",
    )


def _scope(fixture_name: str, config: pytest.Config) -> Any:
    return config.getini("lifepod_scope" if fixture_name == "kube" else "lifepod_real_scope")


def _wanted(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The options of the nearest marker, those of farther ones below it."""
    found: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("lifepod"))):
        if marker.args:
            raise pytest.UsageError("@pytest.mark.lifepod takes its options by name: seed=1, nodes=3")
        found.update(marker.kwargs)
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails says how its cluster can be lived again: all that came into it from outside is written to a file."""
    report = yield
    made = item.config.stash.get(_MADE, None)
    if report.when == "call" and report.failed and made is not None and "kube" in getattr(item, "funcargs", {}):
        cluster, folders = made
        name = re.sub(r"[^\w.-]+", "-", item.name)[:60]
        command = cluster.sim.inputs.save(folders.mktemp(f"lifepod-{name}") / "failed.recording")
        report.sections.append(
            ("lifepod", f"The life of the cluster up to the failure can be played again:\n    {command}")
        )
    return report


@pytest.fixture(scope=_scope)
def kube(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """A cluster of scripted containers in virtual time, empty at each test's beginning. $KUBECONFIG names it."""
    from lifepod.testing.kube import Kube
    from lifepod.testing.options import options_of

    with Kube(options_of(**_wanted(request))) as cluster:
        request.config.stash[_MADE] = cluster, tmp_path_factory
        yield cluster


@pytest.fixture(scope=_scope)
def kube_real(request: pytest.FixtureRequest) -> Iterator[RealKube]:
    """A cluster whose containers really run, in the sandbox, in real time. $KUBECONFIG names it."""
    from lifepod.testing.real import RealKube

    with RealKube(**_wanted(request)) as cluster:
        yield cluster
