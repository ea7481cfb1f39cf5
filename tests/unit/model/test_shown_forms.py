"""Of what Zuora answers only known forms of codes and ids are shown."""

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.model.attempt import Attempt, UpstreamFacts
from payorch_server.model.errors import UpstreamEvidence
from payorch_server.model.outcome import Outcome
from payorch_server.model.shown_forms import MASKED, shown_code, shown_id, shown_track_id
from payorch_server.zuora.errors import WORDS

CARD = "4929123456781236"
NO_CODES = [
    CARD,
    "4929 1234 5678 1236",
    "4929-1234-5678-1236",
    "Quixotesmith",
    "QUIXOTESMITH",
    "jane@example.com",
    "123456789",
    "1",
    "a" * 41,
    "",
    "x\n",
]
NO_IDS = [
    CARD,
    "4929-1234-5678-1236",
    "4929-123456-781236",
    CARD.encode().hex(),
    "NDkyOTEyMzQ1Njc4MTIzNg",
    "GB33BUKB20201555555555",
    "eyJhbGciOiJIUzI1NiJ9",
    "jane@example.com",
    "Jane Quixote",
    "a_b",
    "i" * 65,
    "r-1\n",
    "\uff14929123456781236",
]


class TestCodes:
    """Error codes."""

    @pytest.mark.parametrize("code", ["53200020", "70", "card_error", "SystemError", "TRANSACTION_FAILED", *WORDS])
    def test_of_zuora_are_shown(self, code: str) -> None:
        """Numbers and words that the documents know."""
        assert code == shown_code(code)

    @pytest.mark.parametrize("text", NO_CODES)
    def test_of_other_forms_are_masked(self, text: str) -> None:
        """Anything can stand where a code belongs."""
        assert MASKED == shown_code(text)


class TestIds:
    """Ids of requests, processes and objects."""

    @given(
        st.one_of(
            st.uuids().map(str),
            st.uuids().map(lambda made: made.hex),
            st.from_regex(r"[0-9A-F]{16}", fullmatch=True).filter(lambda text: not text.isdecimal()),
            st.from_regex(r"[0-9a-f]{32}-[0-9]{16}", fullmatch=True),
            st.from_regex(r"hmac-[0-9a-f]{32}", fullmatch=True),
        )
    )
    def test_of_zuora_and_of_ours_are_always_shown(self, text: str) -> None:
        """Also those that are all digits, a tenth of which have the check digit of a card number."""
        assert text == shown_id(text) == shown_track_id(text)

    @pytest.mark.parametrize("text", ["", "P-00000123", "PROC1", "zreq-1", "INV00000042"])
    def test_of_short_forms_are_shown(self, text: str) -> None:
        """None, and numbers of invoices and payments."""
        assert text == shown_id(text)

    @pytest.mark.parametrize("text", NO_IDS)
    def test_of_other_forms_are_masked(self, text: str) -> None:
        """Anything can stand where an id belongs."""
        assert MASKED == shown_id(text)

    @pytest.mark.parametrize(
        ("text", "shown"),
        [("order/17+a_b", "order/17+a_b"), (f"order/{CARD}", MASKED), ("a b", MASKED), ("jane@example.com", MASKED)],
    )
    def test_of_calls_have_more_characters(self, text: str, shown: str) -> None:
        """A Track-Id of another call is shown by the rule for Track-Ids."""
        assert shown == shown_track_id(text)


class TestTypes:
    """The types that carry facts of answers to spans, records, log lines and errors."""

    @given(st.text(string.printable, max_size=70))
    def test_hold_known_forms_alone(self, text: str) -> None:
        """However they are made."""
        attempt = Attempt(1, 400, text, datetime(2026, 11, 20, tzinfo=UTC), 0.1, Outcome.REFUSED)
        facts = UpstreamFacts((attempt,), text, text, text)
        evidence = UpstreamEvidence((text,), text, text)

        ids = {attempt.zuora_request_id, facts.zuora_request_id, facts.zuora_process_id}
        assert ids | {evidence.payment_method_id, evidence.payment_id} == {shown_id(text)}
        assert facts.echoed_track_id == shown_track_id(text)
        assert evidence.zuora_codes == (shown_code(text),)
