"""`lifepod up`: parsing and exit codes; the cluster itself is `assembly/up.py`'s."""

from __future__ import annotations

import sys

import click

from lifepod.cli.image_options import images_option, insecure_option


@click.command("up")
@click.option("--name", default="default", show_default=True, help="What the cluster is called.")
@click.option("--kubeconfig", default=None, type=click.Path(), help="Write the kubeconfig here too.")
@click.option("--merge", is_flag=True, help="Add the cluster to ~/.kube/config and make it the current context.")
@click.option("--port", default=0, show_default="any free one", type=click.IntRange(0, 65535), help="The API's port.")
@click.option(
    "--bind",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where the API listens: at this machine's loopback, or at one of its addresses (0.0.0.0: all) for other machines, "
    "always with TLS and only for who has a credential of the kubeconfig or a token.",
)
@click.option(
    "--data",
    default=None,
    type=click.Path(file_okay=False),
    help="Keep everything in this folder: objects, and pods that outlive lifepod.",
)
@click.option(
    "--runtime",
    type=click.Choice(["sandbox", "host", "sim"]),
    default=None,
    help="What runs the containers; by default the sandbox.",
)
@click.option("--nodes", default=1, show_default=True, type=click.IntRange(0, 5000), help="How many nodes.")
@images_option
@insecure_option
@click.option(
    "--max-processes",
    type=click.IntRange(1),
    default=None,
    show_default="any number",
    help="How many processes each container may have, where control groups can be made.",
)
@click.option("--detach", is_flag=True, help="Go to the background once it is ready; `lifepod down` ends it.")
def command(
    name: str,
    kubeconfig: str | None,
    merge: bool,
    port: int,
    bind: str,
    data: str | None,
    runtime: str | None,
    nodes: int,
    images: str,
    insecure_registries: tuple[str, ...],
    max_processes: int | None,
    detach: bool,
) -> None:
    """Start a cluster that kubectl and every Kubernetes client speak to. Ctrl-C ends it."""
    from lifepod.assembly.up import UpOptions, up
    from lifepod.errors import LifepodError

    options = UpOptions(
        name=name,
        kubeconfig=kubeconfig,
        merge=merge,
        port=port,
        bind=bind,
        data=data,
        runtime=runtime,
        nodes=nodes,
        detach=detach,
        images=images,
        insecure_registries=insecure_registries,
        max_processes=max_processes,
    )
    try:
        sys.exit(up(options))
    except LifepodError as exc:
        click.echo(f"lifepod up: {exc}", err=True)
        sys.exit(1)
