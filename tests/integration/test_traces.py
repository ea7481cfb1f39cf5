"""What a collector receives, decoded from the wire; the traces as they should be are in the folder traces/."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from harness.calls import refusal
from harness.otlp_receiver import Collector, Seen, collecting
from harness.requests import decryption_request, session_request
from harness.stack import LocalStack, running
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.model.identifiers import TrackId, trace_id_of
from payorch_server.telemetry.span_allowlist import ATTRIBUTES

TRACES: Final = Path(__file__).with_name("traces")
# What differs from run to run, by the attribute's name.
CHANGING: Final = re.compile(r"zuora\.(track_id|executed_track_id|request_id)|.*hash|server\.port|.*ratelimit.*")
CALLERS_TRACE, CALLERS_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@dataclass(frozen=True, slots=True)
class Traced:
    """A service whose spans go to a collector, which has them all when the context has ended."""

    stack: LocalStack
    stub: "service_grpc.PaymentOrchestrationServiceAsyncStub"


@asynccontextmanager
async def traced(collector: Collector, *, http: bool = False, **telemetry: Any) -> AsyncIterator[Traced]:
    """Run the service."""
    sent = {"traces": "otlp", "otlp_endpoint": collector.grpc_url}
    if http:
        sent = {"traces": "otlp_http", "otlp_endpoint": collector.http_url}
    async with (
        running(tenants=("acme",), over={"telemetry": sent | telemetry}) as stack,
        grpc.aio.insecure_channel(stack.target) as channel,
    ):
        while not stack.application.components.health.ready:
            await asyncio.sleep(0.01)
        yield Traced(stack, service_grpc.PaymentOrchestrationServiceStub(channel))


def as_text(spans: Sequence[Seen]) -> str:
    """Return a trace as text: spans below their parents, in the order of their starts, with all they say."""
    ids = {span.span_id for span in spans}
    roots = [span for span in spans if span.parent_id not in ids]
    return "\n".join(line for root in roots for line in _lines(root, sorted(spans, key=_start), "")) + "\n"


def _start(span: Seen) -> int:
    return span.started_ns


def _lines(span: Seen, spans: Sequence[Seen], indent: str) -> Iterator[str]:
    yield f"{indent}{span.name} ({span.kind}{', error' if span.failed else ''}{', linked' if span.links else ''})"
    yield from (f"{indent}    {line}" for line in _told(span.attributes))
    for name, attributes in span.events:
        yield f"{indent}    event {name}: {', '.join(_told(attributes))}"
    for child in spans:
        if child.parent_id == span.span_id:
            yield from _lines(child, spans, indent + "  ")


def _told(attributes: dict[str, Any]) -> Iterator[str]:
    for name, value in sorted(attributes.items()):
        shown = re.sub(r"127\.0\.0\.1:\d+", "zuora", str(value))
        yield f"{name} = {'...' if CHANGING.fullmatch(name) else shown}"


def server_span(collector: Collector, track_id: str) -> Seen:
    """Return the server span of the one call of a Track-Id."""
    (found,) = (one for one in collector.spans if one.kind == "SERVER" and one.attributes["zuora.track_id"] == track_id)
    return found


def assert_as_told(collector: Collector, track_id: str, name: str) -> None:
    """Compare the trace that a minted Track-Id leads to with its file."""
    assert (TRACES / f"{name}.txt").read_text() == as_text(collector.trace(trace_id_of(TrackId(track_id))))


@pytest.mark.asyncio
async def test_a_success_after_a_retry() -> None:
    """Two attempts below one flight, the second with its number."""
    async with collecting() as collector:
        async with traced(collector) as one:
            one.stack.emulator.faults.add("sessions:429:1")
            answer = await one.stub.CreateSession(session_request(), timeout=10)

        assert_as_told(collector, answer.call.track_id, "success_after_retry")


@pytest.mark.asyncio
async def test_a_refusal_by_zuora_over_http() -> None:
    """Refused is no fault of the server, and says the codes."""
    async with collecting() as collector:
        async with traced(collector, http=True) as one:
            one.stack.emulator.faults.add("decryption:success_false:53000020")
            error = await refusal(one.stub.DecryptApplePay(decryption_request(), timeout=10))

        assert_as_told(collector, error.track_id, "refusal")


@pytest.mark.asyncio
async def test_a_refusal_by_the_service() -> None:
    """No route: nothing was sent."""
    async with collecting() as collector:
        async with traced(collector) as one:
            request = session_request()
            request.one_time_payment.amount.currency_code = "CHF"
            error = await refusal(one.stub.CreateSession(request, timeout=10))

        assert_as_told(collector, error.track_id, "no_route")


@pytest.mark.asyncio
async def test_an_unknown_outcome_whose_caller_left() -> None:
    """The flight ends after the call, in the same trace, though nothing else of the sort is sampled."""
    nothing = {"ratio": 0.0, "callers_per_s": 0.0}
    async with collecting() as collector:
        async with traced(collector, sampling=nothing) as one:
            await one.stub.CreateSession(session_request(), timeout=10)
            one.stack.emulator.faults.add("sessions:slow:1")
            error = await refusal(one.stub.CreateSession(session_request(), timeout=0.5))
            await one.stack.application.components.executor.wait_for_executions(timeout_s=5)

        assert_as_told(collector, error.track_id, "caller_left")
        assert 1 == sum(span.kind == "SERVER" for span in collector.spans)


@pytest.mark.asyncio
async def test_an_end_that_was_recorded() -> None:
    """Nothing is sent; the hash of the intent finds the call that sent."""
    request = session_request()
    async with collecting() as collector:
        async with traced(collector) as one:
            first = await one.stub.CreateSession(request, timeout=10)
            second = await one.stub.CreateSession(request, timeout=10)

        assert_as_told(collector, second.call.track_id, "recorded")
        hashes = {
            server_span(collector, one.call.track_id).attributes["payorch.intent.hash"] for one in (first, second)
        }
        assert 1 == len(hashes)


@pytest.mark.asyncio
@pytest.mark.parametrize("own", ["", "order.4711/retry~1"])
async def test_an_answer_that_was_made_for_an_earlier_call(own: str) -> None:
    """Zuora's echo names the call that executed the intent, and the attempt links to it; that is no error."""
    request = decryption_request()
    metadata = (("zuora-track-id", own),) if own else ()
    async with collecting() as collector:
        async with traced(collector) as one:
            one.stack.emulator.faults.add("decryption:drop_after", times=3)
            first = await refusal(one.stub.DecryptApplePay(request, metadata=metadata, timeout=10))
            second = await one.stub.DecryptApplePay(request, timeout=10)

        assert_as_told(collector, second.call.track_id, "replay")
        (replayed,) = (span for span in collector.spans if "zuora.executed_track_id" in span.attributes)
        assert first.track_id == replayed.attributes["zuora.executed_track_id"]
        assert [trace_id_of(TrackId(first.track_id))] == [trace_id for trace_id, _ in replayed.links]


