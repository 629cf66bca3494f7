"""`lifepod ls`."""

from __future__ import annotations

import os

import click

from lifepod.assembly.clusters import running, state_home


@click.command("ls")
def command() -> None:
    """The clusters that are up, and where their kubeconfigs lie."""
    clusters = running(state_home(os.environ))
    if not clusters:
        click.echo("No cluster is up. `lifepod up` starts one.", err=True)
        return
    rows = [("NAME", "STATUS", "SERVER", "RUNTIME", "PID", "SINCE", "DATA", "KUBECONFIG")]
    rows += [
        (c.name, "up" if c.up else "gone", c.server, c.runtime, str(c.pid), c.started, c.data or "-", str(c.kubeconfig))
        for c in clusters
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        click.echo("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if any(not c.up for c in clusters):
        click.echo("A cluster that is `gone` was killed; `lifepod down NAME` clears what it left.", err=True)
