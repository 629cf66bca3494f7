"""Strategic merge: a merge patch that knows which lists are sets of things with keys.

Which lists merge and by which key stands in the schema (`Field.patch_strategy`, `patch_merge_key`); everything else
merges as maps do or is replaced whole. The directives `$patch`, `$retainKeys`, `$setElementOrder/<list>` and
`$deleteFromPrimitiveList/<list>` are carried out here. Nothing that comes in is changed.

Source: k8s.io/apimachinery v0.34.4 pkg/util/strategicpatch/patch.go: mergeMap and what it calls;
        apiserver v0.34.4 pkg/endpoints/handlers/patch.go: interpretStrategicMergePatchError (the codes)
"""

from __future__ import annotations

from collections.abc import Iterable

from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.patch_errors import PatchError, go_print, go_type, too_deep
from lifepod.api.schema import Field, Type

_PATCH = "$patch"
_RETAIN_KEYS = "$retainKeys"
_ORDER = "$setElementOrder"
_DELETE_FROM = "$deleteFromPrimitiveList"
_BAD_ORDER = "invalid patch format of setElementOrder list"
_BAD_PRIMITIVE = "invalid patch format of primitive list"
_BAD_RETAIN_KEYS = "invalid patch format of retainKeys"

JsonList = list[JsonValue]


def strategic_merge(obj: JsonObject, patch: JsonObject, type_: Type) -> JsonObject:
    """`obj` with `patch` merged into it as `type_` says. Raises PatchError with upstream's text and code.

    >>> from lifepod.api.schema import type_named
    >>> pod = {"spec": {"containers": [{"name": "a", "image": "x"}], "tolerations": [{"key": "k"}]}}
    >>> patch = {"spec": {"containers": [{"name": "a", "image": "y"}], "tolerations": []}}
    >>> strategic_merge(pod, patch, type_named("io.k8s.api.core.v1.Pod"))
    {'spec': {'containers': [{'name': 'a', 'image': 'y'}], 'tolerations': []}}
    """
    try:
        return _merge_map(obj, patch, type_)
    except RecursionError:
        raise too_deep() from None


def _merge_map(original: JsonObject, patch: JsonObject, type_: Type | None) -> JsonObject:
    if _PATCH in patch:
        return _whole_map(patch)
    made = dict(original)
    patch = _retain_keys(made, patch)
    patch = _merge_ordered_lists(made, patch, type_)
    for key, value in patch.items():
        name, is_delete_list = key, False
        if key.startswith(_DELETE_FROM):
            name, is_delete_list = _directive_field(key, _DELETE_FROM, _BAD_PRIMITIVE), True
        if value is None:
            made.pop(name, None)
        else:
            _merge_member(made, name, value, _field(type_, name), is_delete_list=is_delete_list)
    return made


def _whole_map(patch: JsonObject) -> JsonObject:
    """`$patch: replace` puts the patch in the map's place, `$patch: delete` leaves it empty."""
    match patch[_PATCH]:
        case "replace":
            return {k: v for k, v in patch.items() if k != _PATCH}
        case "delete":
            return {}
        case other:
            raise PatchError(500, f"unknown patch type: {go_print(other)} in map: {go_print(patch)}")


def _merge_member(made: JsonObject, name: str, value: JsonValue, field: Field | None, *, is_delete_list: bool) -> None:
    """Put one member of the patch into `made`: merged when both are maps or both lists, else in the old one's place."""
    old = made.get(name)
    if isinstance(old, dict) and isinstance(value, dict) and not is_delete_list:
        made[name] = value if _strategy(field) == "replace" else _merge_map(old, value, _inner(field))
    elif isinstance(old, list) and isinstance(value, list):
        if is_delete_list or _strategy(field) == "merge":
            made[name] = _merge_list(old, value, field, is_delete_list=is_delete_list)
        else:
            made[name] = value
    elif not is_delete_list:
        kept, keep = _without_directives(_without_nulls(value))
        if keep:
            made[name] = kept
        else:
            made.pop(name, None)