@pytest.mark.asyncio
async def test_a_call_that_joins_a_flight() -> None:
    """It links to the flight, which is in the trace of the call that departed."""
    request = session_request()
    async with collecting() as collector:
        async with traced(collector) as one:
            one.stack.emulator.faults.add("sessions:slow:1")
            await asyncio.gather(*(one.stub.CreateSession(request, timeout=10) for _ in range(2)))

        intents = {span.attributes["payorch.intent.part"]: span for span in collector.spans if span.name == "intent"}
        assert ((intents["executed"].trace_id, intents["executed"].span_id),) == intents["joined"].links


@pytest.mark.asyncio
async def test_callers_wait_for_a_token_that_has_its_own_trace() -> None:
    """Each wait links to the one fetch."""
    async with collecting() as collector:
        async with traced(collector) as one:
            one.stack.application.components.zuora._tokens.keep(lambda _: False)
            one.stack.emulator.faults.add("token:slow:0.2")
            await asyncio.gather(*(one.stub.CreateSession(session_request(), timeout=10) for _ in range(2)))

        waits = [span for span in collector.spans if span.name == "token wait"]
        fetch = max((span for span in collector.spans if span.name == "token fetch"), key=_start)
        assert [((fetch.trace_id, fetch.span_id),)] * 2 == [wait.links for wait in waits]
        assert "token fetch (INTERNAL)\n  POST /oauth/token (CLIENT)\n" == re.sub(
            r" {4,}.*\n", "", as_text(collector.trace(fetch.trace_id))
        )


