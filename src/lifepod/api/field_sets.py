"""Sets of fields, and how they come from objects: which fields a value has, and which differ between two.

A set is the JSON of `FieldsV1` itself: a tree whose keys are path elements (`f:<field>`, `k:{"name":"c"}`, `v:"x"`) and whose
node is in the set when it is empty or holds `.`; so the sets of `managedFields` need no reading. No set is ever changed.

Source: sigs.k8s.io/structured-merge-diff v6.3.0 fieldpath/set.go, typed/{compare,tofieldset,remove}.go
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeAlias

import orjson

from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.schema import Field, Type

FieldSet: TypeAlias = JsonObject
"""A tree of path elements. The empty dict at the root is the empty set; anywhere else it is a member."""

LEAF: FieldSet = {}
DEDUCED = Type("any", structural=True, keeps_unknown=True)
"""The type of what no schema describes: maps are granular, lists atomic."""


# --- algebra --------------------------------------------------------------------------------------------------------


def is_member(node: FieldSet | None) -> bool:
    """Whether a node below the root is in the set itself."""
    return node is not None and (not node or "." in node)


def union(a: FieldSet, b: FieldSet) -> FieldSet:
    """What is in either (roots)."""
    if not a:
        return b
    if not b or a is b:
        return a
    made = dict(a)
    for key, node in b.items():
        mine = made.get(key)
        made[key] = node if mine is None else _union_node(mine, node)
    return made


def _union_node(a: FieldSet, b: FieldSet) -> FieldSet:
    made = union(a, b)
    return {".": LEAF, **made} if made and "." not in made and (not a or not b) else made


def difference(a: FieldSet, b: FieldSet) -> FieldSet:
    """What is in `a` and not in `b` (roots)."""
    if not a or not b:
        return a
    made: FieldSet = {}
    changed = False
    for key, node in a.items():
        other = b.get(key)
        if other is None or key == ".":
            made[key] = node
            continue
        left = _difference_node(node, other)
        changed = changed or left is not node
        if left is not None:
            made[key] = left
    return made if changed else a


def _difference_node(a: FieldSet, b: FieldSet) -> FieldSet | None:
    member = is_member(a) and not is_member(b)
    children = difference(_children(a), _children(b))
    if member == is_member(a) and len(children) == len(_children(a)) and children == _children(a):
        return a
    return _node(member, children)


def intersection(a: FieldSet, b: FieldSet) -> FieldSet:
    """What is in both (roots)."""
    made: FieldSet = {}
    for key, node in a.items():
        other = b.get(key)
        if other is not None and key != ".":
            both = _node(is_member(node) and is_member(other), intersection(_children(node), _children(other)))
            if both is not None:
                made[key] = both
    return made


def _children(node: FieldSet) -> FieldSet:
    return {k: v for k, v in node.items() if k != "."} if "." in node else node


def _node(member: bool, children: FieldSet) -> FieldSet | None:
    if member:
        return {".": LEAF, **children} if children else LEAF
    return children or None


def paths(fields: FieldSet, prefix: str = "") -> list[str]:
    """The members as upstream prints them, `.spec.containers[name="c"].image`, a level's members before what is below."""
    ordered = sorted((key for key in fields if key != "."), key=_element_order)
    made = [prefix + path_element(key) for key in ordered if is_member(fields[key])]
    for key in ordered:
        made.extend(paths(fields[key], prefix + path_element(key)))
    return made


def _element_order(key: str) -> tuple[int, str]:
    return "fkvi".find(key[0]), key


def path_element(key: str) -> str:
    """One element of a path as upstream prints it: `.image`, `[name="c"]`, `[="x"]`, `[0]`."""
    match key[0]:
        case "f":
            return "." + key[2:]
        case "k":
            return "[" + ",".join(f"{k}={orjson.dumps(v).decode()}" for k, v in orjson.loads(key[2:]).items()) + "]"
        case "v":
            return f"[={key[2:]}]"
        case _:
            return f"[{key[2:]}]"


def sorted_set(fields: FieldSet) -> FieldSet:
    """The same set with its keys in the order upstream writes them."""
    if len(fields) < 2:
        return {key: sorted_set(node) if node else node for key, node in fields.items()}
    return {key: sorted_set(fields[key]) if fields[key] else LEAF for key in sorted(fields)}


# --- what a type says of a place ------------------------------------------------------------------------------------


def is_granular_map(type_: Type, value: JsonValue) -> bool:
    """Whether the members of this map are owned one by one."""
    if type_.kind in ("object", "map"):
        return not type_.atomic
    return type_.kind == "any" and type_.structural and isinstance(value, dict)


def is_granular_list(type_: Type) -> bool:
    """Whether the elements of this list are owned one by one."""
    return type_.kind == "array" and type_.list_type in ("map", "set")


def member_type(type_: Type, name: str) -> Type:
    """The type of a map's or object's member."""
    if type_.kind == "object":
        field = type_.fields.get(name)
        return field.type if field is not None else DEDUCED
    return type_.item or DEDUCED


