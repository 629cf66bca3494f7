"""What admission is asked about a request, and whether a rule of a webhook or policy means that request.

Source: k8s.io/apiserver v0.34.4 pkg/admission/attributes.go
        k8s.io/apiserver v0.34.4 pkg/admission/plugin/webhook/predicates/{rules,namespace,object}
        k8s.io/apiserver v0.34.4 pkg/admission/plugin/webhook/generic/webhook.go: ShouldCallHook
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.api.selectors import label_terms, labels_match

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]
CONFIGURATIONS: Final = frozenset(
    f"{plural}.admissionregistration.k8s.io"
    for plural in (
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "validatingwebhookconfigurations",
    )
)
"""Kinds that are never asked about: a broken configuration could not be mended else."""


class Place(NamedTuple):
    """A resource at a version, and the kind of what is sent to it: of `deployments/scale` that is a Scale of autoscaling."""

    group: str
    version: str
    plural: str
    kind_group: str
    kind_version: str
    kind: str

    @property
    def kind_json(self) -> JsonObject:
        """As a `GroupVersionKind`."""
        return {"group": self.kind_group, "version": self.kind_version, "kind": self.kind}

    @property
    def resource_json(self) -> JsonObject:
        """As a `GroupVersionResource`."""
        return {"group": self.group, "version": self.version, "resource": self.plural}


class Attributes(NamedTuple):
    """One request as admission sees it. `places`: the resource as it was asked for, then the same objects at other versions.

    `obj` is None of a deletion, `old` of a creation and of a connection; both as the store keeps them.
    """

    operation: Operation
    places: tuple[Place, ...]
    subresource: str
    namespace: str
    name: str
    obj: JsonObject | None
    old: JsonObject | None
    user: JsonObject
    dry_run: bool
    options: JsonObject | None

    @property
    def requested(self) -> Place:
        """The resource as the client named it."""
        return self.places[0]


def matched_place(rules: Sequence[JsonObject], policy: str, asked: Attributes) -> Place | None:
    """As which of its versions the rules mean the request: as it came, else (`Equivalent`) as the first rule says."""
    if any(_rule_matches(rule, asked.requested, asked) for rule in rules):
        return asked.requested
    if policy == "Exact":
        return None
    for rule in rules:
        for place in asked.places[1:]:
            if _rule_matches(rule, place, asked):
                return place
    return None


def _rule_matches(rule: JsonObject, place: Place, asked: Attributes) -> bool:
    """Source: pkg/admission/plugin/webhook/predicates/rules/rules.go: Matcher.Matches"""
    scope = rule.get("scope") or "*"
    is_namespaced = bool(asked.namespace) and (place.group, place.plural) != ("", "namespaces")
    if scope != "*" and is_namespaced != (scope == "Namespaced"):
        return False
    if rule.get("resourceNames") and asked.name not in rule["resourceNames"]:
        return False
    return (
        _has(rule.get("operations"), asked.operation)
        and _has(rule.get("apiGroups"), place.group)
        and _has(rule.get("apiVersions"), place.version)
        and any(_resource_matches(text, place.plural, asked.subresource) for text in rule.get("resources") or ())
    )


def _has(values: Iterable[str] | None, value: str) -> bool:
    return any(each in ("*", value) for each in values or ())


def _resource_matches(text: str, plural: str, subresource: str) -> bool:
    resource, _, sub = text.partition("/")
    return resource in ("*", plural) and sub in ("*", subresource)


def meant_object(selector: JsonObject | None, asked: Attributes) -> bool:
    """Whether an `objectSelector` selects the object as it is or as it was."""
    if not selector:
        return True
    terms = label_terms(selector)
    return any(labels_match(terms, _labels(each)) for each in (asked.obj, asked.old) if each is not None)


def meant_namespace(selector: JsonObject | None, asked: Attributes, namespace: JsonObject | None) -> bool:
    """Whether a `namespaceSelector` selects the request's namespace; what has none is always meant, a namespace by its own labels."""
    if not selector:
        return True
    terms = label_terms(selector)
    if (asked.requested.group, asked.requested.plural) == ("", "namespaces"):
        own = asked.obj if asked.obj is not None and not asked.subresource else namespace
        return labels_match(terms, _labels(own or asked.old or {}))
    return not asked.namespace or labels_match(terms, _labels(namespace or {}))


def _labels(obj: JsonObject) -> dict[str, str]:
    return (obj.get("metadata") or {}).get("labels") or {}
