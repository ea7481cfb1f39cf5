from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zuora_emulator.journal import MASK, SHOWN_FIELDS, Journal, masked
from zuora_emulator.ledger import Ledger, LedgerEntry, short_hash

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
values = st.recursive(
    st.sampled_from(["secret", 1234567, Decimal("1234567.5")]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "amount", "x"]), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["cardNumber", "IBAN", "paymentToken", "card", "tokens", "x"]), values))
def test_masked_shows_no_value_of_a_field_that_is_not_listed(body: dict[str, Any]) -> None:
    assert set(body).isdisjoint(SHOWN_FIELDS)
    assert all(value == MASK for value in masked(body).values())


@pytest.mark.parametrize(
    ("body", "expected", "reason"),
    [
        (b"12345", "<5 bytes>", "no JSON"),
        (None, None, "no body"),
        ([1], MASK, "no object"),
        ({"amount": Decimal("1.50")}, {"amount": "1.50"}, "exact digits"),
        ({"amount": {"x": 1}}, {"amount": MASK}, "a listed field of another kind"),
        ({"invoices": [{"invoiceNumber": "I", "x": "y"}, 1]}, {"invoices": ["I", MASK]}, "numbers only"),
        ({"processPayment": True, "type": None}, {"processPayment": True, "type": None}, "no secret fits in these"),
        ({"mothersName__c": True}, {MASK: MASK}, "a name that somebody chose"),
    ],
)
def test_masked_shows(body: Any, expected: Any, reason: str) -> None:
    assert masked(body) == expected, reason


def test_journal_keeps_order_and_outcome() -> None:
    journal = Journal()
    for number in range(2):
        arrival = journal.record(
            operation="sessions",
            time=NOW,
            method="POST",
            path="/x",
            headers=[("authorization", "Bearer x"), ("zuora-track-id", str(number))],
            body={},
        )
        arrival.outcome = "executed"

    assert [entry.track_id for entry in journal.of("sessions")] == ["0", "1"]
    assert journal.as_json()[0]["headers"] == {"authorization": MASK, "zuora-track-id": "0"}
    assert (journal.count("sessions"), journal.count("token")) == (2, 0)


def test_ledger_counts_by_operation() -> None:
    ledger = Ledger()
    ledger.record(LedgerEntry(operation="token", time=NOW, tenant="1", entity=None, request_id="r"))

    assert (ledger.count("token"), ledger.count("sessions")) == (1, 0)
    assert ledger.as_json()[0]["time"] == "2026-11-20T12:00:00+00:00"
    assert ledger.as_json()[0]["effects"] == {}


def test_ledger_forgets_all_executions() -> None:
    ledger = Ledger([LedgerEntry(operation="token", time=NOW, tenant="1", entity=None, request_id="r")])

    ledger.clear()

    assert ledger.entries == []


def test_ledger_shows_every_member_of_an_execution() -> None:
    """By these names tests of other projects read it."""
    ledger = Ledger()
    ledger.record(
        LedgerEntry(
            operation="payments",
            time=NOW,
            tenant="1",
            entity="2",
            orgs=("3",),
            account="4",
            track_id="5",
            idempotency_key="6",
            request_id="7",
            amount=Decimal("8.50"),
            currency="EUR",
            effects={"payment_id": "9"},
        )
    )

    assert ledger.as_json() == [
        {
            "operation": "payments",
            "time": "2026-11-20T12:00:00+00:00",
            "tenant": "1",
            "entity": "2",
            "orgs": ["3"],
            "account": "4",
            "track_id": "5",
            "idempotency_key": "6",
            "request_id": "7",
            "amount": "8.50",
            "currency": "EUR",
            "effects": {"payment_id": "9"},
        }
    ]


def test_short_hash_tells_secrets_apart() -> None:
    assert len({short_hash("a"), short_hash("b")}) == 2
    assert len(short_hash("a")) == 16
