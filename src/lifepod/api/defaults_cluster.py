"""What the kinds beside pods and workloads mean when fields are left out: scaling, networking, storage, roles, webhooks.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/<group>/<version>/defaults.go
"""

from __future__ import annotations

from collections.abc import Callable

from lifepod.api.objects import JsonObject, JsonValue

RBAC_GROUP = "rbac.authorization.k8s.io"


def _filled(obj: JsonObject, usual: dict[str, JsonValue]) -> JsonObject:
    missing = {name: value for name, value in usual.items() if obj.get(name) in (None, "", [])}
    return {**obj, **missing} if missing else obj


def _in_spec(usual: dict[str, JsonValue]) -> Callable[[JsonObject], JsonObject]:
    def default(obj: JsonObject) -> JsonObject:
        given: JsonObject = obj.get("spec") or {}
        spec = _filled(given, usual)
        return obj if spec is given else {**obj, "spec": spec}

    return default


def _at_top(usual: dict[str, JsonValue]) -> Callable[[JsonObject], JsonObject]:
    return lambda obj: _filled(obj, usual)


default_storage_class = _at_top({"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"})
default_priority_class = _at_top({"preemptionPolicy": "PreemptLowerPriority"})
default_csi_driver = _in_spec(
    {
        "attachRequired": True,
        "podInfoOnMount": False,
        "storageCapacity": False,
        "fsGroupPolicy": "ReadWriteOnceWithFSType",
        "volumeLifecycleModes": ["Persistent"],
        "requiresRepublish": False,
        "seLinuxMount": False,
    }
)
default_autoscaler_v1 = _in_spec({"minReplicas": 1, "targetCPUUtilizationPercentage": 80})

_CPU_METRIC = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}
_PERCENT = {"type": "Percent", "value": 100, "periodSeconds": 15}
_SCALE_UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, _PERCENT],
}
_SCALE_DOWN = {"selectPolicy": "Max", "policies": [_PERCENT]}


def default_autoscaler(autoscaler: JsonObject) -> JsonObject:
    """One replica at least, 80 % of the requested CPU.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/autoscaling/v2/defaults.go
    """
    given: JsonObject = autoscaler.get("spec") or {}
    spec = _filled(given, {"minReplicas": 1, "metrics": [_CPU_METRIC]})
    behavior = spec.get("behavior")
    if behavior is not None:
        rules = {
            "scaleUp": {**_SCALE_UP, **(behavior.get("scaleUp") or {})},
            "scaleDown": {**_SCALE_DOWN, **(behavior.get("scaleDown") or {})},
        }
        if rules != behavior:
            spec = {**spec, "behavior": rules}
    return autoscaler if spec is given else {**autoscaler, "spec": spec}


def default_network_policy(policy: JsonObject) -> JsonObject:
    """Ports are TCP; a policy is of ingress, and of egress when it has egress rules.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/networking/v1/defaults.go
    """
    given: JsonObject = policy.get("spec") or {}
    changed: JsonObject = {}
    for side in ("ingress", "egress"):
        rules = given.get(side)
        if rules:
            filled = [_rule_with_protocols(rule) for rule in rules]
            if filled != rules:
                changed[side] = filled
    if not given.get("policyTypes"):
        changed["policyTypes"] = ["Ingress", "Egress"] if given.get("egress") else ["Ingress"]
    return {**policy, "spec": {**given, **changed}} if changed else policy


def _rule_with_protocols(rule: JsonObject) -> JsonObject:
    ports = rule.get("ports")
    return {**rule, "ports": [_filled(port, {"protocol": "TCP"}) for port in ports]} if ports else rule


def default_ingress_class(ingress_class: JsonObject) -> JsonObject:
    """Parameters are cluster-wide. Source: pkg/apis/networking/v1/defaults.go: SetDefaults_IngressClass"""
    spec: JsonObject = ingress_class.get("spec") or {}
    parameters = spec.get("parameters")
    if parameters is None or parameters.get("scope") is not None:
        return ingress_class
    return {**ingress_class, "spec": {**spec, "parameters": {**parameters, "scope": "Cluster"}}}


def default_endpoint_slice(endpoint_slice: JsonObject) -> JsonObject:
    """Ports are unnamed and TCP. Source: pkg/apis/discovery/v1/defaults.go: SetDefaults_EndpointPort"""
    ports = endpoint_slice.get("ports")
    if not ports:
        return endpoint_slice
    filled = [{"name": "", **_filled(port, {"protocol": "TCP"})} for port in ports]
    return endpoint_slice if filled == ports else {**endpoint_slice, "ports": filled}


