"""Server-side apply: a configuration merged into the live object, field by field, with an owner for each.

`server_side_apply` merges by the schema (list types, map types), takes away what this manager applied before and no longer sends
unless somebody else owns it, refuses what others own with another value, and keeps `managedFields`. Decode, default and
validate the result like any other write; nulls in it are for `decode.prune` to drop.

Source: structured-merge-diff v6.3.0 merge/update.go: Updater.Apply, prune; typed/{merge,validate}.go;
        k8s.io/apimachinery v0.34.4 pkg/util/managedfields/internal: structuredmerge.go, conflict.go, lastappliedmanager.go
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from lifepod.api.field_sets import (
    DEDUCED,
    Comparison,
    FieldSet,
    compare,
    difference,
    element_key,
    fields_of,
    intersection,
    is_granular_list,
    is_granular_map,
    member_type,
    missing_keys,
    path_element,
    paths,
    sorted_set,
    union,
    with_named_fields,
    without_fields,
)
from lifepod.api.managed_fields import (
    BEFORE_FIRST_APPLY,
    Managed,
    Manager,
    Owned,
    after_change,
    conflicts_with,
    ignored_fields,
    read_managed,
    stripped,
    with_managed,
    without_ignored,
    without_managed,
)
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.patch_errors import PatchError, go_print, go_type, too_deep
from lifepod.api.schema import Type

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Conflict(NamedTuple):
    """One field that another manager owns with another value."""

    manager: Manager
    path: str


class ApplyConflict(PatchError):
    """409: `str()` is the Status' message, `causes` are its details' causes."""

    def __init__(self, conflicts: list[Conflict]) -> None:
        super().__init__(409, _message(conflicts))
        self.conflicts = conflicts

    @property
    def causes(self) -> list[JsonObject]:
        """One per field, as the Status shows them."""
        return [
            {"reason": "FieldManagerConflict", "message": f"conflict with {c.manager.shown()}", "field": c.path}
            for c in self.conflicts
        ]


def _message(conflicts: list[Conflict]) -> str:
    if len(conflicts) == 1:
        return f"Apply failed with 1 conflict: conflict with {conflicts[0].manager.shown()}: {conflicts[0].path}"
    lines: list[str] = []
    for manager in sorted({c.manager for c in conflicts}):
        lines.append(f"conflicts with {manager.shown()}:")
        lines.extend(f"- {c.path}" for c in conflicts if c.manager == manager)
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)


def server_side_apply(
    live: JsonObject | None,
    patch: JsonObject,
    type_: Type,
    *,
    manager: str,
    api_version: str,
    kind: str,
    time: str,
    force: bool = False,
    subresource: str = "",
    ignored: tuple[str, ...] | None = None,
) -> JsonObject:
    """`live` (None: to be created) after `manager` applied `patch`; with its managedFields.

    Raises ApplyConflict (409) or PatchError: 400 for another type of object or managedFields in the patch, 500 for fields
    that the schema does not have, both in upstream's words. `time` is RFC 3339.
    """
    try:
        _check_patch(patch, type_, api_version, kind)
    except RecursionError:
        raise too_deep() from None
    now = live or {}
    managed = read_managed(now)
    if managed is None:
        raise PatchError(500, "failed to decode managed fields: an entry of metadata.managedFields is malformed")
    bare = without_managed(now)
    if not managed and live is not None:
        managed = _before_first_apply(bare, type_, api_version, time)
    skip = ignored_fields(type_, subresource) if ignored is None else ignored
    run = _Apply(bare, patch, type_, Manager(manager, "Apply", "", subresource), api_version, time, skip)
    try:
        return run.carry_out(managed, force=force)
    except ApplyConflict as conflict:
        allowed = _allowed_by_last_applied(bare, type_, api_version) if manager == "kubectl" else None
        if allowed is None:
            raise
        left = [c for c in conflict.conflicts if c.path not in allowed]
        if left:
            raise ApplyConflict(left) from None
        return run.carry_out(managed, force=True)


class _Apply(NamedTuple):
    """One apply: what is there, what is wanted, by whom."""

    live: JsonObject
    patch: JsonObject
    type: Type
    me: Manager
    api_version: str
    time: str
    ignored: tuple[str, ...]

    def carry_out(self, managed: Managed, *, force: bool) -> JsonObject:
        """Merge, take away what is no longer applied, look for conflicts, and note who owns what."""
        last = managed.get(self.me)
        mine = without_ignored(fields_of(self.patch, self.type), self.ignored)
        managed = {**managed, self.me: Owned(mine, self.api_version, last.time if last else "")}
        made = _merged(self.live, self.patch, self.type)
        if last is not None and last.fields:
            made = _pruned(made, last.fields, managed, self.type)
        found = compare(self.live, made, self.type)
        changes = Comparison(without_ignored(found.changed, self.ignored), without_ignored(found.removed, self.ignored))
        conflicts = conflicts_with(managed, changes, self.me)
        if conflicts and not force:
            raise ApplyConflict([Conflict(m, path) for m, fields in conflicts.items() for path in paths(fields)])
        managed = after_change(managed, changes, self.me)
        own = managed.pop(self.me, None)
        if own is not None and (fields := stripped(own.fields)):
            changed = found.changed or found.removed or not self.live
            managed[self.me] = Owned(sorted_set(fields), self.api_version, self.time if changed else own.time)
        return with_managed(_with_last_applied(made, self.patch) if self.me.name == "kubectl" else made, managed)


# --- before ---------------------------------------------------------------------------------------------------------


def _check_patch(patch: JsonObject, type_: Type, api_version: str, kind: str) -> None:
    """The patch must be of the served kind, without managedFields, and fit the schema."""
    version, name = patch.get("apiVersion", ""), patch.get("kind", "")
    if version != api_version or name != kind:
        raise PatchError(400, f"invalid object type: {_gvk(version, name)}")
    metadata = patch.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise PatchError(400, "metadata.managedFields must be nil")
    problems: list[str] = []
    _validate(patch, type_, "", problems)
    if problems:
        where = metadata if isinstance(metadata, dict) else {}
        who = f"{where.get('namespace') or ''}/{where.get('name') or ''}; {_gvk(version, name)}"
        told = problems[0] if len(problems) == 1 else "\n".join(["errors:", *(f"  {p}" for p in problems)])
        raise PatchError(500, f"failed to create typed patch object ({who}): {told}")


def _gvk(api_version: str, kind: str) -> str:
    """As Go prints a GroupVersionKind: `apps/v1, Kind=Deployment`, `/v1, Kind=Pod`."""
    group, _, version = str(api_version).rpartition("/")
    return f"{group}/{version}, Kind={kind}"


def _validate(value: JsonValue, type_: Type, path: str, problems: list[str]) -> None:
    """Whether the value fits the schema; duplicates in keyed lists are mistakes."""
    if value is None:
        return
    match type_.kind:
        case "object" | "map":
            if not isinstance(value, dict):
                problems.append(f"{path}: expected map, got &{{{go_print(value)}}}")
                return
            for name in sorted(value):
                if type_.kind == "object" and name not in type_.fields and not type_.keeps_unknown:
                    problems.append(f"{path}.{name}: field not declared in schema")
                else:
                    _validate(value[name], member_type(type_, name), f"{path}.{name}", problems)
        case "array":
            if not isinstance(value, list):
                problems.append(f"{path}: expected list, got &{{{go_print(value)}}}")
                return
            _validate_elements(value, type_, path, problems)
        case kind:
            if told := _scalar_problem(value, kind):
                problems.append(f"{path}: {told}")


def _validate_elements(value: list[JsonValue], type_: Type, path: str, problems: list[str]) -> None:
    seen: set[str] = set()
    for index, element in enumerate(value):
        key = f"i:{index}"
        if is_granular_list(type_):
            if told := missing_keys(type_, element):
                problems.append(f"{path}: element {index}: {told}")
                continue
            key = element_key(type_, element)
            if key in seen:
                problems.append(f"{path}: duplicate entries for key {path_element(key)}")
            seen.add(key)
        _validate(element, type_.item or DEDUCED, path + path_element(key), problems)


def _scalar_problem(value: JsonValue, kind: str) -> str:
    match kind:
        case "int32" | "int64" | "number":
            fits = isinstance(value, int | float) and not isinstance(value, bool)
            return "" if fits else f"expected numeric (int or float), got {go_type(value)}"
        case "boolean":
            return "" if isinstance(value, bool) else f"expected boolean, got &{{{go_print(value)}}}"
        case "string" | "bytes" | "time" | "micro-time":
            return (
                ""
                if isinstance(value, str)
                else f"expected string, got &value.valueUnstructured{{Value:{go_print(value)}}}"
            )
        case "quantity" | "int-or-string":
            return f"expected any scalar, got &{{{go_print(value)}}}" if isinstance(value, dict | list) else ""
        case _:
            return ""


def _before_first_apply(live: JsonObject, type_: Type, api_version: str, time: str) -> Managed:
    """What an object that nobody tracked had is owned by `before-first-apply`."""
    fields = stripped(compare({}, live, type_).changed)
    owner = Manager(BEFORE_FIRST_APPLY, "Update", api_version, "")
    return {owner: Owned(sorted_set(fields), api_version, time)} if fields else {}


def _allowed_by_last_applied(live: JsonObject, type_: Type, api_version: str) -> set[str] | None:
    """The fields that client-side apply set and that are still so: kubectl may take them over without a conflict."""
    text = ((live.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
    if not text:
        return None
    try:
        last = orjson.loads(text)
        if not isinstance(last, dict) or last.get("apiVersion") != api_version:
            return None
        found = compare(last, live, type_)
        return set(paths(difference(fields_of(last, type_), union(found.changed, found.removed))))
    except (orjson.JSONDecodeError, AttributeError, TypeError):
        return None


# --- merge ----------------------------------------------------------------------------------------------------------


def _merged(live: JsonObject, patch: JsonObject, type_: Type) -> JsonObject:
    made = dict(live)
    changed = False
    for name, wanted in patch.items():
        merged = _merged_value(live[name], wanted, member_type(type_, name)) if name in live else wanted
        if name not in live or merged is not live[name]:
            made[name] = merged
            changed = True
    return made if changed else live


def _merged_value(live: JsonValue, wanted: JsonValue, type_: Type) -> JsonValue:
    if is_granular_map(type_, wanted) and isinstance(live, dict):
        return live if wanted is None else _merged(live, wanted, type_) if isinstance(wanted, dict) else wanted
    if is_granular_list(type_) and isinstance(live, list):
        return live if wanted is None else _merged_list(live, wanted, type_) if isinstance(wanted, list) else wanted
    return live if live == wanted and type(live) is type(wanted) else wanted


def _merged_list(live: list[JsonValue], wanted: list[JsonValue], type_: Type) -> list[JsonValue]:
    """Both lists' elements: the wanted ones in their order, what only the live list has keeps its place among them."""
    item = type_.item or DEDUCED
    old = [(element_key(type_, element), element) for element in live]
    new = {element_key(type_, element): element for element in wanted}
    olds = dict(old)
    shared = [key for key in new if key in olds]
    order = list(new)
    made: list[JsonValue] = []
    done: set[str] = set()
    left = right = 0

    def take(key: str) -> None:
        done.add(key)
        made.append(_merged_value(olds[key], new[key], item) if key in olds else new[key])
        if shared and shared[0] == key:
            shared.pop(0)

    while left < len(old) or right < len(order):
        if left < len(old) and right < len(order):
            key = old[left][0]
            if key == order[right]:
                take(key)
                left, right = left + 1, right + 1
                continue
            if key in new and shared and shared[0] != key:
                left += 1
                continue
        if left < len(old):
            key, element = old[left]
            if key not in new:
                made.append(element)
                left += 1
                continue
            if key in done:
                left += 1
        if right < len(order):
            take(order[right])
            right += 1
    return live if len(made) == len(live) and all(a is b for a, b in zip(made, live, strict=True)) else made


