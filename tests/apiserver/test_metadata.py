"""What the server makes of the metadata of a new object."""

import pytest

from lifepod.api.writes import ApiError
from lifepod.apiserver.options import WriteOptions

from .conftest import NOW


@pytest.mark.parametrize("revision", ["v1", "", "0", "-1"])
def test_a_revision_that_nobody_can_have_is_dropped_at_a_create(api, revision):
    body = {"metadata": {"name": "m", "resourceVersion": revision}}
    made = api.create(api.kinds.of("configmaps"), "default", body, WriteOptions(NOW))
    assert made["metadata"]["resourceVersion"] == str(api.store.revision)


def test_a_revision_is_refused_at_a_create(api):
    body = {"metadata": {"name": "m", "resourceVersion": "12"}}
    with pytest.raises(ApiError, match="resourceVersion should not be set on objects to be created"):
        api.create(api.kinds.of("configmaps"), "default", body, WriteOptions(NOW))