@pytest.mark.asyncio
async def test_a_callers_own_track_id_leads_to_all_its_calls() -> None:
    """One computed trace holds a link to each; the calls' own ids come from their callers' traces or from nowhere."""
    own = "order.4711/retry~1"
    traceparent = ("traceparent", f"00-{CALLERS_TRACE}-{CALLERS_SPAN}-01")
    async with collecting() as collector:
        async with traced(collector) as one:
            await one.stub.CreateSession(session_request(), metadata=(("zuora-track-id", own),), timeout=10)
            await one.stub.CreateSession(session_request(), metadata=(("zuora-track-id", own), traceparent), timeout=10)

        pointers = collector.trace(trace_id_of(TrackId(own)))
        servers = [span for span in collector.spans if span.kind == "SERVER"]
        assert {(span.trace_id, span.span_id) for span in servers} == {link for one in pointers for link in one.links}
        assert [("call", {})] * 2 == [(span.name, span.attributes) for span in pointers]
        assert CALLERS_SPAN in {span.parent_id for span in servers if span.trace_id == CALLERS_TRACE}


@pytest.mark.asyncio
async def test_a_pointer_is_kept_with_its_call_alone() -> None:
    """Of calls that are not sampled nothing is sent."""
    nothing = {"ratio": 0.0, "callers_per_s": 0.0}
    async with collecting() as collector:
        async with traced(collector, sampling=nothing) as one:
            await one.stub.CreateSession(session_request(), metadata=(("zuora-track-id", "well"),), timeout=10)
            one.stack.emulator.faults.add("sessions:success_false:53000020")
            await refusal(one.stub.CreateSession(session_request(), metadata=(("zuora-track-id", "ill"),), timeout=10))

        assert [] == collector.trace(trace_id_of(TrackId("well")))
        (pointer,) = collector.trace(trace_id_of(TrackId("ill")))
        assert server_span(collector, "ill").span_id == pointer.links[0][1]


@pytest.mark.asyncio
async def test_nothing_is_exported_that_the_table_does_not_list() -> None:
    """Baggage is, where the settings name it."""
    metadata = (("baggage", "tier=gold,card=4111111111111111"),)
    async with collecting() as collector:
        async with traced(collector, baggage=["tier"]) as one:
            answer = await one.stub.CreateSession(session_request(), metadata=metadata, timeout=10)

        assert {name for span in collector.spans for name in span.attributes} <= {*ATTRIBUTES, "baggage.tier"}
        assert "gold" == server_span(collector, answer.call.track_id).attributes["baggage.tier"]


@pytest.mark.asyncio
@pytest.mark.parametrize("http", [False, True])
async def test_metrics_go_to_the_collector_too(http: bool) -> None:  # noqa: FBT001 - pytest names it
    """If the settings say so."""
    async with collecting() as collector:
        async with traced(collector, http=http, otlp_metrics=True) as one:
            await one.stub.CreateSession(session_request(), timeout=10)

        assert "payorch.spans.dropped" in collector.metrics


@pytest.mark.asyncio
@pytest.mark.parametrize("http", [False, True])
async def test_a_collector_that_refuses_costs_spans_and_no_call(http: bool) -> None:  # noqa: FBT001 - pytest names it
    """They are counted."""
    async with collecting("refusing") as collector:
        async with traced(collector, http=http) as one:
            answers = [await one.stub.CreateSession(session_request(), timeout=10) for _ in range(3)]

        assert [32] * 3 == [len(answer.session.token) for answer in answers]
        assert (True, []) == (collector.exports > 0, collector.spans)


@pytest.mark.asyncio
async def test_a_traceparent_goes_to_zuora_if_the_settings_say_so() -> None:
    """It names the attempt."""
    async with collecting() as collector:
        async with (
            running(
                tenants=("acme",),
                over={
                    "telemetry": {"traces": "otlp", "otlp_endpoint": collector.grpc_url},
                    "zuora_http": {"send_traceparent": True},
                },
            ) as stack,
            grpc.aio.insecure_channel(stack.target) as channel,
        ):
            await service_grpc.PaymentOrchestrationServiceStub(channel).CreateSession(session_request(), timeout=10)
            (arrival,) = stack.emulator.journal.of("sessions")

        (attempt,) = (span for span in collector.spans if span.name == "POST /web-payments/sessions")
        assert f"00-{attempt.trace_id}-{attempt.span_id}-03" == arrival.headers["traceparent"]
