"""What a cluster for tests is made of: the arguments of `lifepod.cluster()` and of `@pytest.mark.lifepod(...)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from lifepod.assembly.simulated import SimSettings
from lifepod.node.node_status import NodeSettings
from lifepod.runtime.sim import Program
from lifepod.simulation.clock_modes import mode_named
from lifepod.simulation.loop import START
from lifepod.testing.errors import TestingError

KUBERNETES = "1.34"


class Options(NamedTuple):
    """The options of a cluster in virtual time.

    seed        of every random choice
    nodes       how many, or their names, or `NodeSettings`
    faults      what goes wrong from the beginning, a line each: see docs/faults.md
    kubernetes  the version whose rules are followed; there is one so far
    clock       `auto`, `manual`, `real` or a factor such as `60x`; "" is `auto` until the test turns the clock itself
    start       when virtual time begins
    images      programs of containers by image: what `kube.image` adds to
    """

    seed: int = 0
    nodes: int | Sequence[str | NodeSettings] = 1
    faults: str | Sequence[str] = ()
    kubernetes: str = KUBERNETES
    clock: str = ""
    start: datetime = START
    images: Mapping[str, Program] = {}


def options_of(**given: Any) -> Options:
    """The options with these names. Raises TestingError for those that do not exist."""
    unknown = sorted(set(given) - set(Options._fields))
    if unknown:
        known = ", ".join(Options._fields)
        raise TestingError(f"a cluster has no option {', '.join(unknown)}. There are: {known}.")
    options = Options(**given)
    if options.kubernetes not in (KUBERNETES, f"v{KUBERNETES}"):
        raise TestingError(f'kubernetes="{options.kubernetes}": only {KUBERNETES} is known so far.')
    if options.clock:
        mode_named(options.clock)
    if isinstance(options.nodes, int) and options.nodes < 0:
        raise TestingError(f"nodes={options.nodes}: a cluster has no fewer than 0 nodes.")
    return options


def settings_of(options: Options, programs: Mapping[str, Program]) -> SimSettings:
    """The options as the simulation wants them."""
    return SimSettings(options.seed, _nodes(options.nodes), options.start, programs)


def _nodes(nodes: int | Sequence[str | NodeSettings]) -> tuple[NodeSettings, ...]:
    wanted = [f"node{number}" for number in range(1, nodes + 1)] if isinstance(nodes, int) else nodes
    made = []
    for number, node in enumerate(wanted, 1):
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        made.append(NodeSettings(node, addresses=(address,)) if isinstance(node, str) else node)
    return tuple(made)
