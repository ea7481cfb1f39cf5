"""From a Track-Id to what happened: over gRPC, and by the command."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.rpc import code_pb2
from harness.calls import refusal
from harness.requests import decryption_request, session_request
from harness.stack import LocalStack, running
from payorch.v1 import call_pb2, error_reason_pb2
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import diagnostics_service_pb2_grpc as diagnostics_grpc
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.commands import trace
from payorch_server.model.identifiers import TrackId, trace_id_of

TRACK_ID = "ticket-4711"


@pytest_asyncio.fixture
async def asked(stack: LocalStack) -> AsyncIterator[Any]:
    """Ask the diagnostics listener for a Track-Id."""
    async with grpc.aio.insecure_channel(stack.diagnostics_target) as channel:
        stub = diagnostics_grpc.DiagnosticsServiceStub(channel)
        yield lambda track_id: stub.GetCall(diagnostics_pb2.GetCallRequest(track_id=track_id), timeout=10)


def tell(stack: LocalStack, track_id: str, *, link: str = "") -> tuple[int, str]:
    """Run the command."""
    with grpc.insecure_channel(stack.diagnostics_target) as channel:
        return trace.show(trace.TraceQuery(track_id, link=link), channel=channel)


@pytest.mark.asyncio
async def test_a_call_is_told_with_every_send(stack: LocalStack, stub: Any, asked: Any) -> None:
    """A retry is two sends, and both the call and its execution are there."""
    stack.emulator.faults.add("sessions:503", times=1)

    await stub.CreateSession(session_request(), metadata=(("zuora-track-id", TRACK_ID),), timeout=10)
    found = await asked(TRACK_ID)

    call, execution = sorted(found.calls, key=lambda record: record.kind)
    assert (diagnostics_pb2.CALL_KIND_CALL, diagnostics_pb2.CALL_KIND_EXECUTION) == (call.kind, execution.kind)
    assert [(503, call_pb2.OUTCOME_UNKNOWN), (200, call_pb2.OUTCOME_SUCCEEDED)] == [
        (one.http_status, one.outcome) for one in call.attempts
    ]
    assert ("acme", "us", "dollars-and-yen") == (call.tenant, call.entity, call.matched_rule)
    assert diagnostics_pb2.INTENT_DISPOSITION_OPENED == call.intent
    assert (code_pb2.OK, call_pb2.OUTCOME_SUCCEEDED) == (call.code, call.outcome)
    assert (True, False) == (call.HasField("code"), execution.HasField("code"))
    assert call.start_time.ToDatetime() <= call.attempts[0].start_time.ToDatetime()
    assert call.attempts[0].start_time.ToDatetime() < call.attempts[1].start_time.ToDatetime()
    assert {"record", "zuora"} <= set(call.phases)


@pytest.mark.asyncio
async def test_a_refusal_is_told_in_zuoras_words(stack: LocalStack, stub: Any, asked: Any) -> None:
    """Its reason, its codes and its request id are there."""
    stack.emulator.faults.add("decryption:success_false:53000030", times=1)

    error = await refusal(stub.DecryptApplePay(decryption_request(), metadata=(("zuora-track-id", TRACK_ID),)))
    call = next(one for one in (await asked(TRACK_ID)).calls if one.kind == diagnostics_pb2.CALL_KIND_CALL)

    assert f"ERROR_REASON_{error.reason}" == error_reason_pb2.ErrorReason.Name(call.error_reason)
    assert (error.outcome, error.advice) == (call.outcome, call.advice)
    assert call.zuora_request_id
    assert call.detail


@pytest.mark.asyncio
async def test_a_track_id_that_is_a_card_number_is_recorded_as_its_hash(
    stack: LocalStack, stub: Any, asked: Any
) -> None:
    """Zuora and the caller see the caller's own, and both forms lead to the records."""
    card = "4929-1234-5678-1236"

    call = stub.CreateSession(session_request(), metadata=(("zuora-track-id", card),), timeout=10)
    response = await call
    found = await asked(card)

    hashed = found.calls[0].track_id
    assert hashed.startswith("hmac-")
    assert {(record.track_id, record.executed_track_id) for record in found.calls} == {(hashed, hashed)}
    assert (await asked(hashed)) == found
    assert stack.emulator.journal.of("sessions")[-1].track_id == card == response.call.track_id
    assert ("zuora-track-id", card) in tuple(await call.trailing_metadata())
    assert response.call.replayed == call_pb2.REPLAY_NO
    assert found.trace_id == trace_id_of(TrackId(hashed)) != trace_id_of(TrackId(card))
    status, text = await asyncio.to_thread(tell, stack, card)
    assert (status, card in text, found.trace_id in text) == (0, False, True)