def _retain_keys(made: JsonObject, patch: JsonObject) -> JsonObject:
    """`$retainKeys: [...]` drops from the live map what is not listed; all the patch sets must be listed."""
    if _RETAIN_KEYS not in patch:
        return patch
    keys = patch[_RETAIN_KEYS]
    rest = {k: v for k, v in patch.items() if k != _RETAIN_KEYS}
    if not isinstance(keys, list):
        raise PatchError(400, _BAD_RETAIN_KEYS)
    for key, value in rest.items():
        if value is not None and not key.startswith((_DELETE_FROM, _ORDER)) and key not in keys:
            raise PatchError(400, _BAD_RETAIN_KEYS)
    for key in [k for k in made if k not in keys]:
        del made[key]
    return rest


def _merge_ordered_lists(made: JsonObject, patch: JsonObject, type_: Type | None) -> JsonObject:
    """Carry out every `$setElementOrder/<list>`; returns the patch without those lists."""
    orders = [key for key in patch if key.startswith(_ORDER)]
    if not orders:
        return patch
    rest = {k: v for k, v in patch.items() if not k.startswith(_ORDER)}
    for key in orders:
        order = _list(patch[key])
        name = _directive_field(key, _ORDER, _BAD_ORDER)
        live = _list(made[name]) if name in made else None
        change = _list(rest[name]) if name in rest else None
        field = _field(type_, name)
        merge_key = field.patch_merge_key if field else ""
        _check_order(change or [], order, merge_key)
        if live is None and change is None:
            continue
        if live is None:
            merged = [kept for kept, keep in map(_without_directives, change or []) if keep]
        elif change is None:
            merged = live
        else:
            merged = _merge_list(live, change, field) if _strategy(field) == "merge" else change
        made[name] = _ordered(merged, order, live or [], merge_key, _element_is_map(live or [], change or []))
        rest.pop(name, None)
    return rest


def _check_order(change: JsonList, order: JsonList, merge_key: str) -> None:
    """What the patch sets must appear in `order`, in that order."""
    if not change or not order:
        return
    kept = [v for v in change if _map(v).get(_PATCH) != "delete"] if merge_key else change
    at = 0
    position = 0
    while at < len(kept) and position < len(order):
        if isinstance(kept[at], dict) and _PATCH in kept[at]:
            at += 1
            continue
        if _identity(kept[at], merge_key) == _identity(order[position], merge_key):
            at += 1
        position += 1
    if at < len(kept):
        lists = f"The order in patch list:\n{go_print(change)}\n doesn't match {_ORDER} list:\n{go_print(order)}\n"
        raise PatchError(500, lists)


def _merge_list(live: JsonList, change: JsonList, field: Field | None, *, is_delete_list: bool = False) -> JsonList:
    """Two lists with merge semantics as one: primitives as a set, maps by their merge key."""
    if not live and not change:
        return live
    is_map = _element_is_map(live, change)
    if not is_map:
        if is_delete_list:
            return [v for v in live if v not in change]
        merged = list(dict.fromkeys([*live, *change]))
        return _ordered(merged, change, live, "", False)
    merge_key = field.patch_merge_key if field else ""
    if not merge_key:
        raise PatchError(
            500, f"cannot merge lists without merge key for {'struct' if field and field.type.item else 'map'}"
        )
    live, change = _special_elements(live, change, merge_key)
    merged = list(live)
    inner = field.type.item if field else None
    for element in change:
        value = _key_of(element, merge_key)
        at = _position(merged, merge_key, value)
        if at >= 0:
            merged[at] = _merge_map(merged[at], element, inner)
        else:
            merged.append(_without_nulls_in_map(element))
    return _ordered(merged, change, live, merge_key, True)


def _special_elements(live: JsonList, change: JsonList, merge_key: str) -> tuple[JsonList, JsonList]:
    """`{"$patch": "delete", key: …}` takes elements out of the live list, `{"$patch": "replace"}` swaps it for the rest."""
    plain: JsonList = []
    replace = False
    for element in change:
        if _PATCH not in element:
            plain.append(element)
            continue
        match element[_PATCH]:
            case "delete":
                value = _key_of(element, merge_key)
                live = [v for v in live if v.get(merge_key) != value]
            case "replace":
                replace = True
            case "merge":
                raise PatchError(500, "merging lists cannot yet be specified in the patch")
            case other:
                raise PatchError(500, f"unknown patch type: {go_print(other)} in map: {go_print(element)}")
    return (plain, []) if replace else (live, plain)


