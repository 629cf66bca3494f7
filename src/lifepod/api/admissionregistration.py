"""Which kinds the group `admissionregistration.k8s.io` has. `apiserver/webhooks.py` calls, `admission_policies.py` evaluates them."""

from __future__ import annotations

from lifepod.api.defaults_cluster import default_admission_policy, default_webhooks
from lifepod.api.first_status import starting_with
from lifepod.api.kinds import Kind, status_of
from lifepod.api.validation_admission_policies import (
    binding_errors,
    binding_update_errors,
    policy_errors,
    policy_update_errors,
)
from lifepod.api.validation_webhooks import configuration_errors, configuration_update_errors

KINDS = (
    Kind(
        group="admissionregistration.k8s.io",
        version="v1",
        kind="MutatingWebhookConfiguration",
        plural="mutatingwebhookconfigurations",
        singular="mutatingwebhookconfiguration",
        namespaced=False,
        schema="io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration",
        categories=("api-extensions",),
        has_generation=True,
        unconditional_update=False,
        default=default_webhooks,
        validate=configuration_errors,
        validate_update=configuration_update_errors,
    ),
    Kind(
        group="admissionregistration.k8s.io",
        version="v1",
        kind="ValidatingAdmissionPolicy",
        plural="validatingadmissionpolicies",
        singular="validatingadmissionpolicy",
        namespaced=False,
        schema="io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
        categories=("api-extensions",),
        subresources=(status_of("ValidatingAdmissionPolicy"),),
        has_generation=True,
        has_status=True,
        unconditional_update=False,
        default=default_admission_policy,
        prepare_create=starting_with({}),
        validate=policy_errors,
        validate_update=policy_update_errors,
    ),
    Kind(
        group="admissionregistration.k8s.io",
        version="v1",
        kind="ValidatingAdmissionPolicyBinding",
        plural="validatingadmissionpolicybindings",
        singular="validatingadmissionpolicybinding",
        namespaced=False,
        schema="io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding",
        categories=("api-extensions",),
        has_generation=True,
        unconditional_update=False,
        default=default_admission_policy,
        validate=binding_errors,
        validate_update=binding_update_errors,
    ),
    Kind(
        group="admissionregistration.k8s.io",
        version="v1",
        kind="ValidatingWebhookConfiguration",
        plural="validatingwebhookconfigurations",
        singular="validatingwebhookconfiguration",
        namespaced=False,
        schema="io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration",
        categories=("api-extensions",),
        has_generation=True,
        unconditional_update=False,
        default=default_webhooks,
        validate=configuration_errors,
        validate_update=configuration_update_errors,
    ),
)
