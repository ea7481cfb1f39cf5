"""What operators see of Zuora's limits and of the way to it: only what is known."""

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import pytest
from harness.calls import refusal
from harness.controlled_emulator import frozen_emulator, wait_until
from harness.requests import decryption_request, session_request
from harness.stack import LocalStack, running
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import diagnostics_service_pb2_grpc as diagnostics_grpc
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.model.errors import call_error
from payorch_server.model.identifiers import entity_id_on_wire
from payorch_server.model.outcome import Reason
from payorch_server.zuora.breaker import MIN_FAILURES, MIN_SILENCE_S, OPEN_S
from zuora_emulator import seed

US, EU, SOLO = ("acme", "us"), ("acme", "eu"), ("solo", "")


async def quota(stack: LocalStack, **members: Any) -> dict[tuple[str, str], diagnostics_pb2.EntityQuota]:
    """Ask the diagnostics listener."""
    async with grpc.aio.insecure_channel(stack.diagnostics_target) as channel:
        stub = diagnostics_grpc.DiagnosticsServiceStub(channel)
        answer = await stub.GetQuota(diagnostics_pb2.GetQuotaRequest(**members), timeout=10)
    return {(entity.tenant, entity.entity): entity for entity in answer.entities}


@pytest.mark.asyncio
async def test_limits_are_those_of_the_last_answer_to_the_entity(stack: LocalStack, stub: Any) -> None:
    """Nothing is known of entities that were never called, and zero would be a lie."""
    before = await quota(stack)
    await stub.CreateSession(session_request(), timeout=10)
    between = await quota(stack)
    await stub.DecryptApplePay(decryption_request(), timeout=10)
    after = await quota(stack)

    assert {US, EU, SOLO} == {*before} == {*after}
    assert not any(entity.HasField("rate_limit") for entity in before.values())
    assert (True, False) == (between[US].HasField("rate_limit"), between[US].HasField("concurrency_limit"))
    rate, concurrency = after[US].rate_limit, after[US].concurrency_limit
    assert (49_998, 50_000, True) == (rate.remaining, rate.limit, rate.HasField("reset_delay"))
    assert (39, 40, False) == (concurrency.remaining, concurrency.limit, concurrency.HasField("reset_delay"))
    assert after[US].HasField("token_age")
    assert not any(after[place].HasField("rate_limit") for place in (EU, SOLO))
    assert {diagnostics_pb2.CIRCUIT_STATE_CLOSED} == {entity.circuit for entity in after.values()}
    assert not any(entity.HasField("circuit_delay") for entity in after.values())


@pytest.mark.asyncio
async def test_calls_are_in_flight_or_queued() -> None:
    """By entity; the tenant's other entity has room."""
    emulator, clock = frozen_emulator()
    emulator.faults.add("sessions:slow:1")
    over = {"tenants": {"acme": {"max_in_flight": 1}}}
    async with running(emulator=emulator, over=over) as stack, grpc.aio.insecure_channel(stack.target) as channel:
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)
        calls = asyncio.gather(*(stub.CreateSession(session_request(), timeout=15) for _ in range(2)))
        await clock.until_somebody_sleeps()
        await wait_until(lambda: 1 == stack.application.components.in_flight.by_tenant()[1]["acme"])

        seen = await quota(stack)

        counts = {
            place: (entity.max_calls_in_flight, entity.calls_in_flight, entity.calls_queued)
            for place, entity in seen.items()
        }
        assert {US: (1, 1, 1), EU: (1, 0, 0), SOLO: (40, 0, 0)} == counts
        clock.advance(timedelta(minutes=1))
        await calls


@pytest.mark.asyncio
async def test_an_open_circuit_is_seen(stack: LocalStack, stub: Any) -> None:
    """With the time until the next probe, as callers receive it in RetryInfo."""
    components = stack.application.components
    now_s, key = components.resources.clock.monotonic(), ("acme", entity_id_on_wire(seed.ENTITY_US))
    for number in range(MIN_FAILURES):
        failed_s = now_s - MIN_SILENCE_S * (MIN_FAILURES - 1 - number) / (MIN_FAILURES - 1)
        error = call_error(Reason.UPSTREAM_NO_ANSWER, "")
        components.circuits.note(key, error, answered=False, is_first=True, sent_s=failed_s, now_s=failed_s)

    error = await refusal(stub.CreateSession(session_request(), timeout=10))
    seen = await quota(stack, tenant="acme")

    assert (grpc.StatusCode.UNAVAILABLE, "UPSTREAM_CIRCUIT_OPEN") == (error.code, error.reason)
    assert error.retry_delay_s is not None
    assert 0 < error.retry_delay_s <= OPEN_S
    assert {US, EU} == {*seen}
    assert (diagnostics_pb2.CIRCUIT_STATE_OPEN, diagnostics_pb2.CIRCUIT_STATE_CLOSED) == (
        seen[US].circuit, seen[EU].circuit
    )  # fmt: skip
    assert 0 < seen[US].circuit_delay.ToTimedelta().total_seconds() <= error.retry_delay_s
    assert 0 == stack.emulator.journal.count("sessions")


@pytest.mark.asyncio
async def test_an_unknown_tenant_is_refused(stack: LocalStack) -> None:
    """An empty answer would look like a tenant without calls."""
    error = await refusal(quota(stack, tenant="acmee"))

    assert ("REQUEST_INVALID", ["tenant"]) == (error.reason, [violation.field for violation in error.violations])


@pytest.mark.asyncio
async def test_it_needs_the_right_to_diagnostics() -> None:
    """The right to every RPC of the payment service is another one."""
    caller = {"caller": "anonymous", "namespace": "shop", "rpcs": ["*"]}
    async with running(over={"access": {"callers": [caller]}}) as stack:
        error = await refusal(quota(stack))

    assert ("CALLER_NOT_PERMITTED", "diagnostics") == (error.reason, error.metadata["right"])
