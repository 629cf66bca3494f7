"""An API with its rules and its HTTP face, put together: what `up`, `run`, the fixtures and simulations all start from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import partial
from typing import NamedTuple

from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import KindRegistry
from lifepod.api.metrics_v1beta1 import KINDS as METRICS_KINDS
from lifepod.api.objects import JsonObject
from lifepod.apiserver.api import Api, Settings
from lifepod.apiserver.app import App, ExtraPath, Hooks
from lifepod.apiserver.auth import ADMIN, Authenticator
from lifepod.apiserver.bootstrap import bootstrap
from lifepod.apiserver.certificates import Credentials, sign_request
from lifepod.apiserver.health import Health, HealthCheck
from lifepod.apiserver.resource_requests import ResourceRequests
from lifepod.apiserver.seams import Seams
from lifepod.apiserver.service_account_tokens import ServiceAccountTokens
from lifepod.apiserver.webhook_caller import WebhookCaller
from lifepod.clock import Ids
from lifepod.runtime.base import NodeStreams, UsageSource
from lifepod.store import Store


class ControlPlane(NamedTuple):
    """`app.site` answers requests, from a socket or without one; `token` is the administrator's; `resources` knows the watches."""

    store: Store
    api: Api
    app: App
    tokens: ServiceAccountTokens
    credentials: Credentials
    token: str
    resources: ResourceRequests


class Around(NamedTuple):
    """What a control plane is handed: see `apiserver.seams.Seams`."""

    now: Callable[[], datetime]
    ids: Ids
    streams_for: Callable[[str], NodeStreams | None]
    on_written: Callable[[], None] = lambda: None
    lock: AbstractContextManager[object] = nullcontext()
    durable: Callable[[int], Awaitable[None] | None] = lambda revision: None
    hooks: Hooks | None = None
    extra_paths: tuple[ExtraPath, ...] = ()
    usage: UsageSource | None = None


def control_plane(
    around: Around, credentials: Credentials, store: Store | None = None, settings: Settings | None = None
) -> ControlPlane:
    """Put an API together; an empty store gets a cluster's own objects."""
    store = store if store is not None else Store()
    root_ca = credentials.ca.certificate.decode()
    settings = (settings or Settings())._replace(root_ca=root_ca)
    api_holder: list[Api] = []

    def lookup(resource: str, namespace: str, name: str) -> JsonObject | None:
        return api_holder[0].store.get(resource, namespace, name)

    tokens = ServiceAccountTokens(credentials.token_key, lookup, around.now)
    api = Api(
        store,
        KindRegistry((*builtin_kinds(), *(METRICS_KINDS if around.usage is not None else ()))),
        around.ids,
        settings,
        tokens,
    )
    api_holder.append(api)
    api.sign = partial(sign_request, credentials.ca)
    api.ask = WebhookCaller(around.streams_for).ask
    bootstrap(api, around.now())
    token = around.ids.hexadecimal(32)
    seams = Seams(
        api,
        around.now,
        around.lock,
        around.on_written,
        around.durable,
        around.streams_for,
        verify=tokens.user_of,
        usage=around.usage,
    )
    authenticator = Authenticator({token: ADMIN}, tokens.user_of)
    resources = ResourceRequests(seams)
    extra_paths = (tokens.answer, *around.extra_paths)
    health = Health((HealthCheck("etcd", lambda: api.problem() or "", live=True),))
    app = App(
        api.kinds,
        resources,
        authenticator,
        seams.authorize,
        health=health,
        hooks=around.hooks,
        extra_paths=extra_paths,
    )
    return ControlPlane(store, api, app, tokens, credentials, token, resources)
