"""What `kubectl get` prints of the kinds of the smaller groups: networking, storage, roles, certificates, admission.

Source: k8s.io/kubernetes v1.34.4 pkg/printers/internalversion/printers.go
"""

from __future__ import annotations

from datetime import datetime, timedelta

from lifepod.api.human_duration import human_duration
from lifepod.api.objects import JsonObject, JsonValue
from lifepod.api.table_core import load_balancer_text, shortened
from lifepod.api.table_times import age
from lifepod.api.table_workloads import NONE, UNSET, label_selector_text

_DEFAULT_CLASS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)


def _parts(obj: JsonObject) -> tuple[JsonObject, JsonObject, JsonObject]:
    return obj.get("metadata") or {}, obj.get("spec") or {}, obj.get("status") or {}


def ingress_cells(ingress: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME CLASS HOSTS ADDRESS PORTS AGE."""
    metadata, spec, status = _parts(ingress)
    return [
        metadata.get("name", ""),
        NONE if spec.get("ingressClassName") is None else spec["ingressClassName"],
        _hosts_text(spec.get("rules") or []),
        load_balancer_text(status),
        "80, 443" if spec.get("tls") else "80",
        age(metadata, now),
    ]


def _hosts_text(rules: list[JsonObject]) -> str:
    """The first three hosts, and how many rules there are beyond three (`*` for none).

    Source: k8s.io/kubernetes v1.34.4 pkg/printers/internalversion/printers.go: formatHosts
    """
    hosts: list[str] = []
    more = ""
    for rule in rules:
        if len(hosts) == 3:
            more = f" + {len(rules) - 3} more..."
        elif rule.get("host"):
            hosts.append(rule["host"])
    return ",".join(hosts) + more if hosts else "*"


def ingress_class_cells(ingress_class: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME CONTROLLER PARAMETERS AGE."""
    metadata, spec, _ = _parts(ingress_class)
    ref = spec.get("parameters")
    shown = NONE
    if ref is not None:
        kind = f"{ref.get('kind')}.{ref['apiGroup']}" if ref.get("apiGroup") is not None else ref.get("kind")
        shown = f"{kind}/{ref.get('name')}"
    return [metadata.get("name", ""), spec.get("controller", ""), shown, age(metadata, now)]


def endpoint_slice_cells(endpoint_slice: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME ADDRESSTYPE PORTS ENDPOINTS AGE."""
    metadata: JsonObject = endpoint_slice.get("metadata") or {}
    ports = [
        str(port["port"]) if port.get("port") is not None else "*" if port.get("name") is None else port["name"]
        for port in endpoint_slice.get("ports") or []
    ]
    addresses = [a for endpoint in endpoint_slice.get("endpoints") or [] for a in endpoint.get("addresses") or []]
    return [
        metadata.get("name", ""),
        endpoint_slice.get("addressType", ""),
        shortened(ports, UNSET),
        shortened(addresses, UNSET),
        age(metadata, now),
    ]


def network_policy_cells(policy: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME POD-SELECTOR AGE."""
    metadata, spec, _ = _parts(policy)
    return [metadata.get("name", ""), label_selector_text(spec.get("podSelector")), age(metadata, now)]


def service_cidr_cells(cidr: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME CIDRS AGE."""
    metadata, spec, _ = _parts(cidr)
    return [metadata.get("name", ""), ",".join(spec.get("cidrs") or []), age(metadata, now)]


def ip_address_cells(address: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME PARENTREF, and AGE in a column upstream forgot to define: it is left out here."""
    metadata, spec, _ = _parts(address)
    ref = spec.get("parentRef")
    shown = NONE
    if ref is not None:
        resource = f"{ref.get('resource')}.{ref['group']}" if ref.get("group") else str(ref.get("resource"))
        shown = "/".join(part for part in (resource.lower(), ref.get("namespace"), ref.get("name")) if part)
    return [metadata.get("name", ""), shown]


def role_binding_cells(binding: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME ROLE AGE, wide USERS GROUPS SERVICEACCOUNTS."""
    metadata: JsonObject = binding.get("metadata") or {}
    ref: JsonObject = binding.get("roleRef") or {}
    named: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in binding.get("subjects") or []:
        name = subject.get("name", "")
        if subject.get("kind") == "ServiceAccount":
            name = f"{subject.get('namespace') or ''}/{name}"
        named.get(subject.get("kind", ""), []).append(name)
    return [
        metadata.get("name", ""),
        f"{ref.get('kind', '')}/{ref.get('name', '')}",
        age(metadata, now),
        *(", ".join(names) for names in named.values()),
    ]


def signing_request_cells(request: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME AGE SIGNERNAME REQUESTOR REQUESTEDDURATION CONDITION."""
    metadata, spec, status = _parts(request)
    seconds = spec.get("expirationSeconds")
    held = {c.get("type") for c in status.get("conditions") or []}
    shown = "Denied" if "Denied" in held else "Approved" if "Approved" in held else "Pending"
    shown += ",Failed" if "Failed" in held else ""
    shown += ",Issued" if status.get("certificate") else ""
    return [
        metadata.get("name", ""),
        age(metadata, now),
        spec.get("signerName") or NONE,
        spec.get("username", ""),
        NONE if seconds is None else human_duration(timedelta(seconds=seconds)),
        shown,
    ]


def storage_class_cells(storage_class: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME PROVISIONER RECLAIMPOLICY VOLUMEBINDINGMODE ALLOWVOLUMEEXPANSION AGE."""
    metadata: JsonObject = storage_class.get("metadata") or {}
    annotations: JsonObject = metadata.get("annotations") or {}
    is_default = any(annotations.get(name) == "true" for name in _DEFAULT_CLASS)
    return [
        metadata.get("name", "") + (" (default)" if is_default else ""),
        storage_class.get("provisioner", ""),
        storage_class.get("reclaimPolicy") or "Delete",
        storage_class.get("volumeBindingMode") or "Immediate",
        bool(storage_class.get("allowVolumeExpansion")),
        age(metadata, now),
    ]


def attributes_class_cells(attributes_class: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME DRIVERNAME AGE."""
    metadata: JsonObject = attributes_class.get("metadata") or {}
    return [metadata.get("name", ""), attributes_class.get("driverName", ""), age(metadata, now)]


def volume_attachment_cells(attachment: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME ATTACHER PV NODE ATTACHED AGE."""
    metadata, spec, status = _parts(attachment)
    volume = (spec.get("source") or {}).get("persistentVolumeName") or ""
    return [
        metadata.get("name", ""),
        spec.get("attacher", ""),
        volume,
        spec.get("nodeName", ""),
        bool(status.get("attached")),
        age(metadata, now),
    ]


def csi_node_cells(node: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME DRIVERS AGE."""
    metadata, spec, _ = _parts(node)
    return [metadata.get("name", ""), len(spec.get("drivers") or []), age(metadata, now)]


def csi_driver_cells(driver: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME ATTACHREQUIRED PODINFOONMOUNT STORAGECAPACITY TOKENREQUESTS REQUIRESREPUBLISH MODES AGE."""
    metadata, spec, _ = _parts(driver)
    tokens = spec.get("tokenRequests")
    return [
        metadata.get("name", ""),
        spec.get("attachRequired", True),
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        UNSET if tokens is None else ",".join(token.get("audience", "") for token in tokens),
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or []) or NONE,
        age(metadata, now),
    ]


def csi_capacity_cells(capacity: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME STORAGECLASSNAME CAPACITY."""
    metadata: JsonObject = capacity.get("metadata") or {}
    return [metadata.get("name", ""), capacity.get("storageClassName", ""), capacity.get("capacity") or UNSET]


def lease_cells(lease: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME HOLDER AGE."""
    metadata, spec, _ = _parts(lease)
    return [metadata.get("name", ""), spec.get("holderIdentity") or "", age(metadata, now)]


def priority_class_cells(priority_class: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME VALUE GLOBAL-DEFAULT AGE PREEMPTIONPOLICY."""
    metadata: JsonObject = priority_class.get("metadata") or {}
    return [
        metadata.get("name", ""),
        priority_class.get("value") or 0,
        bool(priority_class.get("globalDefault")),
        age(metadata, now),
        priority_class.get("preemptionPolicy") or "",
    ]


def runtime_class_cells(runtime_class: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME HANDLER AGE."""
    metadata: JsonObject = runtime_class.get("metadata") or {}
    return [metadata.get("name", ""), runtime_class.get("handler", ""), age(metadata, now)]


def webhooks_cells(configuration: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME WEBHOOKS AGE."""
    metadata: JsonObject = configuration.get("metadata") or {}
    return [metadata.get("name", ""), len(configuration.get("webhooks") or []), age(metadata, now)]


def admission_policy_cells(policy: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME VALIDATIONS PARAMKIND AGE."""
    metadata, spec, _ = _parts(policy)
    ref = spec.get("paramKind")
    shown = UNSET if ref is None else f"{ref.get('apiVersion', '')}/{ref.get('kind', '')}"
    return [metadata.get("name", ""), len(spec.get("validations") or []), shown, age(metadata, now)]


def admission_binding_cells(binding: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME POLICYNAME PARAMREF AGE."""
    metadata, spec, _ = _parts(binding)
    ref: JsonObject = spec.get("paramRef") or {}
    shown = UNSET
    if ref.get("name"):
        shown = f"{ref.get('namespace') or '*'}/{ref['name']}"
    elif ref.get("selector") is not None:
        shown = _go_text(ref["selector"])
    return [metadata.get("name", ""), spec.get("policyName", ""), shown, age(metadata, now)]


def _go_text(selector: JsonObject) -> str:
    """A `LabelSelector` as Go's generated code writes it.

    Source: k8s.io/apimachinery v0.34.4 pkg/apis/meta/v1/generated.pb.go: LabelSelector.String
    """
    labels: JsonObject = selector.get("matchLabels") or {}
    pairs = "".join(f"{key}: {labels[key]}," for key in sorted(labels))
    terms = "".join(
        f"LabelSelectorRequirement{{Key:{term.get('key', '')},Operator:{term.get('operator', '')},"
        f"Values:[{' '.join(term.get('values') or ())}],}},"
        for term in selector.get("matchExpressions") or ()
    )
    return f"&LabelSelector{{MatchLabels:map[string]string{{{pairs}}},MatchExpressions:[]LabelSelectorRequirement{{{terms}}},}}"


def flow_schema_cells(schema: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME PRIORITYLEVEL MATCHINGPRECEDENCE DISTINGUISHERMETHOD AGE MISSINGPL."""
    metadata, spec, status = _parts(schema)
    dangling = (c.get("status", "?") for c in status.get("conditions") or [] if c.get("type") == "Dangling")
    return [
        metadata.get("name", ""),
        (spec.get("priorityLevelConfiguration") or {}).get("name", ""),
        spec.get("matchingPrecedence") or 0,
        (spec.get("distinguisherMethod") or {}).get("type") or NONE,
        age(metadata, now),
        next(dangling, "?"),
    ]


def priority_level_cells(level: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME TYPE NOMINALCONCURRENCYSHARES QUEUES HANDSIZE QUEUELENGTHLIMIT AGE."""
    metadata, spec, _ = _parts(level)
    limited: JsonObject = spec.get("limited") or {}
    queuing: JsonObject = (limited.get("limitResponse") or {}).get("queuing") or {}
    return [
        metadata.get("name", ""),
        spec.get("type", ""),
        limited.get("nominalConcurrencyShares", NONE),
        *(queuing.get(name, NONE) for name in ("queues", "handSize", "queueLengthLimit")),
        age(metadata, now),
    ]


def scale_cells(scale: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME DESIRED AVAILABLE AGE."""
    metadata, spec, status = _parts(scale)
    return [metadata.get("name", ""), spec.get("replicas") or 0, status.get("replicas") or 0, age(metadata, now)]


def api_service_cells(service: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME SERVICE AVAILABLE AGE.

    Source: k8s.io/kube-aggregator v0.34.4 pkg/registry/apiservice/etcd/etcd.go: ConvertToTable
    """
    metadata, spec, status = _parts(service)
    backend = spec.get("service")
    shown = f"{backend.get('namespace', '')}/{backend.get('name', '')}" if backend else "Local"
    found = next((c for c in status.get("conditions") or () if c.get("type") == "Available"), None)
    available = "Unknown" if found is None else found.get("status") or "Unknown"
    if found is not None and available != "True":
        available = f"{available} ({found.get('reason', '')})"
    return [metadata.get("name", ""), shown, available, age(metadata, now)]


def name_and_age_cells(obj: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME AGE."""
    metadata: JsonObject = obj.get("metadata") or {}
    return [metadata.get("name", ""), age(metadata, now)]


def device_claim_cells(claim: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME STATE AGE. Source: pkg/printers/internalversion/printers.go: resourceClaimState"""
    metadata, _, status = _parts(claim)
    is_deleted = bool(metadata.get("deletionTimestamp"))
    states = ["deleted"] if is_deleted else []
    if not status.get("allocation"):
        states += [] if is_deleted else ["pending"]
    else:
        states += ["allocated", "reserved"] if status.get("reservedFor") else ["allocated"]
    return [metadata.get("name", ""), ",".join(states), age(metadata, now)]


def device_slice_cells(device_slice: JsonObject, now: datetime) -> list[JsonValue]:
    """NAME NODE DRIVER POOL AGE."""
    metadata, spec, _ = _parts(device_slice)
    pool = (spec.get("pool") or {}).get("name") or ""
    return [
        metadata.get("name", ""),
        spec.get("nodeName") or "",
        spec.get("driver") or "",
        pool,
        age(metadata, now),
    ]
