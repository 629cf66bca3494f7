"""Service account tokens: JWTs signed with ES256, issued for TokenRequests and verified when they come back.

A token is good while its service account (and the pod it is bound to) still exists with the same uid. `cryptography` is
loaded at the first token.

Source: k8s.io/kubernetes v1.34.4 pkg/serviceaccount/claims.go: Claims, Validate; pkg/registry/core/serviceaccount/storage/token.go
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import orjson

from lifepod.api.objects import JsonObject, JsonValue, dig
from lifepod.api.rbac_bindings import account_groups, account_user
from lifepod.apiserver.auth import AUTHENTICATED, User
from lifepod.apiserver.exchange import Request, Response
from lifepod.apiserver.negotiation import encoded
from lifepod.apiserver.token import TokenOrder

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
Lookup = Callable[[str, str, str], JsonObject | None]
"""(resource, namespace, name) → the object, or None."""


class Signer:
    """Signs claims with one key; knows nothing of a cluster."""

    def __init__(self, key_pem: bytes) -> None:
        self._key_pem = key_pem
        self._key: EllipticCurvePrivateKey | None = None
        self._head = ""

    def signed(self, claims: bytes) -> str:
        """The token that holds these claims (JSON text): always the same for the same claims."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        if not self._head:
            self._head = _pack(orjson.dumps({"alg": "ES256", "kid": self.key_id()}))
        text = f"{self._head}.{_pack(claims)}"
        algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        r, s = decode_dss_signature(self.key().sign(text.encode(), algorithm))
        return f"{text}.{_pack(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def key_id(self) -> str:
        """The name of the signing key: a digest of its public half.

        Source: k8s.io/kubernetes v1.34.4 pkg/serviceaccount/jwt.go: keyIDFromPublicKey
        """
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = self.key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return _pack(hashlib.sha256(public).digest())

    def key(self) -> EllipticCurvePrivateKey:
        """The key, loaded at its first use."""
        if self._key is None:
            from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
            from cryptography.hazmat.primitives.serialization import load_pem_private_key

            key = load_pem_private_key(self._key_pem, None)
            assert isinstance(key, EllipticCurvePrivateKey)
            self._key = key
        return self._key


