"""What of an answer quotes the request is masked, however it is written."""

import base64
import json
from typing import Any
from urllib.parse import quote
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.model.errors import Failure, UpstreamEvidence, error_for
from payorch_server.model.outcome import Reason
from payorch_server.model.secret import Secret
from payorch_server.zuora.quotes import NOTHING_QUOTED, Quotes

NAME = "Quixotesmith"
TOKEN = {"data": "abcdefgh+ijklmnop", "header": {"id": "8d2f6c3e9a"}}
BODY: dict[str, Any] = {
    "cardHolderInfo": {"name": Secret(f"Jane {NAME}"), "city": Secret("Zürich")},
    "account": {"number": Secret("40001234"), "code": Secret("987")},
    "device": Secret("0f7c1b52-5f0e-4d0a-9a51-0e4f53f1a001"),
    "paymentToken": Secret(msgspec.Raw(json.dumps(TOKEN).encode())),
    "currency": "USD",
}
HIDDEN = [
    NAME,
    NAME.upper(),
    NAME[::-1],
    f"Dear{NAME}2",
    f"Jane%20{NAME}",
    f"%20{NAME}",
    "".join(f"%{byte:02X}" for byte in NAME.encode()),
    "".join(f"%25{byte:02X}" for byte in NAME.encode()),
    NAME.encode().hex(),
    f"0x{NAME.encode().hex()}0",
    base64.b64encode(NAME.encode()).decode(),
    base64.b64encode(NAME.upper().encode()).decode(),
    base64.urlsafe_b64encode(f"is {NAME}".encode()).decode().rstrip("="),
    "x" + base64.b64encode(NAME.encode()).decode(),
    "".join(chr(ord(char) + 0xFEE0) for char in NAME),
    "\u200b".join(NAME),
    "Jane",
    b"Jane".hex(),
    "SmFuZQ==",
    "zürich",
    "z&uuml;rich",
    "Z\\u00fcrich",
    quote("Zürich"),
    "".join(f"&#x{ord(char):x};" for char in NAME),
    "".join(f"\\u{ord(char):04x}" for char in NAME),
    "40001234",
    "4000 1234",
    "40.00.12.34",
    "4000\u00a01234",
    "4000&nbsp;1234",
    "987",
    "ijklmnop",
    "bcdefg",
    "8D2F6C3E9A",
]


class TestTexts:
    """Messages for operators."""

    @pytest.mark.parametrize("written", HIDDEN)
    @pytest.mark.parametrize("around", ["{}", "Invalid value: {}, no.", "'{}'", "value={}"])
    def test_lose_what_quotes_the_request(self, written: str, around: str) -> None:
        """In clear and in every usual encoding."""
        masked = Quotes(BODY).mask_text(around.format(written))

        assert written not in masked
        assert "[masked]" in masked

    @pytest.mark.parametrize(
        "text",
        [
            "The account is cancelled: currency USD is not supported by gateway 2 (see 53000020).",
            "Transaction declined.do_not_honor - Do not honor",
            "Cannot find entity by id: '8ad08f2990a1b2c30190a1b2c3d40000'",
            "",
        ],
    )
    def test_keep_the_words_of_zuora(self, text: str) -> None:
        """Operators need them."""
        assert text == Quotes(BODY).mask_text(text) == NOTHING_QUOTED.mask_text(text)

    def test_of_requests_without_secrets_are_still_scrubbed(self) -> None:
        """Zuora may know a card number from elsewhere."""
        assert NOTHING_QUOTED.mask_text("card 4929.1234.5678.1236") == "card [scrubbed]"

    @given(st.text(max_size=300))
    def test_can_be_anything(self, text: str) -> None:
        """No text makes it fail, and none becomes much longer."""
        assert len(Quotes(BODY).mask_text(text)) <= 4 * len(text) + 10


class TestIdsAndCodes:
    """Where anything may stand, too."""

    @pytest.mark.parametrize("written", [text for text in HIDDEN if len(text) >= 5])
    def test_are_masked_as_a_whole(self, written: str) -> None:
        """A part of an id is of no use."""
        assert Quotes(BODY).mask_id(written) == "[masked]" == Quotes(BODY).mask_code(written)

    def test_of_the_form_of_zuoras_ids_are_masked_too(self) -> None:
        """A secret can have that form, in clear or as hexadecimal digits of a text."""
        device = "0f7c1b52-5f0e-4d0a-9a51-0e4f53f1a001"
        text = f"{NAME}+123".encode().hex()

        assert len(text) == 32
        assert Quotes(BODY).mask_id(device) == "[masked]" == Quotes(BODY).mask_id(text)

    @given(st.uuids(version=4))
    def test_of_zuora_are_kept(self, made: UUID) -> None:
        """Always."""
        assert Quotes(BODY).mask_id(str(made)) == str(made)
        assert Quotes(BODY).mask_id(made.hex) == made.hex

    def test_of_errors_are_masked_in_one_place(self) -> None:
        """Codes, and the ids of what exists."""
        evidence = UpstreamEvidence(("53000020", NAME.lower()), NAME, "P-00000123", 2.0)
        error = error_for(Failure(Reason.UPSTREAM_INTERNAL, "", evidence=evidence))

        shown = Quotes(BODY).mask_error(error).failure.evidence

        assert shown == UpstreamEvidence(("53000020", "[masked]"), "[masked]", "P-00000123", 2.0)
