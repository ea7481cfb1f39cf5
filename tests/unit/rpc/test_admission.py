"""What is refused before it costs anything, and how."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
import structlog
from google.rpc import error_details_pb2, status_pb2
from harness.clock import FakeClock
from payorch.v1 import call_pb2
from payorch_server.model.outcome import Reason
from payorch_server.rpc.backlog import Backlog
from payorch_server.rpc.interceptors.admission import AdmissionInterceptor
from payorch_server.rpc.overload import OverloadControl
from payorch_server.rpc.refusals import Refusals
from payorch_server.rpc.settings import GrpcSettings
from payorch_server.runtime.lifecycle import ignore

CREATE = "/payorch.v1.PaymentOrchestrationService/CreateSession"
READ = "/payorch.v1.PaymentOrchestrationService/GetIntent"
CHECK = "/grpc.health.v1.Health/Check"
LIMIT_S = 0.5
LATE_S = 0.55
MANY = 5000


class Details:
    """What gRPC says of a call before it starts."""

    def __init__(self, method: str, metadata: Sequence[tuple[str, str]]) -> None:
        self.method = method
        self.invocation_metadata = metadata


class Context:
    """A context without anything to receive: reading would fail."""

    def __init__(self) -> None:
        self.code: grpc.StatusCode | None = None
        self.trailers: dict[str, Any] = {}

    def set_code(self, code: grpc.StatusCode) -> None:
        """Keep the code."""
        self.code = code

    def set_details(self, details: str) -> None:
        """Drop the text."""

    def set_trailing_metadata(self, trailers: Sequence[tuple[str, Any]]) -> None:
        """Keep the trailers."""
        self.trailers = dict(trailers)

    @property
    def outcome(self) -> call_pb2.CallOutcome:
        """The outcome in the details."""
        return self._detail(call_pb2.CallOutcome())

    @property
    def reason(self) -> str:
        """The reason in the details; empty for a success."""
        return str(self._detail(error_details_pb2.ErrorInfo()).reason) if self.trailers else ""

    @property
    def retry_delay_s(self) -> float:
        """When to resend."""
        delay = self._detail(error_details_pb2.RetryInfo()).retry_delay
        return float(delay.seconds + delay.nanos / 1e9)

    def _detail(self, wanted: Any) -> Any:
        for detail in status_pb2.Status.FromString(self.trailers["grpc-status-details-bin"]).details:
            if detail.Unpack(wanted):
                return wanted
        raise AssertionError(f"no {type(wanted).__name__} in the status")


class Edge:
    """An admission whose calls have waited as long as the clock of a test says."""

    def __init__(self, settings: GrpcSettings | None = None) -> None:
        self.clock = FakeClock()
        self.counted: Counter[tuple[str, Reason]] = Counter()
        # Without turns of a loop there is no pause.
        self.backlog = Backlog(clock=self.clock, call_later=ignore, call_soon=ignore)
        overload = OverloadControl(self.backlog, max_delay_s=LIMIT_S, count_open=lambda: MANY)
        self.refusals = Refusals(count=lambda rpc, reason: self.counted.update([(rpc, reason)]))
        self.admission = AdmissionInterceptor(
            settings or GrpcSettings(), refusals=self.refusals, backlog=self.backlog, overload=overload
        )

    @classmethod
    def overloaded(cls) -> "Edge":
        """Make one that has had calls waiting for longer than it may."""
        edge = cls()
        edge.backlog.note_start()
        edge.clock.advance(LATE_S)
        return edge

    async def call(self, method: str, *metadata: tuple[str, str], inner: Any = None) -> Context:
        """Make a call, and return how it ended."""

        async def succeed(_requests: Any, _context: Any) -> str:
            return "served"

        async def continuation(_details: Any) -> Any:
            return grpc.stream_unary_rpc_method_handler(inner or succeed)

        handler: Any = await self.admission.intercept_service(continuation, Details(method, metadata))  # type: ignore[arg-type] # as much of it as is used
        context = Context()
        await (handler.stream_unary or handler.stream_stream)(None, context)
        return context


@pytest.mark.asyncio
class TestLateCalls:
    """Serving old calls would make all of them late."""

    async def test_are_refused_without_being_received(self) -> None:
        """With everything that a caller needs to resend."""
        edge = Edge.overloaded()

        context = await edge.call(CREATE)

        assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED") == (context.code, context.reason)
        assert call_pb2.OUTCOME_NOT_SENT == context.outcome.outcome
        assert call_pb2.ADVICE_RESEND_SAME_REQUEST_ID == context.outcome.advice
        assert ("NOT_SENT", "RESEND_SAME_REQUEST_ID") == (
            context.trailers["payorch-outcome"],
            context.trailers["payorch-advice"],
        )
        assert {("CreateSession", Reason.OVERLOADED): 1} == edge.counted

    async def test_are_not_told_not_sent_when_grpc_repeats_them(self) -> None:
        """An earlier attempt of the same call may have been sent."""
        edge = Edge.overloaded()

        context = await edge.call(CREATE, ("grpc-previous-rpc-attempts", "1"))

        assert ("EARLIER_ATTEMPT_UNSETTLED", call_pb2.OUTCOME_UNKNOWN) == (context.reason, context.outcome.outcome)
        assert 0.0 < context.retry_delay_s

    async def test_come_back_one_after_the_other(self) -> None:
        """All at once they would be late again."""
        edge = Edge.overloaded()

        delays = {(await edge.call(CREATE)).retry_delay_s for _ in range(16)}

        assert 16 == len(delays)
        assert (0.5, 1.4375) == (min(delays), max(delays))

    @pytest.mark.parametrize("given", ["mine", "a" * 49])
    async def test_keep_their_track_id(self, given: str) -> None:
        """Of whatever length."""
        edge = Edge.overloaded()

        context = await edge.call(CREATE, ("zuora-track-id", given))

        assert (given, given) == (context.trailers["zuora-track-id"], context.outcome.track_id)

    async def test_without_a_track_id_get_one(self) -> None:
        """In the trailers and the details alike."""
        edge = Edge.overloaded()

        first, second = await edge.call(CREATE), await edge.call(CREATE)

        assert 49 == len(first.outcome.track_id)
        assert first.trailers["zuora-track-id"] == first.outcome.track_id
        assert first.outcome.track_id != second.outcome.track_id

    async def test_take_a_fifth_of_the_time(self) -> None:
        """More refusals would leave less time to serve; gRPC ends what there is no time to refuse."""
        edge = Edge()
        reasons = []
        for _ in range(300):
            reasons.append((await edge.call(CREATE)).reason)
            edge.clock.advance(0.01)

        assert {""} == set(reasons[:50])
        assert {"OVERLOADED": 50, "": 200} == Counter(reasons[50:])

    async def test_that_read_are_served(self) -> None:
        """A caller that was refused asks what became of its calls; a probe asks for the health."""
        edge = Edge.overloaded()

        assert {""} == {(await edge.call(method)).reason for method in (READ, CHECK) for _ in range(9)}

    async def test_have_one_log_line(self) -> None:
        """A line for each would cost more than the refusal."""
        edge = Edge.overloaded()
        with structlog.testing.capture_logs() as log:
            for _ in range(3):
                await edge.call(CREATE)
            assert [] == log
            edge.refusals.log()

        assert [{"event": "calls_refused", "log_level": "warning", "calls": 3, "reason": "OVERLOADED"}] == log

    async def test_of_unknown_methods_make_no_series_of_their_own(self) -> None:
        """A name that a caller makes up is no value of a metric."""
        edge = Edge.overloaded()

        await edge.call("/payorch.v1.PaymentOrchestrationService/CreateMoney")

        assert {("unknown", Reason.OVERLOADED): 1} == edge.counted


@pytest.mark.asyncio
class TestCallsInProgress:
    """A limit on their number."""

    async def test_in_time_are_served(self) -> None:
        """And counted until they end."""
        edge, seen = Edge(), []

        async def look(_requests: Any, _context: Any) -> None:
            seen.append(edge.admission.in_progress)

        await edge.call(CREATE, inner=look)

        assert ([1], 0) == (seen, edge.admission.in_progress)

    async def test_that_fail_leave_their_place(self) -> None:
        """However they fail."""
        edge = Edge(GrpcSettings(max_calls_in_progress=1))

        async def fail(_requests: Any, _context: Any) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await edge.call(CREATE, inner=fail)

        assert "" == (await edge.call(CREATE)).reason

    async def test_leave_room_for_reads(self) -> None:
        """At the limit, GetIntent still says what became of a call."""
        edge = Edge(GrpcSettings(max_calls_in_progress=1))
        reasons = []

        async def call_others(_requests: Any, _context: Any) -> None:
            reasons.extend([(await edge.call(CREATE)).reason, (await edge.call(READ)).reason])

        await edge.call(CREATE, inner=call_others)

        assert ["OVERLOADED", ""] == reasons
