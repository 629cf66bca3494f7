"""The roles and bindings that every cluster has before anybody makes one, as `kubectl get clusterroles` shows them.

They are upstream's with the feature gates of 1.34 as they are by default, rule by rule. Differs: the cluster roles of upstream's
own controllers (`system:controller:…`) are left out: here the controllers are the cluster itself and ask nobody.

Source: k8s.io/kubernetes v1.34.4 plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go, namespace_policy.go
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from lifepod.api.objects import JsonObject
from lifepod.api.rbac_aggregation import aggregated_rules
from lifepod.api.rbac_rules import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    RBAC_GROUP,
    ROLE_BINDINGS,
    ROLES,
    Rule,
)

_WORDS: Final = {
    "read": ("get", "list", "watch"),
    "write": ("create", "delete", "deletecollection", "patch", "update"),
    "read+write": ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"),
    "read+update": ("get", "list", "patch", "update", "watch"),
    "note": ("create", "patch", "update"),
}

# A role and the roles it is part of, then its rules: `verbs, groups: resources [names]`, the core group being `core`, or
# `verbs at paths`.
_CLUSTER_ROLES: Final = """\
cluster-admin
  * *: *
  * at *
admin = admin
edit = edit > admin
view = view > edit
system:aggregate-to-admin > admin
  create authorization.k8s.io: localsubjectaccessreviews
  read+write rbac.authorization.k8s.io: rolebindings roles
system:aggregate-to-edit > edit
  read core: pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy
  impersonate core: serviceaccounts
  write core: pods pods/attach pods/exec pods/portforward pods/proxy
  create core: pods/eviction
  write core: configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts \
services services/proxy
  create core: serviceaccounts/token
  write apps: daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale
  write autoscaling: horizontalpodautoscalers
  write batch: cronjobs jobs
  write extensions: daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets \
replicasets/scale replicationcontrollers/scale
  write policy: poddisruptionbudgets
  write networking.k8s.io: ingresses networkpolicies
  read+write coordination.k8s.io: leases
  write resource.k8s.io: resourceclaims resourceclaimtemplates
system:aggregate-to-view > view
  read core: configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers \
replicationcontrollers/scale serviceaccounts services services/status
  read core: bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas \
resourcequotas/status
  read core: namespaces
  read discovery.k8s.io: endpointslices
  read apps: controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets \
replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status
  read autoscaling: horizontalpodautoscalers horizontalpodautoscalers/status
  read batch: cronjobs cronjobs/status jobs jobs/status
  read extensions: daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status \
networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale
  read policy: poddisruptionbudgets poddisruptionbudgets/status
  read networking.k8s.io: ingresses ingresses/status networkpolicies
  read resource.k8s.io: resourceclaims resourceclaims/status resourceclaimtemplates
system:auth-delegator
  create authentication.k8s.io: tokenreviews
  create authorization.k8s.io: subjectaccessreviews
system:basic-user
  create authorization.k8s.io: selfsubjectaccessreviews selfsubjectrulesreviews
  create authentication.k8s.io: selfsubjectreviews
system:certificates.k8s.io:certificatesigningrequests:nodeclient
  create certificates.k8s.io: certificatesigningrequests/nodeclient
system:certificates.k8s.io:certificatesigningrequests:selfnodeclient
  create certificates.k8s.io: certificatesigningrequests/selfnodeclient
system:certificates.k8s.io:kube-apiserver-client-approver
  approve certificates.k8s.io: signers [kubernetes.io/kube-apiserver-client]
system:certificates.k8s.io:kube-apiserver-client-kubelet-approver
  approve certificates.k8s.io: signers [kubernetes.io/kube-apiserver-client-kubelet]
system:certificates.k8s.io:kubelet-serving-approver
  approve certificates.k8s.io: signers [kubernetes.io/kubelet-serving]
system:certificates.k8s.io:legacy-unknown-approver
  approve certificates.k8s.io: signers [kubernetes.io/legacy-unknown]
system:discovery
  get at /api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/
system:heapster
  read core: events namespaces nodes pods
  read extensions: deployments
system:kube-aggregator
  read core: endpoints services
system:kube-controller-manager
  note core,events.k8s.io: events
  create coordination.k8s.io: leases
  get,update coordination.k8s.io: leases [kube-controller-manager]
  create core: secrets serviceaccounts
  delete core: secrets
  get core: configmaps namespaces secrets serviceaccounts
  update core: secrets serviceaccounts
  create authentication.k8s.io: tokenreviews
  create authorization.k8s.io: subjectaccessreviews
  list,watch *: *
  create core: serviceaccounts/token
system:kube-dns
  list,watch core: endpoints services
