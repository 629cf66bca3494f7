"""What is wrong with a CertificateSigningRequest.

Source: k8s.io/kubernetes v1.34.4 pkg/apis/certificates/validation/validation.go
"""

from __future__ import annotations

import base64
from typing import Final

from lifepod.api.field_errors import FieldError, duplicate, invalid, required
from lifepod.api.names import dns_subdomain, path_segment
from lifepod.api.objects import JsonObject
from lifepod.api.validation_spec import changed_object, new_object

_MIN_SECONDS: Final = 600
_BEGINS: Final = b"-----BEGIN CERTIFICATE REQUEST-----"


def _request_errors(request: JsonObject) -> list[FieldError]:
    """Source: validateCertificateSigningRequest"""
    spec: JsonObject = request.get("spec") or {}
    errors: list[FieldError] = []
    asked = spec.get("request") or ""
    if not base64.b64decode(asked).lstrip().startswith(_BEGINS):
        errors.append(invalid("spec.request", asked, "PEM block type must be CERTIFICATE REQUEST"))
    usages: list[str] = spec.get("usages") or []
    if not usages:
        errors.append(required("spec.usages", "usages must be provided"))
    errors += [duplicate(f"spec.usages[{at}]", usage) for at, usage in enumerate(usages) if usage in usages[:at]]
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _MIN_SECONDS:
        detail = f"may not specify a duration less than {_MIN_SECONDS} seconds (10 minutes)"
        errors.append(invalid("spec.expirationSeconds", seconds, detail))
    return errors + _signer_errors(spec.get("signerName") or "")


def _signer_errors(signer: str) -> list[FieldError]:
    """A path under a domain. Source: ValidateSignerName"""
    if not signer:
        return [required("spec.signerName")]
    domain, slash, path = signer.partition("/")
    if not (slash and path and "." in domain):
        detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [invalid("spec.signerName", signer, detail)]
    return [invalid("spec.signerName", signer, text) for text in (*dns_subdomain(domain), *path_segment(path))]


signing_request_errors = new_object(_request_errors, namespaced=False)
signing_request_update_errors = changed_object(_request_errors)