@lru_cache(maxsize=4096)
def _string_value_key(value: str) -> str:
    return "v:" + orjson.dumps(value).decode()


@lru_cache(maxsize=4096)
def _one_string_key(name: str, value: str) -> str:
    return f'k:{{"{name}":{orjson.dumps(value).decode()}}}'


def element_key(type_: Type, element: JsonValue) -> str:
    """The path element of an element of a granular list.

    A live element without any of its keys has Go's zero values there; a patch's is refused before (`missing_keys`).
    """
    if type_.list_type == "set":
        if isinstance(element, str):
            return _string_value_key(element)
        return "v:" + orjson.dumps(element, option=orjson.OPT_SORT_KEYS).decode()
    keys = type_.list_keys
    if not isinstance(element, dict):
        element = {}
    if len(keys) == 1 and isinstance(value := element.get(keys[0]), str):
        return _one_string_key(keys[0], value)
    found = _keys_of(type_, element) or {name: _zero_key(type_, name) for name in sorted(keys)}
    return "k:" + orjson.dumps(found).decode()


def _keys_of(type_: Type, element: JsonObject) -> JsonObject:
    """The keys an element has, defaults included."""
    fields = type_.item.fields if type_.item is not None else {}
    found: JsonObject = {}
    for name in sorted(type_.list_keys):
        field = fields.get(name)
        value = element.get(name, field.default if field is not None else None)
        if name in element or value is not None:
            found[name] = value
    return found


def _zero_key(type_: Type, name: str) -> JsonValue:
    field = type_.item.fields.get(name) if type_.item is not None else None
    return 0 if field is not None and field.type.kind in ("int32", "int64", "number") else ""


def missing_keys(type_: Type, element: JsonValue) -> str:
    """What upstream says of a patch's element that has none of its keys; "" when it has."""
    if type_.list_type == "set":
        return ""
    if not isinstance(element, dict):
        return "associative list with keys may not have non-map elements"
    if _keys_of(type_, element):
        return ""
    quoted = "[" + " ".join(f'"{name}"' for name in type_.list_keys) + "]"
    told = "associative list with keys has an element that omits all key fields"
    return f"{told} {quoted} (and doesn't have default values for any key fields)"


# --- sets from values -----------------------------------------------------------------------------------------------


def everything(value: JsonValue, type_: Type) -> FieldSet:
    """The node of a value that is wholly new: it and all below it are members, in the order of `sorted_set`."""
    children: FieldSet = {".": LEAF}
    if isinstance(value, dict):
        if value and is_granular_map(type_, value):
            if type_.kind == "object":
                fields = type_.fields
                for name in sorted(value):
                    inner, field = value[name], fields.get(name)
                    simple = not isinstance(inner, dict | list)
                    children["f:" + name] = LEAF if simple else everything(inner, field.type if field else DEDUCED)
            else:
                item = type_.item or DEDUCED
                for name in sorted(value):
                    inner = value[name]
                    children["f:" + name] = everything(inner, item) if isinstance(inner, dict | list) else LEAF
    elif isinstance(value, list) and is_granular_list(type_):
        item = type_.item or DEDUCED
        elements = {element_key(type_, element): element for element in value}
        for key in sorted(elements):
            children[key] = everything(elements[key], item)
    return children if len(children) > 1 else LEAF


def fields_of(value: JsonValue, type_: Type) -> FieldSet:
    """The set that an applied configuration owns: its leaves, list elements, and the members of maps.

    Structs on the way are not in it. `value` is a map or list (the root).
    """
    made: FieldSet = {}
    if isinstance(value, dict):
        for name, inner in value.items():
            inner_type = member_type(type_, name)
            leaf = _is_leaf(inner, inner_type)
            named = type_.kind == "object" and name in type_.fields
            node = _node(leaf or not named, {} if leaf else fields_of(inner, inner_type))
            if node is not None:
                made["f:" + name] = node
    elif isinstance(value, list):
        item = type_.item or DEDUCED
        for element in value:
            inner_set = {} if _is_leaf(element, item) else fields_of(element, item)
            made[element_key(type_, element)] = {".": LEAF, **inner_set} if inner_set else LEAF
    return made


def _is_leaf(value: JsonValue, type_: Type) -> bool:
    if isinstance(value, dict):
        return not value or not is_granular_map(type_, value)
    return not (isinstance(value, list) and is_granular_list(type_))


class Comparison(NamedTuple):
    """What differs: `changed` (modified or added) and `removed`."""

    changed: FieldSet
    removed: FieldSet


NOTHING = Comparison(LEAF, LEAF)


