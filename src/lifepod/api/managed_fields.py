"""Who owns which field: `metadata.managedFields`, read, kept for every writer, and written.

`record_update` is for every write but apply; `apply.py` uses the rest. Fields that identify an object (name, uid, …) are owned by
nobody. A write that changes nothing keeps every entry as it is.

Source: k8s.io/apimachinery v0.34.4 pkg/util/managedfields/internal: fieldmanager.go, managedfields.go, managedfieldsupdater.go,
        stripmeta.go, capmanagers.go, skipnonapplied.go; structured-merge-diff v6.3.0 merge/update.go: Updater.Update
"""

from __future__ import annotations

from typing import NamedTuple

from lifepod.api.field_sets import LEAF, Comparison, FieldSet, compare, difference, intersection, sorted_set, union
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.schema import Type

MAX_UPDATE_MANAGERS = 10
ANCIENT = "ancient-changes"
BEFORE_FIRST_APPLY = "before-first-apply"

_STRIPPED: FieldSet = {
    "f:apiVersion": LEAF,
    "f:kind": LEAF,
    "f:metadata": {
        ".": LEAF,
        "f:name": LEAF,
        "f:namespace": LEAF,
        "f:creationTimestamp": LEAF,
        "f:selfLink": LEAF,
        "f:uid": LEAF,
        "f:clusterName": LEAF,
        "f:generation": LEAF,
        "f:managedFields": LEAF,
        "f:resourceVersion": LEAF,
    },
}


class Manager(NamedTuple):
    """Who an entry belongs to. An applier has one entry for all versions: its `api_version` here is ""."""

    name: str
    operation: str
    api_version: str
    subresource: str

    def shown(self) -> str:
        """As conflict messages name it: `"m1"`, `"up" using v1`, `"k" with subresource "status" using v1`."""
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == "Update" else text


class Owned(NamedTuple):
    """One entry: the fields, the version they were written in, and when it last changed ("" never)."""

    fields: FieldSet
    api_version: str
    time: str


Managed = dict[Manager, Owned]


def read_managed(obj: JsonObject) -> Managed | None:
    """The entries of an object; None when one of them is malformed (upstream then starts anew)."""
    entries = (obj.get("metadata") or {}).get("managedFields") or []
    made: Managed = {}
    for entry in entries:
        operation, version = entry.get("operation"), entry.get("apiVersion")
        fields = entry.get("fieldsV1") or {}
        if (
            operation not in ("Apply", "Update")
            or not version
            or entry.get("fieldsType") != "FieldsV1"
            or not _is_set(fields)
        ):
            return None
        manager = Manager(
            entry.get("manager", ""), operation, version if operation == "Update" else "", entry.get("subresource", "")
        )
        made[manager] = Owned(fields, version, entry.get("time") or "")
    return made


def _is_set(fields: JsonValue) -> bool:
    return isinstance(fields, dict) and all(
        (key == "." or key[1:2] == ":") and _is_set(node) for key, node in fields.items()
    )


def with_managed(obj: JsonObject, managed: Managed) -> JsonObject:
    """A copy of the object with these entries, in upstream's order: appliers first, then by time, manager, version."""
    metadata = {k: v for k, v in (obj.get("metadata") or {}).items() if k != "managedFields"}
    ordered = sorted(
        managed.items(), key=lambda e: (e[0].operation, e[1].time, e[0].name, e[1].api_version, e[0].subresource)
    )
    if ordered:
        metadata["managedFields"] = [_entry(manager, owned) for manager, owned in ordered]
    return {**obj, "metadata": metadata}


def _entry(manager: Manager, owned: Owned) -> JsonObject:
    made: JsonObject = {"manager": manager.name, "operation": manager.operation, "apiVersion": owned.api_version}
    if owned.time:
        made["time"] = owned.time
    made["fieldsType"] = "FieldsV1"
    made["fieldsV1"] = owned.fields
    if manager.subresource:
        made["subresource"] = manager.subresource
    return made


def without_managed(obj: JsonObject) -> JsonObject:
    """The object without its entries, so that they are not compared with each other."""
    metadata = obj.get("metadata")
    if not metadata or "managedFields" not in metadata:
        return obj
    return {**obj, "metadata": {k: v for k, v in metadata.items() if k != "managedFields"}}


def stripped(fields: FieldSet) -> FieldSet:
    """Without what nobody owns."""
    return difference(fields, _STRIPPED)


