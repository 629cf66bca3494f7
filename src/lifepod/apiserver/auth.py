"""Who sends a request: client certificate, bearer token, impersonation. And the one rule of what nobody in particular may do.

A credential that is present and wrong is 401, never anonymous. Whether a known user may do something is asked of an
`Authorizer` that assembly hands to the app; the default lets every authenticated user do everything.

Source: k8s.io/apiserver v0.34.4 pkg/authentication/request/bearertoken/bearertoken.go, pkg/authentication/request/union/union.go
        k8s.io/apiserver v0.34.4 pkg/endpoints/filters/impersonation.go: WithImpersonation
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import unquote

from lifepod.apiserver.exchange import Request
from lifepod.apiserver.http_errors import bad_request, forbidden_resource, unauthorized

AUTHENTICATED: Final = "system:authenticated"
MASTERS: Final = "system:masters"
_PUBLIC_PATHS: Final = ("/healthz", "/livez", "/readyz", "/version")
_SOCKET_TOKEN: Final = "base64url.bearer.authorization.k8s.io."


class User(NamedTuple):
    """Who asks, as `SelfSubjectReview` shows it."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


ANONYMOUS: Final = User("system:anonymous", ("system:unauthenticated",))
ADMIN: Final = User("kubernetes-admin", (MASTERS, AUTHENTICATED))


class Attributes(NamedTuple):
    """What an authorizer is asked about. `path` is set, and the rest empty, for a request that is for no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


TokenVerifier: TypeAlias = Callable[[str], User | None]
Authorizer: TypeAlias = Callable[[User, Attributes], bool]


def any_known_user(user: User, attributes: Attributes) -> bool:
    """The default authorizer: the authenticated may do everything, the others ask for health and version."""
    return AUTHENTICATED in user.groups or is_public(attributes.path)


def is_public(path: str) -> bool:
    """Paths that need no identity (upstream's role system:public-info-viewer)."""
    return path.rstrip("/") in _PUBLIC_PATHS or path.startswith(("/livez/", "/readyz/", "/healthz/"))


class Authenticator:
    """Turns a request's credentials into a user.

    `tokens` are static bearer tokens; `verify` judges every other token (service account JWTs). `nobody` is who asks without
    any credential: `ANONYMOUS`, or `ADMIN` where the wire cannot carry one (clients drop theirs on plain http).
    """

    def __init__(
        self, tokens: Mapping[str, User], verify: TokenVerifier | None = None, nobody: User = ANONYMOUS
    ) -> None:
        self._by_header = {f"Bearer {token}": user for token, user in tokens.items()}
        self._verify = verify
        self._nobody = nobody

    def user_of(self, request: Request) -> User:
        """Who sends the request. Raises ApiError 401 for a bad credential."""
        user = self._without_impersonation(request)
        if "impersonate-user" in request.headers:
            return impersonated(request, user)
        for name in request.headers:
            if name.startswith("impersonate-"):
                raise bad_request(f"requested {name} without impersonating a user")
        return user

    def _without_impersonation(self, request: Request) -> User:
        header = request.headers.get("authorization")
        if header is None:
            if request.peer is not None and request.peer.name:
                return User(request.peer.name, (*request.peer.groups, AUTHENTICATED))
            token = _socket_token(request)
            return self._nobody if token is None else self._known(token)
        user = self._by_header.get(header)
        if user is not None:
            return user
        if request.peer is not None and request.peer.name:
            return User(request.peer.name, (*request.peer.groups, AUTHENTICATED))
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return self._nobody
        return self._known(token.strip())

    def _known(self, token: str) -> User:
        user = self._by_header.get(f"Bearer {token}")
        if user is None and self._verify is not None:
            user = self._verify(token)
        if user is None:
            raise unauthorized()
        return user


def _socket_token(request: Request) -> str | None:
    """A token that a browser hides among the WebSocket's subprotocols.

    Source: k8s.io/apiserver v0.34.4 pkg/authentication/request/websocket/protocol.go
    """
    if "upgrade" not in request.headers:
        return None
    for offered in request.headers.get("sec-websocket-protocol", "").split(","):
        name = offered.strip()
        if name.startswith(_SOCKET_TOKEN):
            text = name.removeprefix(_SOCKET_TOKEN)
            try:
                return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
            except ValueError:
                raise unauthorized() from None
    return None


def impersonated(request: Request, real: User) -> User:
    """The user whom the real one wants to be taken for. Only members of system:masters may. Raises ApiError 403."""
    name = request.headers["impersonate-user"]
    if MASTERS not in real.groups:
        raise forbidden_resource(real.name, "impersonate", "", "users", name, "")
    groups = tuple(group.strip() for group in request.headers.get("impersonate-group", "").split(",") if group.strip())
    if not groups and name.startswith("system:serviceaccount:") and name.count(":") == 3:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{name.split(':')[2]}")
    if name != ANONYMOUS.name:
        groups = groups if AUTHENTICATED in groups else (*groups, AUTHENTICATED)
    else:
        groups = groups or ANONYMOUS.groups
    prefix = "impersonate-extra-"
    extra = tuple(
        (unquote(key.removeprefix(prefix)), tuple(part.strip() for part in value.split(",")))
        for key, value in request.headers.items()
        if key.startswith(prefix)
    )
    return User(name, groups, request.headers.get("impersonate-uid", ""), extra)