def _pruned(merged: JsonObject, last: FieldSet, managed: Managed, type_: Type) -> JsonObject:
    """Without what this manager applied last time, unless anyone (it too, now) still owns it."""
    last_named = with_named_fields(last, type_)
    taken = without_fields(merged, last_named, type_) or {}
    owned: FieldSet = {}
    for entry in managed.values():
        owned = union(owned, entry.fields)
    merged_set = with_named_fields(fields_of(merged, type_), type_)
    kept = union(with_named_fields(fields_of(taken, type_), type_), with_named_fields(owned, type_))
    added_back = without_fields(merged, difference(merged_set, kept), type_) or {}
    kept = with_named_fields(fields_of(added_back, type_), type_)
    dangling = intersection(difference(merged_set, kept), last_named)
    return without_fields(merged, dangling, type_) or {}


def _with_last_applied(made: JsonObject, patch: JsonObject) -> JsonObject:
    """Keep kubectl's own annotation true, where the object has it: client-side apply may follow.

    Source: k8s.io/apimachinery v0.34.4 pkg/util/managedfields/internal/lastappliedupdater.go
    """
    metadata = made.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    if LAST_APPLIED not in annotations:
        return made
    text = orjson.dumps(patch, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    return {**made, "metadata": {**metadata, "annotations": {**annotations, LAST_APPLIED: text}}}
