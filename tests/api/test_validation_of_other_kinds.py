"""What the API server refuses of the kinds beside pods and workloads, in upstream's words."""

import pytest

from lifepod.api import names
from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import KindRegistry

KINDS = KindRegistry(builtin_kinds())
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
ROLES = "rbac.authorization.k8s.io"
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}


[LABEL] = names.dns_label("A")
[SUBDOMAIN] = names.dns_subdomain("A")


def made(resource, name="x", **members):
    """An object as it is when it comes to validation: defaulted and prepared."""
    kind = KINDS.of(resource)
    metadata = {"name": name, "uid": "u", **({"namespace": "default"} if kind.namespaced else {})}
    return kind.prepare_create(kind.default({"kind": kind.kind, "metadata": metadata, **members}))


def complaints(resource, name="x", **members):
    return [str(error) for error in KINDS.of(resource).validate(made(resource, name, **members))]


def changes(resource, before, after):
    old, new = made(resource, **before), made(resource, **after)
    return [str(error) for error in KINDS.of(resource).validate_update(new, old)]


def ingress(path, **more):
    return {
        "rules": [
            {"http": {"paths": [{"path": path, "backend": {"service": {"name": "s", "port": {"number": 80}}}, **more}]}}
        ]
    }


def workload(**more):
    return {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE, **more}


def metric(**resource):
    return {"maxReplicas": 1, "scaleTargetRef": TARGET, "metrics": [{"type": "Resource", "resource": resource}]}