system:kube-scheduler
  note core,events.k8s.io: events
  create coordination.k8s.io: leases
  get,list,update,watch coordination.k8s.io: leases [kube-scheduler]
  read+write coordination.k8s.io: leasecandidates
  read core: nodes
  delete,get,list,watch core: pods
  create core: bindings pods/binding
  patch,update core: pods/status
  read core: replicationcontrollers services
  read apps,extensions: replicasets
  read apps: statefulsets
  read policy: poddisruptionbudgets
  read core: persistentvolumeclaims persistentvolumes
  create authentication.k8s.io: tokenreviews
  create authorization.k8s.io: subjectaccessreviews
  read storage.k8s.io: csinodes
  read storage.k8s.io: volumeattachments
  read core: namespaces
  read storage.k8s.io: csidrivers
  read storage.k8s.io: csistoragecapacities
  read resource.k8s.io: deviceclasses
  read+update resource.k8s.io: resourceclaims
  read+update resource.k8s.io: resourceclaims/status
  update core: pods/finalizers
  read resource.k8s.io: resourceslices
system:kubelet-api-admin
  read core: nodes
  proxy core: nodes
  * core: nodes/log nodes/metrics nodes/proxy nodes/stats
  * core: nodes/configz nodes/healthz nodes/pods
system:monitoring
  get at /healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*
  get core: nodes/metrics
system:node
  create authentication.k8s.io: tokenreviews
  create authorization.k8s.io: localsubjectaccessreviews subjectaccessreviews
  read core: services
  create,get,list,watch core: nodes
  patch,update core: nodes/status
  patch,update core: nodes
  note core: events
  read core: pods
  create,delete core: pods
  patch,update core: pods/status
  create core: pods/eviction
  read core: configmaps secrets
  get core: persistentvolumeclaims persistentvolumes
  get core: endpoints
  create,get,list,watch certificates.k8s.io: certificatesigningrequests
  create,delete,get,patch,update coordination.k8s.io: leases
  get storage.k8s.io: volumeattachments
  create core: serviceaccounts/token
  get,patch,update core: persistentvolumeclaims/status
  read storage.k8s.io: csidrivers
  create,delete,get,patch,update storage.k8s.io: csinodes
  read node.k8s.io: runtimeclasses
  get resource.k8s.io: resourceclaims
  deletecollection resource.k8s.io: resourceslices
  get core: serviceaccounts
system:node-bootstrapper
  create,get,list,watch certificates.k8s.io: certificatesigningrequests
system:node-problem-detector
  get core: nodes
  patch core: nodes/status
  note core,events.k8s.io: events
system:node-proxier
  list,watch core: endpoints services
  read core: nodes
  note core,events.k8s.io: events
  list,watch networking.k8s.io: servicecidrs
  list,watch discovery.k8s.io: endpointslices
system:persistent-volume-provisioner
  create,delete,get,list,watch core: persistentvolumes
  get,list,update,watch core: persistentvolumeclaims
  read storage.k8s.io: storageclasses
  watch core: events
  note core,events.k8s.io: events
system:public-info-viewer
  get at /healthz /livez /readyz /version /version/
system:service-account-issuer-discovery
  get at /.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/
system:volume-scheduler
  read+update core: persistentvolumes
  read storage.k8s.io: storageclasses
  read+update core: persistentvolumeclaims
"""

_ROLES: Final = """\
kube-public/system:controller:bootstrap-signer
  read core: configmaps
  update core: configmaps [cluster-info]
  note core,events.k8s.io: events
kube-system/extension-apiserver-authentication-reader
  read core: configmaps [extension-apiserver-authentication]
kube-system/system::leader-locking-kube-controller-manager
  watch core: configmaps
  get,update core: configmaps [kube-controller-manager]
  create,get,list,update,watch coordination.k8s.io: leases
  create,get,list,update,watch coordination.k8s.io: leasecandidates
kube-system/system::leader-locking-kube-scheduler
  watch core: configmaps
  get,update core: configmaps [kube-scheduler]
  create,get,list,update,watch coordination.k8s.io: leases
  create,get,list,update,watch coordination.k8s.io: leasecandidates
kube-system/system:controller:bootstrap-signer
  read core: secrets
kube-system/system:controller:cloud-provider
  create,get,list,watch core: configmaps
kube-system/system:controller:token-cleaner
  delete,get,list,watch core: secrets
  note core,events.k8s.io: events
