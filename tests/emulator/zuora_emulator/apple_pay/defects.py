"""The negative catalogue: tokens with one defect each, by name, and the reason for which each is refused."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from zuora_emulator.apple_pay.authority import AppleAuthority, SigningChain
from zuora_emulator.apple_pay.mint import (
    TEST_ACCOUNT_NUMBER,
    TEST_EXPIRATION,
    UNSPOILED,
    Spoiling,
    mint_token,
    wrap_token,
)
from zuora_emulator.apple_pay.refusal import RefusalReason

_Token = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Making:
    """What a defect may depend on."""

    now: datetime
    merchant_id: str
    is_rsa: bool
    mint: Callable[..., _Token]
    """Mints a token with the request's amount; takes a spoiling and other arguments of `mint_token`."""


@dataclass(frozen=True, slots=True)
class Defect:
    """One defect of a token."""

    meaning: str
    """What is wrong, in a few words."""
    refused_as: RefusalReason
    make: Callable[[_Making], _Token]


def spoiled_token(
    name: str,
    *,
    merchant_id: str,
    amount_minor: int,
    currency_numeric: str,
    now: datetime,
    entropy: Callable[[int], bytes],
    **more: Any,
) -> _Token:
    """Mint a token of the published authority that has the defect of that name, and no other.

    Args:
        name: One of `DEFECTS`.
        merchant_id: The merchant who will present the token.
        amount_minor: In minor units of the currency.
        currency_numeric: ISO 4217 numeric code, three digits.
        now: The time by which the token is right or wrong, with a time zone.
        entropy: Returns that many random bytes.
        **more: Other arguments of `mint_token`; what the defect itself needs has precedence.

    Raises:
        LookupError: There is no such defect, or the authority has no such merchant.
    """

    def mint(spoiling: Spoiling = UNSPOILED, **needed: Any) -> _Token:
        common: dict[str, Any] = {
            "authority": AppleAuthority.published(),
            "merchant_id": merchant_id,
            "amount_minor": amount_minor,
            "currency_numeric": currency_numeric,
            "now": now,
            "entropy": entropy,
        }
        return mint_token(**(common | more | needed), spoiling=spoiling)

    is_rsa = more.get("rsa_version") is True
    return DEFECTS[name].make(_Making(now=now, merchant_id=merchant_id, is_rsa=is_rsa, mint=mint))


def _spoiling(**what: Any) -> Callable[[_Making], _Token]:
    return lambda making: making.mint(Spoiling(**what))


def _chain(**what: bool) -> Callable[[_Making], _Token]:
    return lambda making: making.mint(Spoiling(chain=_chain_of(making, AppleAuthority.published(), **what)))


def _chain_of(making: _Making, authority: AppleAuthority, **what: bool) -> SigningChain:
    return authority.signing_chain(now=making.now, rsa_leaf=making.is_rsa, **what)


def _foreign(making: _Making) -> SigningChain:
    return _chain_of(making, AppleAuthority.derived(label="foreign"))


def _foreign_key(making: _Making) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    # The RSA keys are the same under every label, so another one has to be one of another purpose.
    return (
        AppleAuthority.published().merchants[0].rsa_keys[0].private_key if making.is_rsa else _foreign(making).leaf_key
    )


def _other_merchant(making: _Making) -> str:
    names = (merchant.merchant_id for merchant in AppleAuthority.published().merchants)
    return next(name for name in names if name != making.merchant_id)


def _off_the_curve(making: _Making) -> _Token:
    key = bytearray(base64.b64decode(making.mint(rsa_version=False)["header"]["ephemeralPublicKey"]))
    key[-1] ^= 1
    return making.mint(Spoiling(sealing_key=bytes(key)), rsa_version=False)


def _wrapped_for_another(making: _Making) -> _Token:
    return making.mint(Spoiling(key_merchant_id=_other_merchant(making)), rsa_version=True)


def _header_without(member: str) -> Callable[[_Making], _Token]:
    def make(making: _Making) -> _Token:
        token = making.mint()
        return token | {"header": {name: value for name, value in token["header"].items() if name != member}}

    return make


def _sealing_key_missing(making: _Making) -> _Token:
    return _header_without("wrappedKey" if making.is_rsa else "ephemeralPublicKey")(making)


def _header_changed(member: str, content: str, **minted: Any) -> Callable[[_Making], _Token]:
    def make(making: _Making) -> _Token:
        token = making.mint(**minted)
        return token | {"header": token["header"] | {member: content}}

    return make


def _flipped(member: str, at: int) -> Callable[[_Making], _Token]:
    def make(making: _Making) -> _Token:
        token = making.mint()
        content = bytearray(base64.b64decode(token[member]))
        content[at] ^= 1
        return token | {member: base64.b64encode(bytes(content)).decode()}

    return make


def _without(member: str) -> Callable[[_Making], _Token]:
    return lambda making: {name: value for name, value in making.mint().items() if name != member}


_UNKNOWN_PAYMENT_DATA = json.dumps(
    {
        "applicationPrimaryAccountNumber": TEST_ACCOUNT_NUMBER,
        "applicationExpirationDate": TEST_EXPIRATION,
        "currencyCode": "840",
        "transactionAmount": 1,
        "paymentDataType": "Magstripe",
        "paymentData": {},
    }
).encode()