class ServiceAccountTokens:
    """Issues and verifies the tokens of one cluster. `lookup` reads the API's objects, `now` is the cluster's clock."""

    def __init__(self, key_pem: bytes, lookup: Lookup, now: Callable[[], datetime]) -> None:
        self._signer = Signer(key_pem)
        self._lookup = lookup
        self._now = now
        self._known: dict[str, JsonObject] = {}

    # ---------------------------------------------------------------------------------------------------------- issuing

    def issue(self, order: TokenOrder) -> tuple[str, datetime]:
        """The token, and when it ends."""
        sign, ends = self.issue_later(order)
        return sign(), ends

    def issue_later(self, order: TokenOrder) -> tuple[Callable[[], str], datetime]:
        """What makes the token that `issue` would give now, whenever it is called; it holds on to nothing of the cluster."""
        now = self._now().replace(microsecond=0)
        ends = now + timedelta(seconds=order.seconds)
        metadata = order.account["metadata"]
        bound: JsonObject = {"namespace": metadata["namespace"]}
        if order.pod is not None:
            if node := dig(order.pod, "spec", "nodeName"):
                bound["node"] = {
                    "name": node,
                    "uid": dig(self._lookup("nodes", "", node) or {}, "metadata", "uid") or "",
                }
            bound["pod"] = _reference(order.pod)
        if order.secret is not None:
            bound["secret"] = _reference(order.secret)
        bound["serviceaccount"] = _reference(order.account)
        claims: JsonObject = {
            "aud": list(order.audiences or (ISSUER,)),
            "exp": int(ends.timestamp()),
            "iat": int(now.timestamp()),
            "iss": ISSUER,
            "jti": order.token_id,
            "kubernetes.io": bound,
            "nbf": int(now.timestamp()),
            "sub": account_user(metadata["namespace"], metadata["name"]),
        }
        return partial(self._signer.signed, orjson.dumps(claims)), ends

    # -------------------------------------------------------------------------------------------------------- verifying

    def user_of(self, token: str) -> User | None:
        """Whom the token is for; None when it is not good (any more)."""
        claims = self._known.get(token)
        if claims is None:
            claims = self._verified(token)
            if claims is None:
                return None
            if len(self._known) >= 1024:
                self._known.clear()
            self._known[token] = claims
        return self._still_good(claims)

    def _verified(self, token: str) -> JsonObject | None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

        try:
            head, body, signature = token.split(".")
            if orjson.loads(_unpack(head)).get("alg") != "ES256":
                return None
            raw = _unpack(signature)
            if len(raw) != 64:
                return None
            dss = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
            self._signer.key().public_key().verify(dss, f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
            claims: JsonValue = orjson.loads(_unpack(body))
        except (ValueError, AttributeError, InvalidSignature):
            return None
        return claims if isinstance(claims, dict) else None

    def _still_good(self, claims: JsonObject) -> User | None:
        now = self._now().timestamp()
        if claims.get("iss") != ISSUER or ISSUER not in claims.get("aud", ()):
            return None
        if not claims["nbf"] <= now + 1 or now > claims["exp"]:
            return None
        bound = claims["kubernetes.io"]
        namespace, account = bound["namespace"], bound["serviceaccount"]
        if not self._is_there("serviceaccounts", namespace, account):
            return None
        extra: list[tuple[str, tuple[str, ...]]] = [
            ("authentication.kubernetes.io/credential-id", (f"JTI={claims['jti']}",))
        ]
        secret = bound.get("secret")
        if secret is not None and not self._is_there("secrets", namespace, secret):
            return None
        pod = bound.get("pod")
        if pod is not None:
            if not self._is_there("pods", namespace, pod):
                return None
            if node := bound.get("node"):
                extra.append(("authentication.kubernetes.io/node-name", (node["name"],)))
                extra.append(("authentication.kubernetes.io/node-uid", (node["uid"],)))
            extra.append(("authentication.kubernetes.io/pod-name", (pod["name"],)))
            extra.append(("authentication.kubernetes.io/pod-uid", (pod["uid"],)))
        groups = (*account_groups(namespace), AUTHENTICATED)
        return User(claims["sub"], groups, account["uid"], tuple(extra))

    def _is_there(self, resource: str, namespace: str, wanted: JsonObject) -> bool:
        found = self._lookup(resource, namespace, wanted["name"])
        return found is not None and found["metadata"]["uid"] == wanted["uid"]

    # ----------------------------------------------------------------------------------------------------- for verifiers

    def answer(self, request: Request) -> Response | None:
        """`/.well-known/openid-configuration` and `/openid/v1/jwks`; None for other paths."""
        match request.path:
            case "/.well-known/openid-configuration":
                document: JsonObject = {
                    "issuer": ISSUER,
                    "jwks_uri": f"https://{request.headers.get('host', 'kubernetes.default.svc')}/openid/v1/jwks",
                    "response_types_supported": ["id_token"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["ES256"],
                }
                return Response(200, encoded(document))
            case "/openid/v1/jwks":
                return Response(200, encoded({"keys": [self._public_key()]}), "application/jwk-set+json")
            case _:
                return None

    def _public_key(self) -> JsonObject:
        numbers = self._signer.key().public_key().public_numbers()
        x, y = (_pack(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        return {"use": "sig", "kty": "EC", "kid": self._signer.key_id(), "crv": "P-256", "alg": "ES256", "x": x, "y": y}


def _reference(obj: JsonObject) -> JsonObject:
    return {"name": obj["metadata"]["name"], "uid": obj["metadata"]["uid"]}


def _pack(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _unpack(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
