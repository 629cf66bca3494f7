"""What is refused of the kinds on which nothing acts here (drivers, attachments, flow control, addresses), and of events."""

import pytest

from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import KindRegistry

KINDS = KindRegistry(builtin_kinds())
STORAGE = "storage.k8s.io"
FLOW = "flowcontrol.apiserver.k8s.io"
NETWORK = "networking.k8s.io"
QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


def made(resource, name="x", **members):
    """An object as it is when it comes to validation: defaulted and prepared."""
    kind = KINDS.of(resource)
    metadata = {"name": name, "uid": "u", **({"namespace": "default"} if kind.namespaced else {})}
    return kind.prepare_create(kind.default({"kind": kind.kind, "metadata": metadata, **members}))


def complaints(resource, name="x", **members):
    return [str(error) for error in KINDS.of(resource).validate(made(resource, name, **members))]


def changes(resource, before, after, name="x"):
    old, new = made(resource, name, **before), made(resource, name, **after)
    return [str(error) for error in KINDS.of(resource).validate_update(new, old)]


def flow(**more):
    return {"priorityLevelConfiguration": {"name": "l"}, **more}


def rule(**more):
    verbs = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True}
    return {"subjects": [{"kind": "User", "user": {"name": "u"}}], "resourceRules": [verbs], **more}


def limited(**queuing):
    return {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": queuing}}}


POLICIES = "validatingadmissionpolicies.admissionregistration.k8s.io"
BINDINGS = "validatingadmissionpolicybindings.admissionregistration.k8s.io"
PODS = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}


def policy(**more):
    return {"matchConstraints": {"resourceRules": [PODS]}, "validations": [{"expression": "true"}], **more}


FINE = [
    (POLICIES, {"spec": policy(variables=[{"name": "v", "expression": "1"}], paramKind={"apiVersion": "v1", "kind": "ConfigMap"})}),
    (BINDINGS, {"spec": {"policyName": "p", "validationActions": ["Deny", "Audit"]}}),
    (f"csidrivers.{STORAGE}", {"spec": {}}),
    (f"csinodes.{STORAGE}", {"spec": {"drivers": [{"name": "a.b", "nodeID": "n", "topologyKeys": ["k"]}]}}),
    (f"csistoragecapacities.{STORAGE}", {"storageClassName": "c", "capacity": "1Gi"}),
    (f"volumeattachments.{STORAGE}", {"spec": {"attacher": "a.b", "nodeName": "n", "source": {"persistentVolumeName": "v"}}}),
    (f"volumeattributesclasses.{STORAGE}", {"driverName": "a.b", "parameters": {"iops": "1"}}),
    (f"flowschemas.{FLOW}", {"spec": flow(rules=[rule()])}),
    (f"prioritylevelconfigurations.{FLOW}", {"spec": limited()}),
    (f"servicecidrs.{NETWORK}", {"spec": {"cidrs": ["10.0.0.0/24", "fd00::/112"]}}),
    ("events", {"involvedObject": {"kind": "Pod", "namespace": "default"}}),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "members"), FINE)
def test_what_is_fine_is_taken(resource, members):
    assert complaints(resource, **members) == []
    assert changes(resource, members, members) == []


@pytest.mark.parametrize("resource", [resource for resource, _ in FINE])
def test_each_has_a_name_that_can_be_one(resource):
    assert any(text.startswith("metadata.name: Invalid value") for text in complaints(resource, "Bad_Name"))


