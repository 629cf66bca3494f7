"""Mints what TLS and tokens need: a CA, the server's and the admin's certificates, the key that signs service account tokens.

The only file that loads `cryptography`, and only when something is minted. Keys are EC P-256: minting the whole set takes
a few milliseconds. What is minted is a value of PEM texts; where they are kept is the caller's business.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

CLUSTER_DOMAIN: Final = "cluster.local"
SERVER_NAMES: Final = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    f"kubernetes.default.svc.{CLUSTER_DOMAIN}",
)
CA_LIFETIME: Final = timedelta(days=3650)
LIFETIME: Final = timedelta(days=365)
ADMIN_NAME: Final = "kubernetes-admin"
ADMIN_GROUP: Final = "system:masters"
_ORDER_P256: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class CertifiedKey(NamedTuple):
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes


class Credentials(NamedTuple):
    """Everything one API server is known by."""

    ca: CertifiedKey
    server: CertifiedKey
    admin: CertifiedKey
    token_key: bytes
    """The EC private key (PEM) that signs service account tokens."""


def mint_credentials(
    now: datetime,
    service_address: str = "10.96.0.1",
    addresses: tuple[str, ...] = (),
    seed: bytes | None = None,
    ca_from: datetime | None = None,
) -> Credentials:
    """A fresh CA and what it signs, valid from a day before `now`.

    `addresses` are IPs or names beside the usual ones that the server is reached by. With a `seed` the keys are derived from
    it, for clusters that must come out the same each time; such keys protect nothing. `ca_from`: the CA's own first day, when
    its bytes must not depend on `now`.
    """
    new_key = _key_source(seed)
    ca_key, server_key, admin_key = new_key("ca"), new_key("server"), new_key("admin")
    ca = _ca_certificate(ca_key, ca_from or now, seed)
    names = (*SERVER_NAMES, "127.0.0.1", "::1", service_address, *addresses)
    server = _issue(ca, ca_key, server_key, ("lifepod", ()), now, names, seed)
    admin = _issue(ca, ca_key, admin_key, (ADMIN_NAME, (ADMIN_GROUP,)), now, (), seed)
    return Credentials(
        CertifiedKey(_pem(ca), _key_pem(ca_key)),
        CertifiedKey(_pem(server), _key_pem(server_key)),
        CertifiedKey(_pem(admin), _key_pem(admin_key)),
        _key_pem(new_key("token")),
    )


def mint_server(
    ca: CertifiedKey, addresses: tuple[str, ...], now: datetime, service_address: str = "10.96.0.1"
) -> CertifiedKey:
    """A server's certificate signed by `ca`, for the usual names and `addresses` (IPs or names)."""
    names = (*SERVER_NAMES, "127.0.0.1", "::1", service_address, *addresses)
    return _signed_by(ca, ("lifepod", ()), now, names)


def mint_client(ca: CertifiedKey, name: str, groups: tuple[str, ...], now: datetime) -> CertifiedKey:
    """A client certificate for a user (`system:node:n1`) of some groups, signed by `ca`."""
    return _signed_by(ca, (name, groups), now, ())


def sign_request(ca: CertifiedKey, request: bytes, usages: tuple[str, ...], seconds: int, now: datetime) -> bytes:
    """The certificate that a signing request (PEM) asks for: its subject, key and names, for `usages`.

    Source: k8s.io/kubernetes v1.34.4 pkg/controller/certificates/authority/policies.go: PermissiveSigningPolicy
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509.oid import ExtendedKeyUsageOID

    asked = x509.load_pem_x509_csr(request)
    ca_key = load_pem_private_key(ca.key, None)
    assert isinstance(ca_key, EllipticCurvePrivateKey)
    issuer = x509.load_pem_x509_certificate(ca.certificate)
    known = {"client auth": ExtendedKeyUsageOID.CLIENT_AUTH, "server auth": ExtendedKeyUsageOID.SERVER_AUTH}
    purposes = [known[usage] for usage in usages if usage in known]
    builder = (
        x509.CertificateBuilder(issuer_name=issuer.subject, subject_name=asked.subject, public_key=asked.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(seconds=seconds))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    for extension in asked.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            builder = builder.add_extension(extension.value, critical=False)
    return _pem(builder.sign(ca_key, hashes.SHA256()))


def organizations_asked_for(request: bytes) -> tuple[str, ...]:
    """The organizations in the subject of a signing request (PEM); none where it cannot be read."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        asked = x509.load_pem_x509_csr(request)
    except ValueError:
        return ()
    return tuple(str(part.value) for part in asked.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))


def _signed_by(
    ca: CertifiedKey, subject: tuple[str, tuple[str, ...]], now: datetime, server_names: tuple[str, ...]
) -> CertifiedKey:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    ca_key = load_pem_private_key(ca.key, None)
    assert isinstance(ca_key, EllipticCurvePrivateKey)
    key = _key_source(None)(subject[0])
    certificate = _issue(x509.load_pem_x509_certificate(ca.certificate), ca_key, key, subject, now, server_names, None)
    return CertifiedKey(_pem(certificate), _key_pem(key))


def _key_source(seed: bytes | None) -> Callable[[str], EllipticCurvePrivateKey]:
    """Makes keys: random ones, or ones derived from the seed and their purpose."""
    import hashlib

    from cryptography.hazmat.primitives.asymmetric import ec

    def make(purpose: str) -> EllipticCurvePrivateKey:
        if seed is None:
            return ec.generate_private_key(ec.SECP256R1())
        digest = hashlib.sha512(b"lifepod key " + purpose.encode() + b"\0" + seed).digest()
        return ec.derive_private_key(int.from_bytes(digest, "big") % (_ORDER_P256 - 1) + 1, ec.SECP256R1())

    return make


def _serial(seed: bytes | None, purpose: str) -> int:
    from cryptography import x509

    if seed is None:
        return x509.random_serial_number()
    import hashlib

    return int.from_bytes(hashlib.sha256(b"serial " + purpose.encode() + seed).digest()[:19], "big") | 1


def _ca_certificate(key: EllipticCurvePrivateKey, now: datetime, seed: bytes | None) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = _name("lifepod-ca", ())
    return (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(_serial(seed, "ca"))
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=seed is not None)
    )


def _issue(
    ca: x509.Certificate,
    ca_key: EllipticCurvePrivateKey,
    key: EllipticCurvePrivateKey,
    subject: tuple[str, tuple[str, ...]],
    now: datetime,
    server_names: tuple[str, ...],
    seed: bytes | None,
) -> x509.Certificate:
    """A certificate signed by the CA: a server's when it has names, else a client's."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    purpose = ExtendedKeyUsageOID.SERVER_AUTH if server_names else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        x509.CertificateBuilder(issuer_name=ca.subject, subject_name=_name(*subject), public_key=key.public_key())
        .serial_number(_serial(seed, subject[0]))
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    if server_names:
        names = x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(server_names)])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(ca_key, hashes.SHA256(), ecdsa_deterministic=seed is not None)


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(common_name: str, organizations: tuple[str, ...]) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
        + [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
