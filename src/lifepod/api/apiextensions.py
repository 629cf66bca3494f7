"""Which kinds the group `apiextensions.k8s.io` has."""

from __future__ import annotations

from lifepod.api.custom_definition import definition_errors, definition_update_errors
from lifepod.api.defaults_cluster import default_custom_resource
from lifepod.api.kinds import Kind, status_of

KINDS = (
    Kind(
        group="apiextensions.k8s.io",
        version="v1",
        kind="CustomResourceDefinition",
        plural="customresourcedefinitions",
        singular="customresourcedefinition",
        namespaced=False,
        schema="io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        subresources=(status_of("CustomResourceDefinition"),),
        has_generation=True,
        has_status=True,
        unconditional_update=False,
        default=default_custom_resource,
        validate=definition_errors,
        validate_update=definition_update_errors,
    ),
)
