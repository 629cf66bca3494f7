"""Secrets of type `kubernetes.io/service-account-token`: the token of an account, filled in as soon as the secret is there.

Differs: upstream's controller does it within a second, and deletes a secret whose account is missing; here that one stays empty.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/serviceaccount/tokens_controller.go: generateTokenIfNeeded
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from lifepod.api.objects import JsonObject, replaced
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.token import MAX_SECONDS, TokenOrder

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api

TOKEN_TYPE = "kubernetes.io/service-account-token"
_NAME, _UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"


def fill_token_secret(api: Api, secret: JsonObject, options: WriteOptions) -> None:
    """Give a token secret what is missing: the token, the root certificate, the namespace, the account's uid."""
    if secret.get("type") != TOKEN_TYPE or api.tokens is None:
        return
    metadata: JsonObject = secret["metadata"]
    annotations: JsonObject = metadata.get("annotations") or {}
    account = api.store.get("serviceaccounts", metadata["namespace"], annotations.get(_NAME) or "")
    data: JsonObject = secret.get("data") or {}
    if account is None or "token" in data:
        return
    token, _ = api.tokens.issue(TokenOrder(account, (), MAX_SECONDS, api.ids.uid(), secret=secret))
    texts = {"token": token, "ca.crt": api.settings.root_ca, "namespace": metadata["namespace"]}
    filled = {**data, **{name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}}
    uid = {**annotations, _UID: account["metadata"]["uid"]}
    api.store.update("secrets", replaced({**secret, "data": filled}, ("metadata", "annotations"), uid), options.now)
