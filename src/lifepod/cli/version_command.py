"""`lifepod version`."""

from __future__ import annotations

import click

from lifepod._version import KUBERNETES_VERSION, __version__


@click.command("version")
def command() -> None:
    """lifepod's version and the Kubernetes it shows."""
    click.echo(f"lifepod {__version__} (Kubernetes {KUBERNETES_VERSION})")
