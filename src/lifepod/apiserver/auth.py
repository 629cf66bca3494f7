"""Who sends a request: client certificate or bearer token. What they may do is `access.py`'s, as whom else `impersonation.py`'s.

A credential that is present and wrong is 401, never anonymous.

Source: k8s.io/apiserver v0.34.4 pkg/authentication/request/bearertoken/bearertoken.go, pkg/authentication/request/union/union.go
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

from lifepod.api.rbac_rules import Attributes
from lifepod.apiserver.exchange import Request
from lifepod.apiserver.http_errors import unauthorized

AUTHENTICATED: Final = "system:authenticated"
MASTERS: Final = "system:masters"
_SOCKET_TOKEN: Final = "base64url.bearer.authorization.k8s.io."


class User(NamedTuple):
    """Who asks, as `SelfSubjectReview` shows it."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


ANONYMOUS: Final = User("system:anonymous", ("system:unauthenticated",))
ADMIN: Final = User("kubernetes-admin", (MASTERS, AUTHENTICATED))


class Decision(NamedTuple):
    """Whether somebody may do something, and why (not), where there is more to say."""

    allowed: bool
    why: str = ""


TokenVerifier: TypeAlias = Callable[[str], User | None]
Authorizer: TypeAlias = Callable[[User, Attributes], Decision]


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
