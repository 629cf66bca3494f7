"""`lifepod doctor`: what this machine offers, by really trying."""

from __future__ import annotations

import sys

import click

_MEANING = {
    "sandbox": "containers in namespaces of their own",
    "network": "pods with addresses, DNS and Services",
    "overlay": "a private writable layer over this machine's files",
    "host": "containers as plain processes of yours",
    "users": "containers of real images with users besides root",
    "limits": "limits on memory and cpu",
    "outbound": "a network outside of the cluster",
}

_IMAGES = (
    "real images that are here (`lifepod image ls`) or whose registry answers, else this machine's own files; "
    "`--images auto` and `--images host` choose one of both"
)
_NO_IMAGES = "real images need the sandbox"


@click.command("doctor")
def command() -> None:
    """What this machine offers, by really trying, and what to do about the rest. Exit code 1 when there is no sandbox."""
    from lifepod.runtime.levels import available_levels, best_level, offers

    findings = available_levels()
    for finding in (*findings, *offers()):
        click.echo(
            f"{'yes' if finding.works else 'no '}  {finding.name:<8}  {_MEANING.get(finding.name, '')}{'' if finding.works else f': {finding.problem}'}"
        )
        if not finding.works and finding.advice:
            click.echo(f"{'':<15}do: {finding.advice}")
    best = best_level(findings)
    click.echo(f"\n`lifepod up` and `lifepod run` use: {best or 'nothing by themselves; add --runtime host'}")
    click.echo(f"and image mode: {'if-reachable' if best else 'host'}; {_IMAGES if best else _NO_IMAGES}")
    sys.exit(0 if best else 1)
