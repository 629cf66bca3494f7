"""What Go writes of an object in which nothing is set."""

import pytest

from lifepod.api.zero_values import zero_members


@pytest.mark.parametrize(
    ("schema", "members"),
    [
        ("core.v1.Pod", {"spec": {"containers": None}, "status": {}}),
        ("core.v1.ConfigMap", {}),
        ("core.v1.Namespace", {"spec": {}, "status": {}}),
        ("core.v1.Service", {"spec": {}, "status": {"loadBalancer": {}}}),
        ("rbac.v1.Role", {"rules": None}),
        ("coordination.v1.Lease", {"spec": {}}),
        (
            "apps.v1.Deployment",
            {
                "spec": {
                    "selector": None,
                    "template": {"metadata": {}, "spec": {"containers": None}},
                    "strategy": {},
                },
                "status": {},
            },
        ),
        ("autoscaling.v1.HorizontalPodAutoscaler",
         {"spec": {"scaleTargetRef": {"kind": "", "name": ""}, "maxReplicas": 0}, "status": {"currentReplicas": 0, "desiredReplicas": 0}}),
    ],
)  # fmt: skip
def test_structs_are_written_and_pointers_are_not(schema, members):
    assert zero_members(f"io.k8s.api.{schema}") == members
