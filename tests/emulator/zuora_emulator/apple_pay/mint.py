import base64
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from asn1crypto import cms as asn1
from asn1crypto import core
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding

from zuora_emulator.apple_pay import cms
from zuora_emulator.apple_pay.authority import AppleAuthority, SigningChain
from zuora_emulator.apple_pay.envelope import GCM_NONCE, VERSION, SealedToken, content_key, spki, write_token

TEST_ACCOUNT_NUMBER = "4111111111111111"
TEST_EXPIRATION = "391231"

_SCALAR_BYTES = 40  # 64 bits more than the group order, so that the remainder has no measurable bias
_TRANSACTION_ID_BYTES = 32
_CRYPTOGRAM_BYTES = 20
_CURVE = ec.SECP256R1()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoiling:
    """What is wrong with a token; each field left at its default is done right.

    Everything else stays consistent: a spoiled digest is signed, a spoiled key is covered by the digest, so that each
    field meets exactly one check.
    """

    version: str = VERSION
    chain: SigningChain | None = None
    """Signs with other certificates: of a foreign root, without a mark, expired."""
    signing_key: ec.EllipticCurvePrivateKey | None = None
    """Signs with this key although the certificate belongs to another."""
    signing_time_shift: timedelta = timedelta()
    message_digest: bytes | None = None
    public_key_hash: bytes | None = None
    key_merchant_id: str | None = None
    """Derives the content key for this merchant, whatever the processing key is."""
    ephemeral_public_key: bytes | None = None
    """Stands in the header in place of the real one, 91 bytes."""
    application_data_dropped: bool = False
    clear_text: bytes | None = None
    leading_zero_secret: bool = False
    """Looks for a shared secret that begins with a zero byte; a right token, which careless code cannot open."""


UNSPOILED = Spoiling()


@dataclass(frozen=True, slots=True)
class _Ephemeral:
    public_key: bytes
    shared_secret: bytes


def mint_token(
    *,
    authority: AppleAuthority,
    merchant_id: str,
    amount_minor: int,
    currency_numeric: str,
    now: datetime,
    entropy: Callable[[int], bytes] = os.urandom,
    account_number: str = TEST_ACCOUNT_NUMBER,
    expiration: str = TEST_EXPIRATION,
    application_data: bytes | None = None,
    key_index: int = 0,
    ber: bool = True,
    payment_data_type: str = "3DSecure",
    spoiling: Spoiling = UNSPOILED,
) -> dict[str, Any]:
    """Mint a level-3 token as a device would; equal arguments and entropy give equal tokens.

    Args:
        authority: Signs the token and knows the merchant.
        merchant_id: A merchant of the authority.
        amount_minor: In minor units of the currency.
        currency_numeric: ISO 4217 numeric code, three digits.
        now: Signing time, with a time zone; whole seconds are kept.
        entropy: Returns that many random bytes; called a fixed number of times.
        account_number: The device account number, a test number.
        expiration: YYMMDD.
        application_data: The request's data; the token carries its SHA-256.
        key_index: Which of the merchant's two processing keys, 0 or 1.
        ber: True writes the signature with indefinite lengths, as devices do; False writes DER.
        payment_data_type: `3DSecure` or `EMV`.
        spoiling: What is to be wrong.

    Returns:
        `{version, data, signature, header{ephemeralPublicKey, publicKeyHash, transactionId[, applicationData]}}`.

    Raises:
        LookupError: The authority has no such merchant or key.
    """
    key = authority.merchant(merchant_id).keys[key_index]
    transaction_id, cryptogram = entropy(_TRANSACTION_ID_BYTES), entropy(_CRYPTOGRAM_BYTES)
    ephemeral = _ephemeral(
        entropy(_SCALAR_BYTES), key.private_key.public_key(), leading_zero=spoiling.leading_zero_secret
    )
    clear_text = spoiling.clear_text or _clear_text(
        account_number=account_number,
        expiration=expiration,
        currency_numeric=currency_numeric,
        amount_minor=amount_minor,
        payment_data_type=payment_data_type,
        cryptogram=cryptogram,
    )
    party = hashlib.sha256((spoiling.key_merchant_id or merchant_id).encode()).digest()
    content = AESGCM(content_key(shared_secret=ephemeral.shared_secret, merchant_id_hash=party))
    sealed = SealedToken(
        data=content.encrypt(GCM_NONCE, clear_text, None),
        signature=b"",
        ephemeral_public_key=spoiling.ephemeral_public_key or ephemeral.public_key,
        public_key_hash=spoiling.public_key_hash or key.public_key_hash,
        transaction_id=transaction_id,
        application_data=None if application_data is None else hashlib.sha256(application_data).digest(),
    )
    chain = spoiling.chain or authority.signing_chain(now=now)
    sealed = replace(sealed, signature=_sign(sealed, chain=chain, now=now, ber=ber, spoiling=spoiling))
    if spoiling.application_data_dropped:
        sealed = replace(sealed, application_data=None)
    return write_token(sealed, version=spoiling.version)


