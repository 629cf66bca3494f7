"""The command line: one file per command, parsing and exit codes only. `main` is the entry point; commands load lazily."""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERRUPTED = 130
COMMANDS = {
    "run": "Apply manifests, watch their pods live, end with their exit code.",
    "up": "Start a cluster that kubectl and every Kubernetes client speak to.",
    "ls": "The clusters that are up.",
    "down": "Stop a cluster that runs in the background.",
    "why": "Why is this pod not what you expect? The cause, and what happens next.",
    "simulate": "Play a scenario file in virtual time.",
    "image": "Pull, import, list and remove images.",
    "doctor": "What this machine offers, by really trying.",
    "kubectl": "The kubectl of the extra lifepod[kubectl], on this cluster.",
    "version": "lifepod's version and the Kubernetes it shows.",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, so that `lifepod version` costs next to nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"lifepod.cli.{cmd_name}_command")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _interrupted():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> object:
        with _interrupted():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@contextlib.contextmanager
def _interrupted() -> Iterator[None]:
    """Ctrl-C before a command listens for it itself, say while it is imported, ends as it does later."""
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The Kubernetes pod lifecycle without the cluster."""
