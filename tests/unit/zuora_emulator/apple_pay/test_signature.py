"""No bit changes unnoticed."""

import base64
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from harness.apple_tokens import (
    NOW,
    decoded,
    mint,
    refusal,
    reopen,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from zuora_emulator.apple_pay import (
    AppleAuthority,
    RefusalReason,
)
from zuora_emulator.apple_pay import cms as form

MEMBERS = ("data", "signature", "ephemeralPublicKey", "publicKeyHash", "transactionId", "applicationData")
HEX_MEMBERS = frozenset({"transactionId", "applicationData"})


def holder(token: dict[str, Any], member: str) -> dict[str, Any]:
    found: dict[str, Any] = token if member in token else token["header"]
    return found


def put(token: dict[str, Any], member: str, text: str) -> dict[str, Any]:
    if member in token:
        return token | {member: text}
    return token | {"header": token["header"] | {member: text}}


def flip(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8 % len(content)] ^= 1 << bit % 8
    return bytes(changed)


def flip_decoded(token: dict[str, Any], member: str, bit: int) -> dict[str, Any]:
    text = holder(token, member)[member]
    if member in HEX_MEMBERS:
        return put(token, member, flip(bytes.fromhex(text), bit).hex())
    return put(token, member, base64.b64encode(flip(base64.b64decode(text), bit)).decode())


def flip_text(token: dict[str, Any], member: str, bit: int) -> dict[str, Any]:
    return put(token, member, flip(holder(token, member)[member].encode(), bit).decode("latin-1"))


def sweep(token: dict[str, Any], step: int) -> Iterator[dict[str, Any]]:
    for member in MEMBERS:
        for bit in range(0, 8 * len(holder(token, member)[member]), step):
            yield flip_decoded(token, member, bit)


class TestFlippedBits:
    """No bit of a token can change without being noticed."""

    @given(
        member=st.sampled_from(MEMBERS),
        bit=st.integers(min_value=0, max_value=30_000),
        ber=st.booleans(),
        rsa_version=st.booleans(),
        change=st.sampled_from([flip_decoded, flip_text]),
    )
    @settings(max_examples=200, deadline=None)
    def test_any_bit_is_noticed(
        self,
        member: str,
        bit: int,
        ber: bool,  # noqa: FBT001 - drawn
        rsa_version: bool,  # noqa: FBT001 - drawn
        change: Callable[..., Any],
    ) -> None:
        """Of the bytes, and of the text that writes them down."""
        token = mint(application_data=b"order 17", ber=ber, rsa_version=rsa_version)
        if rsa_version and member == "ephemeralPublicKey":
            member = "wrappedKey"

        changed = change(token, member, bit)

        assert refusal(changed) in RefusalReason

    @pytest.mark.parametrize("rsa_version", [False, True], ids=["EC_v1", "RSA_v1"])
    @pytest.mark.parametrize("bit", [*range(8), None], ids=lambda bit: "DER" if bit is None else f"BER, bit {bit}")
    def test_every_unsigned_bit_of_the_signature_is_noticed(self, bit: int | None, rsa_version: bool) -> None:  # noqa: FBT001 - a table
        """The envelope around certificates and attributes is nowhere signed: all its bits are tried, not a sample."""
        token = mint(ber=bit is not None, rsa_version=rsa_version)
        signature = decoded(token, "signature")
        chain = AppleAuthority.published().signing_chain(now=NOW, rsa_leaf=rsa_version)
        inside: set[int] = set()
        for certificate in (chain.leaf, chain.intermediate):
            signed_part = certificate.tbs_certificate_bytes
            start = signature.index(signed_part)
            inside.update(range(start, start + len(signed_part)))

        outside = [at for at in range(len(signature)) if at not in inside]

        assert len(outside) > 500
        for at in outside:
            tried = at % 8 if bit is None else bit  # DER differs in a few lengths only
            assert refusal(flip_decoded(token, "signature", 8 * at + tried)) in RefusalReason

    @given(start=st.integers(0, 2000), length=st.integers(0, 40), middle=st.binary(min_size=1, max_size=40))
    @settings(max_examples=300, deadline=None)
    def test_any_replacement_is_noticed(self, start: int, length: int, middle: bytes) -> None:
        """Broken encodings reach the parser at every depth; each of its errors is a refusal."""
        signature = decoded(mint(), "signature")
        changed = signature[:start] + middle + signature[start + length :]
        assume(changed != signature)

        assert refusal(put(mint(), "signature", base64.b64encode(changed).decode())) in RefusalReason

    def test_several_checks_notice(self) -> None:
        """If one check noticed everything, the others could be missing."""
        seen = Counter(refusal(token) for token in sweep(mint(application_data=b"order 17"), step=37))

        assert {
            RefusalReason.MALFORMED,
            RefusalReason.MALFORMED_SIGNATURE,
            RefusalReason.UNKNOWN_KEY,
            RefusalReason.UNTRUSTED_CHAIN,
            RefusalReason.BAD_DIGEST,
            RefusalReason.BAD_SIGNATURE,
        } <= seen.keys()

    def test_added_bytes_are_noticed(self) -> None:
        """Nothing may follow the message, not even more end-of-contents octets."""
        signature = base64.b64encode(decoded(mint(), "signature") + b"\x00\x00").decode()

        assert refusal(mint() | {"signature": signature}) == RefusalReason.MALFORMED_SIGNATURE

    def test_written_out_empty_parameters_are_read(self) -> None:
        """RFC 5754 has readers accept the digest algorithm with NULL parameters and without any."""
        token = mint()
        chain = AppleAuthority.published().signing_chain(now=NOW)
        signature = decoded(token, "signature")

        older = rewritten(signature, chain, digest=form.SHA256_NULL)

        assert rewritten(signature, chain, digest=form.SHA256_ABSENT) == signature
        assert reopen(token | {"signature": base64.b64encode(older).decode()}).amount_minor == 1999


def rewritten(signature: bytes, chain: Any, *, digest: bytes) -> bytes:
    attributes_start = signature.rindex(form.SHA256_ABSENT + b"\xa0\x81") + len(form.SHA256_ABSENT) + 3
    attributes = signature[attributes_start : attributes_start + signature[attributes_start - 1]]
    value = signature[attributes_start + len(attributes) + len(form.ECDSA_SHA256) + 2 :].removesuffix(bytes(6))
    signer = form.signer_info(leaf=chain.leaf, attributes=attributes, signature=value, digest=digest)
    certificates = [chain.leaf.public_bytes(Encoding.DER), chain.intermediate.public_bytes(Encoding.DER)]
    return form.signed_data(certificates=certificates, signer=signer, digest=digest, ber=True)
