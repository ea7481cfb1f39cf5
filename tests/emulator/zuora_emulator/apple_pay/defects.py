"""The negative catalogue: tokens with one defect each, by name, and the reason for which each is refused."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from zuora_emulator.apple_pay.authority import AppleAuthority
from zuora_emulator.apple_pay.mint import UNSPOILED, Spoiling, mint_token, wrap_token
from zuora_emulator.apple_pay.refusal import RefusalReason

_Token = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Making:
    """What a defect may depend on."""

    now: datetime
    merchant_id: str
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
) -> _Token:
    """Mint a token of the published authority that has the defect of that name, and no other.

    Args:
        name: One of `DEFECTS`.
        merchant_id: The merchant who will present the token.
        amount_minor: In minor units of the currency.
        currency_numeric: ISO 4217 numeric code, three digits.
        now: The time by which the token is right or wrong, with a time zone.
        entropy: Returns that many random bytes.

    Raises:
        LookupError: There is no such defect, or the authority has no such merchant.
    """

    def mint(spoiling: Spoiling = UNSPOILED, **more: Any) -> _Token:
        common: dict[str, Any] = {
            "authority": AppleAuthority.published(),
            "merchant_id": merchant_id,
            "amount_minor": amount_minor,
            "currency_numeric": currency_numeric,
            "now": now,
            "entropy": entropy,
        }
        return mint_token(**(common | more), spoiling=spoiling)

    return DEFECTS[name].make(_Making(now=now, merchant_id=merchant_id, mint=mint))


def _spoiling(**what: Any) -> Callable[[_Making], _Token]:
    return lambda making: making.mint(Spoiling(**what))


def _chain(**what: bool) -> Callable[[_Making], _Token]:
    return lambda making: making.mint(Spoiling(chain=AppleAuthority.published().signing_chain(now=making.now, **what)))


def _foreign(making: _Making) -> Any:
    return AppleAuthority.derived(label="foreign").signing_chain(now=making.now)


def _other_merchant(making: _Making) -> str:
    names = (merchant.merchant_id for merchant in AppleAuthority.published().merchants)
    return next(name for name in names if name != making.merchant_id)


def _off_the_curve(making: _Making) -> _Token:
    key = bytearray(base64.b64decode(making.mint()["header"]["ephemeralPublicKey"]))
    key[-1] ^= 1
    return making.mint(Spoiling(ephemeral_public_key=bytes(key)))


def _flipped(member: str) -> Callable[[_Making], _Token]:
    def make(making: _Making) -> _Token:
        token = making.mint()
        content = bytearray(base64.b64decode(token[member]))
        content[-1] ^= 1
        return token | {member: base64.b64encode(bytes(content)).decode()}

    return make


def _without(member: str) -> Callable[[_Making], _Token]:
    return lambda making: {name: value for name, value in making.mint().items() if name != member}


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
        lambda making: making.mint(Spoiling(signing_key=_foreign(making).leaf_key)),
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
    "data_changed": Defect("one bit of the encrypted data changed", _REASON.BAD_DIGEST, _flipped("data")),
    "signature_changed": Defect(
        "the last byte of the signature changed", _REASON.MALFORMED_SIGNATURE, _flipped("signature")
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
    "version_rsa": Defect("says RSA_v1, and is not", _REASON.UNSUPPORTED_VERSION, _spoiling(version="RSA_v1")),
    "version_unknown": Defect("says EC_v2", _REASON.UNSUPPORTED_VERSION, _spoiling(version="EC_v2")),
    "emv": Defect(
        "EMV payment data, which has no online cryptogram",
        _REASON.UNSUPPORTED_PAYMENT_DATA,
        lambda making: making.mint(payment_data_type="EMV"),
    ),
    "clear_text_no_json": Defect("the clear text is no JSON", _REASON.BAD_CLEAR_TEXT, _spoiling(clear_text=b"?")),
    "clear_text_no_object": Defect("the clear text is an array", _REASON.BAD_CLEAR_TEXT, _spoiling(clear_text=b"[]")),
    "wrapped": Defect(
        "the browser's object around the encrypted token", _REASON.MALFORMED, lambda making: wrap_token(making.mint())
    ),
    "signature_missing": Defect("has no signature", _REASON.MALFORMED, _without("signature")),
    "data_missing": Defect("has no data", _REASON.MALFORMED, _without("data")),
    "unknown_member": Defect(
        "has a member that no token has", _REASON.MALFORMED, lambda making: making.mint() | {"extra": "1"}
    ),
}
"""Every defect by name."""