def default_role_binding(binding: JsonObject) -> JsonObject:
    """Roles, users and groups are of the RBAC group. Source: pkg/apis/rbac/v1/defaults.go"""
    changed: JsonObject = {}
    ref: JsonObject = binding.get("roleRef") or {}
    if not ref.get("apiGroup"):
        changed["roleRef"] = {**ref, "apiGroup": RBAC_GROUP}
    subjects = binding.get("subjects")
    if subjects:
        filled = [
            {**subject, "apiGroup": RBAC_GROUP}
            if subject.get("kind") in ("User", "Group") and not subject.get("apiGroup")
            else subject
            for subject in subjects
        ]
        if filled != subjects:
            changed["subjects"] = filled
    return {**binding, **changed} if changed else binding


def default_webhooks(configuration: JsonObject) -> JsonObject:
    """Webhooks fail closed, match equivalents, see everything, and get ten seconds.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/admissionregistration/v1/defaults.go
    """
    webhooks = configuration.get("webhooks")
    if not webhooks:
        return configuration
    usual: dict[str, JsonValue] = {
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "timeoutSeconds": 10,
    }
    if configuration.get("kind") == "MutatingWebhookConfiguration":
        usual["reinvocationPolicy"] = "Never"
    filled = [_default_webhook(_filled(webhook, usual)) for webhook in webhooks]
    return configuration if filled == webhooks else {**configuration, "webhooks": filled}


def _default_webhook(webhook: JsonObject) -> JsonObject:
    changed: JsonObject = {}
    rules = webhook.get("rules")
    if rules:
        changed["rules"] = [_filled(rule, {"scope": "*"}) for rule in rules]
    service = (webhook.get("clientConfig") or {}).get("service")
    if service is not None:
        changed["clientConfig"] = {**webhook["clientConfig"], "service": _filled(service, {"port": 443})}
    return {**webhook, **changed}


def default_admission_policy(policy: JsonObject) -> JsonObject:
    """Policies fail closed and match equivalents. Source: pkg/apis/admissionregistration/v1/defaults.go"""
    given: JsonObject = policy.get("spec") or {}
    spec = _filled(given, {"failurePolicy": "Fail"}) if policy.get("kind") == "ValidatingAdmissionPolicy" else given
    for name in ("matchConstraints", "matchResources"):
        match = spec.get(name)
        if match is not None:
            usual = {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}
            filled = _filled(match, usual)
            spec = spec if filled is match else {**spec, name: filled}
    return policy if spec is given else {**policy, "spec": spec}


def default_custom_resource(definition: JsonObject) -> JsonObject:
    """Names that follow from the kind, no conversion; the storage version counts as stored.

    Source: k8s.io/apiextensions-apiserver v0.34.4 pkg/apis/apiextensions/v1/defaults.go
    """
    given: JsonObject = definition.get("spec") or {}
    names: JsonObject = given.get("names") or {}
    kind = str(names.get("kind") or "")
    usual_names: dict[str, JsonValue] = {"singular": kind.lower(), "listKind": f"{kind}List"} if kind else {}
    spec = _filled({**given, "names": _filled(names, usual_names)}, {"conversion": {"strategy": "None"}})
    status: JsonObject = definition.get("status") or {}
    if not status.get("storedVersions"):
        stored = [version.get("name", "") for version in spec.get("versions") or [] if version.get("storage")][:1]
        status = {**status, "storedVersions": stored} if stored else status
    if spec == given and status is definition.get("status"):
        return definition
    return {**definition, "spec": spec, "status": status}


def default_flow_schema(schema: JsonObject) -> JsonObject:
    """Precedence 1000. Source: pkg/apis/flowcontrol/v1/defaults.go: SetDefaults_FlowSchemaSpec"""
    spec: JsonObject = schema.get("spec") or {}
    return schema if spec.get("matchingPrecedence") else {**schema, "spec": {**spec, "matchingPrecedence": 1000}}


_QUEUING: dict[str, JsonValue] = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}


def default_priority_level(level: JsonObject) -> JsonObject:
    """Thirty shares, none of them lent; 64 queues of 50, each flow in 8 of them.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/flowcontrol/v1/defaults.go
    """
    spec: JsonObject = level.get("spec") or {}
    filled = spec
    for member, shares in (("limited", 30), ("exempt", 0)):
        if spec.get(member) is None:
            continue
        held = {"nominalConcurrencyShares": shares, "lendablePercent": 0, **spec[member]}
        response: JsonObject = held.get("limitResponse") or {}
        if response.get("queuing") is not None:
            held["limitResponse"] = {**response, "queuing": _filled(response["queuing"], _QUEUING)}
        if held != spec[member]:
            filled = {**filled, member: held}
    return level if filled is spec else {**level, "spec": filled}
