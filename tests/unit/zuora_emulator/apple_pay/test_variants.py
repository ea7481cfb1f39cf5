"""Every kind of right token opens, alone and combined, and has the defect that it is given."""

import base64
from collections.abc import Collection

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from harness.apple_tokens import ACCOUNT_NUMBER, MERCHANT, NOW, OTHER_MERCHANT, decoded, mint, refusal, reopen, stream
from hypothesis import given, settings
from hypothesis import strategies as st
from zuora_emulator.apple_pay import DEFECTS, VARIANTS, AppleAuthority, VariantError, variant_arguments
from zuora_emulator.apple_pay.oaep import encrypt
from zuora_emulator.apple_pay.rsa_keys import has_rsa_key
from zuora_emulator.apple_tokens import minted_token


def possible(names: Collection[str]) -> bool:
    return not {"rsa", "leading_zero_secret"} <= set(names)


COMBINATIONS = st.sets(st.sampled_from(sorted(VARIANTS))).filter(possible)


class TestEveryVariant:
    """What a device may send is minted and opened."""

    @given(
        names=COMBINATIONS,
        amount=st.integers(1, 10**12 - 1),
        currency=st.sampled_from(["978", "840", "036", "392"]),
        merchant=st.sampled_from([MERCHANT, OTHER_MERCHANT]),
        application_data=st.none() | st.text(),
        name=st.text(),
    )
    @settings(max_examples=100, deadline=None)
    def test_opens_and_says_what_was_minted(
        self, names: set[str], amount: int, currency: str, merchant: str, application_data: str | None, name: str
    ) -> None:
        """Every combination, for any amount and any random bytes; twice the same bytes give twice the same token."""
        first, second = (
            minted_token(
                merchant_id=merchant,
                amount_minor=amount,
                currency_numeric=currency,
                now=NOW,
                entropy=stream(name),
                variants=sorted(names),
                application_data=application_data,
            )
            for _ in range(2)
        )

        payment = reopen(first, merchant_id=merchant)

        assert first == second
        assert (payment.amount_minor, payment.currency_numeric) == (amount, currency)
        assert payment.account_number == ACCOUNT_NUMBER
        assert (payment.application_data is None) == (application_data is None)
        assert payment.payment_data_type == ("EMV" if "emv" in names else "3DSecure")
        assert bool(payment.emv_data) == ("emv" in names)
        assert bool(payment.cryptogram) == ("emv" not in names)
        assert first["version"] == ("RSA_v1" if "rsa" in names else "EC_v1")
        assert decoded(first, "signature").startswith(b"\x30\x82" if "der" in names else b"\x30\x80")

    @pytest.mark.parametrize("defect", sorted(DEFECTS))
    @pytest.mark.parametrize(
        "names", [(), ("rsa",), ("rsa", "emv", "der", "second_key"), ("leading_zero_secret", "emv")]
    )
    def test_defect_is_the_same_in_every_variant(self, names: tuple[str, ...], defect: str) -> None:
        """The reason does not depend on the kind of token that has the defect."""
        token = minted_token(
            merchant_id=MERCHANT,
            amount_minor=1999,
            currency_numeric="978",
            now=NOW,
            entropy=stream(defect),
            variants=names,
            application_data="order 18",
            defect=defect,
        )

        assert refusal(token) == DEFECTS[defect].refused_as

    def test_given_transaction_id_is_used(self) -> None:
        """Two tokens of one id are how a replay is practised."""
        assert mint(transaction_id=bytes(32))["header"]["transactionId"] == "0" * 64
        assert mint(transaction_id=bytes(32), name="another")["header"]["transactionId"] == "0" * 64

    def test_excludes_what_does_not_exist(self) -> None:
        """An RSA token has no shared secret."""
        with pytest.raises(VariantError, match="excludes"):
            variant_arguments(["rsa", "leading_zero_secret"])

    def test_names_what_there_is(self) -> None:
        """A typing error is answered with the list."""
        with pytest.raises(VariantError, match="rsa, emv, der"):
            variant_arguments(["RSA"])


class TestEmv:
    """EMV payment data is shaped as a chip writes it."""

    def test_holds_amount_and_currency(self) -> None:
        """Tags 9F02 and 5F2A repeat what the clear text says."""
        payment = reopen(mint(payment_data_type="EMV"))

        fields = base64.b64decode(payment.emv_data)

        assert bytes.fromhex("9f0206000000001999") in fields
        assert bytes.fromhex("5f2a020978") in fields


class TestRsa:
    """The RSA keys are keys, and the encryption is the library's."""

    def test_every_published_key_is_valid(self) -> None:
        """Loading checks that both numbers are prime, which minting leaves out."""
        keys = [key for merchant in AppleAuthority.published().merchants for key in merchant.rsa_keys]
        private_keys = [key.private_key for key in keys]
        private_keys.append(AppleAuthority.published().signing_chain(now=NOW, rsa_leaf=True).leaf_key)

        for key in private_keys:
            der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            loaded = load_der_private_key(der, password=None)
            assert isinstance(loaded, rsa.RSAPrivateKey)
            assert loaded.key_size == 2048

        assert len({key.public_key_hash for key in keys}) == 4

    def test_other_authorities_have_no_rsa_keys_for_other_merchants(self) -> None:
        """Only published names have primes."""
        assert not has_rsa_key("processing 0 of merchant.example.unknown")
        assert AppleAuthority.derived(label="mine", merchant_ids=["merchant.mine"]).merchants[0].rsa_keys == ()

    @given(message=st.binary(max_size=190), seed=st.binary(min_size=32, max_size=32))
    @settings(max_examples=50, deadline=None)
    def test_library_decrypts_what_was_encrypted(self, message: bytes, seed: bytes) -> None:
        """Our OAEP differs from the library's only in who chooses the seed."""
        key = AppleAuthority.published().merchants[0].rsa_keys[0].private_key
        assert isinstance(key, rsa.RSAPrivateKey)
        oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)

        ciphertext = encrypt(key=key.public_key(), message=message, seed=seed)

        assert key.decrypt(ciphertext, oaep) == message