"""

# Binding, its role where it has another name, and to whom: Group, User, or ServiceAccount of kube-system.
_BINDINGS: Final = """\
cluster-admin: Group system:masters
system:basic-user: Group system:authenticated
system:discovery: Group system:authenticated
system:kube-controller-manager: User system:kube-controller-manager
system:kube-dns: ServiceAccount kube-dns
system:kube-scheduler: User system:kube-scheduler
system:monitoring: Group system:monitoring
system:node:
system:node-proxier: User system:kube-proxy
system:public-info-viewer: Group system:authenticated, Group system:unauthenticated
system:service-account-issuer-discovery: Group system:serviceaccounts
system:volume-scheduler: User system:kube-scheduler
kube-public/system:controller:bootstrap-signer: ServiceAccount bootstrap-signer
kube-system/system::extension-apiserver-authentication-reader extension-apiserver-authentication-reader: \
User system:kube-controller-manager, User system:kube-scheduler
kube-system/system::leader-locking-kube-controller-manager: User system:kube-controller-manager, \
ServiceAccount kube-controller-manager, ServiceAccount leader-election-controller
kube-system/system::leader-locking-kube-scheduler: User system:kube-scheduler, ServiceAccount kube-scheduler
kube-system/system:controller:bootstrap-signer: ServiceAccount bootstrap-signer
kube-system/system:controller:cloud-provider: ServiceAccount cloud-provider
kube-system/system:controller:token-cleaner: ServiceAccount token-cleaner
"""

_AGGREGATE: Final = "rbac.authorization.k8s.io/aggregate-to-"


class PolicyObject(NamedTuple):
    """One object of the policy, without what the server gives it: uid, creation time, revision."""

    resource: str
    obj: JsonObject


def bootstrap_policy() -> tuple[PolicyObject, ...]:
    """All of them: cluster roles with what they aggregate, roles, bindings."""
    roles = _aggregated([_role(head, lines) for head, lines in _sections(_CLUSTER_ROLES)])
    found = [PolicyObject(CLUSTER_ROLES, role) for role in roles]
    found += [PolicyObject(ROLES, _role(head, lines)) for head, lines in _sections(_ROLES)]
    for line in _BINDINGS.splitlines():
        binding = _binding(line)
        found.append(
            PolicyObject(ROLE_BINDINGS if binding["kind"] == "RoleBinding" else CLUSTER_ROLE_BINDINGS, binding)
        )
    return tuple(found)


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """A line that is not indented, with the indented ones below it."""
    head, lines = "", list[str]()
    for line in text.splitlines():
        if line.startswith(" "):
            lines.append(line.strip())
            continue
        if head:
            yield head, lines
        head, lines = line, []
    yield head, lines


def _object(kind: str, at: str) -> JsonObject:
    namespace, _, name = at.rpartition("/")
    metadata: JsonObject = {
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    }
    if namespace:
        metadata["namespace"] = namespace
    else:
        kind = f"Cluster{kind}"
    return {"kind": kind, "apiVersion": f"{RBAC_GROUP}/v1", "metadata": metadata}


def _role(head: str, lines: Iterable[str]) -> JsonObject:
    """A role of a head such as `edit = edit > admin`: it gathers what is marked for edit, and is itself gathered by admin."""
    left, _, part_of = head.partition(" > ")
    at, _, gathers = left.partition(" = ")
    role = _object("Role", at)
    if part_of:
        role["metadata"]["labels"][f"{_AGGREGATE}{part_of}"] = "true"
    if gathers:
        marks = [{"matchLabels": {f"{_AGGREGATE}{gathers}": "true"}}]
        return {**role, "aggregationRule": {"clusterRoleSelectors": marks}, "rules": None}
    return {**role, "rules": [_rule(line).as_object() for line in lines]}


def _rule(line: str) -> Rule:
    head, at, paths = line.partition(" at ")
    if at:
        return Rule(_verbs(head), urls=tuple(paths.split()))
    head, _, rest = line.partition(": ")
    verbs, _, groups = head.partition(" ")
    resources, _, names = rest.removesuffix("]").partition(" [")
    of = tuple("" if group == "core" else group for group in groups.split(","))
    return Rule(_verbs(verbs), of, tuple(resources.split()), tuple(names.split()))


def _verbs(word: str) -> tuple[str, ...]:
    return _WORDS.get(word) or tuple(word.split(","))


def _aggregated(roles: list[JsonObject]) -> list[JsonObject]:
    """The roles, those that gather others with what they gather. Each round reaches those one step further up."""
    while True:
        made = [
            {**role, "rules": aggregated_rules(role, roles)} if "aggregationRule" in role else role for role in roles
        ]
        if made == roles:
            return made
        roles = made


def _binding(line: str) -> JsonObject:
    head, _, subjects = line.partition(": ")
    at, _, role = head.removesuffix(":").partition(" ")
    binding = _object("RoleBinding", at)
    name = role or binding["metadata"]["name"]
    binding["roleRef"] = {"apiGroup": RBAC_GROUP, "kind": binding["kind"].removesuffix("Binding"), "name": name}
    if subjects:
        binding["subjects"] = [_subject(*subject.split()) for subject in subjects.split(", ")]
    return binding


def _subject(kind: str, name: str) -> JsonObject:
    if kind == "ServiceAccount":
        return {"kind": kind, "name": name, "namespace": "kube-system"}
    return {"kind": kind, "apiGroup": RBAC_GROUP, "name": name}
