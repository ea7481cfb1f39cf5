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
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding

from zuora_emulator.apple_pay import cms, oaep
from zuora_emulator.apple_pay.authority import AppleAuthority, ProcessingKey, SigningChain
from zuora_emulator.apple_pay.emv import emv_payment_data
from zuora_emulator.apple_pay.envelope import (
    CONTENT_KEY_BYTES,
    GCM_NONCE,
    RSA_VERSION,
    VERSION,
    SealedToken,
    content_key,
    spki,
    write_token,
)

TEST_ACCOUNT_NUMBER = "4111111111111111"
TEST_EXPIRATION = "391231"

_SCALAR_BYTES = 40  # 64 bits more than the group order, so that the remainder has no measurable bias
_TRANSACTION_ID_BYTES = 32
_CRYPTOGRAM_BYTES = 20
_OAEP_SEED_BYTES = 32
_CURVE = ec.SECP256R1()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoiling:
    """What is wrong with a token; each field left at its default is done right.

    Everything else stays consistent: a spoiled digest is signed, a spoiled key is covered by the digest, so that each
    field meets exactly one check.
    """

    version: str | None = None
    """Stands in the token in place of its real version."""
    chain: SigningChain | None = None
    """Signs with other certificates: of a foreign root, without a mark, expired."""
    signing_key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None
    """Signs with this key although the certificate belongs to another."""
    signing_time_shift: timedelta = timedelta()
    message_digest: bytes | None = None
    public_key_hash: bytes | None = None
    key_merchant_id: str | None = None
    """Derives the content key for this merchant, whatever the processing key is."""
    sealing_key: bytes | None = None
    """Stands in the header in place of the real ephemeral key (91 bytes) or wrapped key (256 bytes)."""
    changes_tag: bool = False
    """Changes one bit of the authentication tag, and signs the data with it."""
    application_data_dropped: bool = False
    clear_text: bytes | None = None


UNSPOILED = Spoiling()


@dataclass(frozen=True, slots=True, repr=False)
class _Sealing:
    version: str
    header_value: bytes
    """What the recipient gets the content key from."""
    content_key: bytes


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
    transaction_id: bytes | None = None,
    rsa_version: bool = False,
    key_index: int = 0,
    ber: bool = True,
    payment_data_type: str = "3DSecure",
    leading_zero_secret: bool = False,
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
        transaction_id: 32 bytes; random ones by default. Two tokens of one id stand for a replay.
        rsa_version: True mints a token of version RSA_v1, False one of EC_v1.
        key_index: Which of the merchant's two processing keys of that version, 0 or 1.
        ber: True writes the signature with indefinite lengths, as devices do; False writes DER.
        payment_data_type: `3DSecure` or `EMV`.
        leading_zero_secret: True looks for an ECDH secret that begins with a zero byte, which careless code shortens.
        spoiling: What is to be wrong.

    Returns:
        `{version, data, signature, header{ephemeralPublicKey, publicKeyHash, transactionId[, applicationData]}}`,
        with `wrappedKey` in place of `ephemeralPublicKey` in a token of version RSA_v1.

    Raises:
        LookupError: The authority has no such merchant or key.
    """
    merchant = authority.merchant(merchant_id)
    key = (merchant.rsa_keys if rsa_version else merchant.keys)[key_index]
    drawn_id, cryptogram = entropy(_TRANSACTION_ID_BYTES), entropy(_CRYPTOGRAM_BYTES)
    sealed_for = spoiling.key_merchant_id or merchant_id
    recipient = authority.merchant(sealed_for).rsa_keys[key_index] if rsa_version else key
    sealing = _sealing(recipient, sealed_for, entropy, leading_zero=leading_zero_secret)
    clear_text = spoiling.clear_text or _clear_text(
        account_number=account_number,
        expiration=expiration,
        currency_numeric=currency_numeric,
        amount_minor=amount_minor,
        payment_data_type=payment_data_type,
        cryptogram=cryptogram,
    )
    data = AESGCM(sealing.content_key).encrypt(GCM_NONCE, clear_text, None)
    sealed = SealedToken(
        version=sealing.version,
        data=data[:-1] + bytes((data[-1] ^ spoiling.changes_tag,)),
        signature=b"",
        sealing_key=spoiling.sealing_key or sealing.header_value,
        public_key_hash=spoiling.public_key_hash or key.public_key_hash,
        transaction_id=transaction_id or drawn_id,
        application_data=None if application_data is None else hashlib.sha256(application_data).digest(),
    )
    chain = spoiling.chain or authority.signing_chain(now=now, rsa_leaf=rsa_version)
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


def _sealing(key: ProcessingKey, merchant_id: str, entropy: Callable[[int], bytes], *, leading_zero: bool) -> _Sealing:
    recipient = key.private_key.public_key()
    if isinstance(recipient, rsa.RSAPublicKey):
        content, seed = entropy(CONTENT_KEY_BYTES), entropy(_OAEP_SEED_BYTES)
        return _Sealing(RSA_VERSION, oaep.encrypt(key=recipient, message=content, seed=seed), content)
    scalar = int.from_bytes(entropy(_SCALAR_BYTES)) % (_CURVE.group_order - 1) + 1
    party = hashlib.sha256(merchant_id.encode()).digest()
    while True:
        private_key = ec.derive_private_key(scalar, _CURVE)
        shared_secret = private_key.exchange(ec.ECDH(), recipient)
        if not leading_zero or shared_secret[0] == 0:
            content = content_key(shared_secret=shared_secret, merchant_id_hash=party)
            return _Sealing(VERSION, spki(private_key.public_key()), content)
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
        "EMV": emv_payment_data(amount_minor=amount_minor, currency_numeric=currency_numeric, secret=cryptogram),
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
    key = spoiling.signing_key or chain.leaf_key
    is_rsa = isinstance(key, rsa.RSAPrivateKey)
    algorithm = "sha256_rsa" if is_rsa else "sha256_ecdsa"
    written = cms.SHA256_NULL if is_rsa else cms.SHA256_ABSENT  # as devices do
    attributes = _signed_attributes(digest, now + spoiling.signing_time_shift, algorithm)
    return cms.signed_data(
        certificates=[chain.leaf.public_bytes(Encoding.DER), chain.intermediate.public_bytes(Encoding.DER)],
        signer=cms.signer_info(
            leaf=chain.leaf,
            attributes=attributes,
            signature=_signed(key, cms.signed_attributes_set(attributes)),
            digest=written,
        ),
        digest=written,
        ber=ber,
    )


def _signed(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, message: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def _signed_attributes(digest: bytes, signing_time: datetime, algorithm: str) -> bytes:
    moment = core.UTCTime(signing_time.astimezone(UTC).replace(microsecond=0))
    parameters = {"parameters": core.Null()} if algorithm == "sha256_rsa" else {}
    algorithms = {
        "digest_algorithm": {"algorithm": "sha256", **parameters},
        "signature_algorithm": {"algorithm": algorithm, **parameters},
    }
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
