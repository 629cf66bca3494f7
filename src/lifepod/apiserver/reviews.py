"""The kinds that are questions, not objects: who am I, may I, whose token is this. Answered, never kept.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/authorization/, pkg/registry/authentication/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from lifepod.api.field_errors import FieldError, forbidden, invalid
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject, dig
from lifepod.api.rbac_rules import Attributes
from lifepod.apiserver.access import Access, together
from lifepod.apiserver.auth import AUTHENTICATED, TokenVerifier, User
from lifepod.apiserver.http_errors import bad_request
from lifepod.apiserver.status_errors import invalid_object

REVIEWS: Final = frozenset(
    (
        "SelfSubjectReview",
        "TokenReview",
        "SelfSubjectAccessReview",
        "SubjectAccessReview",
        "LocalSubjectAccessReview",
        "SelfSubjectRulesReview",
    )
)


class Reviewer(NamedTuple):
    """Who answers: by the roles and bindings, and by the tokens that are good."""

    access: Access
    known: TokenVerifier

    def reviewed(self, kind: Kind, namespace: str, review: JsonObject, user: User) -> JsonObject:
        """The review with its answer as `status`; `namespace` is that of the request. Raises ApiError 400, 422."""
        answered: JsonObject = {
            "kind": kind.kind,
            "apiVersion": kind.api_version,
            "metadata": review.get("metadata") or {},
        }
        if kind.kind != "SelfSubjectReview":
            answered["spec"] = review.get("spec") or {}
        return answered | {"status": self._answer(kind, namespace, review, user)}

    def _answer(self, kind: Kind, namespace: str, review: JsonObject, user: User) -> JsonObject:
        match kind.kind:
            case "SelfSubjectReview":
                return {"userInfo": user_info(user)}
            case "TokenReview":
                return _token_review(dig(review, "spec", "token") or "", self.known)
            case "SelfSubjectRulesReview":
                return self._rules(user, dig(review, "spec", "namespace") or "")
            case "SelfSubjectAccessReview":
                return self._decision(user, _asked(kind, review))
            case _:
                errors = _local_errors(review, namespace) if kind.kind == "LocalSubjectAccessReview" else []
                return self._decision(_subject(kind, review), _asked(kind, review, errors))

    def _decision(self, user: User, wish: Attributes) -> JsonObject:
        decision = self.access.decide(user, wish)
        return {"allowed": decision.allowed, **({"reason": decision.why} if decision.why else {})}

    def _rules(self, user: User, namespace: str) -> JsonObject:
        """What the user may do in a namespace.

        Source: k8s.io/kubernetes v1.34.4 pkg/registry/authorization/selfsubjectrulesreview/rest.go: Create
        """
        if not namespace:
            raise bad_request("no namespace on request")
        held = self.access.held(user, namespace)
        status: JsonObject = {
            "resourceRules": [rule._replace(urls=()).as_object() for rule in held.rules if rule.resources],
            "nonResourceRules": [
                {"verbs": list(rule.verbs), "nonResourceURLs": list(rule.urls)} for rule in held.rules if rule.urls
            ],
            "incomplete": False,
        }
        return {**status, "evaluationError": together(held.problems)} if held.problems else status


def _subject(kind: Kind, review: JsonObject) -> User:
    spec = review.get("spec") or {}
    groups = tuple(spec.get("groups") or ())
    if not spec.get("user") and not groups:
        raise invalid_object(kind, "", [invalid("spec.user", "", "at least one of user or group must be specified")])
    return User(spec.get("user") or "", groups, spec.get("uid") or "")


def _local_errors(review: JsonObject, namespace: str) -> list[FieldError]:
    """Source: k8s.io/kubernetes v1.34.4 pkg/apis/authorization/validation/validation.go: ValidateLocalSubjectAccessReview"""
    errors: list[FieldError] = []
    resource, path = dig(review, "spec", "resourceAttributes"), dig(review, "spec", "nonResourceAttributes")
    if resource is not None and (resource.get("namespace") or "") != namespace:
        where = "spec.resourceAttributes.namespace"
        errors.append(invalid(where, resource.get("namespace") or "", "must match metadata.namespace"))
    if path is not None:
        errors.append(invalid("spec.nonResourceAttributes", path, "disallowed on this kind of request"))
    return errors


def _asked(kind: Kind, review: JsonObject, errors: Iterable[FieldError] = ()) -> Attributes:
    """What the review asks about. Raises ApiError 422."""
    resource, path = dig(review, "spec", "resourceAttributes"), dig(review, "spec", "nonResourceAttributes")
    found = list(errors)
    if resource is not None and path is not None:
        detail = "cannot be specified in combination with resourceAttributes"
        found.insert(0, forbidden("spec.nonResourceAttributes", detail))
    elif resource is None and path is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        found.insert(0, invalid("spec.resourceAttributes", None, detail))
    if found:
        raise invalid_object(kind, "", found)
    if path is not None:
        return Attributes(path.get("verb") or "", path=path.get("path") or "/")
    names = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Attributes(*(resource.get(name) or "" for name in names))


def _token_review(token: str, known: TokenVerifier) -> JsonObject:
    user = known(token)
    if user is None:
        return {"user": {}, "error": "[invalid bearer token]"}
    return {"authenticated": True, "user": user_info(user)}


def user_info(user: User) -> JsonObject:
    """A user as `userInfo`."""
    info: JsonObject = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    info["groups"] = list(user.groups) or [AUTHENTICATED]
    if user.extra:
        info["extra"] = {name: list(values) for name, values in user.extra}
    return info
