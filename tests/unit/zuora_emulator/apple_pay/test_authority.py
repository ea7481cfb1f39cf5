"""The test root and what follows from it."""

import hashlib
import json
import subprocess
import sys

import pytest
from harness.apple_tokens import MERCHANT, NOW, mint
from zuora_emulator.apple_pay import (
    AppleAuthority,
)


class TestAuthority:
    """The published authority is the same in every process."""

    def test_opens_in_another_process(self) -> None:
        """A token minted here is accepted by an emulator that runs elsewhere."""
        program = (
            "import json, sys; from datetime import datetime\n"
            "from zuora_emulator.apple_pay import AppleAuthority, open_token\n"
            "authority = AppleAuthority.published()\n"
            "token, now = json.loads(sys.argv[1]), datetime.fromisoformat(sys.argv[2])\n"
            f"payment = open_token(authority=authority, merchant_id={MERCHANT!r}, token=token, now=now)\n"
            "print(payment.amount_minor)"
        )

        arguments = [sys.executable, "-c", program, json.dumps(mint()), NOW.isoformat()]
        finished = subprocess.run(arguments, check=True, capture_output=True, text=True)  # noqa: S603 - our own program

        assert finished.stdout == "1999\n"

    def test_is_built_once(self) -> None:
        """Building costs milliseconds."""
        assert AppleAuthority.published() is AppleAuthority.published()

    def test_says_that_it_is_not_apple(self) -> None:
        """Nobody may take these certificates for real ones."""
        authority = AppleAuthority.published()
        chain = authority.signing_chain(now=NOW)

        certificates = [authority.root, chain.leaf, chain.intermediate]
        certificates += [key.certificate for merchant in authority.merchants for key in merchant.keys]

        assert len(certificates) == 7
        assert all("NOT APPLE" in certificate.subject.rfc4514_string() for certificate in certificates)

    def test_merchant_certificates_name_the_merchant_twice(self) -> None:
        """Party V can be had from the UID and from extension ...6.32; the two agree."""
        for merchant in AppleAuthority.published().merchants:
            for key in merchant.keys:
                extensions = {extension.oid.dotted_string: extension.value for extension in key.certificate.extensions}
                mark = extensions["1.2.840.113635.100.6.32"].public_bytes()

                assert mark[2:].decode() == hashlib.sha256(merchant.merchant_id.encode()).hexdigest().upper()
                assert f"UID={merchant.merchant_id}" in key.certificate.subject.rfc4514_string()

    def test_unknown_merchant_is_named(self) -> None:
        """A typing error in a test is answered with the merchants there are."""
        with pytest.raises(LookupError, match=r"merchant\.example\.other"):
            AppleAuthority.published().merchant("merchant.example.typo")
