"""A certificate authority shaped like Apple's, whose private keys are public knowledge.

    NOT APPLE test root (P-384) -> NOT APPLE test intermediate (P-256) -> NOT APPLE test leaf (P-256, signs tokens)
                                                                       -> two payment processing keys per merchant
                                                      -> a leaf and two processing keys per merchant with RSA (2048)

Source: Apple, "Payment token format reference" and TN3206 "Updating Apple Pay certificates", read 2026-11-20.
"""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from zuora_emulator.apple_pay.rsa_keys import has_rsa_key, rsa_key

LEAF_MARK = x509.ObjectIdentifier("1.2.840.113635.100.6.29")
INTERMEDIATE_MARK = x509.ObjectIdentifier("1.2.840.113635.100.6.2.14")
MERCHANT_MARK = x509.ObjectIdentifier("1.2.840.113635.100.6.32")

PUBLISHED_LABEL = "payorch zuora-emulator NOT APPLE 1"
PUBLISHED_MERCHANTS = ("merchant.example.payorch", "merchant.example.other")

# The root and everything that lives as long as it: wide enough for any clock that a test sets.
_LONG_NOT_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
_LONG_NOT_AFTER = datetime(2049, 1, 1, tzinfo=UTC)
# Apple's leaves are short-lived; ours begin the day before, so that a clock slightly behind still finds them valid.
_LEAF_LEAD = timedelta(days=1)
_LEAF_LIFE = timedelta(days=30)
_KEYS_PER_MERCHANT = 2  # both are live while a merchant replaces its certificate
_DER_NULL = b"\x05\x00"
_DER_UTF8_STRING_OF_64 = b"\x0c\x40"