def compare(old: JsonObject, new: JsonObject, type_: Type) -> Comparison:
    """The fields that differ between two objects of a type; what changed comes in the order of `sorted_set`.

    A struct that Go always prints (no pointer) counts as there when it is missing.
    """
    if old is new:
        return NOTHING
    changed: FieldSet = {}
    removed: FieldSet = {}
    fields: dict[str, Field] = type_.fields if type_.kind == "object" else {}
    for name in sorted(new):
        before, after = old.get(name), new[name]
        if before is after and name in old:
            continue
        field = fields.get(name)
        inner = field.type if field is not None else member_type(type_, name)
        if name not in old:
            if (
                field is not None
                and not field.pointer
                and inner.kind == "object"
                and isinstance(after, dict)
                and not inner.atomic
            ):
                before = {}
                if not after:
                    continue
            elif field is None or field.omitempty or not isinstance(after, list):
                changed["f:" + name] = everything(after, inner)
                continue
        _put(changed, removed, "f:" + name, _compare_value(before, after, inner))
    for name, before in old.items():
        if name not in new:
            removed["f:" + name] = everything(before, member_type(type_, name))
    return Comparison(changed, removed)


def _put(changed: FieldSet, removed: FieldSet, key: str, found: tuple[FieldSet | None, FieldSet | None]) -> None:
    if found[0] is not None:
        changed[key] = found[0]
    if found[1] is not None:
        removed[key] = found[1]


def _compare_value(before: JsonValue, after: JsonValue, type_: Type) -> tuple[FieldSet | None, FieldSet | None]:
    """The nodes of what changed and what was removed; None: nothing."""
    if before is after:
        return None, None
    if isinstance(after, dict) or isinstance(before, dict):
        left, right = before or {}, after or {}
        both = isinstance(left, dict) and isinstance(right, dict)
        if both and (left or right) and is_granular_map(type_, right):
            made = compare(left, right, type_)
            return made.changed or None, made.removed or None
    elif isinstance(after, list) or isinstance(before, list):
        left_list, right_list = before or [], after or []
        both = isinstance(left_list, list) and isinstance(right_list, list)
        if both and (left_list or right_list) and is_granular_list(type_):
            return _compare_lists(left_list, right_list, type_)
    return (None, None) if _equal(before, after) else (LEAF, None)


def _equal(a: JsonValue, b: JsonValue) -> bool:
    """Equal, and true is not 1."""
    return bool(a == b) and (type(a) is type(b) or not (isinstance(a, bool) or isinstance(b, bool)))


def _compare_lists(
    before: list[JsonValue], after: list[JsonValue], type_: Type
) -> tuple[FieldSet | None, FieldSet | None]:
    item = type_.item or DEDUCED
    old = _by_key(before, type_)
    new = _by_key(after, type_)
    changed: FieldSet = {}
    removed: FieldSet = {}
    for key in sorted(new):
        elements, olds = new[key], old.get(key)
        if olds is None:
            changed[key] = everything(elements[0], item) if len(elements) == 1 else LEAF
        elif len(olds) == len(elements) == 1:
            _put(changed, removed, key, _compare_value(olds[0], elements[0], item))
        elif not _equal(olds, elements):
            changed[key] = LEAF
    for key, elements in old.items():
        if key not in new:
            removed[key] = everything(elements[0], item) if len(elements) == 1 else LEAF
    return changed or None, removed or None


def _by_key(elements: list[JsonValue], type_: Type) -> dict[str, list[JsonValue]]:
    made: dict[str, list[JsonValue]] = {}
    for element in elements:
        made.setdefault(element_key(type_, element), []).append(element)
    return made


# --- taking fields out of a value -----------------------------------------------------------------------------------


def without_fields(value: JsonValue, fields: FieldSet, type_: Type) -> JsonValue:
    """The value without the members of `fields`; None when nothing of a map or list is left."""
    if not fields:
        return value
    if isinstance(value, dict):
        if not is_granular_map(type_, value):
            return value
        made = {}
        for name, inner in value.items():
            node = fields.get("f:" + name)
            if node is None:
                made[name] = inner
            elif not is_member(node):
                made[name] = without_fields(inner, node, member_type(type_, name))
        return made or None
    if isinstance(value, list) and is_granular_list(type_):
        item = type_.item or DEDUCED
        kept = []
        for element in value:
            node = fields.get(element_key(type_, element))
            if node is None:
                kept.append(element)
            elif not is_member(node):
                kept.append(without_fields(element, node, item))
        return kept or None
    return value


def with_named_fields(fields: FieldSet, type_: Type) -> FieldSet:
    """The set with the structs on the way as members too; maps and lists on the way are not added."""
    made: FieldSet = {}
    for key, node in fields.items():
        if key == ".":
            made[key] = node
            continue
        if key.startswith("f:"):
            name = key[2:]
            inner = member_type(type_, name)
            named = type_.kind == "object" and name in type_.fields
        else:
            inner = type_.item or DEDUCED
            named = False
        below = with_named_fields(node, inner) if node else node
        made[key] = {".": LEAF, **below} if named and below and "." not in below else below
    return made
