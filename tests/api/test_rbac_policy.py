"""The default roles and bindings are upstream's, object by object: by the digests of upstream's own test data.

Mirrors k8s.io/kubernetes v1.34.4 plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata/cluster-*.yaml, namespace-*.yaml: of each
object, as JSON with sorted keys, the first eight digits of its SHA-256. What a role gathers is left out of it, for that is the
aggregation controller's.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from lifepod.api.rbac_policy import bootstrap_policy

UPSTREAM = """\
1ee9d179 ClusterRole admin
8b72c889 ClusterRole cluster-admin
73b6160e ClusterRole edit
87dda887 ClusterRole system:aggregate-to-admin
f77e1d12 ClusterRole system:aggregate-to-edit
9542d2d6 ClusterRole system:aggregate-to-view
542abcad ClusterRole system:auth-delegator
9ff24965 ClusterRole system:basic-user
e6652e48 ClusterRole system:certificates.k8s.io:certificatesigningrequests:nodeclient
c323e757 ClusterRole system:certificates.k8s.io:certificatesigningrequests:selfnodeclient
086c65c7 ClusterRole system:certificates.k8s.io:kube-apiserver-client-approver
c38ec942 ClusterRole system:certificates.k8s.io:kube-apiserver-client-kubelet-approver
31d28225 ClusterRole system:certificates.k8s.io:kubelet-serving-approver
da55fe2c ClusterRole system:certificates.k8s.io:legacy-unknown-approver
2b82e542 ClusterRole system:discovery
547d0acf ClusterRole system:heapster
bbbeccde ClusterRole system:kube-aggregator
80290339 ClusterRole system:kube-controller-manager
b0dbc9ff ClusterRole system:kube-dns
fd30f93a ClusterRole system:kube-scheduler
7ee45778 ClusterRole system:kubelet-api-admin
6d239425 ClusterRole system:monitoring
c91034fb ClusterRole system:node
b5643ef7 ClusterRole system:node-bootstrapper
c5a5a78c ClusterRole system:node-problem-detector
a84c70f5 ClusterRole system:node-proxier
5bd388d8 ClusterRole system:persistent-volume-provisioner
5ecb4eb6 ClusterRole system:public-info-viewer
0a8b3b73 ClusterRole system:service-account-issuer-discovery
1f7c878f ClusterRole system:volume-scheduler
c96a011b ClusterRole view
05dd566b ClusterRoleBinding cluster-admin
c56fc512 ClusterRoleBinding system:basic-user
dbd13e45 ClusterRoleBinding system:discovery
ea086f1b ClusterRoleBinding system:kube-controller-manager
e41af139 ClusterRoleBinding system:kube-dns
fffc2004 ClusterRoleBinding system:kube-scheduler
4bb4fcf3 ClusterRoleBinding system:monitoring
6ea1e21f ClusterRoleBinding system:node
d9d8a75d ClusterRoleBinding system:node-proxier
0fd66dc6 ClusterRoleBinding system:public-info-viewer
f7d82635 ClusterRoleBinding system:service-account-issuer-discovery
176f7096 ClusterRoleBinding system:volume-scheduler
dfa366cb Role kube-public/system:controller:bootstrap-signer
8ad4a4bf Role kube-system/extension-apiserver-authentication-reader
a34e18d9 Role kube-system/system::leader-locking-kube-controller-manager
5a3e90a7 Role kube-system/system::leader-locking-kube-scheduler
8217823c Role kube-system/system:controller:bootstrap-signer
26321a89 Role kube-system/system:controller:cloud-provider
747134e0 Role kube-system/system:controller:token-cleaner
d9b64707 RoleBinding kube-public/system:controller:bootstrap-signer
f0b4ad36 RoleBinding kube-system/system::extension-apiserver-authentication-reader
d6c59230 RoleBinding kube-system/system::leader-locking-kube-controller-manager
eac1ba37 RoleBinding kube-system/system::leader-locking-kube-scheduler
2cf29c9a RoleBinding kube-system/system:controller:bootstrap-signer
0ff9b7c9 RoleBinding kube-system/system:controller:cloud-provider
266109f1 RoleBinding kube-system/system:controller:token-cleaner
"""


def named_digest(obj: dict[str, Any]) -> str:
    metadata = obj["metadata"]
    whole = {**obj, "rules": None} if "aggregationRule" in obj else obj
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    at = "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))
    return f"{digest[:8]} {obj['kind']} {at}"


def test_each_role_and_binding_is_upstreams() -> None:
    assert sorted(named_digest(each.obj) for each in bootstrap_policy()) == sorted(UPSTREAM.splitlines())
