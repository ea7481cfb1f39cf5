"""Each thing that can be wrong with a token is refused for its own reason."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from harness.apple_tokens import (
    NOW,
    OTHER_MERCHANT,
    decoded,
    foreign_chain,
    mint,
    published_chain,
    refusal,
    reopen,
)
from zuora_emulator.apple_pay import (
    AppleAuthority,
    RefusalReason,
    Spoiling,
    TokenRefused,
    wrap_token,
)


def _off_curve() -> bytes:
    key = bytearray(decoded(mint(), "ephemeralPublicKey"))
    key[-1] ^= 1
    return bytes(key)


def _clear_text(*, amount: object) -> bytes:
    content = {
        "applicationPrimaryAccountNumber": "4111111111111111",
        "applicationExpirationDate": "391231",
        "currencyCode": "978",
        "transactionAmount": amount,
        "paymentDataType": "3DSecure",
        "paymentData": {"onlinePaymentCryptogram": "AA=="},
    }
    return json.dumps(content).encode()


CATALOGUE: list[tuple[str, Callable[[], Spoiling], RefusalReason]] = [
    ("foreign root", lambda: Spoiling(chain=foreign_chain()), RefusalReason.UNTRUSTED_CHAIN),
    ("leaf mark missing", lambda: Spoiling(chain=published_chain(leaf_marked=False)), RefusalReason.MISSING_EXTENSION),
    (
        "intermediate mark missing",
        lambda: Spoiling(chain=published_chain(intermediate_marked=False)),
        RefusalReason.MISSING_EXTENSION,
    ),
    (
        "leaf expired at signing",
        lambda: Spoiling(chain=published_chain(leaf_expired=True)),
        RefusalReason.CERTIFICATE_EXPIRED,
    ),
    ("signed by another leaf", lambda: Spoiling(signing_key=foreign_chain().leaf_key), RefusalReason.BAD_SIGNATURE),
    ("signed 6 min ago", lambda: Spoiling(signing_time_shift=timedelta(minutes=-6)), RefusalReason.STALE),
    ("signed 2 min ahead", lambda: Spoiling(signing_time_shift=timedelta(minutes=2)), RefusalReason.FROM_THE_FUTURE),
    ("unknown publicKeyHash", lambda: Spoiling(public_key_hash=bytes(32)), RefusalReason.UNKNOWN_KEY),
    ("digest attribute wrong", lambda: Spoiling(message_digest=bytes(32)), RefusalReason.BAD_DIGEST),
    ("applicationData dropped", lambda: Spoiling(application_data_dropped=True), RefusalReason.BAD_DIGEST),
    ("RSA_v1, and is not", lambda: Spoiling(version="RSA_v1"), RefusalReason.MALFORMED),
    ("version to come", lambda: Spoiling(version="EC_v2"), RefusalReason.UNSUPPORTED_VERSION),
    (
        "ephemeral key off the curve",
        lambda: Spoiling(sealing_key=_off_curve()),
        RefusalReason.BAD_EPHEMERAL_KEY,
    ),
    (
        "encrypted for another merchant",
        lambda: Spoiling(key_merchant_id=OTHER_MERCHANT),
        RefusalReason.DECRYPTION_FAILED,
    ),
    ("clear text no JSON", lambda: Spoiling(clear_text=b"?"), RefusalReason.BAD_CLEAR_TEXT),
    ("clear text no object", lambda: Spoiling(clear_text=b"[]"), RefusalReason.BAD_CLEAR_TEXT),
    ("amount a string", lambda: Spoiling(clear_text=_clear_text(amount="1999")), RefusalReason.BAD_CLEAR_TEXT),
    ("amount a fraction", lambda: Spoiling(clear_text=_clear_text(amount=19.99)), RefusalReason.BAD_CLEAR_TEXT),
]


class TestRefusals:
    """The negative catalogue: each fault alone meets its own check."""

    @pytest.mark.parametrize(
        ("spoiling", "expected"), [row[1:] for row in CATALOGUE], ids=[row[0] for row in CATALOGUE]
    )
    def test_refuses(self, spoiling: Callable[[], Spoiling], expected: RefusalReason) -> None:
        """Everything but the one fault is consistent."""
        token = mint(application_data=b"order 17", spoiling=spoiling())

        assert refusal(token) == expected

    def test_right_clear_text_opens(self) -> None:
        """The amounts above are refused for their type, not for the text around them."""
        assert reopen(mint(spoiling=Spoiling(clear_text=_clear_text(amount=1999)))).amount_minor == 1999

    def test_refuses_another_merchant(self) -> None:
        """The key is known, but belongs to another merchant than the one who presents the token."""
        assert refusal(mint(), merchant_id=OTHER_MERCHANT) == RefusalReason.WRONG_MERCHANT
        assert refusal(mint(merchant_id=OTHER_MERCHANT)) == RefusalReason.WRONG_MERCHANT

    @pytest.mark.parametrize("kind", ["3DSecure", "EMV"])
    def test_refuses_payment_data_without_its_secret(self, kind: str) -> None:
        """Neither the cryptogram nor the chip's data may be missing, empty or of another type."""
        for secrets in (
            {},
            {"onlinePaymentCryptogram": "", "emvData": ""},
            {"onlinePaymentCryptogram": 7, "emvData": 7},
        ):
            clear_text = json.loads(_clear_text(amount=1999)) | {"paymentDataType": kind, "paymentData": secrets}

            token = mint(spoiling=Spoiling(clear_text=json.dumps(clear_text).encode()))

            assert refusal(token) == RefusalReason.BAD_CLEAR_TEXT

    @pytest.mark.parametrize("rsa_version", [False, True])
    def test_refuses_the_key_of_another_version(self, rsa_version: bool) -> None:  # noqa: FBT001 - a table
        """A curve key opens no wrapped key, and an RSA key no ephemeral one."""
        merchant = AppleAuthority.published().merchants[0]
        other = (merchant.keys if rsa_version else merchant.rsa_keys)[0].public_key_hash

        token = mint(rsa_version=rsa_version, spoiling=Spoiling(public_key_hash=other))

        assert refusal(token) == RefusalReason.UNKNOWN_KEY

    @pytest.mark.parametrize("rsa_version", [False, True])
    def test_refuses_a_leaf_of_another_version(self, rsa_version: bool) -> None:  # noqa: FBT001 - a table
        """Each version is signed by its own kind of key."""
        chain = published_chain(rsa_leaf=not rsa_version)

        assert refusal(mint(rsa_version=rsa_version, spoiling=Spoiling(chain=chain))) == RefusalReason.UNTRUSTED_CHAIN

    @pytest.mark.parametrize(
        ("age", "expected"),
        [
            (timedelta(seconds=300), None),
            (timedelta(seconds=301), RefusalReason.STALE),
            (timedelta(seconds=-60), None),
            (timedelta(seconds=-61), RefusalReason.FROM_THE_FUTURE),
        ],
    )
    def test_window_is_exact(self, age: timedelta, expected: RefusalReason | None) -> None:
        """Five minutes back and one minute ahead, measured at the whole second that the token carries."""
        now = NOW.replace(microsecond=0) + age

        if expected is None:
            assert reopen(mint(), now=now).amount_minor == 1999
        else:
            assert refusal(mint(), now=now) == expected

    @pytest.mark.parametrize("nesting", [b"\x30\x80", b"\xa0\x80"])
    def test_refuses_endless_nesting(self, nesting: bytes) -> None:
        """A message that is only openings neither crashes the parser nor the emulator."""
        token = mint() | {"signature": base64.b64encode(nesting * 5000).decode()}

        assert refusal(token) == RefusalReason.MALFORMED_SIGNATURE

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(wrap_token, id="level 2"),
            pytest.param(lambda token: token | {"extra": 1}, id="extra member"),
            pytest.param(
                lambda token: {name: token[name] for name in ("version", "data", "header")}, id="member missing"
            ),
            pytest.param(lambda token: token | {"header": []}, id="header no object"),
            pytest.param(
                lambda token: token | {"header": token["header"] | {"wrappedKey": "AA=="}}, id="extra header member"
            ),
            pytest.param(lambda token: token | {"data": 7}, id="data a number"),
            pytest.param(lambda token: token | {"data": ""}, id="data empty"),
            pytest.param(lambda token: token | {"data": base64.b64encode(bytes(16)).decode()}, id="data only a tag"),
            pytest.param(
                lambda token: token | {"header": token["header"] | {"publicKeyHash": "A" * 42 + "B="}},
                id="spare bits set",
            ),
            pytest.param(lambda token: [token], id="a list"),
        ],
    )
    def test_refuses_another_shape(self, change: Callable[[dict[str, Any]], Any]) -> None:
        """Only level 3, exactly."""
        assert refusal(change(mint())) == RefusalReason.MALFORMED

    def test_upper_case_hex_is_another_shape(self) -> None:
        """Devices write lower case; were both read, flipping a letter's case bit would go unnoticed."""
        token = mint()
        header = token["header"] | {"transactionId": token["header"]["transactionId"].upper()}

        assert refusal(token | {"header": header}) == RefusalReason.MALFORMED

    def test_message_holds_nothing_of_the_token(self) -> None:
        """A refusal may be logged."""
        token = mint(spoiling=Spoiling(message_digest=bytes(32)))

        with pytest.raises(TokenRefused) as caught:
            reopen(token)

        assert str(caught.value) == "bad_digest: the signed digest is not that of the token"
