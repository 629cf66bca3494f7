"""No field is ignored in silence: each stands in the table, the page is the table, and what has no effect is told."""

import sys
from pathlib import Path

import pytest

from lifepod.api.schema import type_named
from lifepod.api.supported import FIELDS, unhonoured_in_pod_spec, unhonoured_in_service_spec

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
from write_supported import PAGE, page


@pytest.mark.parametrize("type_name", list(FIELDS))
def test_every_field_of_the_type_has_a_row_and_no_row_is_made_up(type_name):
    assert set(FIELDS[type_name]) == set(type_named(type_name).fields)


def test_the_page_is_the_table():
    assert PAGE.read_text() == page(), "run: python tools/write_supported.py"


def test_what_has_no_effect_is_told_once_with_its_path():
    spec = {
        "hostIPC": True,
        "hostPID": True,
        "hostUsers": True,
        "containers": [
            {"name": "a", "securityContext": {"privileged": True, "runAsUser": 5}},
            {
                "name": "b",
                "securityContext": {"privileged": True},
                "volumeMounts": [{"mountPropagation": "HostToContainer"}],
            },
        ],
        "volumes": [{"name": "n", "nfs": {"server": "s"}}],
    }
    assert [path for path, _ in unhonoured_in_pod_spec(spec)] == [
        "spec.hostIPC",
        "spec.volumes[*].nfs",
        "spec.containers[*].securityContext.privileged",
        "spec.containers[*].volumeMounts[*].mountPropagation",
    ]


def test_defaults_are_not_told():
    spec = {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "clusterIP": "10.96.0.3",
    }
    assert unhonoured_in_service_spec(spec) == []
    assert (
        unhonoured_in_pod_spec(
            {"containers": [{"name": "a", "resources": {}, "securityContext": {"privileged": False}}]}
        )
        == []
    )
