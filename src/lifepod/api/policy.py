"""Which kinds the group `policy/v1` has."""

from __future__ import annotations

from lifepod.api.first_status import starting_with
from lifepod.api.kinds import Kind, status_of
from lifepod.api.validation_policy import budget_errors, budget_update_errors
from lifepod.api.validation_status import budget_status_errors

KINDS = (
    Kind(
        group="policy",
        version="v1",
        kind="PodDisruptionBudget",
        plural="poddisruptionbudgets",
        singular="poddisruptionbudget",
        namespaced=True,
        schema="io.k8s.api.policy.v1.PodDisruptionBudget",
        short_names=("pdb",),
        subresources=(status_of("PodDisruptionBudget"),),
        has_generation=True,
        has_status=True,
        unconditional_update=False,
        prepare_create=starting_with(
            {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0}
        ),
        validate=budget_errors,
        validate_update=budget_update_errors,
        validate_status=budget_status_errors,
    ),
)
