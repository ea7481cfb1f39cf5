"""What a device would send opens."""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_der_public_key
from harness.apple_tokens import (
    ACCOUNT_NUMBER,
    MERCHANT,
    decoded,
    mint,
    reopen,
)
from zuora_emulator.apple_pay import (
    AppleAuthority,
    wrap_token,
)


class TestRightTokens:
    """What a device would send opens, and says what was minted."""

    @pytest.mark.parametrize("ber", [True, False])
    @pytest.mark.parametrize("key_index", [0, 1])
    @pytest.mark.parametrize("application_data", [None, b"order 17"])
    def test_opens(self, ber: bool, key_index: int, application_data: bytes | None) -> None:  # noqa: FBT001 - a table
        """Both encodings, both live keys, with and without application data."""
        token = mint(ber=ber, key_index=key_index, application_data=application_data)

        payment = reopen(token)

        expected_hash = None if application_data is None else hashlib.sha256(application_data).digest()
        assert payment.account_number == ACCOUNT_NUMBER
        assert (payment.amount_minor, payment.currency_numeric) == (1999, "978")
        assert payment.expiration == "391231"
        assert payment.payment_data_type == "3DSecure"
        assert payment.transaction_id == token["header"]["transactionId"]
        assert len(base64.b64decode(payment.cryptogram)) == 20
        assert payment.application_data == expected_hash

    def test_has_indefinite_lengths_as_devices_write_them(self) -> None:
        """A parser that knows only DER must meet what it cannot read."""
        assert decoded(mint(), "signature").startswith(b"\x30\x80")
        assert decoded(mint(ber=False), "signature").startswith(b"\x30\x82")

    def test_is_reproducible(self) -> None:
        """Equal entropy and time give an equal token, so a failing case can be repeated."""
        assert mint() == mint()
        assert mint() != mint(name="another")

    def test_leading_zero_of_the_secret_is_kept(self) -> None:
        """About one token in 256 has such a secret; code that drops the zero derives another key."""
        token = mint(leading_zero_secret=True)

        assert reopen(token).amount_minor == 1999

    def test_leading_zero_search_really_finds_one(self) -> None:
        """The case above would prove nothing with an ordinary secret."""
        token = mint(leading_zero_secret=True)
        peer = load_der_public_key(decoded(token, "ephemeralPublicKey"))
        assert isinstance(peer, ec.EllipticCurvePublicKey)

        key = AppleAuthority.published().merchant(MERCHANT).keys[0].private_key

        assert key.exchange(ec.ECDH(), peer)[0] == 0

    def test_key_derivation_is_the_one_written_down_by_apple(self) -> None:
        """The sum of bytes is spelled out here once more, so that mint and open cannot be wrong together."""
        token = mint()
        peer = load_der_public_key(decoded(token, "ephemeralPublicKey"))
        assert isinstance(peer, ec.EllipticCurvePublicKey)
        secret = AppleAuthority.published().merchant(MERCHANT).keys[0].private_key.exchange(ec.ECDH(), peer)
        party = hashlib.sha256(MERCHANT.encode()).digest()

        key = hashlib.sha256(b"\x00\x00\x00\x01" + secret + b"\x0d" + b"id-aes256-GCM" + b"Apple" + party).digest()
        clear = json.loads(AESGCM(key).decrypt(bytes(16), decoded(token, "data"), None))

        assert clear["applicationPrimaryAccountNumber"] == ACCOUNT_NUMBER

    def test_wrapper_is_level_2(self) -> None:
        """The wrapper repeats the transaction id in upper case, as browsers do."""
        token = mint()

        wrapped = wrap_token(token)

        assert list(wrapped) == ["paymentData", "paymentMethod", "transactionIdentifier"]
        assert wrapped["paymentData"] == token
        assert wrapped["transactionIdentifier"] == token["header"]["transactionId"].upper()

    def test_repr_shows_no_secret(self) -> None:
        """Neither the account number nor the cryptogram may reach a log."""
        payment = reopen(mint())

        assert payment.account_number not in repr(payment)
        assert payment.cryptogram not in repr(payment)