def _ordered(merged: JsonList, order: JsonList, live: JsonList, merge_key: str, is_map: bool) -> JsonList:
    """The final order: what the patch names as it names it, the rest as it was live, interleaved by the live order.

    An element that is new to the list has no place in the live order, so it comes before what only the server has.
    """
    if is_map and merge_key:
        for element in (*merged, *order, *live):
            _key_of(element, merge_key)
    wanted = _positions(order, merge_key)
    before = _positions(live, merge_key)
    named = sorted((v for v in merged if _place(v, merge_key) in wanted), key=lambda v: wanted[_place(v, merge_key)])
    others = [v for v in merged if _place(v, merge_key) not in wanted]
    others.sort(key=lambda v: before.get(_place(v, merge_key), -1))
    made: JsonList = []
    at = 0
    for element in named:
        mine = before.get(_place(element, merge_key))
        while mine is not None and at < len(others) and before.get(_place(others[at], merge_key), len(live)) < mine:
            made.append(others[at])
            at += 1
        made.append(element)
    return made + others[at:]


def _place(element: JsonValue, merge_key: str) -> tuple[str, str]:
    """What identifies an element, hashable; true is not 1."""
    value = element.get(merge_key) if merge_key and isinstance(element, dict) else element
    return type(value).__name__, go_print(value)


def _positions(elements: Iterable[JsonValue], merge_key: str) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for index, element in enumerate(elements):
        found.setdefault(_place(element, merge_key), index)
    return found


def _element_is_map(*lists: JsonList) -> bool:
    """Whether the elements are maps; all must be of one type."""
    first: type | None = None
    for element in (v for one in lists for v in one):
        if first is None:
            if isinstance(element, list):
                raise PatchError(422, "lists of lists are not supported")
            first = type(element)
        elif type(element) is not first:
            raise PatchError(500, f"list element types are not identical: {go_print(list(lists))}")
    if first is None:
        raise PatchError(500, "no elements in any of the given slices")
    return first is dict


def _position(elements: JsonList, key: str, value: JsonValue) -> int:
    for index, element in enumerate(elements):
        found = element.get(key)
        if found == value and type(found) is type(value):
            return index
    return -1


def _identity(element: JsonValue, merge_key: str) -> JsonValue:
    return _key_of(_map(element), merge_key) if merge_key else element


def _key_of(element: JsonValue, merge_key: str) -> JsonValue:
    if merge_key not in _map(element):
        raise PatchError(500, f"map: {go_print(element)} does not contain declared merge key: {merge_key}")
    return element[merge_key]


def _map(value: JsonValue) -> JsonObject:
    if not isinstance(value, dict):
        raise PatchError(500, f"expected a map[string]interface {{}}, but received a {go_type(value)}")
    return value


def _list(value: JsonValue) -> JsonList:
    if not isinstance(value, list):
        raise PatchError(500, f"expected a []interface {{}}, but received a {go_type(value)}")
    return value


def _directive_field(key: str, prefix: str, error: str) -> str:
    """The list that `$setElementOrder/<list>` is about."""
    head, slash, name = key.partition("/")
    if head != prefix or not slash:
        raise PatchError(400, error)
    return name


def _field(type_: Type | None, name: str) -> Field | None:
    """The field's merge rules; a map's values have none of their own."""
    if type_ is None:
        return None
    if type_.kind == "map" and type_.item is not None:
        return Field(name, type_.item)
    return type_.fields.get(name)


def _inner(field: Field | None) -> Type | None:
    return field.type if field else None


def _strategy(field: Field | None) -> str:
    """The strategy without `retainKeys`, which only says that clients send `$retainKeys`."""
    return next((s for s in field.patch_strategy.split(",") if s != "retainKeys"), "") if field else ""


def _without_nulls(value: JsonValue) -> JsonValue:
    """Nulls of the patch that have nothing to delete; those directly in lists stay."""
    if isinstance(value, dict):
        return _without_nulls_in_map(value)
    return [_without_nulls(v) for v in value] if isinstance(value, list) else value


def _without_nulls_in_map(value: JsonObject) -> JsonObject:
    return {k: _without_nulls(v) for k, v in value.items() if v is not None}


def _without_directives(value: JsonValue) -> tuple[JsonValue, bool]:
    """A new value without maps that carry `$patch`; False: nothing of it is kept."""
    if isinstance(value, dict):
        if _PATCH in value:
            return None, False
        kept = ((k, _without_directives(v)) for k, v in value.items())
        return {k: v for k, (v, keep) in kept if keep}, True
    if isinstance(value, list):
        return [v for v, keep in map(_without_directives, value) if keep], True
    return value, True
