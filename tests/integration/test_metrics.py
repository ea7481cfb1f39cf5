"""What /metrics says, and how little of it callers can make."""

import asyncio
import re
from pathlib import Path

import grpc
import httpx
import pytest
from harness.calls import refusal
from harness.keyring import new_key_file
from harness.redis_server import servers
from harness.requests import decryption_request, session_request
from harness.stack import LocalStack, running
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

HOSTILE = 60


async def series(stack: LocalStack) -> dict[str, float]:
    """Read every series."""
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{stack.admin_url}/metrics")).text
    pairs = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {re.sub(r'otel_scope_\w+="[^"]*",?', "", name): float(value) for name, _, value in pairs}


@pytest.mark.asyncio
async def test_callers_cannot_make_series(stack: LocalStack, channel: grpc.aio.Channel) -> None:
    """Names of tenants, methods, Track-Ids and request ids that nobody knows are no attributes."""
    stub = service_grpc.PaymentOrchestrationServiceStub(channel)

    async def hostile(number: int) -> None:
        request = session_request()
        request.route.tenant, request.route.attributes["brand"] = f"tenant-{number}", f"brand-{number}"
        await refusal(stub.CreateSession(request, metadata=(("zuora-track-id", f"t-{number}"),), timeout=10))
        method = channel.unary_unary(f"/payorch.v1.PaymentOrchestrationService/Method{number}")
        await refusal(method(b"", timeout=10))

    await hostile(0)
    before = await series(stack)
    for number in range(1, HOSTILE):
        await hostile(number)

    assert set(before) == set(await series(stack))


@pytest.mark.asyncio
async def test_an_unsettled_intent_is_seen_until_it_is_settled(stack: LocalStack, channel: grpc.aio.Channel) -> None:
    """That is what money in doubt looks like."""
    stub = service_grpc.PaymentOrchestrationServiceStub(channel)
    stack.emulator.faults.add("decryption:drop_after", times="always")
    request = decryption_request()
    await refusal(stub.DecryptApplePay(request, timeout=10))
    doubtful = await series(stack)
    stack.emulator.faults.clear()

    await stub.DecryptApplePay(request, timeout=10)
    settled = await series(stack)

    assert (1.0, 0.0) == (doubtful["payorch_intents_unsettled{}"], settled["payorch_intents_unsettled{}"])
    retries = 'payorch_upstream_retries_total{reason="UPSTREAM_NO_ANSWER",tenant="acme"}'
    assert 2.0 == settled[retries]


@pytest.mark.asyncio
async def test_waits_for_a_turn_are_measured() -> None:
    """So are calls in flight, while they are."""
    async with running(over={"tenants": {"acme": {"max_in_flight": 1}}}) as stack:
        stack.emulator.faults.add("sessions:slow:0.2")
        async with grpc.aio.insecure_channel(stack.target) as channel:
            stub = service_grpc.PaymentOrchestrationServiceStub(channel)
            await asyncio.gather(*(stub.CreateSession(session_request(), timeout=10) for _ in range(3)))
        found = await series(stack)

    assert 2.0 == found['payorch_upstream_queue_duration_seconds_count{tenant="acme"}']
    assert 0.0 == found['payorch_upstream_in_flight{tenant="acme"}']


@pytest.mark.asyncio
async def test_records_that_do_not_reach_the_store_are_counted(tmp_path: Path) -> None:
    """Its callers notice nothing, so the metric has to say it."""
    (tmp_path / "key").write_text(new_key_file())
    lost = "payorch_call_records_lost_total{}"
    with servers() as redis_servers:
        redis = redis_servers.start("--maxmemory-policy", "noeviction")
        over = {
            "store": {"kind": "redis", "url": redis.url},
            "intents": {"keys": [{"id": "one", "file": str(tmp_path / "key")}]},
            "call_history": {"in_store": True},
        }
        async with running(over=over) as stack, grpc.aio.insecure_channel(stack.target) as channel:
            stub = service_grpc.PaymentOrchestrationServiceStub(channel)
            await stub.CreateSession(session_request(), timeout=10)
            before = (await series(stack))[lost]
            redis.kill()
            await stub.CreateSession(session_request(), timeout=10)
            async with asyncio.timeout(10):
                while (after := (await series(stack))[lost]) == 0.0:
                    await asyncio.sleep(0.02)

    assert (0.0, True) == (before, after >= 1.0)
