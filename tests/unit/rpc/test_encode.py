from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from harness.clock import START
from harness.routes import route
from hypothesis import given
from hypothesis import strategies as st
from payorch.v1 import call_pb2, payment_method_result_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.model.attempt import Attempt, CallReport, UpstreamFacts, UpstreamPreview
from payorch_server.model.identifiers import TrackId
from payorch_server.model.money import Amount
from payorch_server.model.outcome import Outcome
from payorch_server.model.secret import Secret
from payorch_server.rpc.encode import (
    call_of,
    encode_create_payment_method,
    encode_create_session,
    encode_decrypt_apple_pay,
)
from payorch_server.usecases.dispatcher import CallResult
from payorch_server.zuora.resources._payment_method_view import view_of
from payorch_server.zuora.resources.decryption import DecryptionResult
from payorch_server.zuora.resources.payment_methods import CreatedPaymentMethod

ATTEMPT = Attempt(1, 200, "r1", START, 0.1, Outcome.SUCCEEDED)
COMMON = {
    "id": "pm1",
    "custom_type": "c",
    "state": "active",
    "account_id": "a",
    "created_by_id": "u1",
    "created_time": "2026-11-20T12:00:00+01:00",
    "updated_by_id": "u2",
    "updated_time": "2026-11-20T12:00:01+01:00",
    "billing_details": {"name": "Ada"},
    "custom_fields": {"n__c": Decimal("1.50"), "x__c": None},
    "maximum_payment_attempts": 0,
    "payment_retry_interval": 24,
    "device_session_id": "d",
    "ip_address": "192.0.2.1",
    "bank_identification_number": "411111",
    "auto_generated": False,
    "use_default_retry_rule": True,
    "existing_mandate": "no",
    "last_failed_sale_transaction_time": "t1",
    "last_transaction_time": "t2",
    "last_transaction_status": "ok",
    "number_of_consecutive_failures": 0,
    "total_number_of_processed_payments": 3,
    "total_number_of_error_payments": 4,
    "account": {"id": "a"},
}
MANDATE = {
    "id": "m",
    "reason": "r",
    "state": "active",
    "network_transaction_id": "n",
    "type": "multi_use",
    "verified": False,
    "customer_acceptance": {"id": "ca", "date": "2026-11-20"},
}
CARD = {"brand": "visa", "expiry_month": 12, "expiry_year": 2030, "last_4": "1111"}
BANK = {
    "account_number": "***1",
    "bank_account_name": "Ada",
    "bank_account_type": "checking",
    "bank_name": "b",
    "bank_code": "bc",
    "branch_code": "br",
    "IBAN": "DE**",
    "business_identification_code": "BIC",
    "identity_number": "i",
}
METHODS: list[dict[str, Any]] = [
    COMMON | {"type": "card", "card": CARD | {"mandate": MANDATE}},
    COMMON | {"type": "apple_pay", "apple_pay": {"token": "t", "card": CARD | {"mandate": MANDATE}}},
    COMMON | {"type": "google_pay", "google_pay": {"token": "t", "card": CARD | {"mandate": MANDATE}}},
    COMMON | {"type": "cc_ref", "cc_ref": {"token": "t", "second_token": "t2", "card": CARD, "mandate": MANDATE}},
    COMMON | {"type": "apple_pay", "apple_pay": {"token": "t", "payment_id": "p", "card": CARD}},
    COMMON | {"type": "sepa_debit", "sepa_debit": BANK},
    COMMON | {"type": "paypal_express", "paypal_express": {"baid": "b", "email": "e", "preapproval_key": "k"}},
]


def encoded(payload: dict[str, Any]) -> payment_method_result_pb2.PaymentMethod:
    """Read a Quickstart answer and encode it."""
    done = CallResult(CallReport(TrackId("t"), route()), CreatedPaymentMethod(str(payload.get("id")), view_of(payload)))
    return encode_create_payment_method(done).payment_method


def paths_of(message: Any, prefix: str = "") -> set[str]:
    """List the fields that are set."""
    found = set()
    for field, value in message.ListFields():
        found |= paths_of(value, f"{prefix}{field.name}.") if field.message_type else {f"{prefix}{field.name}"}
    return found


