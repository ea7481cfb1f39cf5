import re
from datetime import UTC
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from harness.clock import START
from hypothesis import given
from hypothesis import strategies as st
from payorch.v1 import call_pb2, error_reason_pb2
from payorch_server.model.attempt import Attempt, UpstreamFacts
from payorch_server.model.errors import CallError, Failure, UpstreamEvidence, Violation, call_error, error_for
from payorch_server.model.identifiers import TrackId
from payorch_server.model.outcome import VERDICTS, Advice, Outcome, Reason
from payorch_server.rpc.status import ADVICE, CATALOGUE, DOMAIN, OUTCOMES, code_of, status_of, trailers_of

PROTO = Path(__file__).parents[3] / "protos" / "payorch" / "v1" / "error_reason.proto"
ADVICE_WORDS = {
    "resend": Advice.RESEND_SAME_REQUEST_ID,
    "fix the request": Advice.FIX_REQUEST,
    "use a new request id": Advice.USE_NEW_REQUEST_ID,
    "look up": Advice.LOOK_UP,
}
TRACK_ID = TrackId("x" * 64)
LONG = "\U0001f4b3\u00e9" * 300
LONGEST_CODE, LONGEST_ID = "c" * 40, "i" * 64
# RFC 9113 counts 32 bytes beside name and value of each header.
HEADER_OVERHEAD = 32


def promised() -> dict[str, tuple[Outcome, Advice]]:
    """Read outcome and advice out of the comments of the proto."""
    text = re.sub(r"\n\s*// ", " ", PROTO.read_text())
    found = re.findall(r"(NOT_SENT|REFUSED|PARTIAL|UNKNOWN), ([a-z ]+)\.\s+ERROR_REASON_(\w+) = \d+;", text)
    return {name: (Outcome[outcome], ADVICE_WORDS[advice]) for outcome, advice, name in found}


def details(status: status_pb2.Status) -> dict[str, Any]:
    """Unpack the details by the name of their type."""
    kinds = [
        error_details_pb2.ErrorInfo,
        call_pb2.CallOutcome,
        error_details_pb2.BadRequest,
        error_details_pb2.RetryInfo,
        error_details_pb2.RequestInfo,
    ]
    found = {}
    for packed in status.details:
        kind = next(one for one in kinds if packed.Is(one.DESCRIPTOR))
        message = kind()
        packed.Unpack(message)
        assert kind.__name__ not in found, "no detail is given twice"
        found[kind.__name__] = message
    return found


def trailer_bytes(error: CallError) -> int:
    """Count the trailing metadata as HTTP/2 does."""
    status = rpc_status.to_status(status_of(error, track_id=TRACK_ID))
    pairs = [("zuora-track-id", TRACK_ID), *trailers_of(error), *status.trailing_metadata]
    pairs += [("grpc-status", "99"), ("grpc-message", status.details)]
    return sum(len(key) + len(value) + HEADER_OVERHEAD for key, value in pairs)


class TestCatalogue:
    """Every reason has one place in the contract."""

    def test_holds_every_reason(self) -> None:
        """A reason without an entry would fail while an error is told."""
        assert set(CATALOGUE) == set(Reason)

    def test_has_the_reasons_of_the_proto(self) -> None:
        """ErrorInfo.reason is documented by the enum and by nothing else."""
        names = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()}  # noqa: SIM118 - an enum wrapper

        assert names - {"UNSPECIFIED"} == {reason.name for reason in Reason}

    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_means_what_the_proto_says(self, reason: Reason) -> None:
        """Outcome and advice in the comment are the verdict's."""
        verdict = VERDICTS[reason]

        assert promised()[reason.name] == (verdict.outcome, verdict.advice)

    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_uses_unavailable_only_where_a_mesh_may_resend(self, reason: Reason) -> None:
        """Meshes repeat UNAVAILABLE by themselves, and a 401 of Zuora's must not accuse the caller."""
        code, _ = CATALOGUE[reason]

        if code is grpc.StatusCode.UNAVAILABLE:
            assert VERDICTS[reason].advice is Advice.RESEND_SAME_REQUEST_ID
        assert code is not grpc.StatusCode.OK
        if reason is not Reason.CALLER_UNAUTHENTICATED:
            assert code is not grpc.StatusCode.UNAUTHENTICATED

    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_speaks_in_short_sentences(self, reason: Reason) -> None:
        """The message is text of ours."""
        _, message = CATALOGUE[reason]

        assert re.fullmatch(r"[A-Z][ -~]{10,99}\.", message)

    def test_translates_every_outcome_and_advice(self) -> None:
        """The words of the model and of the proto are the same."""
        assert {one.name: call_pb2.Outcome.Name(OUTCOMES[one]) for one in Outcome} == {
            one.name: f"OUTCOME_{one.name}" for one in Outcome
        }
        assert {one.name: call_pb2.Advice.Name(ADVICE[one]) for one in Advice} == {
            one.name: f"ADVICE_{one.name}" for one in Advice
        }


