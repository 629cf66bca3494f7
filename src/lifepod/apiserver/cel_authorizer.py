"""`authorizer` in CEL: may the one who asks, or a service account, do this?

Source: k8s.io/apiserver v0.34.4 pkg/cel/library/authz.go
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from lifepod.api.admission import Attributes as Asked
from lifepod.api.cel.values import CelError, Speaking, Value, no_overload
from lifepod.api.rbac_rules import Attributes
from lifepod.apiserver.auth import AUTHENTICATED, Decision, User

Decide: TypeAlias = Callable[[User, Attributes], Decision]
_FOR_ALL = "system:serviceaccounts"


def authorizer(decide: Decide, user: User, asked: Asked) -> Speaking:
    """The variable `authorizer` of a request."""
    place = asked.requested
    wish = Attributes("", place.group, place.plural, asked.subresource, asked.namespace, asked.name)
    return _Authorizer(decide, user, {"requestResource": _Check(decide, user, wish)})


class _Authorizer(Speaking):
    """`authorizer`, before it is said what is asked about."""

    def __init__(self, decide: Decide, user: User, fields: dict[str, Value]) -> None:
        super().__init__("kubernetes.authorization.Authorizer", fields)
        self._decide, self._user = decide, user

    def told(self, method: str, args: tuple[Value, ...]) -> Value:
        match method, args:
            case "group", (str(group),):
                return _Check(self._decide, self._user, Attributes("", group))
            case "path", (str(path),) if path:
                return _Check(self._decide, self._user, Attributes("", path=path))
            case "serviceAccount", (str(namespace), str(name)):
                groups = (_FOR_ALL, f"{_FOR_ALL}:{namespace}", AUTHENTICATED)
                return _Authorizer(self._decide, User(f"system:serviceaccount:{namespace}:{name}", groups), {})
        raise no_overload(method, (self, *args))


class _Check(Speaking):
    """What is asked about, as far as it has been said."""

    def __init__(self, decide: Decide, user: User, wish: Attributes) -> None:
        super().__init__("kubernetes.authorization.ResourceCheck")
        self._decide, self._user, self._wish = decide, user, wish

    def told(self, method: str, args: tuple[Value, ...]) -> Value:
        match method, args:
            case (("resource" | "subresource" | "namespace" | "name"), (str(text),)):
                return _Check(self._decide, self._user, self._wish._replace(**{method: text}))
            case "check", (str(verb),):
                return _Decision(self._decide(self._user, self._wish._replace(verb=verb)))
        raise no_overload(method, (self, *args))


class _Decision(Speaking):
    """What was decided."""

    def __init__(self, decision: Decision) -> None:
        super().__init__("kubernetes.authorization.Decision")
        self._decision = decision

    def told(self, method: str, args: tuple[Value, ...]) -> Value:
        match method, args:
            case "allowed", ():
                return self._decision.allowed
            case "reason", ():
                return self._decision.why
            case "errored", ():
                return False
            case "error", ():
                return ""
        raise CelError(f"no such overload: {method}")