@dataclass(frozen=True, slots=True, eq=False)
class ProcessingKey:
    """One payment processing certificate of a merchant, with its private key.

    Attributes:
        certificate: Subject UID is the merchant identifier; extension ...6.32 holds its hash.
        private_key: P-256, or RSA with 2048 bits for tokens of version RSA_v1.
        public_key_hash: SHA-256 of the SubjectPublicKeyInfo, 32 bytes; tokens name the key by it.
    """

    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = field(repr=False)
    public_key_hash: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Merchant:
    """A merchant with the two processing keys that may be live at a time.

    Attributes:
        merchant_id: The identifier that its certificates name.
        keys: For tokens of version EC_v1.
        rsa_keys: For tokens of version RSA_v1; none unless the merchant is one of the published ones.
    """

    merchant_id: str
    keys: tuple[ProcessingKey, ...]
    rsa_keys: tuple[ProcessingKey, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SigningChain:
    """What a device signs a token with, and the two certificates it sends along."""

    leaf: x509.Certificate
    leaf_key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = field(repr=False)
    intermediate: x509.Certificate


@dataclass(frozen=True, slots=True, eq=False)
class AppleAuthority:
    """A root with its intermediate, leaf signer and merchants, all derived from one label.

    Attributes:
        label: The keys follow from it, so equal labels give authorities that trust each other's tokens.
        root: The trust anchor.
        merchants: In the order given when the authority was derived.
    """

    label: str
    root: x509.Certificate
    merchants: tuple[Merchant, ...]

    @classmethod
    def published(cls) -> "AppleAuthority":
        """Return the authority that every emulator trusts, in whichever process; built once."""
        return _published()

    @classmethod
    def derived(cls, *, label: str, merchant_ids: Sequence[str] = PUBLISHED_MERCHANTS) -> Self:
        """Return an authority whose keys follow from `label`: another label is a foreign root."""
        root = _certificate(label, _ROOT, issuer=_ROOT)
        return cls(label=label, root=root, merchants=tuple(_merchant(label, name) for name in merchant_ids))

    def merchant(self, merchant_id: str) -> Merchant:
        """Return the merchant of that identifier.

        Raises:
            LookupError: The authority has no such merchant.
        """
        for merchant in self.merchants:
            if merchant.merchant_id == merchant_id:
                return merchant
        message = f"no test merchant {merchant_id!r}; there are {[m.merchant_id for m in self.merchants]}"
        raise LookupError(message)

    def find_key(self, public_key_hash: bytes) -> tuple[Merchant, ProcessingKey] | None:
        """Return the processing key of that hash with its merchant, or None."""
        for merchant in self.merchants:
            for key in (*merchant.keys, *merchant.rsa_keys):
                if key.public_key_hash == public_key_hash:
                    return merchant, key
        return None

    def signing_chain(
        self,
        *,
        now: datetime,
        rsa_leaf: bool = False,
        leaf_marked: bool = True,
        intermediate_marked: bool = True,
        leaf_expired: bool = False,
    ) -> SigningChain:
        """Return the leaf and intermediate that sign at `now`; the switches make the faulty ones.

        Args:
            now: Time of signing, with a time zone.
            rsa_leaf: True gives the leaf that signs tokens of version RSA_v1; its issuers have curve keys all the same.
            leaf_marked: False leaves extension ...6.29 out of the leaf.
            intermediate_marked: False leaves extension ...6.2.14 out of the intermediate.
            leaf_expired: True gives a leaf that ended at the start of that day (UTC) at the latest.
        """
        midnight = datetime.combine(now.astimezone(UTC).date(), time(), tzinfo=UTC)
        start = midnight - _LEAF_LEAD
        end = midnight - timedelta(seconds=1) if leaf_expired else start + _LEAF_LIFE
        return _signing_chain(self.label, (start, end), rsa_leaf, leaf_marked, intermediate_marked)


@dataclass(frozen=True, slots=True)
class _Role:
    name: str
    curve: type[ec.EllipticCurve] = ec.SECP256R1
    is_authority: bool = False
    merchant_id: str | None = None
    is_rsa: bool = False


_ROOT = _Role("root", curve=ec.SECP384R1, is_authority=True)
_INTERMEDIATE = _Role("intermediate", is_authority=True)
_LEAF = _Role("leaf")
_RSA_LEAF = _Role("leaf", is_rsa=True)


@functools.cache
def _published() -> AppleAuthority:
    return AppleAuthority.derived(label=PUBLISHED_LABEL)


def derive_key(label: str, name: str, curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
    """Return the private key that belongs to a name below a label; anyone can compute it."""
    digest = hashlib.sha512(f"{label}/{name}".encode()).digest()
    return ec.derive_private_key(int.from_bytes(digest) % (curve.group_order - 1) + 1, curve)


def _merchant(label: str, merchant_id: str) -> Merchant:
    names = [f"processing {index} of {merchant_id}" for index in range(_KEYS_PER_MERCHANT)]
    curve_roles = [_Role(name, merchant_id=merchant_id) for name in names]
    rsa_roles = [_Role(name, merchant_id=merchant_id, is_rsa=True) for name in names if has_rsa_key(name)]
    return Merchant(
        merchant_id=merchant_id,
        keys=tuple(_processing_key(label, role, merchant_id) for role in curve_roles),
        rsa_keys=tuple(_processing_key(label, role, merchant_id) for role in rsa_roles),
    )


def _private_key(label: str, role: _Role) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    return rsa_key(role.name) if role.is_rsa else derive_key(label, role.name, role.curve())


def _processing_key(label: str, role: _Role, merchant_id: str) -> ProcessingKey:
    mark = _DER_UTF8_STRING_OF_64 + hashlib.sha256(merchant_id.encode()).hexdigest().upper().encode()
    key = _private_key(label, role)
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return ProcessingKey(
        certificate=_certificate(label, role, issuer=_INTERMEDIATE, mark=(MERCHANT_MARK, mark)),
        private_key=key,
        public_key_hash=hashlib.sha256(spki).digest(),
    )


@functools.lru_cache(maxsize=32)
def _signing_chain(
    label: str,
    validity: tuple[datetime, datetime],
    rsa_leaf: bool,  # noqa: FBT001 - part of the cache's key
    leaf_marked: bool,  # noqa: FBT001 - part of the cache's key
    intermediate_marked: bool,  # noqa: FBT001 - part of the cache's key
) -> SigningChain:
    intermediate_mark = (INTERMEDIATE_MARK, _DER_NULL) if intermediate_marked else None
    leaf_mark = (LEAF_MARK, _DER_NULL) if leaf_marked else None
    role = _RSA_LEAF if rsa_leaf else _LEAF
    return SigningChain(
        leaf=_certificate(label, role, issuer=_INTERMEDIATE, mark=leaf_mark, validity=validity),
        leaf_key=_private_key(label, role),
        intermediate=_certificate(label, _INTERMEDIATE, issuer=_ROOT, mark=intermediate_mark),
    )


def _certificate(
    label: str,
    role: _Role,
    *,
    issuer: _Role,
    mark: tuple[x509.ObjectIdentifier, bytes] | None = None,
    validity: tuple[datetime, datetime] = (_LONG_NOT_BEFORE, _LONG_NOT_AFTER),
) -> x509.Certificate:
    public_key = _private_key(label, role).public_key()
    full_name = f"RSA {role.name}" if role.is_rsa else role.name
    issuer_key = derive_key(label, issuer.name, issuer.curve())
    issuer_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(role))
        .issuer_name(_name(issuer))
        .public_key(public_key)
        .serial_number(int.from_bytes(hashlib.sha256(f"{label}/{full_name}/{validity}".encode()).digest()[:8]))
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
        .add_extension(x509.BasicConstraints(ca=role.is_authority, path_length=None), critical=True)
        .add_extension(_key_usage(role), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(issuer_identifier, critical=False)
    )
    if mark is not None:
        builder = builder.add_extension(x509.UnrecognizedExtension(*mark), critical=False)
    # Deterministic, so that two processes make the same bytes and a failing test can be repeated.
    return builder.sign(issuer_key, hashes.SHA256(), ecdsa_deterministic=True)


def _name(role: _Role) -> x509.Name:
    attributes = [
        x509.NameAttribute(NameOID.COMMON_NAME, f"NOT APPLE test {'RSA ' if role.is_rsa else ''}{role.name}"[:64]),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "NOT APPLE - zuora-emulator of payorch"),
    ]
    if role.merchant_id is not None:
        attributes.insert(0, x509.NameAttribute(NameOID.USER_ID, role.merchant_id))
    return x509.Name(attributes)


def _key_usage(role: _Role) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=role.name == _LEAF.name,
        content_commitment=False,
        key_encipherment=role.merchant_id is not None and role.is_rsa,
        data_encipherment=False,
        key_agreement=role.merchant_id is not None and not role.is_rsa,
        key_cert_sign=role.is_authority,
        crl_sign=role.is_authority,
        encipher_only=False,
        decipher_only=False,
    )