class TestStatusOf:
    """A status tells everything a caller may know, and nothing else."""

    def test_carries_error_info_and_outcome_first(self) -> None:
        """These two are on every error."""
        error = call_error(Reason.ROUTE_NOT_FOUND, "private text", rulesTried="a, b")

        status = status_of(error, track_id=TRACK_ID)
        found = details(status)

        assert (status.code, code_of(error)) == (9, grpc.StatusCode.FAILED_PRECONDITION)
        assert list(found) == ["ErrorInfo", "CallOutcome"]
        info, outcome = found["ErrorInfo"], found["CallOutcome"]
        assert (info.reason, info.domain, dict(info.metadata)) == ("ROUTE_NOT_FOUND", DOMAIN, {"rulesTried": "a, b"})
        assert (outcome.outcome, outcome.advice) == (call_pb2.OUTCOME_NOT_SENT, call_pb2.ADVICE_FIX_REQUEST)
        assert outcome.track_id == TRACK_ID
        assert b"private text" not in status.SerializeToString()

    def test_names_the_first_violation_in_the_message(self) -> None:
        """Tools such as grpcurl show the details as Base64."""
        violations = tuple(Violation(f"field_{n}", "RULE", f"must be {n}; send another") for n in range(3))
        error = error_for(Failure(Reason.REQUEST_INVALID, "private", violations=violations))

        status = status_of(error, track_id=TRACK_ID)

        _, message = CATALOGUE[Reason.REQUEST_INVALID]
        assert f"{message} field_0: must be 0; send another" == status.message

    def test_tells_evidence_and_facts(self) -> None:
        """Ids for Zuora's support and for the caller's own look-up."""
        attempts = tuple(Attempt(n, 500, f"r{n}", START, 0.25, Outcome.UNKNOWN) for n in range(1, 8))
        evidence = UpstreamEvidence(("53200060",), "pm1", "p1", 120.0)
        facts = UpstreamFacts(attempts, "r7", "proc", "echo")
        error = error_for(Failure(Reason.PAYMENT_REFUSED_METHOD_CREATED, "private", evidence=evidence, facts=facts))

        found = details(status_of(error, track_id=TRACK_ID))

        outcome = found["CallOutcome"]
        assert list(outcome.zuora_codes) == ["53200060"]
        assert (outcome.zuora_request_id, outcome.zuora_process_id) == ("r7", "proc")
        assert (outcome.existing.payment_method_id, outcome.existing.payment_id) == ("pm1", "p1")
        assert [one.ordinal for one in outcome.attempts] == [3, 4, 5, 6, 7]
        assert outcome.attempts[0].duration.ToMilliseconds() == 250
        assert found["RetryInfo"].retry_delay.ToSeconds() == 120
        assert found["RequestInfo"].request_id == "r7"

    @pytest.mark.parametrize(
        ("reason", "expected_ms"),
        [(Reason.UPSTREAM_IN_PROGRESS, 2000), (Reason.OVERLOADED, 500), (Reason.STORE_UNAVAILABLE, 2000)],
    )
    def test_says_when_to_resend_where_zuora_does_not(self, reason: Reason, expected_ms: int) -> None:
        """A wait of ours, where one is known to help."""
        found = details(status_of(call_error(reason, ""), track_id=TRACK_ID))

        assert found["RetryInfo"].retry_delay.ToMilliseconds() == expected_ms

    @pytest.mark.parametrize(("reason", "said"), [(Reason.UPSTREAM_NO_ANSWER, True), (Reason.UPSTREAM_INTERNAL, False)])
    def test_says_until_when_a_resend_is_safe_where_it_advises_one(self, reason: Reason, *, said: bool) -> None:
        """Beside another advice it would be taken for an invitation."""
        found = details(status_of(error_for(Failure(reason, "", resend_before=START)), track_id=TRACK_ID))

        assert found["CallOutcome"].HasField("resend_before_time") is said
        if said:
            assert found["CallOutcome"].resend_before_time.ToDatetime(UTC) == START

    @pytest.mark.parametrize(("method_id", "payment_id"), [("pm1", ""), ("", "p1")])
    def test_names_what_exists_though_it_is_one_of_two(self, method_id: str, payment_id: str) -> None:
        """The caller looks it up before anything else."""
        evidence = UpstreamEvidence(payment_method_id=method_id, payment_id=payment_id)
        error = error_for(Failure(Reason.PAYMENT_REFUSED_METHOD_CREATED, "", evidence=evidence))

        existing = details(status_of(error, track_id=TRACK_ID))["CallOutcome"].existing

        assert (existing.payment_method_id, existing.payment_id) == (method_id, payment_id)

    def test_names_every_violation_that_fits(self) -> None:
        """A usual list is complete."""
        violations = tuple(Violation(f"field_{n}", "string.max_len", "must be shorter") for n in range(20))

        found = details(status_of(error_for(Failure(Reason.REQUEST_INVALID, "", violations)), track_id=TRACK_ID))

        assert [(one.field, one.reason, one.description) for one in found["BadRequest"].field_violations] == [
            (one.field, one.rule, one.description) for one in violations
        ]
        assert dict(found["ErrorInfo"].metadata) == {}

    @pytest.mark.parametrize(
        ("count", "text", "shown", "reason"),
        [
            (26, "short", 25, "25 at most"),
            (1000, "short", 25, "the rest is counted"),
            (1000, LONG, 4, "long texts are cut and fewer fit"),
        ],
    )
    def test_counts_the_violations_it_leaves_out(self, count: int, text: str, shown: int, reason: str) -> None:
        """The caller knows that the list is not complete."""
        violations = tuple(Violation(text, text, text) for _ in range(count))

        found = details(status_of(error_for(Failure(Reason.REQUEST_INVALID, "", violations)), track_id=TRACK_ID))

        assert len(found["BadRequest"].field_violations) == shown, reason
        assert found["ErrorInfo"].metadata["violationsOmitted"] == str(count - shown)