def all_paths(descriptor: Any, prefix: str = "") -> set[str]:
    """List the fields of a type."""
    found = set()
    for field in descriptor.fields:
        nested = field.message_type
        found |= all_paths(nested, f"{prefix}{field.name}.") if nested else {f"{prefix}{field.name}"}
    return found


class TestPaymentMethod:
    """What Zuora returned, tolerantly."""

    def test_can_have_every_field(self) -> None:
        """No field of the contract is there for show."""
        set_by_any = set().union(*(paths_of(encoded(payload)) for payload in METHODS))

        assert set_by_any == all_paths(payment_method_result_pb2.PaymentMethod.DESCRIPTOR)

    def test_keeps_objects_as_json(self) -> None:
        """Digit by digit, nulls included."""
        method = encoded(METHODS[0])

        assert method.custom_fields_json == '{"n__c":1.50,"x__c":null}'
        assert method.billing_details_json == '{"name":"Ada"}'

    @pytest.mark.parametrize(
        ("own", "expected", "reason"),
        [
            ({"bank_account_number": "1", "bank_aba_code": "2"}, ("1", "2"), "ACH's names"),
            ({"account_number": "3", "bank_code": "4"}, ("3", "4"), "everyone else's"),
        ],
    )
    def test_reads_both_names_of_account_and_bank(
        self, own: dict[str, str], expected: tuple[str, str], reason: str
    ) -> None:
        """One summary for all debits."""
        account = encoded({"id": "x", "type": "ach_debit", "ach_debit": own}).bank_account_summary

        assert (account.account_number, account.bank_code) == expected, reason

    def test_reads_whole_numbers_in_any_form(self) -> None:
        """Some JSON writers write 12 as 12.0 or 1.2E+1."""
        card = {"expiry_month": Decimal("12.0"), "expiry_year": Decimal("2.030E+3")}
        method = encoded({"id": "x", "type": "card", "card": card, "maximum_payment_attempts": Decimal("3.00")})

        assert (method.card_summary.expiry_month, method.card_summary.expiry_year) == (12, 2030)
        assert method.maximum_payment_attempts == 3

    @pytest.mark.parametrize(("value", "expected"), [(False, "false"), (True, "true"), ("Yes", "Yes")])
    def test_reads_an_existing_mandate_as_a_word(self, value: object, expected: str) -> None:
        """Quickstart's schema has a boolean, for which our message has a word."""
        assert encoded({"id": "x", "existing_mandate": value}).existing_mandate == expected

    @pytest.mark.parametrize(
        ("payload", "reason"),
        [
            ({"id": "x"}, "v2 with a selection"),
            ({"id": "x", "type": None, "state": None}, "nulls"),
            ({"id": "x", "type": "newer", "newer": {"field": 1}}, "a type that came later"),
            ({"id": "x", "type": "card", "card": "text"}, "an object that is none"),
            ({"id": "x", "type": "card", "card": {"expiry_month": "12", "mandate": []}}, "members of other types"),
            ({"id": "x", "type": "card", "card": {"expiry_month": Decimal("12.5"), "mandate": {}}}, "no whole number"),
            ({"id": "x", "type": "card", "card": {"expiry_month": Decimal("1E99")}}, "a number beyond the field's"),
            ({"id": "x", "maximum_payment_attempts": 2**31, "auto_generated": 1}, "numbers beyond the field"),
        ],
    )
    def test_leaves_out_what_it_cannot_read(self, payload: dict[str, Any], reason: str) -> None:
        """The method was created; nothing about it may turn that into an error."""
        method = encoded(payload)

        assert paths_of(method) <= {"id", "type"}, reason

    @given(
        st.dictionaries(
            st.sampled_from([*COMMON, "type", "card", "sepa_debit"]),
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers()
                | st.text(max_size=5)
                | st.decimals(allow_nan=False, places=2),
                lambda inner: st.dictionaries(st.sampled_from([*CARD, *BANK, "mandate", "card"]), inner, max_size=4),
                max_leaves=5,
            ),
        )
    )
    def test_is_encoded_whatever_came(self, payload: dict[str, Any]) -> None:
        """Zuora adds words and shapes without notice, and the id can be read all the same."""
        assert encoded({"type": "card", **payload, "id": "pm1"}).id == "pm1"


