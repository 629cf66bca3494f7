"""Which webhooks are asked about a request, in which order, and what comes of their answers.

Mutating ones one after the other, by configuration and then as they stand in it; those that changed something may have earlier ones
asked again. Validating ones all at once, the first refusal in order counts. Without a session
(`admission_call.are_asked`) there is nobody to ask.

Source: k8s.io/apiserver v0.34.4 pkg/admission/plugin/webhook/mutating/dispatcher.go, validating/dispatcher.go
        k8s.io/apiserver v0.34.4 pkg/admission/plugin/webhook/mutating/reinvocationcontext.go
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import orjson

from lifepod.api.admission import CONFIGURATIONS, Attributes, Place, matched_place, meant_namespace, meant_object
from lifepod.api.admission_review import (
    BadPatch,
    BadReview,
    Verdict,
    known_version,
    rejection,
    request_of,
    review_of,
    verdict_of,
)
from lifepod.api.decode import DecodeError, JsonSyntaxError, parse_json, prune
from lifepod.api.objects import JsonObject
from lifepod.api.patch_errors import PatchError
from lifepod.api.patch_json import json_patch
from lifepod.api.writes import ApiError
from lifepod.apiserver.admission_call import MUTATING, VALIDATING, Call
from lifepod.apiserver.http_errors import internal_error, refusal
from lifepod.apiserver.status_errors import forbidden, not_found
from lifepod.apiserver.webhook_session import Question, Reply
from lifepod.apiserver.webhook_targets import target_of

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


class Hook(NamedTuple):
    """One webhook of a configuration; `key` tells it from all others."""

    key: tuple[str, int]
    webhook: JsonObject

    @property
    def name(self) -> str:
        """As it is named in messages."""
        return str(self.webhook["name"])


class Asking(NamedTuple):
    """A webhook that is to be asked, as which resource, and what."""

    hook: Hook
    place: Place
    uid: str
    version: str
    question: Question


class _FailedCall(Exception):
    """The webhook did not answer, or not to the question."""


def mutated(api: Api, call: Call, in_tree: Callable[[JsonObject], JsonObject]) -> JsonObject:
    """The object after all mutating webhooks; `in_tree` is what the server itself adds, done again when one changed something.

    Raises ApiError; Unanswered when one must be asked first.
    """
    assert call.obj is not None
    hooks = _hooks(api, MUTATING, call)
    if not hooks:
        return call.obj
    rounds = _Rounds()
    obj = _round(api, hooks, call, rounds)
    if not rounds.has_changed:
        return obj
    retouched = in_tree(obj)
    if retouched != obj:
        rounds.require()
    rounds.is_second = True
    return _round(api, hooks, call._replace(obj=retouched), rounds)


class _Rounds:
    """What the two passes over the webhooks know of each other: a webhook that is `IfNeeded` is asked again when another one, or the
    server itself, has changed the object after it."""

    def __init__(self) -> None:
        self.is_second = self.has_changed = False
        self._again: set[tuple[str, int]] = set()
        self._repeatable: set[tuple[str, int]] = set()

    def has_part(self, hook: Hook) -> bool:
        return not self.is_second or hook.key in self._again

    def require(self) -> None:
        self._again |= self._repeatable
        self._repeatable.clear()

    def asked(self, hook: Hook, *, changed: bool) -> None:
        if changed:
            self.has_changed = True
            self.require()
        if hook.webhook.get("reinvocationPolicy") == "IfNeeded":
            self._repeatable.add(hook.key)


def _round(api: Api, hooks: list[Hook], call: Call, rounds: _Rounds) -> JsonObject:
    """One pass over the webhooks."""
    assert call.obj is not None
    obj = call.obj
    for hook in hooks:
        asked = call._replace(obj=obj).attributes(api)
        place = _meant(api, hook, asked, call)
        if place is None or not rounds.has_part(hook):
            continue
        new = _mutated_by(api, hook, place, asked, call)
        rounds.asked(hook, changed=new is not obj)
        obj = new
    return obj


def _mutated_by(api: Api, hook: Hook, place: Place, asked: Attributes, call: Call) -> JsonObject:
    assert asked.obj is not None
    asking = _asking(api, hook, place, asked, call)
    try:
        verdict = _verdict(asking, _replies(api, [asking])[0], mutating=True)
    except _FailedCall as problem:
        _fail_unless_ignored(hook, problem)
        return asked.obj
    _take(api, hook, verdict)
    return asked.obj if verdict.patch is None else _patched(api, verdict, place, asked, call)


def _patched(api: Api, verdict: Verdict, place: Place, asked: Attributes, call: Call) -> JsonObject:
    """The object with a webhook's patch, decoded and defaulted as if it had been sent so."""
    assert asked.obj is not None
    try:
        made = json_patch(call.as_place(api, asked.obj, place), verdict.patch)
        type_ = api.type_of(call.shown or call.at_place(api, place))
        decoded = prune(made, type_).obj
    except (PatchError, DecodeError) as problem:
        raise internal_error(str(problem)) from None
    new = call.from_place(api, decoded, place)
    return asked.obj if new == asked.obj else new


def check(api: Api, call: Call) -> None:
    """Ask the validating webhooks. Raises ApiError of the first that refuses; Unanswered when some must be asked first."""
    hooks = _hooks(api, VALIDATING, call)
    if not hooks:
        return
    asked = call.attributes(api)
    meant = [(hook, place) for hook in hooks if (place := _meant(api, hook, asked, call)) is not None]
    _check_all(api, [_asking(api, hook, place, asked, call) for hook, place in meant])


