"""`lifepod run FILE…`: parsing and exit codes; the run itself is `assembly/run.py`'s."""

from __future__ import annotations

import asyncio
import re
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from lifepod.cli.image_options import images_option, insecure_option

if TYPE_CHECKING:
    from lifepod.diagnosis.run_end import Until


@click.command("run")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--until",
    "until_text",
    metavar="WHAT",
    help="End when this holds: Ready, Complete, or jsonpath={.status.phase}=Running.",
)
@click.option("--timeout", metavar="TIME", help="End after this long (5m, 90s) with exit code 124.")
@click.option("--keep", is_flag=True, help="Clean nothing up; a cluster of its own stays up until Ctrl-C.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["board", "plain", "json"]),
    help="How it is shown; by default the board on a terminal, else plain lines.",
)
@click.option("-n", "--namespace", default=None, help="Namespace for objects that name none.")
@click.option(
    "--runtime",
    type=click.Choice(["sandbox", "host", "sim"]),
    default=None,
    help="What runs the containers here; by default the sandbox.",
)
@images_option
@insecure_option
@click.option("--context", default=None, help="Run on this context of the kubeconfig instead of a cluster of its own.")
@click.option("--kubeconfig", default=None, type=click.Path(), help="The kubeconfig file for --context.")
def command(
    files: tuple[str, ...],
    until_text: str | None,
    timeout: str | None,
    keep: bool,
    output: str | None,
    namespace: str | None,
    runtime: str | None,
    images: str,
    insecure_registries: tuple[str, ...],
    context: str | None,
    kubeconfig: str | None,
) -> None:
    """Apply manifests (`-`: standard input), watch their pods live, end with their exit code.

    It ends when every Job is Complete or Failed and every pod of its own has ended; or as --until says.
    """
    from lifepod.assembly.run_here import RunOptions, run

    options = RunOptions(
        files=files,
        until=_until(until_text),
        at_most=_duration(timeout),
        keep=keep,
        output=output or ("board" if sys.stdout.isatty() else "plain"),
        namespace=namespace,
        runtime=runtime,
        images=images,
        insecure_registries=insecure_registries,
        context=context,
        kubeconfig=kubeconfig,
    )
    sys.exit(asyncio.run(run(options)))


def _until(text: str | None) -> Until | None:
    from lifepod.diagnosis.run_end import BadUntil, until_from

    try:
        return until_from(text) if text else None
    except BadUntil as exc:
        raise click.BadParameter(str(exc), param_hint="--until") from exc


def _duration(text: str | None) -> timedelta | None:
    """`90`, `90s`, `5m`, `1h30m` as kubectl writes them."""
    if text is None:
        return None
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", text)
    if not match or not text:
        raise click.BadParameter(f'"{text}" is no time such as 90s, 5m or 1h30m', param_hint="--timeout")
    return timedelta(hours=int(match[1] or 0), minutes=int(match[2] or 0), seconds=float(match[3] or 0))
