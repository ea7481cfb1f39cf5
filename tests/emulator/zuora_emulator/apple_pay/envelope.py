"""The level-3 token as JSON, and strictly read into bytes.

{"version": "EC_v1", "data": b64, "signature": b64,
 "header": {"ephemeralPublicKey": b64, "publicKeyHash": b64, "transactionId": hex[, "applicationData": hex]}}

A token of version RSA_v1 has `wrappedKey` in place of `ephemeralPublicKey`.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from zuora_emulator.apple_pay.refusal import RefusalReason, TokenRefused

VERSION = "EC_v1"
RSA_VERSION = "RSA_v1"
GCM_NONCE = bytes(16)  # Apple's choice; harmless because each token has a key of its own
GCM_TAG_BYTES = 16
CONTENT_KEY_BYTES = 32

_HASH_BYTES = 32
_ALGORITHM_ID = b"\x0did-aes256-GCM"  # the only length byte in the whole input
_PARTY_U = b"Apple"
_MEMBERS = frozenset({"version", "data", "signature", "header"})
_HEADER_MEMBERS = frozenset({"publicKeyHash", "transactionId"})
_SEALING_KEY_MEMBERS = {VERSION: "ephemeralPublicKey", RSA_VERSION: "wrappedKey"}
_WRAPPED_KEY_BYTES = 256
_SPKI_BYTES = 91
_SPKI_START = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


@dataclass(frozen=True, slots=True, repr=False)
class SealedToken:
    """A level-3 token, decoded; nothing in it is verified yet.

    Attributes:
        version: `EC_v1` or `RSA_v1`.
        data: Ciphertext followed by the 16-byte tag.
        signature: CMS SignedData, BER or DER.
        sealing_key: Of EC_v1 the ephemeral public key, SubjectPublicKeyInfo of a P-256 point, 91 bytes, the point not
            checked; of RSA_v1 the wrapped content key, 256 bytes.
        public_key_hash: 32 bytes.
        transaction_id: 32 bytes.
        application_data: 32 bytes, or None when the member is absent.
    """

    version: str
    data: bytes
    signature: bytes
    sealing_key: bytes
    public_key_hash: bytes
    transaction_id: bytes
    application_data: bytes | None

    def signed_bytes(self) -> bytes:
        """Return what the signature covers besides its own attributes."""
        return self.sealing_key + self.data + self.transaction_id + (self.application_data or b"")


def read_token(token: object) -> SealedToken:
    """Read a level-3 token in the one form devices write it: canonical base64, lower-case hex, no other members.

    Raises:
        TokenRefused: `malformed` or `unsupported_version`.
    """
    if not isinstance(token, Mapping) or token.keys() != _MEMBERS:
        raise TokenRefused(RefusalReason.MALFORMED, "the token has not exactly the members of level 3")
    version = token["version"]
    if not isinstance(version, str) or version not in _SEALING_KEY_MEMBERS:
        raise TokenRefused(RefusalReason.UNSUPPORTED_VERSION, "only EC_v1 and RSA_v1 are known")
    key_member = _SEALING_KEY_MEMBERS[version]
    header = token["header"]
    if isinstance(header, Mapping):
        # Null says what a missing member says, and no signature covers it.
        header = {name: value for name, value in header.items() if value is not None}
    _require(
        isinstance(header, Mapping) and header.keys() - {"applicationData"} == _HEADER_MEMBERS | {key_member},
        f"the header has not exactly the members of {version}",
    )
    sealed = SealedToken(
        version=version,
        data=_base64(token["data"]),
        signature=_base64(token["signature"]),
        sealing_key=_base64(header[key_member]),
        public_key_hash=_base64(header["publicKeyHash"]),
        transaction_id=_hex(header["transactionId"]),
        application_data=_hex(header["applicationData"]) if "applicationData" in header else None,
    )
    _require(len(sealed.data) > GCM_TAG_BYTES, "data is too short")
    _check_sealing_key(sealed)
    return sealed


def _check_sealing_key(sealed: SealedToken) -> None:
    key = sealed.sealing_key
    if sealed.version == VERSION:
        _require(len(key) == _SPKI_BYTES and key.startswith(_SPKI_START), "ephemeralPublicKey is not a P-256 key")
    else:
        _require(len(key) == _WRAPPED_KEY_BYTES, "wrappedKey has not 256 bytes")


def write_token(sealed: SealedToken, *, version: str | None = None) -> dict[str, Any]:
    """Return the JSON object of a token, the reverse of `read_token`; `version` stands in place of the right one."""
    header = {
        _SEALING_KEY_MEMBERS[sealed.version]: base64.b64encode(sealed.sealing_key).decode(),
        "publicKeyHash": base64.b64encode(sealed.public_key_hash).decode(),
        "transactionId": sealed.transaction_id.hex(),
    }
    if sealed.application_data is not None:
        header["applicationData"] = sealed.application_data.hex()
    return {
        "version": version or sealed.version,
        "data": base64.b64encode(sealed.data).decode(),
        "signature": base64.b64encode(sealed.signature).decode(),
        "header": header,
    }


def spki(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return the SubjectPublicKeyInfo of a key, DER."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def content_key(*, shared_secret: bytes, merchant_id_hash: bytes) -> bytes:
    """Derive the AES-256 key of a token.

    Args:
        shared_secret: x-coordinate of the shared point, always 32 bytes: leading zeros count.
        merchant_id_hash: SHA-256 of the merchant identifier, 32 bytes.

    Source: Apple, "Restoring the symmetric key" (NIST SP 800-56A section 5.8.1, one round), read 2026-11-20.
    """
    info = _ALGORITHM_ID + _PARTY_U + merchant_id_hash
    return ConcatKDFHash(algorithm=hashes.SHA256(), length=CONTENT_KEY_BYTES, otherinfo=info).derive(shared_secret)


def _require(condition: bool, message: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not condition:
        raise TokenRefused(RefusalReason.MALFORMED, message)


def _base64(text: object) -> bytes:
    _require(isinstance(text, str), "a base64 member is not a string")
    try:
        decoded = binascii.a2b_base64(str(text), strict_mode=True)
    except ValueError:
        decoded = b""
    # Only one text stands for given bytes: otherwise the spare bits of the last character could be anything.
    _require(bool(decoded) and base64.b64encode(decoded).decode() == text, "a member is not canonical base64")
    return decoded


def _hex(text: object) -> bytes:
    _require(isinstance(text, str), "a hex member is not a string")
    try:
        decoded = bytes.fromhex(str(text))
    except ValueError:
        decoded = b""
    _require(len(decoded) == _HASH_BYTES and decoded.hex() == text, "a member is not 64 lower-case hex digits")
    return decoded