@pytest.mark.parametrize(
    ("resource", "members", "wanted"),
    [
        (f"csidrivers.{STORAGE}", {"spec": {"fsGroupPolicy": "X", "volumeLifecycleModes": ["Y"]}},
         ['spec.fsGroupPolicy: Unsupported value: "X": supported values: "File", "None", "ReadWriteOnceWithFSType"',
          'spec.volumeLifecycleModes: Unsupported value: "Y": supported values: "Persistent", "Ephemeral"']),
        (f"csidrivers.{STORAGE}", {"spec": {"tokenRequests": [{"audience": "a", "expirationSeconds": 1}, {"audience": "a"}]}},
         ["spec.tokenRequests[0].expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes",
          'spec.tokenRequests[1].audience: Duplicate value: "a"']),
        (f"csidrivers.{STORAGE}", {"spec": {"nodeAllocatableUpdatePeriodSeconds": 9}},
         ["spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: must be greater than or equal to 10 seconds"]),
        (f"csinodes.{STORAGE}", {"spec": {"drivers": [{"name": "a"}, {"name": "a", "nodeID": "n", "allocatable": {"count": -1}}]}},
         ["spec.drivers[0].nodeID: Required value",
          "spec.drivers[1].allocatable.count: Invalid value: -1: must be greater than or equal to 0",
          'spec.drivers[1].name: Duplicate value: "a"']),
        (f"csinodes.{STORAGE}", {"spec": {"drivers": [{"name": "a", "nodeID": "n", "topologyKeys": ["k", "k"]}]}},
         ['spec.drivers[0]: Duplicate value: "k"']),
        (f"csistoragecapacities.{STORAGE}", {"storageClassName": "c", "capacity": "-1"},
         ['capacity: Invalid value: "-1": must be greater than or equal to 0']),
        (f"volumeattachments.{STORAGE}", {"spec": {"attacher": "a", "nodeName": "n", "source": {}}},
         ["spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName"]),
        (f"volumeattributesclasses.{STORAGE}", {}, ["driverName: Required value", "parameters: Required value: must contain at least one key/value pair"]),
        (f"flowschemas.{FLOW}", {"spec": {"matchingPrecedence": 10001}},
         ["spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000",
          "spec.priorityLevelConfiguration.name: Required value: must reference a priority level"]),
        (f"flowschemas.{FLOW}", {"spec": flow(matchingPrecedence=1, distinguisherMethod={"type": "X"})},
         ["spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1",
          'spec.distinguisherMethod.type: Unsupported value: {"type":"X"}: supported values: "ByNamespace", "ByUser"']),
        (f"flowschemas.{FLOW}", {"spec": flow(rules=[{}])},
         ["spec.rules[0].subjects: Required value: subjects must contain at least one value",
          "spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty"]),
        (f"flowschemas.{FLOW}", {"spec": flow(rules=[rule(subjects=[{"kind": "User", "group": {"name": "g"}}])])},
         ["spec.rules[0].subjects[0].user: Required value: user is required when subject kind is 'User'",
          "spec.rules[0].subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'"]),
        (f"flowschemas.{FLOW}", {"spec": flow(rules=[rule(resourceRules=[{"verbs": ["*", "get"], "apiGroups": [""], "resources": ["pods"]}])])},
         ['spec.rules[0].resourceRules[0].verbs: Invalid value: ["*","get"]: if \'*\' is present, must not specify other verbs',
          "spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace"]),
        (f"flowschemas.{FLOW}", {"spec": flow(rules=[rule(nonResourceRules=[{"verbs": ["get"], "nonResourceURLs": ["/a*", "x", "/a/*"]}])])},
         ['spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "/a*": wildcard can only do suffix matching',
          'spec.rules[0].nonResourceRules[0].nonResourceURLs[1]: Invalid value: "x": must start with slash']),
        (f"prioritylevelconfigurations.{FLOW}", {"spec": {"type": "Limited"}},
         ["spec.limited: Required value: must not be empty when type is Limited"]),
        (f"prioritylevelconfigurations.{FLOW}", {"spec": {"type": "Exempt"}},
         ["spec.type: Invalid value: \"Exempt\": type must be 'Exempt' if and only if name is 'exempt'"]),
        (f"prioritylevelconfigurations.{FLOW}", {"spec": limited(queues=2, handSize=3)},
         ["spec.limited.limitResponse.queuing.handSize: Invalid value: 3: should not be greater than queues (2)"]),
        (f"prioritylevelconfigurations.{FLOW}", {"spec": limited(queues=1000, handSize=8)},
         ["spec.limited.limitResponse.queuing.handSize: Invalid value: 8: required entropy bits of deckSize 1000 and handSize 8 should not be greater than 60"]),
        (f"servicecidrs.{NETWORK}", {"spec": {"cidrs": ["10.0.0.0/24", "10.1.0.1/24"]}},
         ['spec.cidrs[1]: Invalid value: "10.1.0.1/24": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)']),
        (f"servicecidrs.{NETWORK}", {"spec": {"cidrs": ["10.0.0.0/24", "10.1.0.0/24"]}},
         ['spec.cidrs: Invalid value: ["10.0.0.0/24","10.1.0.0/24"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64']),
        (POLICIES, {"spec": {}},
         ["spec.matchConstraints: Required value",
          "spec.validations: Required value: validations or auditAnnotations must contain at least one item",
          "spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item"]),
        (POLICIES, {"spec": policy(matchConstraints={"resourceRules": [{**PODS, "operations": ["X"], "resourceNames": ["a", "a"]}]})},
         ['spec.matchConstraints.resourceRules[0].resourceNames[1]: Duplicate value: "a"',
          'spec.matchConstraints.resourceRules[0].operations[0]: Unsupported value: "X": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"']),
        (POLICIES, {"spec": policy(variables=[{"name": "in", "expression": " "}], failurePolicy="X")},
         ['spec.failurePolicy: Unsupported value: "X": supported values: "Fail", "Ignore"',
          'spec.variables[0].name: Invalid value: "in": name is not a valid CEL identifier',
          "spec.variables[0].expression: Required value: expression is not specified"]),
        (POLICIES, {"spec": policy(validations=[{"message": "a\nb", "reason": "X", "messageExpression": " "}])},
         ["spec.validations[0].expression: Required value: expression is not specified",
          'spec.validations[0].messageExpression: Invalid value: " ": must be non-empty if specified',
          'spec.validations[0].message: Invalid value: "a\\nb": message must not contain line breaks',
          'spec.validations[0].reason: Unsupported value: "X": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"']),
        (POLICIES, {"spec": policy(auditAnnotations=[{"key": "k", "valueExpression": "1"}, {"key": "k"}])},
         ["spec.auditAnnotations[1].valueExpression: Required value: valueExpression is not specified",
          'spec.auditAnnotations[1].key: Duplicate value: "k"']),
        (POLICIES, {"spec": policy(matchConditions=[{"name": "a", "expression": "true"}, {"name": "a"}], paramKind={"apiVersion": "a/b/c"})},
         ['spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
          "spec.paramKind.kind: Required value",
          "spec.matchConditions[1].expression: Required value", 'spec.matchConditions[1].name: Duplicate value: "a"']),
        (BINDINGS, {"spec": {}},
         ["spec.policyName: Required value", "spec.validationActions: Required value: at least one validation action is required"]),
        (BINDINGS, {"spec": {"policyName": "p", "validationActions": ["Deny", "Warn", "Warn"], "paramRef": {"name": "n", "selector": {}}}},
         ["spec.paramRef.name: Forbidden: name and selector are mutually exclusive",
          "spec.paramRef.selector: Forbidden: name and selector are mutually exclusive",
          "spec.paramRef.parameterNotFoundAction: Required value",
          'spec.validationActions[2]: Duplicate value: "Warn"',
          'spec.validationActions: Invalid value: ["Deny","Warn","Warn"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)']),
        ("events", {"involvedObject": {"kind": "Pod", "namespace": "other"}},
         ['involvedObject.namespace: Invalid value: "other": does not match event.namespace']),
        ("events", {"involvedObject": {"namespace": "default"}, "eventTime": "2025-01-01T00:00:00.000000Z"},
         ["reportingComponent: Required value", 'reportingComponent: Invalid value: "": name part must be non-empty',
          f'reportingComponent: Invalid value: "": {QUALIFIED}',
          "reportingInstance: Required value", "action: Required value", "reason: Required value"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_upstreams_words(resource, members, wanted):
    assert complaints(resource, **members) == wanted


@pytest.mark.parametrize(
    ("resource", "before", "after", "wanted"),
    [
        (f"csidrivers.{STORAGE}", {"spec": {}}, {"spec": {"attachRequired": False}},
         ["spec.attachedRequired: Invalid value: false: field is immutable"]),
        (f"csinodes.{STORAGE}", {"spec": {"drivers": [{"name": "a", "nodeID": "n"}]}},
         {"spec": {"drivers": [{"name": "a", "nodeID": "n", "allocatable": {"count": 3}}]}}, []),
        (f"csinodes.{STORAGE}", {"spec": {"drivers": [{"name": "a", "nodeID": "n"}]}},
         {"spec": {"drivers": [{"name": "a", "nodeID": "m"}]}},
         ['spec.drivers: Invalid value: {"name":"a","nodeID":"m"}: field is immutable']),
        (f"csistoragecapacities.{STORAGE}", {"storageClassName": "a"}, {"storageClassName": "b"},
         ['storageClassName: Invalid value: "b": field is immutable']),
        (f"volumeattributesclasses.{STORAGE}", {"driverName": "a", "parameters": {"k": "1"}}, {"driverName": "b", "parameters": {"k": "2"}},
         ["driverName: Forbidden: updates to driverName are forbidden.", "parameters: Forbidden: updates to parameters are forbidden."]),
        (f"servicecidrs.{NETWORK}", {"spec": {"cidrs": ["10.0.0.0/24"]}}, {"spec": {"cidrs": ["10.0.0.0/24", "fd00::/112"]}}, []),
        (f"servicecidrs.{NETWORK}", {"spec": {"cidrs": ["10.0.0.0/24"]}}, {"spec": {"cidrs": ["10.1.0.0/24"]}},
         ['spec.cidrs[0]: Invalid value: "10.1.0.0/24": field is immutable']),
    ],
)  # fmt: skip
def test_what_may_not_change(resource, before, after, wanted):
    assert changes(resource, before, after) == wanted


@pytest.mark.parametrize(
    ("name", "spec", "wanted"),
    [
        ("10.0.0.1", {"parentRef": {"resource": "services", "name": "s"}}, []),
        ("10.0.0.1", {}, ["spec.parentRef: Required value"]),
        ("10.0.0.1", {"parentRef": {"name": "s"}}, ["spec.parentRef.resource: Required value"]),
        ("fd00::0001", {"parentRef": {"resource": "services", "name": "s"}},
         ['metadata.name: Invalid value: "fd00::0001": must be a canonical format IP address']),
    ],
)  # fmt: skip
def test_an_address_is_named_by_itself_and_has_a_parent(name, spec, wanted):
    assert complaints(f"ipaddresses.{NETWORK}", name, spec=spec) == wanted


NEW = {
    "metadata": {"name": "e", "namespace": "default"},
    "regarding": {"kind": "Pod", "namespace": "default"},
    "eventTime": "2025-01-01T00:00:00.000000Z",
    "reportingController": "a.b/c",
    "reportingInstance": "i",
    "action": "Does",
    "reason": "Why",
    "type": "Normal",
}


def new_event(**more):
    kind = KINDS.at("events.k8s.io", "v1", "events")
    event = {name: value for name, value in {**NEW, **more}.items() if value is not None}
    return kind, kind.to_storage(kind.default(event))


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, []),
        ({"eventTime": None}, ["eventTime: Required value"]),
        ({"type": "Bad"}, ['type: Invalid value: "": has invalid value: Bad']),
        ({"deprecatedCount": 2, "deprecatedSource": {"host": "h"}},
         ['count: Invalid value: "": needs to be unset', 'source: Invalid value: "": needs to be unset']),
        ({"series": {"count": 1}},
         ['series.count: Invalid value: "": should be at least 2', "series.lastObservedTime: Required value"]),
        ({"note": "x" * 1025}, ['message: Invalid value: "": can have at most 1024 characters']),
        ({"action": "x" * 129}, ['action: Invalid value: "": can have at most 128 characters']),
    ],
)  # fmt: skip
def test_an_event_of_the_new_group_is_complete(more, wanted):
    kind, event = new_event(**more)
    assert [str(error) for error in kind.validate(event)] == wanted


def test_of_an_event_of_the_new_group_only_the_series_goes_on():
    kind, old = new_event()
    goes_on = {"count": 2, "lastObservedTime": "2025-01-01T00:00:01.000000Z"}
    assert kind.validate_update(new_event(series=goes_on)[1], old) == []
    errors = kind.validate_update(new_event(note="new", reportingController="other")[1], old)
    assert [str(error) for error in errors] == [
        'message: Invalid value: "new": field is immutable',
        'reportingController: Invalid value: "other": field is immutable',
    ]


def test_a_priority_level_is_defaulted():
    assert made(f"prioritylevelconfigurations.{FLOW}", spec=limited())["spec"]["limited"] == {
        "nominalConcurrencyShares": 30,
        "lendablePercent": 0,
        "limitResponse": {"type": "Queue", "queuing": {"queues": 64, "handSize": 8, "queueLengthLimit": 50}},
    }
