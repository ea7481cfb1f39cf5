"""Opening Apple Pay tokens, and using each one once only."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from zuora_emulator import apple_pay
from zuora_emulator.apple_pay import RefusalReason, VariantError, variant_arguments
from zuora_emulator.apple_pay.envelope import RSA_VERSION
from zuora_emulator.call import Call
from zuora_emulator.check_digits import brand_of
from zuora_emulator.currency import BY_NUMERIC, Currency, from_minor
from zuora_emulator.errors import Refused, refused

PUBLISHED_MERCHANT = "merchant.example.payorch"
"""The first merchant of the published authority."""


_TRANSACTION_ID = re.compile("[0-9a-fA-F]{64}")


class TokenNotOpenedError(Exception):
    """An opener could not open a token; the reason is a word of the opener's, the message a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedToken:
    """What was inside an encrypted token."""

    account_number: str = field(repr=False)
    expiration: str = field(repr=False)
    """YYMMDD."""
    currency_numeric: str
    amount_minor: int
    transaction_id: str
    payment_data_type: str = "3DSecure"
    """The other one is EMV."""


class TokenOpener(Protocol):
    """Opens the inner object of an Apple Pay token (version, data, signature, header)."""

    def __call__(self, *, merchant_id: str, token: Mapping[str, Any], now: datetime) -> OpenedToken:
        """Return the clear payment or raise `TokenNotOpenedError`."""
        ...


def open_with_published_authority(*, merchant_id: str, token: Mapping[str, Any], now: datetime) -> OpenedToken:
    """Decrypt a token made under the emulator's own published Apple Pay authority.

    Raises:
        TokenNotOpenedError: signature, certificates, key or contents are wrong.
    """
    try:
        clear = apple_pay.open_token(
            authority=apple_pay.AppleAuthority.published(), merchant_id=merchant_id, token=dict(token), now=now
        )
    except apple_pay.TokenRefused as refusal:
        raise TokenNotOpenedError(str(refusal.reason), refusal.message) from refusal
    return OpenedToken(
        account_number=clear.account_number,
        expiration=clear.expiration,
        currency_numeric=clear.currency_numeric,
        amount_minor=clear.amount_minor,
        transaction_id=clear.transaction_id,
        payment_data_type=clear.payment_data_type,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AppleCharge:
    """What a token entitles to charge, and the id that must not be used twice."""

    amount: Decimal
    currency: Currency
    transaction_id: str
    last_digits: str
    brand: str
    """Quickstart's word for it."""
    expiry_month: int
    expiry_year: int


def open_apple_token(call: Call, opener: TokenOpener, *, merchant_id: str, token: Mapping[str, Any]) -> AppleCharge:
    """Open a token for this call; it is not used up before `use_up`.

    Raises:
        Refused: it cannot be opened, was used before, is of a kind that is not taken, or its currency is unknown.
    """
    inner = _inner(call, token)
    if inner["version"] == RSA_VERSION and call.settings.rsa_tokens == "refuse":
        raise _not_decrypted(RefusalReason.UNSUPPORTED_VERSION)
    try:
        opened = opener(merchant_id=merchant_id, token=inner, now=call.arrived.now)
    except TokenNotOpenedError as problem:
        raise _not_decrypted(problem.reason) from problem
    if opened.payment_data_type == "EMV" and call.settings.emv_tokens == "refuse":
        raise _not_decrypted(RefusalReason.UNSUPPORTED_PAYMENT_DATA)
    if (call.client.tenant, opened.transaction_id) in call.state.apple_transactions:
        raise refused(30, "The payment token has been used already.", "paymentToken")
    currency = BY_NUMERIC.get(opened.currency_numeric.rjust(3, "0"))
    if currency is None:
        raise refused(20, "The currency of the payment token is not supported.", "paymentToken")
    return AppleCharge(
        amount=from_minor(amount_minor=opened.amount_minor, currency=currency),
        currency=currency,
        transaction_id=opened.transaction_id,
        last_digits=opened.account_number[-4:],
        brand=brand_of(opened.account_number),
        expiry_month=int(opened.expiration[2:4]),
        expiry_year=2000 + int(opened.expiration[:2]),
    )


def use_up(call: Call, charge: AppleCharge) -> None:
    """Note that a token was used."""
    call.state.apple_transactions.add((call.client.tenant, charge.transaction_id))


def _not_decrypted(reason: str) -> Refused:
    return refused(20, f"The payment token cannot be decrypted ({reason}).", "paymentToken")


_INNER_FIELDS = ("version", "data", "signature", "header")


def _inner(call: Call, token: Mapping[str, Any]) -> Mapping[str, Any]:
    if call.settings.accept_wrapped_apple_token:
        for name in ("token", "paymentData"):
            nested = token.get(name)
            token = nested if isinstance(nested, Mapping) else token
    missing = [name for name in _INNER_FIELDS if name not in token]
    if missing:
        raise _not_inner(missing[0])
    return token


def _not_inner(name: str) -> Refused:
    return refused(20, f"The payment token has no {name}; the inner paymentData object is wanted.", "paymentToken")


def _transaction_id(text: str) -> bytes:
    if not _TRANSACTION_ID.fullmatch(text):
        raise VariantError("A transaction id has 64 hexadecimal digits.")
    return bytes.fromhex(text)


def minted_token(
    *,
    merchant_id: str,
    amount_minor: int,
    currency_numeric: str,
    now: datetime,
    entropy: Callable[[int], bytes] = os.urandom,
    wrapped: bool = False,
    defect: str | None = None,
    variants: Sequence[str] = (),
    application_data: str | None = None,
    transaction_id: str | None = None,
) -> dict[str, Any]:
    """Make a token under the published authority.

    Args:
        merchant_id: one of the published merchants.
        amount_minor: the amount in minor units.
        currency_numeric: the ISO 4217 number, three digits.
        now: the signing time, aware.
        entropy: returns that many random bytes; equal ones give an equal token.
        wrapped: the browser's object around it as well.
        defect: name of a defect in `apple_pay.DEFECTS`; None for a token that opens.
        variants: names of `apple_pay.VARIANTS`.
        application_data: the request's application data, of which the token has the hash.
        transaction_id: 64 hexadecimal digits, random by default; two tokens with one id are a replay.

    Raises:
        LookupError: the authority has no such merchant, or there is no such defect.
        VariantError: there is no such variant, variants exclude each other, or the transaction id is none.
    """
    common: dict[str, Any] = {
        "merchant_id": merchant_id,
        "amount_minor": amount_minor,
        "currency_numeric": currency_numeric,
        "now": now,
        "entropy": entropy,
        "application_data": None if application_data is None else application_data.encode(),
        "transaction_id": None if transaction_id is None else _transaction_id(transaction_id),
        **variant_arguments(variants),
    }
    if defect is None:
        token = apple_pay.mint_token(authority=apple_pay.AppleAuthority.published(), **common)
    else:
        token = apple_pay.spoiled_token(defect, **common)
    return apple_pay.wrap_token(token) if wrapped else token
