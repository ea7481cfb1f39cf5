import msgspec
import pytest
from harness.routes import route
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.intents.intent import Fingerprint
from payorch_server.intents.intent_record import (
    IntentRecord,
    Settlement,
    append_recent,
    decode_record,
    decode_result,
    encode_record,
    encode_result,
    evidence_of,
    reason_of,
    stored_evidence,
)
from payorch_server.model.errors import UpstreamEvidence
from payorch_server.model.outcome import VERDICTS, Outcome, Reason
from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - that it comes back is the subject
from payorch_server.zuora.resources.decryption import DecryptionResult
from payorch_server.zuora.resources.payment_methods import CreatedPaymentMethod

TEXT = st.text(max_size=20)
EVIDENCE = st.builds(
    UpstreamEvidence,
    zuora_codes=st.lists(TEXT, max_size=3).map(tuple),
    payment_method_id=TEXT,
    payment_id=TEXT,
    retry_after_s=st.none() | st.floats(0, 1e5),
)
SETTLEMENT = st.builds(
    Settlement,
    reason=TEXT,
    evidence=EVIDENCE.map(stored_evidence),
    zuora_request_id=TEXT,
    executed_track_id=TEXT,
    key_id=TEXT,
    sealed_result=st.binary(max_size=50),
    settled_at_s=st.floats(0, 1e10),
    payment_method_id=TEXT,
)
RECORD = st.builds(
    IntentRecord,
    fingerprint=st.builds(Fingerprint, TEXT, st.dictionaries(TEXT, TEXT, max_size=3), TEXT),
    route=st.builds(route, tenant=TEXT, orgs=st.lists(TEXT, max_size=2).map(tuple)),
    owner=TEXT,
    lease_until_s=st.floats(0, 1e10),
    opened_at_s=st.floats(0, 1e10),
    takeovers=st.integers(0, 100),
    doubtful=st.booleans(),
    answer_ids=st.lists(TEXT, max_size=3).map(tuple),
    track_ids=st.lists(TEXT, max_size=3).map(tuple),
    settlement=st.none() | SETTLEMENT,
)
SMALLEST = IntentRecord(Fingerprint("k1", {}, ""), route(), "o", 1.0, 2.0)


class TestReasonOf:
    """Why an intent ended as it did, also where another version of the service recorded it."""

    def test_is_an_unknown_outcome_if_only_a_newer_version_knows_it(self) -> None:
        """Taken for a success, the call would be answered without a result; nothing else of it is certain either."""
        reason = reason_of(Settlement("A_REASON_OF_TOMORROW"))

        assert reason is Reason.UPSTREAM_CODE_UNKNOWN
        assert VERDICTS[reason].outcome is Outcome.UNKNOWN

    def test_is_the_one_recorded_or_none_for_success(self) -> None:
        """Every reason is found by its name."""
        assert [*Reason] == [reason_of(Settlement(reason.name)) for reason in Reason]
        assert reason_of(Settlement("")) is None


class TestRecord:
    """What one replica writes, every other reads."""

    @given(RECORD)
    def test_round_trip(self, record: IntentRecord) -> None:
        """Nothing is lost, whatever is in it."""
        assert decode_record(encode_record(record)) == record

    def test_ignores_what_a_newer_version_added(self) -> None:
        """A rollout has two versions at work on one store."""
        written = msgspec.msgpack.decode(encode_record(SMALLEST))
        written |= {"version": 2, "colour": "green"}
        written["route"]["lane"] = 1
        written["settlement"] = {"reason": "", "mood": [1, 2]}

        record = decode_record(msgspec.msgpack.encode(written))

        assert (record.owner, record.version, record.route) == ("o", 2, route())
        assert record.settlement == Settlement("")

    def test_reads_what_an_older_version_wrote(self) -> None:
        """Members that it did not know have their defaults."""
        written = msgspec.msgpack.decode(encode_record(SMALLEST))
        for name in ("takeovers", "doubtful", "answer_ids", "track_ids", "settlement", "version"):
            del written[name]

        assert decode_record(msgspec.msgpack.encode(written)) == SMALLEST


class TestStoredEvidence:
    """A record holds evidence in a form that is frozen."""

    @given(EVIDENCE)
    def test_comes_back_as_it_was(self, evidence: UpstreamEvidence) -> None:
        """Nothing that Zuora said of a failure is lost."""
        assert evidence_of(Settlement("", evidence=stored_evidence(evidence))) == evidence

    def test_is_written_with_gateway_codes(self) -> None:
        """A replica of another version finds every member that it knows."""
        record = IntentRecord(
            Fingerprint("k1", {}, ""),
            route(),
            "o",
            1.0,
            2.0,
            settlement=Settlement("X", stored_evidence(UpstreamEvidence(("1",)))),
        )

        written = msgspec.msgpack.decode(encode_record(record))

        assert list(written["settlement"]["evidence"]) == [
            "zuora_codes", "gateway_codes", "payment_method_id", "payment_id", "retry_after_s",
        ]  # fmt: skip
        assert written["settlement"]["evidence"]["gateway_codes"] == []


class TestResult:
    """A result comes back as it was."""

    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            (DecryptionResult("pm-1", "p-1", "12.34"), DecryptionResult),
            (CreatedPaymentMethod("pm-1", {"id": "pm-1", "type": "card", "nested": {"a": [1, None, True]}}), None),
        ],
    )
    def test_round_trip(self, value: object, kind: type | None) -> None:
        """By its type."""
        assert decode_result(encode_result(value), kind or type(value)) == value

    def test_round_trip_of_a_secret(self) -> None:
        """A session's token is wrapped again."""
        back = decode_result(encode_result(Secret("token")), Secret[str])

        assert isinstance(back, Secret)
        assert reveal(back) == "token"

    def test_takes_nothing_else(self) -> None:
        """What cannot be read back is not written."""
        with pytest.raises(TypeError, match="object is no part of a result"):
            encode_result(object())


class TestNewest:
    """Ten ids are kept, each once, the newest last."""

    @pytest.mark.parametrize(
        ("ids", "more", "expected", "reason"),
        [
            ((), ("a",), ("a",), "the first"),
            (("a",), ("", "b"), ("a", "b"), "empty ones are none"),
            (("a", "b"), ("a",), ("a", "b"), "each once"),
            (tuple("0123456789"), ("x", "y"), tuple("23456789xy"), "cut to ten"),
        ],
    )
    def test_adds(self, ids: tuple[str, ...], more: tuple[str, ...], expected: tuple[str, ...], reason: str) -> None:
        """As a value; nothing is changed in place."""
        assert append_recent(ids, *more) == expected, reason
