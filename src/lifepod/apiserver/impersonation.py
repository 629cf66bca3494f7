"""As whom a request counts: its sender, or another user that the sender may impersonate.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/filters/impersonation.go: WithImpersonation, buildImpersonationRequests
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from lifepod.api.rbac_bindings import account_groups, account_of
from lifepod.api.rbac_rules import Attributes
from lifepod.apiserver.auth import ANONYMOUS, AUTHENTICATED, Authorizer, User
from lifepod.apiserver.exchange import Request
from lifepod.apiserver.http_errors import bad_request, forbidden

_VERB: Final = "impersonate"
_AUTHENTICATION: Final = "authentication.k8s.io"
_EXTRA: Final = "impersonate-extra-"


def acting_user(request: Request, sender: User, authorize: Authorizer) -> User:
    """The user as whom the request counts. Raises ApiError 400, 403."""
    if "impersonate-user" not in request.headers:
        for name in request.headers:
            if name.startswith("impersonate-"):
                raise bad_request(f"requested {name} without impersonating a user")
        return sender
    wanted = _wanted(request)
    for wish in _wishes(wanted, _listed(request, "impersonate-group")):
        decision = authorize(sender, wish)
        if not decision.allowed:
            raise forbidden(sender.name, wish, decision.why)
    return wanted


def _wanted(request: Request) -> User:
    """The whole user: without groups of its own a service account has those of all of them; everybody is somehow authenticated."""
    name, groups = request.headers["impersonate-user"], _listed(request, "impersonate-group")
    account = account_of(name)
    if not groups and account is not None:
        groups = account_groups(account[0])
    if name == ANONYMOUS.name:
        groups = groups if ANONYMOUS.groups[0] in groups else (*groups, *ANONYMOUS.groups)
    elif not {AUTHENTICATED, *ANONYMOUS.groups} & set(groups):
        groups = (*groups, AUTHENTICATED)
    extra = tuple(
        (unquote(key.removeprefix(_EXTRA)), _listed(request, key)) for key in request.headers if key.startswith(_EXTRA)
    )
    return User(name, groups, request.headers.get("impersonate-uid", ""), extra)


def _listed(request: Request, header: str) -> tuple[str, ...]:
    return tuple(part for each in request.headers.get(header, "").split(",") if (part := each.strip()))


def _wishes(wanted: User, groups: tuple[str, ...]) -> Iterator[Attributes]:
    """What the sender must be allowed: every part of the other's identity that was named."""
    account = account_of(wanted.name)
    if account is not None:
        yield Attributes(_VERB, "", "serviceaccounts", namespace=account[0], name=account[1])
    else:
        yield Attributes(_VERB, "", "users", name=wanted.name)
    for group in groups:
        yield Attributes(_VERB, "", "groups", name=group)
    for key, values in wanted.extra:
        for value in values:
            yield Attributes(_VERB, _AUTHENTICATION, "userextras", key, name=value)
    if wanted.uid:
        yield Attributes(_VERB, _AUTHENTICATION, "uids", name=wanted.uid)
