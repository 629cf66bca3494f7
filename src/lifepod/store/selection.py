"""Which objects of a resource somebody wants: a namespace, label terms and field terms, already parsed.

The grammars and their error texts are `api/selectors.py`'s; this file only asks "does this object match".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lifepod.api.objects import JsonObject, JsonValue, dig
from lifepod.api.selectors import LabelTerm, labels_match


class FieldTerm(NamedTuple):
    """`path` must hold `value` as text (or must not, when `equal` is False)."""

    path: tuple[str, ...]
    value: str
    equal: bool = True


class Selection(NamedTuple):
    """A part of one resource. Everything, unless narrowed."""

    namespace: str = ""
    labels: tuple[LabelTerm, ...] = ()
    fields: tuple[FieldTerm, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Whether every object of the namespace matches."""
        return not self.labels and not self.fields

    def matches(self, namespace: str, labels: Mapping[str, str], obj: JsonObject) -> bool:
        """Whether an object belongs to this part."""
        if self.namespace and namespace != self.namespace:
            return False
        if self.labels and not labels_match(self.labels, labels):
            return False
        return not self.fields or fields_match(self.fields, obj)


EVERYTHING = Selection()


def fields_match(terms: tuple[FieldTerm, ...], obj: JsonObject) -> bool:
    """Whether every field term holds; an absent field is "" (false for a boolean, 0 for a count, as upstream prints it)."""
    return all((shown(dig(obj, *term.path), term.value) == term.value) is term.equal for term in terms)


def shown(value: JsonValue, wanted: str) -> str:
    """A field's value as a field selector compares it.

    An absent field counts as its zero value: `spec.unschedulable=false` and `status.successful=0` match what is unset.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return wanted if wanted in ("false", "0") else ""
    if isinstance(value, list):
        return ",".join(str(item.get("ip", "")) if isinstance(item, dict) else str(item) for item in value)
    return str(value)