def ignored_fields(type_: Type, subresource: str) -> tuple[str, ...]:
    """The members that a write to this subresource cannot change: status through the object, spec through its status.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry: every strategy's GetResetFields
    """
    if subresource == "status":
        return ("spec",)
    return ("status",) if not subresource and "status" in type_.fields and "spec" in type_.fields else ()


def without_ignored(fields: FieldSet, ignored: tuple[str, ...]) -> FieldSet:
    """Leave out whole members of the object."""
    if not any(f"f:{name}" in fields for name in ignored):
        return fields
    return {key: node for key, node in fields.items() if key[2:] not in ignored}


def record_update(
    old: JsonObject | None,
    new: JsonObject,
    type_: Type,
    *,
    manager: str,
    api_version: str,
    time: str,
    subresource: str = "",
    ignored: tuple[str, ...] | None = None,
) -> JsonObject:
    """`new` with the `managedFields` it must have after `manager` wrote it over `old` (None: created).

    `time` is RFC 3339 as `format_time` writes it. `ignored`: members this write cannot change (None: as upstream's strategies
    do, see `ignored_fields`). A PUT may set entries itself: `[]` or `[{}]` forgets them, others replace the live ones.
    """
    managed = _entries_to_start_from(old, new, subresource)
    bare = without_managed(new)
    if not managed and old is not None and old.get("metadata", {}).get("uid"):
        return with_managed(bare, {})  # not tracked before: stays so until the first apply
    before = without_managed(old) if old is not None else {}
    skip = ignored_fields(type_, subresource) if ignored is None else ignored
    found = compare(before, bare, type_)
    changes = Comparison(without_ignored(found.changed, skip), without_ignored(found.removed, skip))
    managed = _taken_from_others(managed, changes)
    mine = stripped(changes.changed)
    if mine:
        me = Manager(manager or "unknown", "Update", api_version, subresource)
        previous = managed.get(me)
        managed[me] = Owned(sorted_set(union(previous.fields, mine)) if previous else mine, api_version, time)
        managed = _capped(managed)
    return with_managed(bare, managed)


def _entries_to_start_from(old: JsonObject | None, new: JsonObject, subresource: str) -> Managed:
    live = read_managed(old or {}) or {}
    if subresource:
        return live
    given = (new.get("metadata") or {}).get("managedFields")
    if given is not None and given in ([], [{}]):
        return {}
    return read_managed(new) or live


def _taken_from_others(managed: Managed, changes: Comparison) -> Managed:
    """Everybody loses what was changed or removed; entries without fields are dropped."""
    gone = union(changes.changed, changes.removed)
    if not gone:
        return dict(managed)
    made: Managed = {}
    for manager, owned in managed.items():
        fields = difference(owned.fields, gone)
        if fields:
            made[manager] = owned._replace(fields=fields)
    return made


def _capped(managed: Managed) -> Managed:
    """At most ten updaters: the oldest of one version are merged into one entry named `ancient-changes`."""
    updaters = sorted((m for m in managed if m.operation == "Update"), key=lambda m: (managed[m].time, m))
    left = len(updaters)
    if left <= MAX_UPDATE_MANAGERS:
        return managed
    first: dict[str, Manager] = {}
    for manager in updaters:
        if left <= MAX_UPDATE_MANAGERS:
            break
        bucket = Manager(ANCIENT, "Update", manager.api_version, "")
        if manager.api_version not in first:
            first[manager.api_version] = manager
            continue
        if bucket not in managed:
            managed[bucket] = managed.pop(first[manager.api_version])
        if manager != bucket:
            owned = managed.pop(manager)
            managed[bucket] = Owned(
                sorted_set(union(owned.fields, managed[bucket].fields)), owned.api_version, owned.time
            )
            left -= 1
    return managed


def conflicts_with(managed: Managed, changes: Comparison, me: Manager) -> dict[Manager, FieldSet]:
    """Who else owns fields that the change touches."""
    others = {m: intersection(owned.fields, changes.changed) for m, owned in managed.items() if m != me}
    return {manager: fields for manager, fields in sorted(others.items()) if fields}


def after_change(managed: Managed, changes: Comparison, me: Manager) -> Managed:
    """The entries after `me` changed the object: others lose what was changed or removed."""
    gone = union(changes.changed, changes.removed)
    made: Managed = {}
    for manager, owned in managed.items():
        fields = owned.fields if manager == me else difference(owned.fields, gone)
        if fields:
            made[manager] = owned._replace(fields=fields)
    return made
