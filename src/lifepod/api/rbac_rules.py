"""What a rule of a role allows, and whether some rules cover others. Pure; whose rules they are is `rbac_bindings.py`'s.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/rbac/v1/evaluation_helpers.go; plugin/pkg/auth/authorizer/rbac/rbac.go: RuleAllows
        k8s.io/component-helpers v0.34.4 auth/rbac/validation/policy_comparator.go
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from lifepod.api.objects import JsonObject

RBAC_GROUP: Final = "rbac.authorization.k8s.io"
ROLES: Final = f"roles.{RBAC_GROUP}"
CLUSTER_ROLES: Final = f"clusterroles.{RBAC_GROUP}"
ROLE_BINDINGS: Final = f"rolebindings.{RBAC_GROUP}"
CLUSTER_ROLE_BINDINGS: Final = f"clusterrolebindings.{RBAC_GROUP}"
_ALL: Final = "*"


class Attributes(NamedTuple):
    """What somebody wants to do. `path` is set, and all but the verb empty, for a request that is for no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


class Rule(NamedTuple):
    """One rule of a role. No `names`: whatever the name."""

    verbs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def as_object(self) -> JsonObject:
        """The rule as it stands in a role."""
        return {word: list(values) for word, values in zip(_WORDS, self, strict=True) if values}

    def __str__(self) -> str:
        """As refusals show it. Source: pkg/apis/rbac/v1/helpers.go: CompactString"""
        words = ("APIGroups", "Resources", "NonResourceURLs", "ResourceNames", "Verbs")
        values = (self.groups, self.resources, self.urls, self.names, self.verbs)
        shown = [f"{word}:{quoted(each)}" for word, each in zip(words, values, strict=True) if each]
        return "{" + ", ".join(shown) + "}"


_WORDS: Final = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
EVERYTHING: Final = (Rule((_ALL,), (_ALL,), (_ALL,)), Rule((_ALL,), urls=(_ALL,)))
"""What cluster-admin may do."""


def quoted(texts: Iterable[str]) -> str:
    """A list of texts as Go's `%q` prints it: `["a" "b"]`."""
    return "[" + " ".join(f'"{text}"' for text in texts) + "]"


def rules_of(role: JsonObject) -> tuple[Rule, ...]:
    """The rules of a Role or ClusterRole."""
    return tuple(Rule(*(tuple(rule.get(word) or ()) for word in _WORDS)) for rule in role.get("rules") or ())


def allows(rule: Rule, wish: Attributes) -> bool:
    """Whether a rule allows what is wanted."""
    if wish.verb not in rule.verbs and _ALL not in rule.verbs:
        return False
    if wish.path:
        return any(_url_covers(url, wish.path) for url in rule.urls)
    if wish.group not in rule.groups and _ALL not in rule.groups:
        return False
    return _has_resource(rule.resources, wish) and (not rule.names or wish.name in rule.names)


def _has_resource(resources: tuple[str, ...], wish: Attributes) -> bool:
    """`pods/log` is one resource, `*/log` the log of anything, `*` everything; `pods` says nothing of `pods/log`."""
    if _ALL in resources:
        return True
    if not wish.subresource:
        return wish.resource in resources
    return f"{wish.resource}/{wish.subresource}" in resources or f"*/{wish.subresource}" in resources


def _url_covers(owned: str, asked: str) -> bool:
    """Whether a path, which may end in `*`, stands for another."""
    return owned in (_ALL, asked) or (owned.endswith(_ALL) and asked.startswith(owned.rstrip(_ALL)))


# ---------------------------------------------------------------------------------------------------------------- covering


def uncovered(wanted: Iterable[Rule], held: Iterable[Rule]) -> list[Rule]:
    """What `wanted` allows and `held` does not, in the smallest rules; empty when nothing is missing."""
    held = tuple(held)
    return [part for rule in wanted for part in _parts(rule) if not any(_covers(own, part) for own in held)]


def _parts(rule: Rule) -> Iterator[Rule]:
    """The rule in rules of one verb on one thing. Source: BreakdownRule"""
    for group in rule.groups:
        for resource in rule.resources:
            for verb in rule.verbs:
                for names in ((name,) for name in rule.names) if rule.names else ((),):
                    yield Rule((verb,), (group,), (resource,), names)
    for url in rule.urls:
        for verb in rule.verbs:
            yield Rule((verb,), urls=(url,))


def _covers(own: Rule, part: Rule) -> bool:
    """Whether a rule allows all that a smallest rule does. Source: ruleCovers"""
    if not _has_all(own.verbs, part.verbs) or not _has_all(own.groups, part.groups):
        return False
    if own.names and not (part.names and set(part.names) <= set(own.names)):
        return False
    if not all(any(_url_covers(url, wanted) for url in own.urls) for wanted in part.urls):
        return False
    return _ALL in own.resources or all(_has_covering(own.resources, resource) for resource in part.resources)


def _has_all(own: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return _ALL in own or set(wanted) <= set(own)


def _has_covering(own: tuple[str, ...], resource: str) -> bool:
    _, slash, subresource = resource.partition("/")
    return resource in own or (bool(slash) and f"*/{subresource}" in own)


def compacted(rules: Iterable[Rule]) -> list[Rule]:
    """The rules with those of one resource drawn together to one with all their verbs.

    Source: k8s.io/kubernetes v1.34.4 pkg/registry/rbac/validation/policy_compact.go: CompactRules
    """
    together: dict[tuple[tuple[str, ...], ...], Rule] = {}
    found = []
    for rule in rules:
        if rule.urls or len(rule.names) > 1 or len(rule.resources) != 1 or len(rule.groups) != 1:
            found.append(rule)
            continue
        what = (rule.groups, rule.resources, rule.names)
        first = together.get(what)
        verbs = rule.verbs if first is None else tuple(dict.fromkeys((*first.verbs, *rule.verbs)))
        together[what] = rule._replace(verbs=verbs)
    return [*found, *together.values()]