def check_without_object(api: Api, call: Call) -> None:
    """Both kinds of webhooks on a request whose object none of them can change: a deletion, a connection."""
    for hook in _hooks(api, MUTATING, call):
        asked = call.attributes(api)
        place = _meant(api, hook, asked, call)
        if place is None:
            continue
        asking = _asking(api, hook, place, asked, call)
        try:
            verdict = _verdict(asking, _replies(api, [asking])[0], mutating=True)
        except _FailedCall as problem:
            _fail_unless_ignored(hook, problem)
            continue
        _take(api, hook, verdict)
        if verdict.patch is not None:
            text = f'admission webhook "{hook.name}" attempted to modify the object, which is not supported for this operation'
            raise internal_error(text)
    check(api, call)


def _check_all(api: Api, askings: list[Asking]) -> None:
    for asking, reply in zip(askings, _replies(api, askings), strict=True):
        try:
            verdict = _verdict(asking, reply, mutating=False)
        except _FailedCall as problem:
            _fail_unless_ignored(asking.hook, problem)
            continue
        _take(api, asking.hook, verdict)


# ---------------------------------------------------------------------------------------------------------------- who is asked


def _hooks(api: Api, resource: str, call: Call) -> list[Hook]:
    """The webhooks of all configurations in order; none about configurations, nor where nobody could ask them."""
    if api.session is None or not api.store.count(resource) or call.kind.resource in CONFIGURATIONS:
        return []
    found = []
    for record in api.store.list(resource).records:
        webhooks = api.store.decoded(record).get("webhooks") or ()
        found += [Hook((record.name, index), webhook) for index, webhook in enumerate(webhooks)]
    return found


def _meant(api: Api, hook: Hook, asked: Attributes, call: Call) -> Place | None:
    """As what the webhook is to be asked about the request; None if it is not. Raises ApiError 403 for a condition that fails."""
    webhook = hook.webhook
    place = matched_place(webhook.get("rules") or (), webhook.get("matchPolicy") or "Equivalent", asked)
    if place is None:
        return None
    namespace = namespace_of(api, asked)
    if not meant_namespace(webhook.get("namespaceSelector"), asked, namespace):
        return None
    if not meant_object(webhook.get("objectSelector"), asked):
        return None
    if not (conditions := webhook.get("matchConditions")):
        return place
    from lifepod.apiserver.match_conditions import ConditionFailed, conditions_hold, known_to_cel

    try:
        return place if conditions_hold(conditions, known_to_cel(api, call, asked, place, namespace)) else None
    except ConditionFailed as problem:
        if webhook.get("failurePolicy") == "Ignore":
            return None
        kind = api.kinds.at(asked.requested.group, asked.requested.version, asked.requested.plural)
        assert kind is not None
        raise forbidden(kind, asked.name, str(problem)) from None


def namespace_of(api: Api, asked: Attributes) -> JsonObject | None:
    """The Namespace of a request; None where it has none. Raises ApiError 404."""
    name = asked.namespace or (asked.name if asked.requested.plural == "namespaces" else "")
    if not name:
        return None
    found = api.store.get("namespaces", "", name)
    if found is None and asked.namespace and asked.requested.plural != "namespaces":
        raise not_found(api.kinds.of("namespaces"), name)
    return found


# ---------------------------------------------------------------------------------------------------------------- the question


def _asking(api: Api, hook: Hook, place: Place, asked: Attributes, call: Call) -> Asking:
    webhook = hook.webhook
    uid, version = api.ids.uid(), known_version(webhook.get("admissionReviewVersions") or ())
    obj, old = (call.as_place(api, each, place) if each is not None else None for each in (asked.obj, asked.old))
    body = orjson.dumps(review_of(request_of(asked, place, obj, old, uid), version))
    client: JsonObject = webhook.get("clientConfig") or {}
    seconds = int(webhook.get("timeoutSeconds") or 10)
    url, target = target_of(api, client)
    separator = "&" if "?" in url else "?"
    bundle = b64decode(client["caBundle"]) if client.get("caBundle") else b""
    return Asking(
        hook, place, uid, version, Question(f"{url}{separator}timeout={seconds}s", target, bundle, seconds, body)
    )


def _replies(api: Api, askings: list[Asking]) -> list[Reply]:
    assert api.session is not None
    return api.session.replies([asking.question for asking in askings])


def _verdict(asking: Asking, reply: Reply, *, mutating: bool) -> Verdict:
    if reply.problem:
        raise _FailedCall(f"failed to call webhook: {reply.problem}")
    try:
        review = parse_json(reply.body)
    except JsonSyntaxError as problem:
        text = f"failed to call webhook: couldn't get version/kind; json parse error: {problem}"
        raise _FailedCall(text) from None
    if not isinstance(review, dict):
        raise _FailedCall("failed to call webhook: couldn't get version/kind; json parse error: json: cannot unmarshal")
    try:
        return verdict_of(review, asking.uid, asking.version, mutating=mutating)
    except BadReview as problem:
        raise _FailedCall(f"received invalid webhook response: {problem}") from None
    except BadPatch as problem:
        raise _FailedCall(str(problem)) from None


def _fail_unless_ignored(hook: Hook, problem: _FailedCall) -> None:
    if hook.webhook.get("failurePolicy") != "Ignore":
        raise internal_error(f'failed calling webhook "{hook.name}": {problem}')


def _take(api: Api, hook: Hook, verdict: Verdict) -> None:
    """Pass a webhook's warnings on, and its refusal. Its audit annotations have nowhere to go."""
    api.warn(*verdict.warnings)
    if not verdict.allowed:
        raise ApiError(rejection(hook.name, verdict.status))


def given_up() -> ApiError:
    """504: the object changed again and again while its webhooks were asked."""
    return refusal(
        504, "Timeout", "Timeout: request did not complete within requested timeout - context deadline exceeded"
    )
