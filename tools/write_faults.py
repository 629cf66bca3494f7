"""Writes docs/faults.md from the catalogue in `simulation/faults.py`. Run it after a change there; a test compares the two."""

from __future__ import annotations

from pathlib import Path

from lifepod.simulation.durations import shown
from lifepod.simulation.faults import CATALOGUE, FaultKind

HEAD = """# Faults

What can go wrong in a simulated cluster, each by one line. Written by `tools/write_faults.py` from `simulation/faults.py`.

The same line works everywhere:

| where | how |
|---|---|
| a scenario file | `at 30s fault node-silent node2 for=2m`; without `at` from the start; `at 1m end fault node-silent node2` |
| a test | `kube.fault("node-silent node2 for=2m")`, or `@pytest.mark.lifepod(faults=["registry-down *"])` for its whole life |
| Python | `sim.faults.inject("oom web-1/app")`, `sim.faults.end("node-silent")` |

A target is a name or a pattern: `web-1`, `web-*`, `team/web-1`, a container `web-1/app`, a node `node2`, an image `shop/*`. Without
one, or with `random`, the seed draws among what is there. `for=` says how long a fault lasts; what happens at one moment takes none.

Random faults: `faults random every=20s` (or `rate=3/m`) in a scenario, with `kinds=oom,node-silent`, `from=`, `until=`, `for=`,
`namespace=`. One seed draws the same faults, in the same order, at the same moments; a fork has the same ones before it.

Faults of the API strike clients (`who=clients`, the default), the cluster's own parts (`who=parts`: scheduler, controllers, node
agents) or both (`who=all`). `rate=0.3` strikes three requests in ten, `verb=list,watch` and `resource=pods` narrow them down; the
verbs are the API's (`get list watch create update patch delete`) and `write` for all that change something.

"""


def written() -> str:
    """The whole page."""
    return HEAD + "\n".join(_section(kind) for kind in CATALOGUE)


def _section(kind: FaultKind) -> str:
    words = [kind.name]
    words += [kind.target.upper()] if kind.target else []
    words += [f"{name}={default or '…'}" for name, default in kind.options]
    words += [f"for={shown(kind.lasts)}"] if kind.lasts is not None else []
    drawn = "" if kind.weight else "\nNever drawn at random."
    return f"## {kind.name}\n`{' '.join(words)}`\n\n{kind.what}\n\n**A client sees:** {kind.seen}{drawn}\n"


if __name__ == "__main__":
    (Path(__file__).parents[1] / "docs" / "faults.md").write_text(written())
