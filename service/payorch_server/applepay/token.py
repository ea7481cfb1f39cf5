"""The structural check of an Apple Pay token, and its inner object as it is forwarded.

    level 2  {"paymentData": level 3, "paymentMethod": {...}, "transactionIdentifier": hex}
    level 3  {"version": "EC_v1", "data": b64, "signature": b64, "header": {"ephemeralPublicKey": b64,
              "publicKeyHash": b64, "transactionId": hex[, "applicationData": hex]}}

Source: Apple, "Payment token format reference"; Zuora API reference, operation POST_PaymentMethodsDecryption, whose
`paymentToken` is level 3; both read 2026-11-20.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from payorch_server.applepay.members import Members
from payorch_server.applepay.token_json import TokenJson, member_text, read_token_json
from payorch_server.applepay.violation import InvalidTokenError, TokenRule, TokenViolation

MAX_TOKEN_BYTES: Final = 16 * 1024  # several times a real one

_MAX_SIGNATURE_BYTES: Final = 8 * 1024  # real ones have about 2.2 KB
_GCM_TAG_BYTES: Final = 16
_CMS_START: Final = b"\x30"
_LENGTH_BYTES: Final = 4
_VERSION: Final = "EC_v1"
_RSA_VERSION: Final = "RSA_v1"
_WRAPPED: Final = "paymentData"
_WRAPPER_ID: Final = "transactionIdentifier"
_APPLICATION_DATA: Final = "applicationData"
_INNER_MEMBERS: Final = frozenset({"version", "data", "signature", "header"})


@dataclass(frozen=True, slots=True)
class AppleToken:
    """A token of the right structure; whether Apple signed it is not known.

    Attributes:
        payment_data_json: The text of the level-3 object as it came, UTF-8, to be embedded as it is. Never logged.
        transaction_id: 64 lower-case hex digits.
        public_key_hash: Base64 of 32 bytes, which names the merchant's processing certificate.
        version: `EC_v1`.
        fingerprint_sha256: 32 bytes; equal for tokens with equal decoded members, however they are written.
    """

    payment_data_json: bytes = field(repr=False)
    transaction_id: str
    public_key_hash: str
    version: str
    fingerprint_sha256: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class _EncryptedParts:
    data: bytes
    signature: bytes
    ephemeral_public_key: bytes = b""
    public_key_hash: bytes = b""
    transaction_id: bytes = b""
    application_data: bytes = b""


def parse_token(*, token_json: bytes) -> AppleToken:
    """Check the structure of a token, without keys, clock or network.

    Args:
        token_json: Level 2 as browsers hand it out or level 3 as iOS does, at most `MAX_TOKEN_BYTES`.

    Returns:
        The token with its level-3 object unchanged, members unknown here included: dropping one breaks the signature.

    Raises:
        InvalidTokenError: With every violation that was found. A text that cannot be read, or an object of another
            level, has that one violation only.
    """
    violations: list[TokenViolation] = []
    token = _parse(token_json, violations)
    # Raised here and not where it was found: a parser's error would come along as context, with the token in it.
    if token is None or violations:
        raise InvalidTokenError(violations)
    return token


def _parse(token_json: bytes, violations: list[TokenViolation]) -> AppleToken | None:
    document = _read(token_json)
    if isinstance(document, TokenViolation):
        violations.append(document)
        return None
    outer = Members(values=document.members, prefix="", violations=violations)
    is_wrapped = _WRAPPED in document.members
    inner = outer.child(_WRAPPED) if is_wrapped else outer
    _check_repeated(document, violations)
    if inner is None:
        return None
    sealed = _check_inner(inner)
    # Apple omits what has no value; typed readers on the way write it as null, which says the same.
    if document.members.get(_WRAPPER_ID) is not None and is_wrapped:
        _check_wrapper_id(outer, sealed.transaction_id)
    return AppleToken(
        payment_data_json=(member_text(document.text, _WRAPPED) if is_wrapped else document.text).encode(),
        transaction_id=sealed.transaction_id.hex(),
        public_key_hash=base64.b64encode(sealed.public_key_hash).decode(),
        version=_VERSION,
        fingerprint_sha256=_fingerprint(sealed),
    )


def _read(token_json: bytes) -> TokenJson | TokenViolation:
    if len(token_json) > MAX_TOKEN_BYTES:
        return TokenViolation("", TokenRule.TOO_LONG, f"token_json must have at most {MAX_TOKEN_BYTES} bytes")
    document = read_token_json(token_json)
    if isinstance(document, TokenViolation):
        return document
    names = document.members.keys()
    if _WRAPPED in names and names & _INNER_MEMBERS:
        must = "be either the token with its paymentData or the paymentData alone, not both in one object"
        return TokenViolation("", TokenRule.AMBIGUOUS_LEVEL, f"token_json must {must}")
    if "token" in names and not names & {_WRAPPED, *_INNER_MEMBERS}:
        must = "be the token member of the payment, not the whole payment"
        return TokenViolation("", TokenRule.WRONG_LEVEL, f"token_json must {must}")
    if "details" in names and not names & {_WRAPPED, *_INNER_MEMBERS}:
        must = "be details.token of the payment response, not the whole response"
        return TokenViolation("", TokenRule.WRONG_LEVEL, f"token_json must {must}")
    return document


def _check_repeated(document: TokenJson, violations: list[TokenViolation]) -> None:
    """Refuse names that occur twice: readers differ in which of the two values they take."""
    inner = document.members.get(_WRAPPED)
    prefix = "" if inner is None else f"{_WRAPPED}."
    header = (document.members if inner is None else inner if isinstance(inner, dict) else {}).get("header")
    for repeated in document.repeated:
        # An object of no known path is named by the token itself: names of unknown members are the caller's text.
        path = f"{prefix}header" if repeated is header else _WRAPPED if repeated is inner else ""
        must = "hold each member name once, also in the objects below"
        violations.append(TokenViolation(path, TokenRule.DUPLICATE_MEMBER, f"{path or 'token_json'} must {must}"))


def _check_inner(inner: Members) -> _EncryptedParts:
    version = _check_version(inner)
    data = inner.base64("data", at_least=_GCM_TAG_BYTES + 1, at_most=MAX_TOKEN_BYTES)
    signature = inner.base64("signature", at_least=1, at_most=_MAX_SIGNATURE_BYTES)
    if signature and not signature.startswith(_CMS_START):
        inner.refuse("signature", TokenRule.NOT_CMS, "be a CMS message")
    header = inner.child("header")
    if header is None:
        return _EncryptedParts(data=data, signature=signature)
    return _EncryptedParts(
        data=data,
        signature=signature,
        # RSA_v1 has a wrapped key in its place; the version is violation enough.
        ephemeral_public_key=b"" if version == _RSA_VERSION else header.p256_key("ephemeralPublicKey"),
        public_key_hash=header.sha256_base64("publicKeyHash"),
        transaction_id=header.sha256_hex("transactionId"),
        application_data=header.sha256_hex(_APPLICATION_DATA) if _has(header, _APPLICATION_DATA) else b"",
    )


def _has(header: Members, name: str) -> bool:
    return header.values.get(name) is not None


def _check_version(inner: Members) -> str | None:
    version = inner.string("version")
    if version == _RSA_VERSION:
        inner.refuse("version", TokenRule.RSA_UNSUPPORTED, "be EC_v1; Zuora documents no support of RSA_v1")
    elif version is not None and version != _VERSION:
        inner.refuse("version", TokenRule.UNSUPPORTED_VERSION, "be EC_v1")
    return version


def _check_wrapper_id(outer: Members, transaction_id: bytes) -> None:
    identifier = outer.sha256_hex(_WRAPPER_ID)
    if identifier and transaction_id and identifier != transaction_id:
        outer.refuse(_WRAPPER_ID, TokenRule.MISMATCH, f"equal {_WRAPPED}.header.transactionId")


def _fingerprint(sealed: _EncryptedParts) -> bytes:
    digest = hashlib.sha256()
    parts: Sequence[bytes] = (
        sealed.data,
        sealed.signature,
        sealed.ephemeral_public_key,
        sealed.public_key_hash,
        sealed.transaction_id,
        sealed.application_data,
    )
    for part in parts:
        digest.update(len(part).to_bytes(_LENGTH_BYTES))
        digest.update(part)
    return digest.digest()
