"""Certificates asked for through the API, and tokens of accounts that are kept in secrets."""

from __future__ import annotations

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lifepod.api.writes import ApiError
from lifepod.apiserver.auth import User
from lifepod.apiserver.certificates import mint_credentials, sign_request
from lifepod.apiserver.options import DeleteOptions, WriteOptions
from lifepod.apiserver.service_account_tokens import ServiceAccountTokens

from .conftest import NOW

OPTIONS = WriteOptions(NOW, user=User("jane", ("devs",)))
AS_ADMIN = WriteOptions(NOW)
CREDENTIALS = mint_credentials(NOW, seed=b"signing")
SECRET = {
    "metadata": {"name": "tok", "annotations": {"kubernetes.io/service-account.name": "default"}},
    "type": "kubernetes.io/service-account-token",
}


def asked_for(name, *organizations):
    key = ec.generate_private_key(ec.SECP256R1())
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organizations]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name), *groups])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(Encoding.PEM)).decode()


def request(**spec):
    given = {
        "request": asked_for("bob"),
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
    }
    return {"metadata": {"name": "bob"}, "spec": {**given, "username": "root", **spec}}


def approve(api, made, options=AS_ADMIN, **condition):
    kind = api.kinds.of("certificatesigningrequests.certificates.k8s.io")
    conditions = [{"type": "Approved", "status": "True", "reason": "R", **condition}]
    api.update(kind, "", "bob", {**made, "status": {"conditions": conditions}}, options, "approval")
    return api.get(kind, "", "bob")


@pytest.fixture
def signing(api):
    api.sign = lambda *asked: sign_request(CREDENTIALS.ca, *asked)
    return api


def test_a_request_says_who_made_it_whatever_it_says_itself(signing):
    made = signing.create(signing.kinds.of("certificatesigningrequests.certificates.k8s.io"), "", request(), OPTIONS)
    assert (made["spec"]["username"], made["spec"]["groups"]) == ("jane", ["devs"])


def test_what_is_approved_is_signed_by_the_clusters_ca(signing):
    kind = signing.kinds.of("certificatesigningrequests.certificates.k8s.io")
    made = signing.create(kind, "", request(expirationSeconds=3600), OPTIONS)
    assert "certificate" not in made.get("status", {})
    signed = approve(signing, made)["status"]["certificate"]
    certificate = x509.load_pem_x509_certificate(base64.b64decode(signed))
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(CREDENTIALS.ca.certificate))
    assert certificate.subject.rfc4514_string() == "CN=bob"
    assert (certificate.not_valid_after_utc - NOW).total_seconds() == 3600
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert list(usage.value) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_nobody_becomes_the_administrator_by_a_certificate(signing):
    kind = signing.kinds.of("certificatesigningrequests.certificates.k8s.io")
    signing.create(kind, "", request(request=asked_for("bob", "devs")), AS_ADMIN)
    signing.delete(kind, "", "bob", DeleteOptions(), AS_ADMIN)
    with pytest.raises(ApiError, match="kube-apiserver-client signer with system:masters group is not allowed"):
        signing.create(kind, "", request(request=asked_for("bob", "devs", "system:masters")), AS_ADMIN)


@pytest.mark.parametrize("signer", ["kubernetes.io/kube-apiserver-client", "kubernetes.io/*"])
def test_who_approves_must_be_allowed_to_for_that_signer(signing, signer):
    kind = signing.kinds.of("certificatesigningrequests.certificates.k8s.io")
    made = signing.create(kind, "", request(), OPTIONS)
    with pytest.raises(ApiError, match="user not permitted to approve requests"):
        approve(signing, made, OPTIONS)
    group = "rbac.authorization.k8s.io"
    rule = {
        "verbs": ["approve"],
        "apiGroups": ["certificates.k8s.io"],
        "resources": ["signers"],
        "resourceNames": [signer],
    }
    ref = {"apiGroup": group, "kind": "ClusterRole", "name": "r"}
    subject = {"kind": "User", "apiGroup": group, "name": "jane"}
    for resource, body in (
        ("clusterroles", {"rules": [rule]}),
        ("clusterrolebindings", {"roleRef": ref, "subjects": [subject]}),
    ):
        signing.create(
            signing.kinds.of(f"{resource}.{group}"), "", {"metadata": {"name": "r"}, **body}, WriteOptions(NOW)
        )
    assert "certificate" in approve(signing, made, OPTIONS)["status"]
    signed = {**signing.get(kind, "", "bob"), "status": {"certificate": "eA=="}}
    with pytest.raises(ApiError, match="user not permitted to sign requests"):
        signing.update(kind, "", "bob", signed, OPTIONS, "status")


def test_what_is_denied_or_for_another_signer_is_not_signed(signing):
    kind = signing.kinds.of("certificatesigningrequests.certificates.k8s.io")
    made = signing.create(kind, "", request(signerName="example.com/own"), OPTIONS)
    assert "certificate" not in approve(signing, made)["status"]


def test_what_cannot_be_read_has_failed(signing):
    kind = signing.kinds.of("certificatesigningrequests.certificates.k8s.io")
    broken = base64.b64encode(b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n")
    made = signing.create(kind, "", request(request=broken.decode()), OPTIONS)
    assert [each["type"] for each in approve(signing, made)["status"]["conditions"]] == ["Approved", "Failed"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"request": "eA=="}, "PEM block type must be CERTIFICATE REQUEST"),
        ({"usages": []}, "spec.usages: Required value"),
        ({"signerName": "mine"}, "must be a fully qualified domain and path of the form 'example.com/signer-name'"),
        ({"expirationSeconds": 1}, "may not specify a duration less than 600 seconds (10 minutes)"),
    ],
)
def test_a_request_that_cannot_be_signed_is_refused(signing, change, problem):
    kind = signing.kinds.of("certificatesigningrequests.certificates.k8s.io")
    with pytest.raises(ApiError) as refused:
        signing.create(kind, "", request(**change), OPTIONS)
    assert problem in refused.value.status["message"]


def test_a_token_secret_is_filled_and_its_token_is_good_until_it_goes(api):
    api.tokens = tokens = ServiceAccountTokens(CREDENTIALS.token_key, api.store.get, lambda: NOW)
    kind = api.kinds.of("secrets")
    made = api.create(kind, "default", SECRET, OPTIONS)
    data = {name: base64.b64decode(text).decode() for name, text in made["data"].items()}
    assert (sorted(data), data["namespace"]) == (["ca.crt", "namespace", "token"], "default")
    account = api.store.get("serviceaccounts", "default", "default")
    assert made["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == account["metadata"]["uid"]
    found = tokens.user_of(data["token"])
    assert found is not None
    assert found.name == "system:serviceaccount:default:default"
    api.delete(kind, "default", "tok", DeleteOptions(), OPTIONS)
    assert tokens.user_of(data["token"]) is None
