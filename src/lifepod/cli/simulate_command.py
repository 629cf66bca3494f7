"""`lifepod simulate FILE`: parsing and exit codes; the run itself is `assembly/simulate.py`'s."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("simulate")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--seed", type=int, default=None, help="Another source of chance than the file's own.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["timeline", "json", "events"]),
    default="timeline",
    show_default=True,
    help="Rows to read, the same for programs, or every watch event as a line of JSON.",
)
@click.option("--until", metavar="TIME", default=None, help="Stop at this moment of the run: 90s, 5m, 1h30m.")
@click.option("--rewrite", is_flag=True, help="Write what came of the run into the file as its expected part.")
def command(file: Path, seed: int | None, output: str, until: str | None, rewrite: bool) -> None:
    """Play a scenario file in virtual time.

    Exit code 0: all went as the file expects (or it expects nothing); 1: it did not; 2: the file is wrong.
    """
    from lifepod.assembly.simulate_output import Wanted, simulate
    from lifepod.simulation.durations import duration_of

    moment = duration_of(until) if until else None
    if until and moment is None:
        raise click.BadParameter(f'"{until}" is no length of time such as 90s, 5m or 1h30m', param_hint="--until")
    sys.exit(simulate(Wanted(file, seed, output, moment, rewrite)))
