import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_der_public_key

from zuora_emulator.apple_pay.authority import AppleAuthority, ProcessingKey
from zuora_emulator.apple_pay.envelope import GCM_NONCE, SealedToken, content_key, read_token
from zuora_emulator.apple_pay.refusal import RefusalReason, TokenRefused
from zuora_emulator.apple_pay.signature import verify_signature

# Apple says "a few minutes"; five is the convention among those who decrypt.
DEFAULT_MAX_AGE_S = 300
DEFAULT_MAX_AHEAD_S = 60


@dataclass(frozen=True, slots=True)
class ClearPayment:
    """What a token says; its repr shows neither the account number nor the cryptogram.

    Attributes:
        account_number: The device account number (DPAN), digits.
        expiration: YYMMDD.
        currency_numeric: ISO 4217 numeric code, three digits.
        amount_minor: In minor units.
        transaction_id: 64 lower-case hex digits.
        cryptogram: Base64, as it stands in the clear text.
        payment_data_type: `3DSecure`.
        application_data: SHA-256 of the request's application data, or None.
    """

    account_number: str = field(repr=False)
    expiration: str
    currency_numeric: str
    amount_minor: int
    transaction_id: str
    cryptogram: str = field(repr=False)
    payment_data_type: str
    application_data: bytes | None


def open_token(
    *,
    authority: AppleAuthority,
    merchant_id: str,
    token: Mapping[str, Any],
    now: datetime,
    max_age_s: float = DEFAULT_MAX_AGE_S,
    max_ahead_s: float = DEFAULT_MAX_AHEAD_S,
) -> ClearPayment:
    """Verify a level-3 token completely and decrypt it.

    Args:
        authority: Whose root is trusted, and whose merchants' private keys are at hand.
        merchant_id: The merchant for whom the token is presented.
        token: The JSON object.
        now: The time of presentation, with a time zone.
        max_age_s: How long ago the token may have been signed, in seconds.
        max_ahead_s: How far ahead the device's clock may be, in seconds.

    Raises:
        TokenRefused: With one of the reasons; each check runs only when those before it passed.
    """
    sealed = read_token(token)
    found = authority.find_key(sealed.public_key_hash)
    if found is None:
        raise TokenRefused(RefusalReason.UNKNOWN_KEY, "no processing key has this publicKeyHash")
    merchant, key = found
    if merchant.merchant_id != merchant_id:
        raise TokenRefused(RefusalReason.WRONG_MERCHANT, "the token was made for another merchant")
    verify_signature(
        sealed=sealed,
        root=authority.root,
        now=now,
        max_age=timedelta(seconds=max_age_s),
        max_ahead=timedelta(seconds=max_ahead_s),
    )
    return _read_clear_text(_decrypt(sealed, key, merchant_id), sealed)


def _decrypt(sealed: SealedToken, key: ProcessingKey, merchant_id: str) -> bytes:
    try:
        peer = load_der_public_key(sealed.ephemeral_public_key)
    except ValueError:
        peer = None
    if not isinstance(peer, ec.EllipticCurvePublicKey):
        raise TokenRefused(RefusalReason.BAD_EPHEMERAL_KEY, "the ephemeral key is no point of the curve")
    secret = key.private_key.exchange(ec.ECDH(), peer)
    party = hashlib.sha256(merchant_id.encode()).digest()
    try:
        return AESGCM(content_key(shared_secret=secret, merchant_id_hash=party)).decrypt(GCM_NONCE, sealed.data, None)
    except InvalidTag as failure:
        raise TokenRefused(RefusalReason.DECRYPTION_FAILED, "the data does not authenticate") from failure


def _read_clear_text(clear_text: bytes, sealed: SealedToken) -> ClearPayment:
    try:
        content = json.loads(clear_text)
        kind = content["paymentDataType"]
        cryptogram = content["paymentData"].get("onlinePaymentCryptogram")
        payment = ClearPayment(
            account_number=content["applicationPrimaryAccountNumber"],
            expiration=content["applicationExpirationDate"],
            currency_numeric=content["currencyCode"],
            amount_minor=content["transactionAmount"],
            transaction_id=sealed.transaction_id.hex(),
            cryptogram=cryptogram,
            payment_data_type=kind,
            application_data=sealed.application_data,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as failure:
        raise TokenRefused(RefusalReason.BAD_CLEAR_TEXT, "the clear text is not that of a payment") from failure
    if kind != "3DSecure":
        raise TokenRefused(RefusalReason.UNSUPPORTED_PAYMENT_DATA, "only 3DSecure payment data is supported")
    texts = (payment.account_number, payment.expiration, payment.currency_numeric, payment.cryptogram)
    if not all(isinstance(text, str) for text in texts) or type(payment.amount_minor) is not int:
        raise TokenRefused(RefusalReason.BAD_CLEAR_TEXT, "a member of the clear text has another type")
    return payment
