import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_der_public_key

from zuora_emulator.apple_pay.authority import AppleAuthority, ProcessingKey
from zuora_emulator.apple_pay.envelope import (
    CONTENT_KEY_BYTES,
    GCM_NONCE,
    RSA_VERSION,
    SealedToken,
    content_key,
    read_token,
)
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
        cryptogram: Of 3DSecure, base64 as it stands in the clear text; empty with EMV.
        emv_data: Of EMV, base64 of the chip's data; empty with 3DSecure.
        payment_data_type: `3DSecure` or `EMV`.
        application_data: SHA-256 of the request's application data, or None.
    """

    account_number: str = field(repr=False)
    expiration: str
    currency_numeric: str
    amount_minor: int
    transaction_id: str
    cryptogram: str = field(repr=False)
    emv_data: str = field(repr=False)
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
        token: The JSON object, of version EC_v1 or RSA_v1.
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
    if isinstance(key.private_key, rsa.RSAPrivateKey) != (sealed.version == RSA_VERSION):
        raise TokenRefused(
            RefusalReason.UNKNOWN_KEY, f"the processing key of this publicKeyHash is not for {sealed.version}"
        )
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
    if isinstance(key.private_key, rsa.RSAPrivateKey):
        content = _unwrapped_key(sealed, key.private_key)
    else:
        content = _agreed_key(sealed, key.private_key, merchant_id)
    try:
        return AESGCM(content).decrypt(GCM_NONCE, sealed.data, None)
    except InvalidTag as failure:
        raise TokenRefused(RefusalReason.DECRYPTION_FAILED, "the data does not authenticate") from failure


def _unwrapped_key(sealed: SealedToken, key: rsa.RSAPrivateKey) -> bytes:
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    try:
        content = key.decrypt(sealed.sealing_key, oaep)
    except ValueError as failure:
        raise TokenRefused(RefusalReason.DECRYPTION_FAILED, "the wrapped key cannot be unwrapped") from failure
    if len(content) != CONTENT_KEY_BYTES:
        raise TokenRefused(RefusalReason.DECRYPTION_FAILED, "the wrapped key is none of AES-256")
    return content


def _agreed_key(sealed: SealedToken, key: ec.EllipticCurvePrivateKey, merchant_id: str) -> bytes:
    try:
        peer = load_der_public_key(sealed.sealing_key)
    except ValueError:
        peer = None
    if not isinstance(peer, ec.EllipticCurvePublicKey):
        raise TokenRefused(RefusalReason.BAD_EPHEMERAL_KEY, "the ephemeral key is no point of the curve")
    party = hashlib.sha256(merchant_id.encode()).digest()
    return content_key(shared_secret=key.exchange(ec.ECDH(), peer), merchant_id_hash=party)


def _read_clear_text(clear_text: bytes, sealed: SealedToken) -> ClearPayment:
    try:
        content = json.loads(clear_text)
        kind = content["paymentDataType"]
        secrets = content["paymentData"]
        payment = ClearPayment(
            account_number=content["applicationPrimaryAccountNumber"],
            expiration=content["applicationExpirationDate"],
            currency_numeric=content["currencyCode"],
            amount_minor=content["transactionAmount"],
            transaction_id=sealed.transaction_id.hex(),
            cryptogram=secrets.get("onlinePaymentCryptogram", ""),
            emv_data=secrets.get("emvData", ""),
            payment_data_type=kind,
            application_data=sealed.application_data,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as failure:
        raise TokenRefused(RefusalReason.BAD_CLEAR_TEXT, "the clear text is not that of a payment") from failure
    if kind not in ("3DSecure", "EMV"):
        raise TokenRefused(RefusalReason.UNSUPPORTED_PAYMENT_DATA, "payment data is 3DSecure or EMV")
    secret = payment.cryptogram if kind == "3DSecure" else payment.emv_data
    texts = (payment.account_number, payment.expiration, payment.currency_numeric, secret)
    if not secret or not all(isinstance(text, str) for text in texts) or type(payment.amount_minor) is not int:
        raise TokenRefused(RefusalReason.BAD_CLEAR_TEXT, "a member of the clear text has another type")
    return payment
