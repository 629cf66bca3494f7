"""ValidatingAdmissionPolicies: rules in CEL about what is written, switched on by bindings, with parameters if they want some.

Source: k8s.io/apiserver v0.34.4 pkg/admission/plugin/policy/validating/dispatcher.go: Dispatch
        k8s.io/apiserver v0.34.4 pkg/admission/plugin/policy/validating/validator.go: Validate
        k8s.io/apiserver v0.34.4 pkg/admission/plugin/policy/generic/policy_dispatcher.go: CollectParams
        k8s.io/apiserver v0.34.4 pkg/admission/plugin/policy/matching/matching.go: Matches
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from lifepod.api.admission import CONFIGURATIONS, Attributes, Place, matched_place, meant_namespace, meant_object
from lifepod.api.objects import JsonObject
from lifepod.api.selectors import label_terms, labels_match
from lifepod.apiserver.admission_call import BINDINGS, Call
from lifepod.apiserver.status_errors import forbidden
from lifepod.apiserver.webhooks import namespace_of
from lifepod.store import Selection

if TYPE_CHECKING:
    from lifepod.api.cel import Value
    from lifepod.apiserver.api import Api

POLICIES: Final = "validatingadmissionpolicies.admissionregistration.k8s.io"
_CODES: Final = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}
_LONGEST_MESSAGE: Final = 5 * 1024


class Denial(NamedTuple):
    """Why a request is refused, by a policy and perhaps one of its bindings."""

    policy: str
    binding: str
    message: str
    reason: str = "Invalid"


class _Misconfigured(Exception):
    """The policy or its binding cannot be evaluated; `failurePolicy` says what that means."""


def check_policies(api: Api, call: Call) -> None:
    """Ask the policies that have a binding. Raises ApiError of the first that denies; warns where bindings want only that."""
    if not api.store.count(BINDINGS) or call.kind.resource in CONFIGURATIONS:
        return
    bindings: dict[str, list[JsonObject]] = {}
    for record in api.store.list(BINDINGS).records:
        binding = api.store.decoded(record)
        bindings.setdefault((binding.get("spec") or {}).get("policyName") or "", []).append(binding)
    asked = call.attributes(api)
    denials: list[Denial] = []
    for record in api.store.list(POLICIES).records:
        if record.name in bindings:
            denials += _Policy(api, call, asked, api.store.decoded(record)).denials(bindings[record.name])
    if denials:
        _refuse(call, asked, denials[0])


def _refuse(call: Call, asked: Attributes, denial: Denial) -> None:
    bound = f" with binding '{denial.binding}'" if denial.binding else ""
    message = f"ValidatingAdmissionPolicy '{denial.policy}'{bound} denied request: {denial.message}"
    error = forbidden(call.kind, asked.name, message, [{"message": message}])
    error.status["reason"] = error.reason = denial.reason
    error.status["code"] = error.code = _CODES.get(denial.reason, 422)
    raise error


class _Policy:
    """One policy and the request it judges."""

    def __init__(self, api: Api, call: Call, asked: Attributes, policy: JsonObject) -> None:
        self._api, self._call, self._asked = api, call, asked
        self._name: str = policy["metadata"]["name"]
        self._spec: JsonObject = policy.get("spec") or {}
        self._namespace = namespace_of(api, asked)

    def denials(self, bindings: list[JsonObject]) -> Iterator[Denial]:
        """What the bindings of the policy refuse."""
        place = self._meant(self._spec.get("matchConstraints") or {})
        if place is None:
            return
        for binding in bindings:
            spec: JsonObject = binding.get("spec") or {}
            if spec.get("matchResources") and self._meant(spec["matchResources"]) is None:
                continue
            try:
                params = self._params(spec.get("paramRef"))
            except _Misconfigured as problem:
                if self._spec.get("failurePolicy") != "Ignore":
                    yield Denial(self._name, binding["metadata"]["name"], f"failed to configure binding: {problem}")
                continue
            for param in params:
                yield from self._acted(binding, self._broken(place, param))

    def _acted(self, binding: JsonObject, broken: Iterator[Denial]) -> Iterator[Denial]:
        name, actions = binding["metadata"]["name"], (binding.get("spec") or {}).get("validationActions") or ()
        for denial in broken:
            if "Warn" in actions:
                text = f"Validation failed for ValidatingAdmissionPolicy '{self._name}' with binding '{name}': {denial.message}"
                self._api.warn(text)
            if "Deny" in actions:
                yield denial._replace(binding=name)

    # ------------------------------------------------------------------------------------------------ is it meant

    def _meant(self, match: JsonObject) -> Place | None:
        """As which resource `matchConstraints` or `matchResources` mean the request."""
        policy = match.get("matchPolicy") or "Equivalent"
        if not meant_namespace(match.get("namespaceSelector"), self._asked, self._namespace):
            return None
        if not meant_object(match.get("objectSelector"), self._asked):
            return None
        excluded: list[JsonObject] = match.get("excludeResourceRules") or []
        if excluded and matched_place(excluded, policy, self._asked) is not None:
            return None
        rules: list[JsonObject] | None = match.get("resourceRules")
        return matched_place(rules, policy, self._asked) if rules else self._asked.requested

    def _params(self, reference: JsonObject | None) -> list[JsonObject | None]:
        """The objects that a binding names as parameters; [None] where the policy wants none. Raises _Misconfigured."""
        wanted = self._spec.get("paramKind")
        if not wanted or not reference:
            return [None]
        kind = self._api.kinds.named(wanted["apiVersion"], wanted["kind"])
        if kind is None:
            shown = f"{wanted['apiVersion']}, Kind={wanted['kind']}"
            raise _Misconfigured(f"failed to find resource referenced by paramKind: '{shown}'")
        namespace = ""
        if kind.namespaced:
            namespace = reference.get("namespace") or self._asked.namespace
            if not namespace:
                raise _Misconfigured(
                    "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
                )
        store = self._api.store
        found: list[JsonObject | None] = []
        if name := reference.get("name"):
            obj = store.get(kind.stored_as, namespace, name)
            found += [kind.from_storage(obj)] if obj is not None else []
        else:
            terms = label_terms(reference.get("selector") or {})
            records = store.list(kind.stored_as, Selection(namespace) if namespace else Selection()).records
            found += [kind.from_storage(store.decoded(each)) for each in records if labels_match(terms, each.labels)]
        if not found and reference.get("parameterNotFoundAction") != "Allow":
            raise _Misconfigured("no params found for policy binding with `Deny` parameterNotFoundAction")
        return found

    # ------------------------------------------------------------------------------------------------ what it says

    def _broken(self, place: Place, param: JsonObject | None) -> Iterator[Denial]:
        """The validations that do not hold, and where evaluating fails and that counts."""
        from lifepod.apiserver.match_conditions import ConditionFailed, conditions_hold, known_to_cel, value_of

        namespace = None if self._asked.requested.kind == "Namespace" else self._namespace
        variables = known_to_cel(self._api, self._call, self._asked, place, namespace)
        variables["params"] = param
        fails = self._spec.get("failurePolicy") != "Ignore"
        try:
            if not conditions_hold(self._spec.get("matchConditions") or (), variables):
                return
        except ConditionFailed as problem:
            if fails:
                yield Denial(self._name, "", str(problem))
            return
        variables["variables"] = _Variables(self._spec.get("variables") or (), variables)
        for validation in self._spec.get("validations") or ():
            try:
                if value_of(validation["expression"], variables) is not True:
                    yield Denial(self._name, "", _message(validation, variables), validation.get("reason") or "Invalid")
            except ConditionFailed as problem:
                if fails:
                    yield Denial(self._name, "", str(problem))


def _message(validation: JsonObject, variables: Mapping[str, Value]) -> str:
    from lifepod.apiserver.match_conditions import ConditionFailed, value_of

    told: Value = ""
    if validation.get("messageExpression"):
        try:
            told = value_of(validation["messageExpression"], variables)
        except ConditionFailed:
            told = ""
    text = told.strip() if isinstance(told, str) else ""
    if text and "\n" not in text and len(text) <= _LONGEST_MESSAGE:
        return text
    return str(validation.get("message") or "").strip() or f"failed expression: {validation['expression'].strip()}"


class _Variables(Mapping[str, "Value"]):
    """`variables.NAME`: each worked out when it is first asked for, from those before it."""

    def __init__(self, declared: list[JsonObject] | tuple[()], known: Mapping[str, Value]) -> None:
        self._declared = {each["name"]: each["expression"] for each in declared}
        self._known = {**known, "variables": self}
        self._values: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        from lifepod.api.cel import CelError
        from lifepod.apiserver.match_conditions import ConditionFailed, value_of

        if name not in self._values:
            try:
                self._values[name] = value_of(self._declared[name], self._known)
            except ConditionFailed as problem:
                text = str(problem).partition("resulted in error: ")[2] or str(problem)
                raise CelError(f'composited variable "{name}" fails to evaluate: {text}') from None
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)
