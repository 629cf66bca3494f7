"""RFC 7386: a JSON merge patch. Members replace members, null removes, lists are replaced whole.

Source: gopkg.in/evanphx/json-patch.v4 merge.go, as apiserver v0.34.4 endpoints/handlers/patch.go: jsonPatcher uses it
"""

from __future__ import annotations

from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.patch_errors import too_deep


def merge_patch(obj: JsonObject, patch: JsonObject) -> JsonObject:
    """`obj` with `patch` merged into it; `obj` itself when that changes nothing. Neither is changed.

    >>> merge_patch({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}})
    {'b': {'c': 2, 'd': 3}}
    """
    try:
        return _merged(obj, patch)
    except RecursionError:
        raise too_deep() from None


def _merged(obj: JsonObject, patch: JsonObject) -> JsonObject:
    made: JsonObject | None = None
    for name, value in patch.items():
        here = obj if made is None else made
        if value is None:
            if name in here:
                made = {k: v for k, v in here.items() if k != name}
            continue
        before = here.get(name)
        after = _merged(before if type(before) is dict else {}, value) if type(value) is dict else value
        if (
            name in here
            and type(before) is type(after)
            and (after is before or (type(after) is not dict and _same(before, after)))
        ):
            continue
        made = {**here, name: after}
    return obj if made is None else made


def _same(before: JsonValue, after: JsonValue) -> bool:
    """Equal, and true is not 1."""
    if type(before) is not type(after):
        return False
    if type(before) is list:
        return len(before) == len(after) and all(map(_same, before, after))
    if type(before) is dict:
        return before.keys() == after.keys() and all(_same(before[k], after[k]) for k in before)
    return bool(before == after)
