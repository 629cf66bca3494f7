"""`lifepod why POD`."""

from __future__ import annotations

import asyncio
import sys

import click


@click.command("why")
@click.argument("pod")
@click.option("-n", "--namespace", default=None, help="The pod's namespace.")
@click.option("--name", default=None, help="The lifepod cluster; by default the only one that is up.")
@click.option("--context", default=None, help="A context of the kubeconfig instead.")
@click.option("--kubeconfig", default=None, type=click.Path(), help="The kubeconfig file.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    pod: str, namespace: str | None, name: str | None, context: str | None, kubeconfig: str | None, output: str
) -> None:
    """Why is POD not what you expect? The cause, and what happens next and when. Exit code 1 when something is wrong."""
    from lifepod.assembly.why_here import WhyOptions, why_pod
    from lifepod.errors import LifepodError

    try:
        sys.exit(asyncio.run(why_pod(WhyOptions(pod, namespace, name, context, kubeconfig, output))))
    except LifepodError as exc:
        click.echo(f"lifepod why: {exc}", err=True)
        sys.exit(2)
