"""An authority that issues certificates, and an issuer of callers' tokens."""

import datetime as dt
import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

ISSUER = "https://issuer.test"
AUDIENCE = "payorch"
_DAY = dt.timedelta(days=1)


def machine_now() -> dt.datetime:
    """Return the time of day; what real handshakes and processes check is valid at a time of day."""
    return dt.datetime.now(dt.UTC)  # noqa: TID251 - see above


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, in PEM form."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> tuple[str, str]:
        """Write both into a folder; return the paths of certificate and key."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(self.certificate)
        key.write_bytes(self.key)
        return str(certificate), str(key)


class Authority:
    """Issues certificates that end after a day, with the extensions that RFC 5280 demands.

    Args:
        name: Its common name.
        now: When it issues; the machine's time unless given.
        bare: Leaves out key identifiers and key usages, as many private authorities do.
    """

    def __init__(self, name: str = "authority", *, now: dt.datetime | None = None, bare: bool = False) -> None:
        self._now = now or machine_now()
        self._bare = bare
        self._key = _ec_key()
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        public = self._key.public_key()
        built = self._builder(self._name, public, self._now + _DAY)
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.certificate = _pem(built.sign(self._key, hashes.SHA256()))
        """Of itself, in PEM form."""

    def issue(self, *names: str, expired: bool = False, organization: str = "") -> Issued:
        """Issue a certificate for servers and clients.

        Args:
            names: Of its owner: URIs, IP addresses, or else DNS names. None at all is possible.
            expired: Whether it ended an hour ago.
            organization: Of its owner, which Kubernetes reads as a group.
        """
        key = _ec_key()
        ends = self._now + (-dt.timedelta(hours=1) if expired else _DAY)
        attributes = {NameOID.ORGANIZATION_NAME: organization, NameOID.COMMON_NAME: "common names count for nothing"}
        subject = x509.Name([x509.NameAttribute(name, text) for name, text in attributes.items() if text])
        built = self._builder(subject, key.public_key(), ends)
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        built = built.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if names:
            alternative = x509.SubjectAlternativeName([_general_name(name) for name in names])
            built = built.add_extension(alternative, critical=False)
        return Issued(_pem(built.sign(self._key, hashes.SHA256())), private_pem(key))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, ends: dt.datetime
    ) -> x509.CertificateBuilder:
        built = x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key,
            serial_number=x509.random_serial_number(),
            not_valid_before=self._now - _DAY,
            not_valid_after=ends,
        )
        if self._bare:
            return built
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            built.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(issuer, critical=False)
            .add_extension(_key_usage(issues=subject == self._name), critical=True)
        )


def private_pem(key: PrivateKey, *, password: bytes = b"") -> bytes:
    """Return a private key in PEM form, sealed if there is a password."""
    sealing: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        sealing = serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealing)


def public_pem(key: PrivateKey) -> bytes:
    """Return the public part of a key in PEM form."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_usage(*, issues: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not issues,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=issues,
        crl_sign=issues,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.UniformResourceIdentifier(name) if ":" in name else x509.DNSName(name)


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return the RSA key of a size; making one takes a while, so each is made once."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


KINDS: Mapping[str, tuple[Callable[[], PrivateKey], Any]] = {
    "RS256": (rsa_key, RSAAlgorithm),
    "ES256": (_ec_key, ECAlgorithm),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate, OKPAlgorithm),
}
"""How the keys of an algorithm are made and written, by algorithm."""


def jwk_of(key: PrivateKey, algorithm: str, *, kid: str, private: bool = False) -> dict[str, Any]:
    """Return a key as a member of a JSON Web Key Set: the public part unless the private one is asked for."""
    written = KINDS[algorithm][1].to_jwk(key if private else key.public_key(), as_dict=True)
    return {name: value for name, value in written.items() if name != "key_ops"} | {"kid": kid}


class Issuer:
    """Issues tokens."""

    def __init__(self, algorithm: str = "ES256", *, kid: str = "key-1", key: PrivateKey | None = None) -> None:
        self.algorithm = algorithm
        self.kid = kid
        self.key = key or KINDS[algorithm][0]()

    @property
    def jwk(self) -> dict[str, Any]:
        """Its public key."""
        return jwk_of(self.key, self.algorithm, kid=self.kid)

    def token(
        self, subject: Any = "checkout", *, now: dt.datetime | None = None, header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:  # fmt: skip
        """Return a token of an hour.

        Args:
            subject: Whom it is for.
            now: When it is issued; the machine's time unless given.
            header: Members over those of its header.
            claims: Members over those of its content; None takes one away.
        """
        issued_s = (now or machine_now()).timestamp()
        content = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": issued_s, "exp": issued_s + 3600} | claims
        present = {name: value for name, value in content.items() if value is not None}
        return self.signed(json.dumps(present).encode(), header=header)

    def signed(self, content: bytes, *, header: Mapping[str, Any] | None = None) -> str:
        """Return a token of any bytes."""
        return jwt.PyJWS().encode(
            content, self.key, algorithm=self.algorithm, headers={"kid": self.kid, **(header or {})}
        )


def key_set(*issuers: Issuer) -> bytes:
    """Return the public keys of issuers as a JSON Web Key Set."""
    return json.dumps({"keys": [one.jwk for one in issuers]}).encode()
