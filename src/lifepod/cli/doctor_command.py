"""`lifepod doctor`: what this machine offers, by really trying."""

from __future__ import annotations

import sys

import click


@click.command("doctor")
def command() -> None:
    """What this machine offers, by really trying, and what to do about the rest. Exit code 1 when no level works."""
    from lifepod.runtime.levels import available_levels

    findings = available_levels()
    for finding in findings:
        mark = "yes" if finding.works else "no "
        click.echo(f"{mark}  {finding.name:<18} {finding.detail}")
        if not finding.works and finding.remedy:
            click.echo(f"     {'':<18} do: {finding.remedy}")
    sys.exit(0 if any(f.works for f in findings) else 1)