def wrap_token(
    token: dict[str, Any],
    *,
    network: str = "Visa",
    card_type: str = "debit",
    display_name: str = "Visa 1111",
) -> dict[str, Any]:
    """Wrap a level-3 token into level 2, the `token` of a browser's payment event."""
    return {
        "paymentData": token,
        "paymentMethod": {"displayName": display_name, "network": network, "type": card_type},
        "transactionIdentifier": token["header"]["transactionId"].upper(),
    }


def _ephemeral(material: bytes, peer: ec.EllipticCurvePublicKey, *, leading_zero: bool) -> _Ephemeral:
    scalar = int.from_bytes(material) % (_CURVE.group_order - 1) + 1
    while True:
        private_key = ec.derive_private_key(scalar, _CURVE)
        shared_secret = private_key.exchange(ec.ECDH(), peer)
        if not leading_zero or shared_secret[0] == 0:
            return _Ephemeral(public_key=spki(private_key.public_key()), shared_secret=shared_secret)
        scalar = scalar % (_CURVE.group_order - 1) + 1


def _clear_text(
    *,
    account_number: str,
    expiration: str,
    currency_numeric: str,
    amount_minor: int,
    payment_data_type: str,
    cryptogram: bytes,
) -> bytes:
    encoded = base64.b64encode(cryptogram).decode()
    by_type = {
        "3DSecure": {"onlinePaymentCryptogram": encoded, "eciIndicator": "7"},
        "EMV": {"emvData": encoded, "encryptedPINData": cryptogram.hex()},
    }
    content = {
        "applicationPrimaryAccountNumber": account_number,
        "applicationExpirationDate": expiration,
        "currencyCode": currency_numeric,
        "transactionAmount": amount_minor,
        "deviceManufacturerIdentifier": "000000000000",
        "paymentDataType": payment_data_type,
        "paymentData": by_type[payment_data_type],
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _sign(sealed: SealedToken, *, chain: SigningChain, now: datetime, ber: bool, spoiling: Spoiling) -> bytes:
    digest = spoiling.message_digest or hashlib.sha256(sealed.signed_bytes()).digest()
    attributes = _signed_attributes(digest=digest, signing_time=now + spoiling.signing_time_shift)
    key = spoiling.signing_key or chain.leaf_key
    signature = key.sign(cms.signed_attributes_set(attributes), ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    return cms.signed_data(
        certificates=[chain.leaf.public_bytes(Encoding.DER), chain.intermediate.public_bytes(Encoding.DER)],
        signer=cms.signer_info(leaf=chain.leaf, attributes=attributes, signature=signature, digest=cms.SHA256_ABSENT),
        digest=cms.SHA256_ABSENT,
        ber=ber,
    )


def _signed_attributes(*, digest: bytes, signing_time: datetime) -> bytes:
    moment = core.UTCTime(signing_time.astimezone(UTC).replace(microsecond=0))
    algorithms = {"digest_algorithm": {"algorithm": "sha256"}, "signature_algorithm": {"algorithm": "sha256_ecdsa"}}
    attributes = asn1.CMSAttributes(
        [
            {"type": "content_type", "values": ["data"]},
            {"type": "signing_time", "values": [asn1.Time({"utc_time": moment})]},
            {"type": "cms_algorithm_protection", "values": [algorithms]},
            {"type": "message_digest", "values": [digest]},
        ]
    )
    attributes.dump()  # fills in `contents`, in the order that DER demands of a SET
    return bytes(attributes.contents)
