"""How a request wants its verb done: who asks, when, and with which options. Values only; wording is in `status_errors.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal, NamedTuple

from lifepod.apiserver.auth import User

MAX_MANAGER_BYTES: Final = 128
"""How long the name of a writer may be. Source: pkg/apis/meta/v1/validation/validation.go: FieldManagerMaxLength"""
FieldValidation = Literal["Ignore", "Warn", "Strict"]
Propagation = Literal["Background", "Foreground", "Orphan"]

SYSTEM = User("system:lifepod", ("system:masters", "system:authenticated"))
"""The cluster's own parts."""
ADMIN = User("kubernetes-admin", ("system:masters", "system:authenticated"))


class WriteOptions(NamedTuple):
    """What every write carries. `now` is the moment it counts as done. `force` belongs to server-side apply alone;
    `applied`: the object comes out of one, its managedFields are settled."""

    now: datetime
    user: User = ADMIN
    field_manager: str = ""
    field_validation: FieldValidation = "Warn"
    dry_run: bool = False
    force: bool = False
    user_agent: str = ""
    applied: bool = False

    @property
    def manager(self) -> str:
        """The name under which managedFields keep this writer: the one given, else the User-Agent up to its first `/`.

        Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/create.go: managerOrUserAgent, prefixFromUserAgent
        """
        if self.field_manager:
            return self.field_manager
        agent = self.user_agent.partition("/")[0]
        if not agent.isprintable() or len(agent) * 4 > MAX_MANAGER_BYTES:
            agent = "".join(filter(str.isprintable, agent)).encode()[:MAX_MANAGER_BYTES].decode(errors="ignore")
        return agent or "unknown"


class DeleteOptions(NamedTuple):
    """`metav1.DeleteOptions`. `grace` None: what the kind says; `uid`, `resource_version`: preconditions."""

    grace: int | None = None
    propagation: Propagation | None = None
    uid: str | None = None
    resource_version: str | None = None


class ListOptions(NamedTuple):
    """The query of a list or watch, as the client wrote it."""

    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    watch_bookmarks: bool = False
    send_initial_events: bool | None = None
