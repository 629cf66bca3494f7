"""ValidatingAdmissionPolicies judge what is written, as far as their bindings and rules go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lifepod.api.writes import ApiError
from lifepod.apiserver.exchange import Request
from lifepod.apiserver.webhook_rounds import answered_in_place
from lifepod.testing.kube import Kube

Obj = dict[str, Any]


@pytest.fixture
def cluster() -> Iterator[Kube]:
    with Kube() as kube:
        yield kube


def policy(*validations: Obj, **spec: Any) -> Obj:
    rules = [
        {"operations": ["CREATE", "UPDATE"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}
    ]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "p"},
        "spec": {"matchConstraints": {"resourceRules": rules}, "validations": list(validations), **spec},
    }


def binding(*actions: str, **spec: Any) -> Obj:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "b"},
        "spec": {"policyName": "p", "validationActions": list(actions or ("Deny",)), **spec},
    }


def deployment(replicas: int, namespace: str = "default") -> Obj:
    template = {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "d"}}, "template": template}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": namespace},
        "spec": spec,
    }


FEW = {"expression": "object.spec.replicas <= 5"}


def refusal(cluster: Kube, obj: Obj) -> ApiError:
    with pytest.raises(ApiError) as caught:
        cluster.apply(obj)
    return caught.value


def test_a_policy_without_a_binding_does_nothing(cluster: Kube) -> None:
    cluster.apply(policy(FEW))
    cluster.apply(deployment(6))


def test_a_bound_policy_refuses_in_upstreams_words(cluster: Kube) -> None:
    cluster.apply(policy(FEW), binding())
    cluster.apply(deployment(5))
    error = refusal(cluster, deployment(6))
    denied = (
        "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: object.spec.replicas <= 5"
    )
    assert str(error) == f'deployments.apps "d" is forbidden: {denied}'
    assert (error.code, error.reason) == (422, "Invalid")
    assert error.status["details"] == {
        "name": "d",
        "group": "apps",
        "kind": "deployments",
        "causes": [{"message": denied}],
    }


@pytest.mark.parametrize(
    ("validation", "told"),
    [
        ({**FEW, "message": "too many"}, "too many"),
        (
            {**FEW, "message": "x", "messageExpression": "'at most 5, not ' + string(object.spec.replicas)"},
            "at most 5, not 6",
        ),
        ({**FEW, "message": "too many", "messageExpression": "object.nothing"}, "too many"),
        ({**FEW, "message": "too many", "messageExpression": "'a\\nb'"}, "too many"),
    ],
)
def test_what_a_refusal_says(cluster: Kube, validation: Obj, told: str) -> None:
    cluster.apply(policy(validation), binding())
    assert str(refusal(cluster, deployment(6))).endswith(f"denied request: {told}")


def test_a_reason_decides_the_code(cluster: Kube) -> None:
    cluster.apply(policy({**FEW, "reason": "Forbidden"}), binding())
    error = refusal(cluster, deployment(6))
    assert (error.code, error.reason) == (403, "Forbidden")


def test_warn_lets_through_and_warns(cluster: Kube) -> None:
    cluster.apply(policy(FEW), binding("Warn", "Audit"))
    path = "/apis/apps/v1/namespaces/default/deployments"
    headers = {"authorization": f"Bearer {cluster.sim.plane.token}", "content-type": "application/json"}
    answer = cluster.sim.plane.app.site(Request("POST", path, "", headers, json.dumps(deployment(6)).encode()))
    assert not isinstance(answer, tuple)
    response = answered_in_place(answer)
    told = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': failed expression: object.spec.replicas <= 5"
    assert ("Warning", f'299 - "{told}"') in response.headers
    assert cluster.get("deployments", "d")["spec"]["replicas"] == 6


def test_variables_are_worked_out_from_those_before(cluster: Kube) -> None:
    variables = [
        {"name": "replicas", "expression": "object.spec.?replicas.orValue(1)"},
        {"name": "tooMany", "expression": "variables.replicas > 5"},
    ]
    cluster.apply(policy({"expression": "!variables.tooMany"}, variables=variables), binding())
    cluster.apply(deployment(5))
    refusal(cluster, deployment(6))


@pytest.mark.parametrize(("failure_policy", "is_refused"), [("Fail", True), ("Ignore", False)])
def test_what_has_no_value_counts_as_the_failure_policy_says(
    cluster: Kube, failure_policy: str, is_refused: bool
) -> None:
    cluster.apply(policy({"expression": "object.nothing == 1"}, failurePolicy=failure_policy), binding())
    if not is_refused:
        cluster.apply(deployment(1))
        return
    told = "expression 'object.nothing == 1' resulted in error: no such key: nothing"
    assert str(refusal(cluster, deployment(1))).endswith(told)


def test_conditions_rules_and_bindings_say_what_is_meant(cluster: Kube) -> None:
    conditions = [{"name": "c", "expression": "request.userInfo.username != 'kubernetes-admin'"}]
    cluster.apply(policy(FEW, matchConditions=conditions), binding())
    cluster.apply(deployment(6))
    elsewhere = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}
    cluster.apply(policy(FEW), binding(matchResources=elsewhere))
    cluster.apply(deployment(7))
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
    refusal(cluster, deployment(7, "other"))


def test_the_namespace_is_known(cluster: Kube) -> None:
    cluster.apply(policy({"expression": "namespaceObject.metadata.name != 'default'"}), binding())
    refusal(cluster, deployment(1))


def test_a_deletion_can_be_refused(cluster: Kube) -> None:
    rules = [{"operations": ["DELETE"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}]
    told = {"expression": "oldObject.spec.replicas == 0", "message": "scale it down first"}
    cluster.apply(policy(told, matchConstraints={"resourceRules": rules}), binding())
    cluster.apply(deployment(1))
    with pytest.raises(ApiError, match="scale it down first"):
        cluster.delete("deployments", "d")
    cluster.apply(deployment(0))
    cluster.delete("deployments", "d")


def test_parameters_come_from_the_binding(cluster: Kube) -> None:
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    reference = {"name": "limits", "namespace": "default", "parameterNotFoundAction": "Deny"}
    cluster.apply(policy({"expression": "object.spec.replicas <= int(params.data.most)"}, paramKind=kind))
    cluster.apply(binding(paramRef=reference))
    told = "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
    assert told in str(refusal(cluster, deployment(1)))
    cluster.apply({**kind, "metadata": {"name": "limits"}, "data": {"most": "3"}})
    cluster.apply(deployment(3))
    refusal(cluster, deployment(4))


def test_a_policy_cannot_lock_itself_in(cluster: Kube) -> None:
    rules = [{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}]
    cluster.apply(policy({"expression": "false"}, matchConstraints={"resourceRules": rules}), binding())
    refusal(cluster, deployment(1))
    cluster.delete("validatingadmissionpolicybindings", "b")
    cluster.apply(deployment(1))


@pytest.mark.parametrize(
    ("broken", "path"),
    [
        (policy({"expression": "object.spec.replicas <"}), "spec.validations[0].expression"),
        (policy({"expression": "nobody == 1"}), "spec.validations[0].expression"),
        (policy({**FEW, "messageExpression": "'a' +"}), "spec.validations[0].messageExpression"),
        (policy(FEW, variables=[{"name": "a", "expression": "object."}]), "spec.variables[0].expression"),
        (
            policy(FEW, matchConditions=[{"name": "c", "expression": "variables.a"}]),
            "spec.matchConditions[0].expression",
        ),
    ],
)
def test_an_expression_that_is_no_cel_is_refused_when_it_is_written(cluster: Kube, broken: Obj, path: str) -> None:
    error = refusal(cluster, broken)
    assert error.code == 422
    assert error.status["details"]["causes"][0]["field"] == path
    assert "compilation failed: ERROR: <input>:1:" in str(error)


@pytest.mark.parametrize(
    ("expression", "is_refused"),
    [
        ("authorizer.group('').resource('secrets').namespace('default').check('create').allowed()", False),
        ("authorizer.requestResource.check('delete').allowed()", False),
        ("authorizer.path('/healthz').check('get').allowed()", False),
        (
            "authorizer.serviceAccount('default', 'default').group('apps').resource('deployments').check('list').allowed()",
            True,
        ),
    ],
)
def test_who_asks_may_be_asked_about(cluster: Kube, expression: str, is_refused: bool) -> None:
    cluster.apply(policy({"expression": expression}), binding())
    if is_refused:
        refusal(cluster, deployment(1))
    else:
        cluster.apply(deployment(1))
