"""The pytest plugin: the fixtures `kube` and `kube_real`. Imported by every pytest run, so it imports nothing heavy itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lifepod.testing.kube import Kube
    from lifepod.testing.real import RealKube

_KUBE, _REAL = pytest.StashKey["Kube"](), pytest.StashKey["RealKube"]()
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


@pytest.fixture(scope=_scope)
def kube(request: pytest.FixtureRequest) -> Iterator[Kube]:
    """A cluster of scripted containers in virtual time, empty at each test's beginning. $KUBECONFIG names it."""
    from lifepod.testing.kube import Kube
    from lifepod.testing.options import options_of

    with Kube(options_of(**_wanted(request))) as cluster:
        yield cluster


@pytest.fixture(scope=_scope)
def kube_real(request: pytest.FixtureRequest) -> Iterator[RealKube]:
    """A cluster whose containers really run, in the sandbox, in real time. $KUBECONFIG names it."""
    from lifepod.testing.real import RealKube

    with RealKube(**_wanted(request)) as cluster:
        yield cluster
