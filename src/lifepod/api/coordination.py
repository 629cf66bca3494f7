"""Which kinds the group `coordination.k8s.io` has."""

from __future__ import annotations

from lifepod.api.first_status import with_spec
from lifepod.api.kinds import Kind
from lifepod.api.validation_core import lease_errors, only_metadata_update

KINDS = (
    Kind(
        group="coordination.k8s.io",
        version="v1",
        kind="Lease",
        plural="leases",
        singular="lease",
        namespaced=True,
        schema="io.k8s.api.coordination.v1.Lease",
        create_on_update=True,
        unconditional_update=False,
        default=with_spec,
        validate=lease_errors,
        validate_update=only_metadata_update,
    ),
)
