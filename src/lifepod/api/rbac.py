"""Which kinds the group `rbac.authorization.k8s.io` has. They are kept, not enforced."""

from __future__ import annotations

from lifepod.api import names
from lifepod.api.defaults_cluster import default_role_binding
from lifepod.api.kinds import Kind
from lifepod.api.validation_core import only_metadata, only_metadata_update

KINDS = (
    Kind(
        group="rbac.authorization.k8s.io",
        version="v1",
        kind="ClusterRoleBinding",
        plural="clusterrolebindings",
        singular="clusterrolebinding",
        namespaced=False,
        schema="io.k8s.api.rbac.v1.ClusterRoleBinding",
        create_on_update=True,
        default=default_role_binding,
        validate=only_metadata(namespaced=False, name_rule=names.path_segment),
        validate_update=only_metadata_update,
    ),
    Kind(
        group="rbac.authorization.k8s.io",
        version="v1",
        kind="ClusterRole",
        plural="clusterroles",
        singular="clusterrole",
        namespaced=False,
        schema="io.k8s.api.rbac.v1.ClusterRole",
        create_on_update=True,
        validate=only_metadata(namespaced=False, name_rule=names.path_segment),
        validate_update=only_metadata_update,
    ),
    Kind(
        group="rbac.authorization.k8s.io",
        version="v1",
        kind="RoleBinding",
        plural="rolebindings",
        singular="rolebinding",
        namespaced=True,
        schema="io.k8s.api.rbac.v1.RoleBinding",
        create_on_update=True,
        default=default_role_binding,
        validate=only_metadata(namespaced=True, name_rule=names.path_segment),
        validate_update=only_metadata_update,
    ),
    Kind(
        group="rbac.authorization.k8s.io",
        version="v1",
        kind="Role",
        plural="roles",
        singular="role",
        namespaced=True,
        schema="io.k8s.api.rbac.v1.Role",
        create_on_update=True,
        validate=only_metadata(namespaced=True, name_rule=names.path_segment),
        validate_update=only_metadata_update,
    ),
)