class TestCallInfo:
    """Facts about a call."""

    def test_holds_route_and_facts(self) -> None:
        """What a caller shows to support."""
        later = Attempt(2, 200, "r2", START + timedelta(seconds=1), 0.1, Outcome.SUCCEEDED)
        where = route(entity="us", entity_id="e" * 32, orgs=("north",), org_ids=("n1",))
        report = CallReport(TrackId("t1"), where, UpstreamFacts((ATTEMPT, later), "r2", "p1", "t0"), START)

        info = call_of(report)

        assert (info.track_id, info.executed_track_id, info.zuora_request_id) == ("t1", "t0", "r2")
        assert (info.zuora_process_id, info.attempt_count, info.matched_rule) == ("p1", 2, "all")
        assert info.policy_hash == where.policy_hash
        taken = info.route_taken
        assert (taken.tenant, taken.host, taken.gateway) == ("acme", "zuora.test", "cards")
        assert (taken.entity, taken.entity_id) == ("us", "e" * 32)
        assert (list(taken.orgs), list(taken.org_ids)) == (["north"], ["n1"])
        assert info.first_send_time.ToDatetime(tzinfo=START.tzinfo) == START

    @pytest.mark.parametrize(
        ("first_sent_at", "replayed", "expected", "reason"),
        [
            (None, None, call_pb2.REPLAY_UNSPECIFIED, "nothing was sent"),
            (START, False, call_pb2.REPLAY_NO, "made for this call"),
            (START, True, call_pb2.REPLAY_YES, "made for an earlier one"),
            (START, None, call_pb2.REPLAY_NOT_KNOWN, "Zuora does not say"),
        ],
    )
    def test_tells_replays(self, first_sent_at: Any, replayed: Any, expected: Any, reason: str) -> None:
        """Whose answer it is."""
        report = CallReport(TrackId("t1"), route(), UpstreamFacts(), first_sent_at, replayed)

        assert call_of(report).replayed == expected, reason


class TestResponses:
    """A value, or for a dry run what would be sent."""

    def test_reveal_the_session_token(self) -> None:
        """It is what the caller came for."""
        response = encode_create_session(CallResult(CallReport(TrackId("t"), route()), value=Secret("token")))

        assert (response.session.token, response.HasField("upstream_request")) == ("token", False)

    def test_show_a_dry_run(self) -> None:
        """Without any value."""
        preview = UpstreamPreview("POST", "https://x", (("a", "b"),), "{}")
        done: CallResult[Any] = CallResult(CallReport(TrackId("t"), route()), preview=preview)

        shown = [
            encode_create_session(done),
            encode_decrypt_apple_pay(done, None),
            encode_create_payment_method(done),
        ]

        expected = call_pb2.UpstreamRequest(method="POST", uri="https://x", headers={"a": "b"}, body="{}")
        assert [one.upstream_request for one in shown] == [expected] * 3
        assert not shown[0].HasField("session")
        assert not shown[2].HasField("payment_method")

    @pytest.mark.parametrize(
        ("expected", "reported", "check", "reason"),
        [
            (None, "1.00", service_pb2.AMOUNT_CHECK_UNSPECIFIED, "nothing was expected"),
            ("1.00", "1.0", service_pb2.AMOUNT_CHECK_EQUAL, "equal numbers"),
            ("1.00", "1.01", service_pb2.AMOUNT_CHECK_DIFFERENT, "a cent more"),
            ("1.00", "", service_pb2.AMOUNT_CHECK_NOT_REPORTED, "no amount"),
        ],
    )
    def test_compare_the_amount(self, expected: str | None, reported: str, check: Any, reason: str) -> None:
        """The caller learns when another amount moved."""
        amount = Amount(Decimal(expected), "EUR") if expected else None
        done = CallResult(CallReport(TrackId("t"), route()), DecryptionResult("pm", "p", reported))

        response = encode_decrypt_apple_pay(done, amount)

        assert (response.amount_check, response.reported_amount, response.payment_id) == (check, reported, "p"), reason
