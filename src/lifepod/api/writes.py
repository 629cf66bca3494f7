"""A wish to change something in the API, as a value: what parts of the cluster return instead of doing it.

`Write` is what a controller, the scheduler or a node agent wants done; `ApiError` is how the API says no. Carried out by
`apiserver` in process, by `client` against a server elsewhere. The resource is written `plural` or `plural.group`
(`pods`, `jobs.batch`), the one spelling used throughout lifepod.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.errors import LifepodError

Verb = Literal["create", "update", "patch", "delete"]
PatchType = Literal["strategic", "merge", "json", "apply"]


class Write(NamedTuple):
    """One change wanted of the API.

    `body` is the object (create, update), the patch (patch), or DeleteOptions (delete). `subresource` is "" for the
    object itself, else `status`, `binding`, `scale`, `eviction`, `finalize`, `token`. `tag` comes back with the answer
    untouched, so that the asker knows which of its wishes this was.
    """

    verb: Verb
    resource: str
    namespace: str
    name: str
    body: JsonObject
    subresource: str = ""
    patch_type: PatchType = "merge"
    tag: str = ""


class ApiError(LifepodError):
    """The API refused. `status` is the whole `Status` object; `code` and `reason` are its fields of those names."""

    def __init__(self, status: JsonObject) -> None:
        super().__init__(str(status.get("message", "")))
        self.status = status
        self.code: int = status.get("code", 500)
        self.reason: str = status.get("reason", "")

    def __str__(self) -> str:
        return str(self.status.get("message", ""))
