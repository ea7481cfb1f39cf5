"""Verification of a token's CMS signature.

Source: Apple, "Payment token format reference", signature verification, read 2026-11-20.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from asn1crypto import cms as asn1
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from zuora_emulator.apple_pay import cms
from zuora_emulator.apple_pay.authority import INTERMEDIATE_MARK, LEAF_MARK
from zuora_emulator.apple_pay.envelope import RSA_VERSION, SealedToken
from zuora_emulator.apple_pay.refusal import RefusalReason, TokenRefused

# asn1crypto parses late and answers broken input with any of these.
_PARSE_ERRORS = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True, repr=False)
class _Certificate:
    tbs: bytes
    signature: bytes
    marks: frozenset[str]

    def der(self) -> bytes:
        return cms.certificate(self.tbs, self.signature)


@dataclass(frozen=True, slots=True, repr=False)
class _Signature:
    """The parts of a CMS message that the rest of it follows from."""

    certificates: tuple[_Certificate, ...]
    attributes: bytes
    signature: bytes
    signing_time: datetime
    message_digest: bytes


def verify_signature(
    *, sealed: SealedToken, root: x509.Certificate, now: datetime, max_age: timedelta, max_ahead: timedelta
) -> None:
    """Verify that a device of this root signed the token shortly before `now`.

    Raises:
        TokenRefused: `malformed_signature`, `missing_extension`, `untrusted_chain`, `certificate_expired`,
            `bad_digest`, `bad_signature`, `stale` or `from_the_future`.
    """
    signature = _parse(sealed.signature)
    leaf, intermediate = _verify_chain(signature, root)
    _require_canonical(sealed.signature, signature, leaf)
    for certificate in (leaf, intermediate):
        if not certificate.not_valid_before_utc <= signature.signing_time <= certificate.not_valid_after_utc:
            raise TokenRefused(RefusalReason.CERTIFICATE_EXPIRED, "a certificate was not valid at the signing time")
    if signature.message_digest != hashlib.sha256(sealed.signed_bytes()).digest():
        raise TokenRefused(RefusalReason.BAD_DIGEST, "the signed digest is not that of the token")
    key = _leaf_key(leaf, sealed.version)
    if not _is_signed(key, signature.signature, cms.signed_attributes_set(signature.attributes)):
        raise TokenRefused(RefusalReason.BAD_SIGNATURE, "the leaf's key did not sign the attributes")
    if now - signature.signing_time > max_age:
        raise TokenRefused(RefusalReason.STALE, "the signing time is too long ago")
    if signature.signing_time - now > max_ahead:
        raise TokenRefused(RefusalReason.FROM_THE_FUTURE, "the signing time lies ahead")


def _parse(encoded: bytes) -> _Signature:
    try:
        return _read(asn1.ContentInfo.load(encoded, strict=True))
    except _PARSE_ERRORS as failure:
        message = "the signature is not a CMS message of the known form"
        raise TokenRefused(RefusalReason.MALFORMED_SIGNATURE, message) from failure


def _read(message: Any) -> _Signature:
    signed = message["content"]
    [signer] = signed["signer_infos"]
    attributes = signer["signed_attrs"]
    values = {attribute["type"].native: attribute["values"].native for attribute in attributes}
    if len(values) != len(attributes) or values["content_type"] != ["data"]:
        raise ValueError("attributes that occur twice, or that belong to other content")
    [signing_time], [message_digest] = values["signing_time"], values["message_digest"]
    return _Signature(
        certificates=tuple(_read_certificate(choice.chosen) for choice in signed["certificates"]),
        attributes=bytes(attributes.contents),
        signature=bytes(signer["signature"].native),
        signing_time=signing_time,
        message_digest=message_digest,
    )


def _read_certificate(parsed: asn1_x509.Certificate) -> _Certificate:
    tbs = parsed["tbs_certificate"]
    return _Certificate(
        tbs=bytes(tbs.dump()),
        signature=bytes(parsed["signature_value"].native),
        marks=frozenset(extension["extn_id"].dotted for extension in tbs["extensions"]),
    )


def _verify_chain(signature: _Signature, root: x509.Certificate) -> tuple[x509.Certificate, x509.Certificate]:
    leaf = _with_mark(signature.certificates, LEAF_MARK)
    intermediate = _with_mark(signature.certificates, INTERMEDIATE_MARK)
    trusted_intermediate = _verified(intermediate, issuer=root)
    return _verified(leaf, issuer=trusted_intermediate), trusted_intermediate


def _with_mark(certificates: tuple[_Certificate, ...], mark: x509.ObjectIdentifier) -> _Certificate:
    found = [certificate for certificate in certificates if mark.dotted_string in certificate.marks]
    if len(found) != 1:
        raise TokenRefused(RefusalReason.MISSING_EXTENSION, f"not exactly one certificate has {mark.dotted_string}")
    return found[0]


def _verified(certificate: _Certificate, *, issuer: x509.Certificate) -> x509.Certificate:
    """Load a certificate only after its signature holds: what the parser then sees was written by the authority."""
    if not _is_signed(_public_key(issuer), certificate.signature, certificate.tbs):
        raise TokenRefused(RefusalReason.UNTRUSTED_CHAIN, "a certificate is not signed by its issuer")
    loaded = x509.load_der_x509_certificate(certificate.der())
    constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    if loaded.issuer != issuer.subject or not constraints.ca:
        raise TokenRefused(RefusalReason.UNTRUSTED_CHAIN, "a certificate does not follow from its issuer")
    return loaded


def _require_canonical(encoded: bytes, signature: _Signature, leaf: x509.Certificate) -> None:
    certificates = [certificate.der() for certificate in signature.certificates]
    for digest in (cms.SHA256_ABSENT, cms.SHA256_NULL):
        signer = cms.signer_info(
            leaf=leaf, attributes=signature.attributes, signature=signature.signature, digest=digest
        )
        for ber in (True, False):
            if encoded == cms.signed_data(certificates=certificates, signer=signer, digest=digest, ber=ber):
                return
    raise TokenRefused(RefusalReason.MALFORMED_SIGNATURE, "the CMS message differs from the one that devices write")


def _public_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TokenRefused(RefusalReason.UNTRUSTED_CHAIN, "a certificate's key is not an elliptic curve key")
    return key


def _leaf_key(leaf: x509.Certificate, version: str) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    key = leaf.public_key()
    kind = rsa.RSAPublicKey if version == RSA_VERSION else ec.EllipticCurvePublicKey
    if not isinstance(key, kind):
        raise TokenRefused(RefusalReason.UNTRUSTED_CHAIN, f"the leaf's key is not of the kind that signs {version}")
    return key


def _is_signed(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, signature: bytes, message: bytes) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
