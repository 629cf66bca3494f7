"""Which kinds the group `certificates.k8s.io` has."""

from __future__ import annotations

from lifepod.api.first_status import starting_with
from lifepod.api.kinds import Kind, Subresource, status_of
from lifepod.api.validation_certificates import signing_request_errors, signing_request_update_errors

KINDS = (
    Kind(
        group="certificates.k8s.io",
        version="v1",
        kind="CertificateSigningRequest",
        plural="certificatesigningrequests",
        singular="certificatesigningrequest",
        namespaced=False,
        schema="io.k8s.api.certificates.v1.CertificateSigningRequest",
        short_names=("csr",),
        subresources=(
            Subresource("approval", "CertificateSigningRequest", ("get", "patch", "update")),
            status_of("CertificateSigningRequest"),
        ),
        has_status=True,
        fields={"spec.signerName": ("spec", "signerName")},
        prepare_create=starting_with({}),
        validate=signing_request_errors,
        validate_update=signing_request_update_errors,
    ),
)
