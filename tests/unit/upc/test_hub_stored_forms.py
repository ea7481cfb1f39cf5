"""What the hub stores, or computes again in every replica and version, byte for byte.

The file holds what the code wrote when the file was made. A red test here means that the code is wrong, not the file:
records that exist would no longer be read, or sends of one payment no longer be recognised as the same.
"""

import dataclasses
import json
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest
from harness.hub import payment, refund, validation
from payorch_server.model.secret import Secret
from payorch_server.store.keyring import Keyring
from payorch_server.upc.gateway_outcome import GatewayOutcome, Result
from payorch_server.upc.hub_ledger import EPOCH_KEY
from payorch_server.upc.hub_record import (
    HubRecord,
    RecordedEnd,
    RecordUnreadable,
    answer_key,
    decode_hub_record,
    encode_hub_record,
    fingerprint_of,
    record_key,
    seal_answer,
    unseal_answer,
    validation_fingerprint,
)
from payorch_server.upc.request import JsonNumber

FORMS: Final = json.loads((Path(__file__).parents[2] / "vectors" / "0.1.0" / "hub_stored_forms.json").read_text())
KEYRING: Final = Keyring(
    (("2026b", Secret(b"b" * 32)), ("2026a", Secret(b"a" * 32))), entropy=lambda count: bytes(range(count))
)
OPEN: Final = HubRecord(
    "0123456789abcdef",
    1790000120.25,
    1790000000.25,
    1790000044.25,
    "2026b",
    bytes(range(32)),
    "amazon",
    "amazon-pay",
    2592000.0,
)
RECORDS: Final = {
    "just opened": OPEN,
    "of an id that the hub refused": HubRecord(
        "0123456789abcdef", 0.0, 1790000000.25, 1790000000.25, end=RecordedEnd("CREDENTIALS_REFUSED")
    ),
    "approved": HubRecord(
        "fedcba9876543210",
        0.0,
        1790000000.25,
        1790000044.25,
        "2026b",
        bytes(range(32)),
        "amazon",
        "amazon-pay",
        259200.0,
        attempts=2,
        doubtful=True,
        end=RecordedEnd("APPROVED", "APPROVED", "601", "180404672", "20998810", 1790000001.5),
    ),
}
REQUESTS: Final = {"payment": payment(), "refund": refund(), "validation": validation()}
PLACE: Final = answer_key("upc1-00", "0123456789abcdef")
ANSWER: Final = GatewayOutcome(
    Result.APPROVED,
    message="Approved.",
    token_data_changes=Secret({"Email": "a@b.example", "Count": JsonNumber("12.50"), "Flag": True, "Old": None}),
)


class TestHubRecords:
    """Records of payments and refunds."""

    @pytest.mark.parametrize("name", RECORDS)
    def test_are_written_and_read_as_ever(self, name: str) -> None:
        """In both directions."""
        assert FORMS["records"][name] == encode_hub_record(RECORDS[name]).hex()
        assert RECORDS[name] == decode_hub_record(bytes.fromhex(FORMS["records"][name]))

    def test_of_a_newer_version_are_unreadable(self) -> None:
        """What they mean is not known, so that their payments stay open."""
        with pytest.raises(RecordUnreadable):
            decode_hub_record(bytes.fromhex(FORMS["of a newer version"]))

    def test_have_their_keys(self) -> None:
        """Where they and the epoch are found."""
        assert FORMS["keys"] == {"record": record_key("upc1-00"), "answer": PLACE, "epoch": EPOCH_KEY}


class TestFingerprints:
    """What recognises a send of the same request."""

    @pytest.mark.parametrize("name", REQUESTS)
    def test_are_computed_as_ever(self, name: str) -> None:
        """With each key."""
        for key_id in KEYRING.key_ids:
            computed = fingerprint_of(REQUESTS[name], KEYRING, key_id=key_id)
            assert FORMS["fingerprints"][name][key_id] == computed.hex()

    @pytest.mark.parametrize("amount", ["200.00", "2E2", "200.000"])
    def test_are_those_of_the_amount_however_it_is_written(self, amount: str) -> None:
        """Zuora documents a number and shows a text."""
        assert Decimal(amount) == 200
        computed = fingerprint_of(payment(amount=amount), KEYRING, key_id="2026b")

        assert FORMS["fingerprints"]["payment"]["2026b"] == computed.hex()

    def test_of_a_validation_are_computed_as_ever(self) -> None:
        """They name it to its gateway: with the key in use, and with every kind of value in the token data."""
        method = dataclasses.replace(validation().method, token_data=ANSWER.token_data_changes)
        request = dataclasses.replace(validation(), method=method)

        computed = validation_fingerprint(request, KEYRING, gateway="amazon")
        assert computed == "8075d24e39387946dece27d6d7eef69b7d8d2404"


class TestSealedAnswers:
    """What a gateway said that may be about the payer."""

    def test_are_read_as_ever(self) -> None:
        """With every kind of value."""
        opened = unseal_answer(bytes.fromhex(FORMS["sealed answer"]), KEYRING, place=PLACE)

        assert opened is not None
        assert (opened.message, opened.token_data_changes) == (ANSWER.message, ANSWER.token_data_changes)

    def test_are_written_as_ever(self) -> None:
        """The entropy is fixed here."""
        sealed = seal_answer(ANSWER, KEYRING, place=PLACE)

        assert sealed is not None
        assert FORMS["sealed answer"] == sealed.hex()
