"""What a deletion answers."""

import pytest

from lifepod.apiserver.options import DeleteOptions, WriteOptions

from .conftest import NOW

OPTIONS = WriteOptions(NOW)


@pytest.mark.parametrize(
    ("resource", "namespace", "more", "kind"),
    [
        ("configmaps", "default", {}, "Status"),
        ("priorityclasses.scheduling.k8s.io", "", {"value": 1}, "Status"),
        ("resourcequotas", "default", {}, "ResourceQuota"),
        ("serviceaccounts", "default", {}, "ServiceAccount"),
        ("services", "default", {"spec": {"ports": [{"port": 80}]}}, "Service"),
        ("storageclasses.storage.k8s.io", "", {"provisioner": "a.b/c"}, "StorageClass"),
    ],
)
def test_a_deletion_answers_with_the_object_or_a_status_as_the_kind_does_upstream(api, resource, namespace, more, kind):
    what = api.kinds.of(resource)
    api.create(what, namespace, {"metadata": {"name": "t"}, **more}, OPTIONS)
    assert api.delete(what, namespace, "t", DeleteOptions(), OPTIONS)["kind"] == kind
