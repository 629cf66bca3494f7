"""Which kinds the group `rbac.authorization.k8s.io` has. What rules allow is `rbac_rules.py`'s, who asks it `apiserver/access.py`."""

from __future__ import annotations

from lifepod.api.defaults_cluster import default_role_binding
from lifepod.api.kinds import Kind
from lifepod.api.validation_rbac import (
    cluster_role_binding_errors,
    cluster_role_binding_update_errors,
    cluster_role_errors,
    cluster_role_update_errors,
    role_binding_errors,
    role_binding_update_errors,
    role_errors,
    role_update_errors,
)

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
        validate=cluster_role_binding_errors,
        validate_update=cluster_role_binding_update_errors,
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
        validate=cluster_role_errors,
        validate_update=cluster_role_update_errors,
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
        validate=role_binding_errors,
        validate_update=role_binding_update_errors,
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
        validate=role_errors,
        validate_update=role_update_errors,
    ),
)
