"""Which questions the group `authentication.k8s.io` answers."""

from __future__ import annotations

from lifepod.api.kinds import CREATE_ONLY, Kind

KINDS = (
    Kind(
        group="authentication.k8s.io",
        version="v1",
        kind="SelfSubjectReview",
        plural="selfsubjectreviews",
        singular="selfsubjectreview",
        namespaced=False,
        schema="io.k8s.api.authentication.v1.SelfSubjectReview",
        verbs=CREATE_ONLY,
    ),
    Kind(
        group="authentication.k8s.io",
        version="v1",
        kind="TokenReview",
        plural="tokenreviews",
        singular="tokenreview",
        namespaced=False,
        schema="io.k8s.api.authentication.v1.TokenReview",
        verbs=CREATE_ONLY,
    ),
)
