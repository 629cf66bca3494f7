"""Every command that a kubectl names in its help is typed in a session, with every flag of its own."""

from pathlib import Path

import pytest

from . import session, surface
from .conftest import kubectls

SESSIONS = sorted((Path(__file__).parent / "sessions").glob("*.session"))
SHARED = {
    "--all", "--allow-missing-template-keys", "--dry-run", "--field-manager", "--filename", "--kustomize", "--local", "--output",
    "--recursive", "--save-config", "--selector", "--show-managed-fields", "--template", "--validate", "--windows-line-endings",
}  # fmt: skip
"""Flags that many commands take and read with the same code: typed with some command."""
NOT_TYPED = {
    "attach": {"--detach-keys", "--tty"},  # a person at a terminal
    "kuberc set": set[str](),  # writes a file of kubectl's own
    "kustomize": {"--as-current-user", "--enable-alpha-plugins", "--enable-helm", "--helm-api-versions", "--helm-command",
                  "--helm-debug", "--helm-kube-version", "--mount", "--network", "--network-name"},  # start programs of others
    "run": {"--detach-keys"},
    "edit": {"--show-managed-fields"},
}  # fmt: skip
"""What no session types, and why."""

pytestmark = pytest.mark.kubectl
VERSIONS = [*sorted(kubectls())] or [pytest.param("none", marks=pytest.mark.skip("there is no kubectl"))]


def typed(known: surface.Surface) -> dict[str, set[str]]:
    """The flags that the sessions type, by command."""
    found: dict[str, set[str]] = {}
    for path in SESSIONS:
        for step in session.steps_of(path):
            for call in surface.calls("\n".join(step.command)):
                command, flags = surface.used(call, known)
                found.setdefault(command, set()).update(flags)
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_every_command_of_the_help_is_typed_with_every_flag_of_its_own(version: str) -> None:
    known = surface.surface(kubectls()[version])
    found = typed(known)
    assert len(known.commands) > 80
    missing = {
        name: untyped
        for name, command in known.commands.items()
        if (untyped := sorted(command.flags - SHARED - found.get(name, set()) - NOT_TYPED.get(name, set())))
        or (name not in found and name not in NOT_TYPED)
    }
    assert not missing, "\n".join(f"{name}: {' '.join(flags) or 'never'}" for name, flags in sorted(missing.items()))


def test_the_flags_that_many_commands_share_are_typed_with_some() -> None:
    known = surface.surface(next(iter(kubectls().values())))
    assert set().union(*typed(known).values()) >= SHARED
