"""Which questions the group `authorization.k8s.io` answers."""

from __future__ import annotations

from lifepod.api.kinds import CREATE_ONLY, Kind

KINDS = (
    Kind(
        group="authorization.k8s.io",
        version="v1",
        kind="LocalSubjectAccessReview",
        plural="localsubjectaccessreviews",
        singular="localsubjectaccessreview",
        namespaced=True,
        schema="io.k8s.api.authorization.v1.LocalSubjectAccessReview",
        verbs=CREATE_ONLY,
    ),
    Kind(
        group="authorization.k8s.io",
        version="v1",
        kind="SelfSubjectAccessReview",
        plural="selfsubjectaccessreviews",
        singular="selfsubjectaccessreview",
        namespaced=False,
        schema="io.k8s.api.authorization.v1.SelfSubjectAccessReview",
        verbs=CREATE_ONLY,
    ),
    Kind(
        group="authorization.k8s.io",
        version="v1",
        kind="SelfSubjectRulesReview",
        plural="selfsubjectrulesreviews",
        singular="selfsubjectrulesreview",
        namespaced=False,
        schema="io.k8s.api.authorization.v1.SelfSubjectRulesReview",
        verbs=CREATE_ONLY,
    ),
    Kind(
        group="authorization.k8s.io",
        version="v1",
        kind="SubjectAccessReview",
        plural="subjectaccessreviews",
        singular="subjectaccessreview",
        namespaced=False,
        schema="io.k8s.api.authorization.v1.SubjectAccessReview",
        verbs=CREATE_ONLY,
    ),
)
