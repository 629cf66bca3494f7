"""Is the server well: `/healthz`, `/livez`, `/readyz`, each check of them, and `/version`.

Source: k8s.io/apiserver v0.34.4 pkg/server/healthz/healthz.go: handleRootHealth
        k8s.io/apimachinery v0.34.4 pkg/version/types.go: Info
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from lifepod._version import __version__
from lifepod.api.objects import JsonObject
from lifepod.apiserver.exchange import Request, Response
from lifepod.apiserver.negotiation import encoded

KUBERNETES: Final = "1.34.4"
_TEXT: Final = "text/plain; charset=utf-8"

Check: TypeAlias = Callable[[], str]
"""Returns "" when all is well, else what is wrong."""


class HealthCheck(NamedTuple):
    """A named check; `live` ones also count for `/livez`."""

    name: str
    check: Check
    live: bool = False


def _well() -> str:
    return ""


class Health:
    """Answers the health paths from a list of checks. `ping` and `log` are always there, as upstream has them.

    Differs: a check that fails says why; upstream withholds it.
    """

    def __init__(self, checks: tuple[HealthCheck, ...] = ()) -> None:
        self._checks = (HealthCheck("ping", _well, True), HealthCheck("log", _well, True), *checks)

    def answer(self, request: Request, path: str) -> Response | None:
        """The answer at `path`, None when there is no such check."""
        _, root, *rest = path.split("/")
        checks = [check for check in self._checks if check.live or root != "livez"]
        if rest:
            return next((_one(check) for check in checks if rest == [check.name]), None)
        excluded = set(request.query.get("exclude", ())) if request.raw_query else set()
        lines, failed = [], False
        for check in checks:
            if check.name in excluded:
                lines.append(f"[+]{check.name} excluded: ok")
                continue
            problem = check.check()
            failed = failed or bool(problem)
            lines.append(f"[-]{check.name} failed: {problem}" if problem else f"[+]{check.name} ok")
        if failed:
            return Response(500, "\n".join([*lines, f"{root} check failed\n"]).encode(), _TEXT)
        if request.raw_query and "verbose" in request.query:
            return Response(200, "\n".join([*lines, f"{root} check passed\n"]).encode(), _TEXT)
        return Response(200, b"ok", _TEXT)


def _one(check: HealthCheck) -> Response:
    problem = check.check()
    return (
        Response(500, f"internal server error: {problem}\n".encode(), _TEXT) if problem else Response(200, b"ok", _TEXT)
    )


def version_response() -> Response:
    """`/version`: the Kubernetes version whose rules are followed, with lifepod's own as the build suffix."""
    major, minor, _ = KUBERNETES.split(".")
    version: JsonObject = {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": f"v{KUBERNETES}+lifepod",
        "gitCommit": f"lifepod-{__version__}",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "cpython",
        "platform": "linux/amd64",
    }
    return Response(200, encoded(version))
