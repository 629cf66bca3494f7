"""The kinds that are questions, not objects: who am I, may I, whose token is this. Answered, never kept.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/authorization/, pkg/registry/authentication/
"""

from __future__ import annotations

from typing import Final

from lifepod.api.field_errors import forbidden, invalid
from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject, dig
from lifepod.api.writes import ApiError
from lifepod.apiserver.auth import AUTHENTICATED, Attributes, Authorizer, TokenVerifier, User
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
_EVERYTHING: Final = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}


def reviewed(kind: Kind, review: JsonObject, user: User, authorize: Authorizer, known: TokenVerifier) -> JsonObject:
    """The review with its answer as `status`. Raises ApiError 422 for a question that is none."""
    answered: JsonObject = {
        "kind": kind.kind,
        "apiVersion": kind.api_version,
        "metadata": review.get("metadata") or {},
    }
    if kind.kind != "SelfSubjectReview":
        answered["spec"] = review.get("spec") or {}
    return answered | {"status": _answer(kind, review, user, authorize, known)}


def _answer(kind: Kind, review: JsonObject, user: User, authorize: Authorizer, known: TokenVerifier) -> JsonObject:
    match kind.kind:
        case "SelfSubjectReview":
            return {"userInfo": user_info(user)}
        case "TokenReview":
            return _token_review(dig(review, "spec", "token") or "", known)
        case "SelfSubjectRulesReview":
            nothing = {"resourceRules": [], "nonResourceRules": [], "incomplete": False}
            return _EVERYTHING if authorize(user, Attributes("*", "*", "*", namespace="*")) else nothing
        case "SelfSubjectAccessReview":
            return _access(kind, review, user, authorize)
        case _:
            spec = review.get("spec") or {}
            groups = tuple(spec.get("groups") or ())
            if not spec.get("user") and not groups:
                raise invalid_object(
                    kind, "", [invalid("spec.user", "", "at least one of user or group must be specified")]
                )
            return _access(kind, review, User(spec.get("user") or "", groups, spec.get("uid") or ""), authorize)


def _access(kind: Kind, review: JsonObject, user: User, authorize: Authorizer) -> JsonObject:
    attributes = _asked(kind, review)
    if authorize(user, attributes):
        return {"allowed": True}
    return {"allowed": False}


def _asked(kind: Kind, review: JsonObject) -> Attributes:
    resource, path = dig(review, "spec", "resourceAttributes"), dig(review, "spec", "nonResourceAttributes")
    if (resource is None) == (path is None):
        raise _one_of_both(kind, both=resource is not None)
    if path is not None:
        return Attributes(path.get("verb") or "", path=path.get("path") or "")
    names = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Attributes(*(resource.get(name) or "" for name in names))


def _one_of_both(kind: Kind, *, both: bool) -> ApiError:
    text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
    if both:
        return invalid_object(
            kind,
            "",
            [forbidden("spec.nonResourceAttributes", "cannot be specified in combination with resourceAttributes")],
        )
    return invalid_object(kind, "", [invalid("spec.resourceAttributes", None, text)])


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
