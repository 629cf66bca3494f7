"""Pod Security labels at the API: who is refused, who is warned, and what is said when a namespace becomes stricter."""

from __future__ import annotations

import orjson
import pytest

from lifepod.api.writes import ApiError
from lifepod.apiserver.options import WriteOptions

from .conftest import NOW

OPTIONS = WriteOptions(NOW)
POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}], "hostNetwork": True}}
BASELINE = 'PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'


def labelled(api, **labels):
    change = {"metadata": {"labels": {f"pod-security.kubernetes.io/{key}": value for key, value in labels.items()}}}
    return api.patch(api.kinds.of("namespaces"), "", "default", orjson.dumps(change), "merge", OPTIONS, "")


def make(api, resource, body):
    return api.create(api.kinds.of(resource), "default", body, OPTIONS)


def test_a_pod_that_violates_what_is_enforced_is_refused(api):
    labelled(api, enforce="baseline")
    with pytest.raises(ApiError) as refused:
        make(api, "pods", POD)
    assert (refused.value.code, str(refused.value)) == (403, f'pods "p" is forbidden: violates {BASELINE}')
    assert api.take_warnings() == ()


def test_a_pod_that_violates_what_is_warned_of_is_made_with_a_warning(api):
    labelled(api, warn="baseline")
    make(api, "pods", POD)
    assert api.take_warnings() == (f"would violate {BASELINE}",)


def test_a_template_is_only_warned_of(api):
    labelled(api, enforce="baseline")
    template = {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    make(api, "deployments.apps", {"metadata": {"name": "d"}, "spec": spec})
    assert api.take_warnings() == (f"would violate {BASELINE}",)


def test_an_existing_pod_is_told_of_and_judged_again_only_with_another_image(api):
    make(api, "pods", POD)
    labelled(api, enforce="baseline")
    assert api.take_warnings() == (
        'existing pods in namespace "default" violate the new PodSecurity enforce level "baseline:latest"',
        "p: host namespaces",
    )
    pods = api.kinds.of("pods")
    api.patch(pods, "default", "p", b'{"metadata":{"labels":{"a":"b"}}}', "merge", OPTIONS, "")
    for change, subresource in (
        (b'{"spec":{"containers":[{"name":"c","image":"y"}]}}', ""),
        (b'{"spec":{"ephemeralContainers":[{"name":"e","image":"y"}]}}', "ephemeralcontainers"),
    ):
        with pytest.raises(ApiError) as refused:
            api.patch(pods, "default", "p", change, "strategic", OPTIONS, subresource)
        assert refused.value.code == 403


def test_labels_that_mean_nothing_are_refused_when_they_are_new(api):
    with pytest.raises(ApiError) as refused:
        labelled(api, enforce="bogus")
    assert (refused.value.code, str(refused.value)) == (
        422,
        'Namespace "default" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "bogus": '
        "must be one of privileged, baseline, restricted",
    )
