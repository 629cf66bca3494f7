"""`lifepod down`."""

from __future__ import annotations

import os
import time

import click

from lifepod.assembly.clusters import Running, forget, running, state_home, stop

_PATIENCE_SECONDS = 30


@click.command("down")
@click.argument("name", default="default")
def command(name: str) -> None:
    """Stop the cluster NAME and everything it runs."""
    home = state_home(os.environ)
    found = next((c for c in running(home) if c.name == name), None)
    if found is None:
        known = ", ".join(c.name for c in running(home))
        what_is = f"up: {known}" if known else "none is up"
        raise click.ClickException(f'no cluster is called "{name}"; {what_is}')
    if not found.up:
        forget(home, name)
        click.echo(f'The cluster "{name}" had been killed; what it left is cleared.')
        return
    stop(found)
    _wait_for_end(found)
    click.echo(f'The cluster "{name}" is down.')


def _wait_for_end(cluster: Running) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if not cluster.kubeconfig.parent.exists():
            return
        time.sleep(0.02)
    raise click.ClickException(
        f"process {cluster.pid} has not ended within {_PATIENCE_SECONDS} s; look at {cluster.kubeconfig.parent / 'log'}"
    )