class TestSize:
    """gRPC replaces an error that is too large by one of its own, and then the outcome is lost."""

    @pytest.mark.parametrize("violations", [0, 1, 1000])
    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_stays_small_in_the_worst_case(self, reason: Reason, violations: int) -> None:
        """Everything as long as it can be, all at once: 3 KiB of status, 4 KiB of trailers."""
        attempts = tuple(Attempt(2**31 - 1, 599, LONGEST_ID, START, 1e6 - 1e-9, Outcome.UNKNOWN) for _ in range(50))
        worst = Failure(
            reason,
            LONG,
            violations=(Violation(LONG, LONG, LONG),) * violations,
            metadata={"rule": LONG, "hint": LONG},
            evidence=UpstreamEvidence((LONGEST_CODE,) * 50, LONGEST_ID, LONGEST_ID, 86_400.0),
            facts=UpstreamFacts(attempts, LONGEST_ID, LONGEST_ID, LONGEST_ID),
        )
        error = error_for(worst)

        status = status_of(error, track_id=TRACK_ID)

        assert status.ByteSize() <= 3 * 1024
        assert trailer_bytes(error) <= 4 * 1024
        assert list(details(status))[:2] == ["ErrorInfo", "CallOutcome"]

    def test_leaves_room_for_the_count_of_what_is_left_out(self) -> None:
        """However close to the limit the last violation comes."""
        errors = [
            error_for(Failure(Reason.REQUEST_INVALID, "", (Violation("f" * 150, "r", "d" * length),) * 1000))
            for length in range(200)
        ]

        sizes = [status_of(error, track_id=TRACK_ID).ByteSize() for error in errors]

        assert 3 * 1024 - 200 < max(sizes) <= 3 * 1024

    @given(st.lists(st.builds(Violation, st.text(), st.text(), st.text()), max_size=60))
    def test_stays_small_with_any_text(self, violations: list[Violation]) -> None:
        """A character is never cut in half, whatever the script."""
        error = error_for(Failure(Reason.REQUEST_INVALID, "", tuple(violations)))

        status = status_of(error, track_id=TRACK_ID)

        assert status.ByteSize() <= 3 * 1024


class TestTrailersOf:
    """Proxies and shells read trailers, not details."""

    def test_repeats_outcome_and_advice(self) -> None:
        """In the words of the proto, without prefixes."""
        assert trailers_of(call_error(Reason.UPSTREAM_NO_ANSWER, "")) == (
            ("payorch-outcome", "UNKNOWN"),
            ("payorch-advice", "RESEND_SAME_REQUEST_ID"),
        )