def volume(**more):
    return {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/d"}, **more}


@pytest.mark.parametrize(
    ("resource", "spec", "wanted"),
    [
        ("poddisruptionbudgets.policy", {"minAvailable": -1},
         ["spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"]),
        ("poddisruptionbudgets.policy", {"maxUnavailable": "150%"},
         ['spec.maxUnavailable: Invalid value: "150%": must not be greater than 100%']),
        ("poddisruptionbudgets.policy", {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "X"},
         ['spec.unhealthyPodEvictionPolicy: Unsupported value: "X": supported values: "AlwaysAllow", "IfHealthyBudget"']),
        ("horizontalpodautoscalers.autoscaling", {"maxReplicas": 1, "minReplicas": 3, "scaleTargetRef": TARGET},
         ["spec.maxReplicas: Invalid value: 1: must be greater than or equal to `minReplicas`"]),
        ("horizontalpodautoscalers.autoscaling", {"maxReplicas": 1, "scaleTargetRef": {}},
         ["spec.scaleTargetRef.kind: Required value", "spec.scaleTargetRef.name: Required value",
          'spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group']),
        ("horizontalpodautoscalers.autoscaling", {"maxReplicas": 1, "scaleTargetRef": {**TARGET, "apiVersion": "a/b/c"}},
         ['spec.scaleTargetRef.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c']),
        ("horizontalpodautoscalers.autoscaling",
         {"maxReplicas": 1, "scaleTargetRef": {"apiVersion": "v1", "kind": "ReplicationController", "name": "r"}}, []),
        ("horizontalpodautoscalers.autoscaling",
         {"maxReplicas": 1, "scaleTargetRef": TARGET, "metrics": [{"type": "ContainerResource", "containerResource": {
             "name": "cpu", "container": "A", "target": {"type": "Utilization", "averageUtilization": 1}}}]},
         ['spec.metrics[0].containerResource.container: Invalid value: "A": ' + LABEL]),
        ("horizontalpodautoscalers.autoscaling",
         {"maxReplicas": 1, "scaleTargetRef": TARGET, "metrics": [{"type": "Pods", "pods": {
             "metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "0"}}}]},
         ['spec.metrics[0].pods.target.averageValue: Invalid value: "0": must be positive']),
        ("ingressclasses.networking.k8s.io", {"controller": "a.b/" + "c" * 250}, ["spec.controller: Too long: may not be more than 250 bytes"]),
        ("ingressclasses.networking.k8s.io", {"controller": "a.b/c", "parameters": {"apiGroup": "A", "kind": "K", "name": ""}},
         ['spec.parameters.apiGroup: Invalid value: "A": ' + SUBDOMAIN, "spec.parameters.name: Required value"]),
        ("ingressclasses.networking.k8s.io", {"controller": "a.b/c", "parameters": {"kind": "K", "name": "n", "namespace": "x"}},
         ["spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"]),
        ("ingressclasses.networking.k8s.io", {"controller": "a.b/c", "parameters": {"kind": "K", "name": "n", "scope": "Namespace"}},
         ["spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"]),
        ("ingresses.networking.k8s.io", {"defaultBackend": {"resource": {"apiGroup": "A", "kind": "K", "name": "n"}}},
         ['spec.defaultBackend.resource.apiGroup: Invalid value: "A": ' + SUBDOMAIN]),
        ("horizontalpodautoscalers.autoscaling", {"maxReplicas": 1, "scaleTargetRef": TARGET, "metrics": [{"type": "Resource"}]},
         ["spec.metrics[0].resource: Required value: must populate information for the given metric source"]),
        ("horizontalpodautoscalers.autoscaling", metric(name="cpu", target={"type": "Utilization"}),
         ["spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization"]),
        ("horizontalpodautoscalers.autoscaling", metric(name="cpu", target={"type": "Utilization", "averageUtilization": 0}),
         ["spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0"]),
        ("ingresses.networking.k8s.io", {}, ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"]),
        ("ingresses.networking.k8s.io", ingress("/x"), ["spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"]),
        ("ingresses.networking.k8s.io", ingress("x", pathType="Prefix"),
         ['spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path']),
        ("ingresses.networking.k8s.io", ingress("/a/../b", pathType="Exact"),
         ["spec.rules[0].http.paths[0].path: Invalid value: \"/a/../b\": must not contain '/../'"]),
        ("ingresses.networking.k8s.io", ingress("/", pathType="Nope"),
         ['spec.rules[0].http.paths[0].pathType: Unsupported value: "Nope": supported values: "Exact", "ImplementationSpecific", "Prefix"']),
        ("ingresses.networking.k8s.io", ingress("/", pathType="Exact", backend={}),
         ['spec.rules[0].http.paths[0].backend: Invalid value: "": resource or service backend is required']),
        ("ingresses.networking.k8s.io", {"rules": [{"host": "1.2.3.4"}]},
         ['spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address']),
        ("ingresses.networking.k8s.io", {"defaultBackend": {"service": {"name": "s", "port": {"name": "a", "number": 1}}}},
         ['spec.defaultBackend: Invalid value: "": cannot set both port name & port number']),
        ("ingressclasses.networking.k8s.io", {"controller": "acme"},
         ['spec.controller: Invalid value: "acme": must be a domain-prefixed path (such as "acme.io/foo")']),
        ("networkpolicies.networking.k8s.io", {"policyTypes": ["X"]},
         ['spec.policyTypes[0]: Unsupported value: "X": supported values: "Ingress", "Egress"']),
        ("networkpolicies.networking.k8s.io", {"ingress": [{"from": [{}]}]}, ["spec.ingress[0].from[0]: Required value: must specify a peer"]),
        ("networkpolicies.networking.k8s.io", {"egress": [{"to": [{"ipBlock": {"cidr": "bad"}}]}]},
         ['spec.egress[0].to[0].ipBlock.cidr: Invalid value: "bad": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)']),
        ("networkpolicies.networking.k8s.io", {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/9"]}}]}]},
         ['spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/9": must be a strict subset of `cidr`']),
        ("networkpolicies.networking.k8s.io", {"ingress": [{"ports": [{"port": 80, "endPort": 79}]}]},
         ["spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`"]),
        ("resourcequotas", {"hard": {"bogus": "1"}}, ['spec.hard[bogus]: Invalid value: "bogus": must be a standard resource for quota']),
        ("resourcequotas", {"hard": {"pods": "-1"}}, ['spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0']),
        ("resourcequotas", {"hard": {"pods": "1500m"}}, ['spec.hard[pods]: Invalid value: "1500m": must be an integer']),
        ("resourcequotas", {"hard": {"cpu": "1"}, "scopes": ["BestEffort"]},
         ['spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource']),
        ("resourcequotas", {"hard": {"pods": "1"}, "scopes": ["BestEffort", "NotBestEffort"]},
         ['spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes']),
        ("limitranges", {"limits": [{"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]},
         ['spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
          'spec.limits[0].defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1',
          'spec.limits[0].default[cpu]: Invalid value: "2": min value 2 is greater than default value 1']),
        ("limitranges", {"limits": [{"type": "Pod", "default": {"cpu": "1"}}]},
         ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"]),
        ("limitranges", {"limits": [{"type": "Bogus"}]},
         ['spec.limits[0].type: Invalid value: "Bogus": must be a standard limit type or fully qualified']),
        ("persistentvolumes", {},
         ["spec.accessModes: Required value", "spec.capacity: Required value",
          'spec.capacity: Unsupported value: {}: supported values: "storage"', "spec: Required value: must specify a volume type"]),
        ("persistentvolumes", volume(nfs={"server": "s", "path": "/p"}), ["spec.nfs: Forbidden: may not specify more than 1 volume type"]),
        ("persistentvolumes", volume(hostPath={"path": "/a/../b"}),
         ["spec.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"]),
        ("nodes", {"taints": [{"key": "a", "effect": "X"}]},
         ['spec.taints[0].effect: Unsupported value: "X": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"']),
        ("nodes", {"taints": [{"key": "a", "effect": "NoSchedule"}] * 2},
         ['spec.taints[1]: Duplicate value: {"effect":"NoSchedule","key":"a"}: taints must be unique by key and effect pair']),
        ("replicationcontrollers", {}, ["spec.selector: Required value", "spec.template: Required value"]),
        ("replicationcontrollers", {"selector": {"x": "y"}, "template": TEMPLATE},
         ['spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`']),
        ("statefulsets.apps", workload(ordinals={"start": -1}),
         ["spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0"]),
        ("statefulsets.apps", workload(updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": -1}}),
         ["spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0"]),
        ("statefulsets.apps", workload(persistentVolumeClaimRetentionPolicy={"whenDeleted": "X", "whenScaled": "Retain"}),
         ['spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "X": supported values: "Retain", "Delete"']),
        ("services", {"ports": [{"port": 80}], "externalTrafficPolicy": "Local"},
         ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services']),
        ("services", {"ports": [{"port": 80}], "loadBalancerClass": "a/b"},
         ["spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"]),
        ("services", {"ports": [{"port": 80}], "ipFamilies": ["IPv6"]},
         ['spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster']),
        ("services", {"ports": [{"port": 80}], "selector": {"a": "b c"}},
         ["spec.selector: Invalid value: \"b c\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
          "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
          "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"]),
    ],
)  # fmt: skip
def test_a_spec_is_refused_in_upstreams_words(resource, spec, wanted):
    assert complaints(resource, spec=spec) == wanted


@pytest.mark.parametrize(
    ("resource", "members", "wanted"),
    [
        (f"roles.{ROLES}", {"rules": [{"verbs": []}]},
         ["rules[0].verbs: Required value: verbs must contain at least one value",
          "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
          "rules[0].resources: Required value: resource rules must supply at least one resource"]),
        (f"roles.{ROLES}", {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]},
         ['rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs']),
        (f"clusterroles.{ROLES}", {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"], "resources": ["a"]}]},
         ['rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs']),
        (f"clusterrolebindings.{ROLES}", {"roleRef": {"kind": "Role", "name": "r"}},
         ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"']),
        (f"rolebindings.{ROLES}", {"roleRef": {"kind": "Role", "name": ""}, "subjects": [{"kind": "Robot", "name": "r"}]},
         ["roleRef.name: Required value", 'subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"']),
        (f"clusterrolebindings.{ROLES}", {"roleRef": {"kind": "ClusterRole", "name": "r"}, "subjects": [{"kind": "ServiceAccount", "name": "s"}]},
         ["subjects[0].namespace: Required value"]),
        ("priorityclasses.scheduling.k8s.io", {"value": 1_000_000_001},
         ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"]),
        ("priorityclasses.scheduling.k8s.io", {"value": 1, "preemptionPolicy": "X"},
         ['preemptionPolicy: Unsupported value: "X": supported values: "PreemptLowerPriority", "Never"']),
        ("storageclasses.storage.k8s.io", {"provisioner": ""}, ["provisioner: Required value"]),
        ("storageclasses.storage.k8s.io", {"provisioner": "a/b", "reclaimPolicy": "X"},
         ['reclaimPolicy: Unsupported value: "X": supported values: "Delete", "Retain"']),
        ("endpoints", {"subsets": [{"ports": [{"port": 0}]}]},
         ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`",
          "subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"]),
        ("endpointslices.discovery.k8s.io", {"addressType": "X"},
         ['addressType: Unsupported value: "X": supported values: "FQDN", "IPv4", "IPv6"']),
        ("endpointslices.discovery.k8s.io", {"addressType": "IPv4", "endpoints": [{"addresses": ["::1"]}]},
         ['endpoints[0].addresses[0]: Invalid value: "::1": must be an IPv4 address']),
        ("controllerrevisions.apps", {"revision": -1},
         ["revision: Invalid value: -1: must be greater than or equal to 0", "data: Required value: data is mandatory"]),
        ("validatingwebhookconfigurations.admissionregistration.k8s.io", {"webhooks": [{"name": "x"}]},
         ['webhooks[0].name: Invalid value: "x": should be a domain with at least three segments separated by dots',
          "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun",
          "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
          "webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1"]),
        ("podtemplates", {"template": {"spec": {"containers": []}}}, ["template.spec.containers: Required value"]),
    ],
)  # fmt: skip
def test_an_object_without_spec_is_refused_in_upstreams_words(resource, members, wanted):
    assert complaints(resource, **members) == wanted


@pytest.mark.parametrize(
    ("resource", "before", "after", "wanted"),
    [
        (f"rolebindings.{ROLES}", {"roleRef": {"kind": "Role", "name": "a"}}, {"roleRef": {"kind": "Role", "name": "b"}},
         ['roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"b"}: cannot change roleRef']),
        ("priorityclasses.scheduling.k8s.io", {"value": 1}, {"value": 2}, ["value: Forbidden: may not be changed in an update."]),
        ("storageclasses.storage.k8s.io", {"provisioner": "a/b"}, {"provisioner": "a/c"},
         ["provisioner: Forbidden: updates to provisioner are forbidden."]),
        ("persistentvolumes", {"spec": volume()}, {"spec": volume(hostPath={"path": "/e"})},
         ["spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"]),
        ("ingressclasses.networking.k8s.io", {"spec": {"controller": "a.b/c"}}, {"spec": {"controller": "a.b/d"}},
         ['spec.controller: Invalid value: "a.b/d": field is immutable']),
        ("endpointslices.discovery.k8s.io", {"addressType": "IPv4"}, {"addressType": "IPv6"},
         ['addressType: Invalid value: "IPv6": field is immutable']),
        ("runtimeclasses.node.k8s.io", {"handler": "a"}, {"handler": "b"}, ['handler: Invalid value: "b": field is immutable']),
        ("controllerrevisions.apps", {"data": {"a": 1}}, {"data": {"a": 2}}, ['data: Invalid value: {"a":2}: field is immutable']),
        ("resourcequotas", {"spec": {"hard": {"pods": "1"}, "scopes": ["BestEffort"]}}, {"spec": {"hard": {"pods": "2"}}},
         ["spec.scopes: Invalid value: []: field is immutable"]),
    ],
)  # fmt: skip
def test_what_may_not_change_stays(resource, before, after, wanted):
    assert changes(resource, before, after) == wanted


def test_names_of_the_system_are_its_own():
    assert complaints("priorityclasses.scheduling.k8s.io", name="system-mine", value=1) == [
        "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. "
        "error: system-mine is not a known system priority class"
    ]
    assert complaints("priorityclasses.scheduling.k8s.io", name="system-node-critical", value=2_000_001_000) == []


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("99 * * * *", "end of range (99) above maximum (59): 99"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("*/1/2 * * * *", "too many slashes: */1/2"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("@never", "unrecognized descriptor: @never"),
        ("* * *", "expected exactly 5 fields, found 3: [* * *]"),
    ],
)
def test_a_schedule_is_refused_as_its_parser_says(schedule, problem):
    template = {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}}
    found = complaints("cronjobs.batch", spec={"schedule": schedule, "jobTemplate": template})
    assert found == [f'spec.schedule: Invalid value: "{schedule}": {problem}']


def test_an_autoscaler_of_v1_is_kept_as_v2_and_judged_as_such():
    kind = KINDS.at("autoscaling", "v1", "horizontalpodautoscalers")
    obj = {
        "metadata": {"name": "x", "namespace": "d"},
        "spec": {"maxReplicas": 1, "scaleTargetRef": TARGET, "targetCPUUtilizationPercentage": 7},
    }
    stored = kind.to_storage(kind.default(obj))
    assert KINDS.of(kind.stored_as).version == "v2"
    assert kind.storage == kind.resource
    assert stored["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 7


def test_the_version_of_a_kept_target_is_not_judged_again():
    spec = {"maxReplicas": 1, "scaleTargetRef": {"kind": "Deployment", "name": "d"}}
    old, new = {"spec": spec}, {"spec": {**spec, "maxReplicas": 2}}
    assert changes("horizontalpodautoscalers.autoscaling", old, new) == []


def test_an_annotation_of_another_class_is_told_where_upstream_tells_it():
    kind, spec = KINDS.of("ingresses.networking.k8s.io"), {**ingress("/", pathType="Exact"), "ingressClassName": "a"}
    obj = made("ingresses.networking.k8s.io", spec=spec)
    obj["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "b"}
    assert [error.path for error in kind.validate(obj)] == ["annotations.kubernetes.io/ingress.class"]