@pytest.mark.asyncio
async def test_an_execution_is_recorded_after_its_caller_left(stack: LocalStack, stub: Any, asked: Any) -> None:
    """The call ended UNKNOWN, and the execution says what became of it."""
    stack.emulator.faults.add("sessions:slow:0.5", times=1)

    await refusal(stub.CreateSession(session_request(), metadata=(("zuora-track-id", TRACK_ID),), timeout=0.3))
    async with asyncio.timeout(10):
        while len(calls := (await asked(TRACK_ID)).calls) < 2:
            await asyncio.sleep(0.02)

    outcomes = {one.kind: one.outcome for one in calls}
    assert {
        diagnostics_pb2.CALL_KIND_CALL: call_pb2.OUTCOME_UNKNOWN,
        diagnostics_pb2.CALL_KIND_EXECUTION: call_pb2.OUTCOME_SUCCEEDED,
    } == outcomes


@pytest.mark.asyncio
async def test_the_command_prints_a_waterfall(stack: LocalStack, stub: Any) -> None:
    """One bar for each send, and where to find the trace."""
    stack.emulator.faults.add("sessions:503", times=1)
    response = await stub.CreateSession(session_request(), timeout=10)

    status, told = await asyncio.to_thread(tell, stack, response.call.track_id, link="http://viewer/{trace_id}")

    assert 0 == status
    assert f"trace http://viewer/{response.call.track_id[:32]}" in told
    assert ["HTTP 503 UNKNOWN", "HTTP 200 SUCCEEDED"] == [
        line.partition("ms ")[2] for line in told.partition("\n\n")[0].splitlines() if "█" in line
    ]


@pytest.mark.asyncio
async def test_the_command_leads_to_the_trace_without_a_record(stack: LocalStack) -> None:
    """From the Track-Id alone, minted or the caller's own."""
    minted = f"{'ab' * 16}-{'cd' * 8}"

    told = [await asyncio.to_thread(tell, stack, track_id) for track_id in (minted, TRACK_ID, "a:b")]

    assert [1, 1, 2] == [status for status, _ in told]
    assert f"The trace of this Track-Id is {'ab' * 16}." in told[0][1]
    assert "There is no record of ticket-4711" in told[1][1]


@pytest.mark.asyncio
async def test_other_namespaces_are_not_told() -> None:
    """Neither the calls, nor that there are any."""
    everything = {"rpcs": ["*"], "tenants": {"*": {"entities": ["*"], "orgs": ["*"]}}, "diagnostics": True}
    callers = [{"caller": "anonymous", "namespace": "shop", **everything}]
    async with running(over={"access": {"callers": callers}}) as stack:
        async with grpc.aio.insecure_channel(stack.target) as channel:
            stub = service_grpc.PaymentOrchestrationServiceStub(channel)
            await stub.CreateSession(session_request(), metadata=(("zuora-track-id", TRACK_ID),), timeout=10)
        records = stack.application.components.call_history

        mine = await records.of(TRACK_ID, namespace="shop")
        others = await records.of(TRACK_ID, namespace="other")

    assert (2, 0) == (len(mine), len(others))
