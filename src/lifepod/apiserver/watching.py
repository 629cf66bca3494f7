"""How a watch begins: what a client is sent first, and from where it goes on.

The streaming itself is `watch.py`'s.

Source: k8s.io/apiserver v0.34.4 pkg/storage/cacher/cacher.go: Watch, getWatchCacheResourceVersion
        k8s.io/apimachinery v0.34.4 pkg/apis/meta/internalversion/validation/validation.go: validateWatchOptions
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lifepod.api.field_errors import FieldError, forbidden
from lifepod.api.kinds import Kind
from lifepod.apiserver.list import parse_revision, selection_of
from lifepod.apiserver.options import ListOptions
from lifepod.apiserver.status_errors import expired, invalid_options
from lifepod.store import Record, TooOld, Watch

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


class WatchStart(NamedTuple):
    """`initial`: objects to send as ADDED. `revision`: what they show; with `bookmark` it is told after them. `watch`: the rest."""

    kind: Kind
    storage: Kind
    initial: list[Record]
    revision: int
    bookmark: bool
    watch: Watch


def start_watch(api: Api, kind: Kind, options: ListOptions) -> WatchStart:
    """Begin a watch at the revision that the query names. Raises ApiError 400, 410, 422."""
    _check(options)
    storage = api.storage_kind(kind)
    selection = selection_of(kind, options)
    given = options.resource_version
    revision = parse_revision(given) if given else 0
    shows_present = options.send_initial_events or (options.send_initial_events is None and revision == 0)
    initial: list[Record] = []
    if shows_present:
        page = api.store.list(storage.resource, selection)
        initial, revision = page.records, page.revision
    elif not revision:
        revision = api.store.revision
    try:
        watch = Watch(api.store, storage.resource, selection, revision)
    except TooOld as exc:
        raise expired(str(exc)) from None
    return WatchStart(kind, storage, initial, revision, bool(options.send_initial_events), watch)


def _check(options: ListOptions) -> None:
    match, errors = options.resource_version_match, list[FieldError]()
    if options.send_initial_events is not None:
        if match != "NotOlderThan":
            text = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            errors.append(forbidden("resourceVersionMatch", text))
    elif match:
        errors.append(
            forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            )
        )
    if options.continue_token:
        errors.append(forbidden("continue", "continue is forbidden for watch"))
    if errors:
        raise invalid_options("ListOptions", errors)