_REASON = RefusalReason
DEFECTS: Mapping[str, Defect] = {
    "stale": Defect("signed six minutes ago", _REASON.STALE, _spoiling(signing_time_shift=timedelta(minutes=-6))),
    "from_the_future": Defect(
        "signed two minutes ahead", _REASON.FROM_THE_FUTURE, _spoiling(signing_time_shift=timedelta(minutes=2))
    ),
    "foreign_root": Defect(
        "signed under a root that is not trusted",
        _REASON.UNTRUSTED_CHAIN,
        lambda making: making.mint(Spoiling(chain=_foreign(making))),
    ),
    "foreign_key": Defect(
        "signed with a key that is not the certificate's",
        _REASON.BAD_SIGNATURE,
        lambda making: making.mint(Spoiling(signing_key=_foreign_key(making))),
    ),
    "leaf_mark_missing": Defect(
        "the leaf certificate has no Apple Pay extension", _REASON.MISSING_EXTENSION, _chain(leaf_marked=False)
    ),
    "intermediate_mark_missing": Defect(
        "the intermediate certificate has no Apple Pay extension",
        _REASON.MISSING_EXTENSION,
        _chain(intermediate_marked=False),
    ),
    "leaf_expired": Defect(
        "the leaf certificate had expired at the signing time", _REASON.CERTIFICATE_EXPIRED, _chain(leaf_expired=True)
    ),
    "digest_wrong": Defect(
        "the signed digest belongs to another token", _REASON.BAD_DIGEST, _spoiling(message_digest=bytes(32))
    ),
    "application_data_dropped": Defect(
        "signed with application data that the token no longer has",
        _REASON.BAD_DIGEST,
        lambda making: making.mint(Spoiling(application_data_dropped=True), application_data=b"order 17"),
    ),
    "application_data_changed": Defect(
        "has the hash of other application data than was signed",
        _REASON.BAD_DIGEST,
        _header_changed("applicationData", "0" * 64, application_data=b"order 17"),
    ),
    "application_data_added": Defect(
        "has application data that was not signed",
        _REASON.BAD_DIGEST,
        _header_changed("applicationData", "0" * 64, application_data=None),
    ),
    "transaction_id_changed": Defect(
        "has another transaction id than was signed", _REASON.BAD_DIGEST, _header_changed("transactionId", "0" * 64)
    ),
    "data_changed": Defect("one bit of the encrypted data changed", _REASON.BAD_DIGEST, _flipped("data", -1)),
    "tag_changed": Defect(
        "one bit of the authentication tag changed before signing",
        _REASON.DECRYPTION_FAILED,
        _spoiling(changes_tag=True),
    ),
    "signature_changed": Defect(
        "the first byte of the signature changed", _REASON.MALFORMED_SIGNATURE, _flipped("signature", 0)
    ),
    "unknown_key": Defect(
        "publicKeyHash belongs to no processing key", _REASON.UNKNOWN_KEY, _spoiling(public_key_hash=bytes(32))
    ),
    "other_merchant": Defect(
        "made for another merchant",
        _REASON.WRONG_MERCHANT,
        lambda making: making.mint(merchant_id=_other_merchant(making)),
    ),
    "other_merchants_secret": Defect(
        "encrypted with the content key of another merchant",
        _REASON.DECRYPTION_FAILED,
        lambda making: making.mint(Spoiling(key_merchant_id=_other_merchant(making))),
    ),
    "ephemeral_key_off_curve": Defect(
        "the ephemeral key is no point of the curve", _REASON.BAD_EPHEMERAL_KEY, _off_the_curve
    ),
    "wrapped_for_other_merchant": Defect(
        "of version RSA_v1, with the content key wrapped for another merchant",
        _REASON.DECRYPTION_FAILED,
        _wrapped_for_another,
    ),
    "wrapped_key_short": Defect(
        "of version RSA_v1, with a wrapped key of 128 bytes",
        _REASON.MALFORMED,
        lambda making: making.mint(Spoiling(sealing_key=bytes(128)), rsa_version=True),
    ),
    "version_rsa": Defect(
        "of version EC_v1, and says RSA_v1",
        _REASON.MALFORMED,
        lambda making: making.mint(Spoiling(version="RSA_v1"), rsa_version=False),
    ),
    "version_ec": Defect(
        "of version RSA_v1, and says EC_v1",
        _REASON.MALFORMED,
        lambda making: making.mint(Spoiling(version="EC_v1"), rsa_version=True),
    ),
    "version_unknown": Defect("says EC_v2", _REASON.UNSUPPORTED_VERSION, _spoiling(version="EC_v2")),
    "payment_data_unknown": Defect(
        "payment data that is neither 3DSecure nor EMV",
        _REASON.UNSUPPORTED_PAYMENT_DATA,
        _spoiling(clear_text=_UNKNOWN_PAYMENT_DATA),
    ),
    "clear_text_no_json": Defect("the clear text is no JSON", _REASON.BAD_CLEAR_TEXT, _spoiling(clear_text=b"?")),
    "clear_text_no_object": Defect("the clear text is an array", _REASON.BAD_CLEAR_TEXT, _spoiling(clear_text=b"[]")),
    "wrapped": Defect(
        "the browser's object around the encrypted token", _REASON.MALFORMED, lambda making: wrap_token(making.mint())
    ),
    "signature_missing": Defect("has no signature", _REASON.MALFORMED, _without("signature")),
    "sealing_key_missing": Defect(
        "has neither an ephemeral nor a wrapped key", _REASON.MALFORMED, _sealing_key_missing
    ),
    "transaction_id_missing": Defect("has no transaction id", _REASON.MALFORMED, _header_without("transactionId")),
    "data_missing": Defect("has no data", _REASON.MALFORMED, _without("data")),
    "unknown_member": Defect(
        "has a member that no token has", _REASON.MALFORMED, lambda making: making.mint() | {"extra": "1"}
    ),
}
"""Every defect by name."""
