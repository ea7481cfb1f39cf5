"""Two service processes that share one Redis."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.calls import refusal
from harness.keyring import new_key_file
from harness.redis_server import Servers, servers
from harness.requests import decryption_request, session_request, usd
from harness.service_process import service_processes, write_configuration
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from zuora_emulator import Emulator, serving

_EQUAL_CALLS = 500


@pytest.fixture
def redis_servers() -> Iterator[Servers]:
    """Servers that this test may break."""
    with servers() as made:
        yield made


def _shared(folder: Path, url: str) -> dict[str, Any]:
    key = folder / "fleet-key"
    key.write_text(new_key_file())
    return {
        "store": {"kind": "redis", "url": url, "operation_timeout_s": 5.0, "connect_timeout_s": 5.0},
        "intents": {"keys": [{"id": "one", "file": str(key)}]},
        "accept_memory_store": False,
    }


@pytest.mark.asyncio
async def test_equal_calls_to_two_replicas_cost_one_upstream_call(tmp_path: Path, redis_servers: Servers) -> None:
    """500 at once, half to each: one flight, and everybody gets its one payment."""
    redis = redis_servers.start("--maxmemory-policy", "noeviction")
    emulator = Emulator()
    async with serving(emulator) as url:
        # So many at once are more than a process serves in half a second, after which it would refuse a part.
        patient = {"grpc": {"listen": "127.0.0.1:0", "max_start_delay_s": 10.0}}
        file = write_configuration(tmp_path, url, _shared(tmp_path, redis.url) | patient)
        async with service_processes(file, 2) as stubs:
            request = decryption_request()
            calls = [stubs[index % 2].DecryptApplePay(request, timeout=15) for index in range(_EQUAL_CALLS)]

            answers = await asyncio.gather(*calls)

    assert 1 == emulator.journal.count("decryption")
    assert 1 == len({answer.payment_id for answer in answers})
    assert {True} == {answer.call.replayed != call_pb2.REPLAY_UNSPECIFIED for answer in answers}


@pytest.mark.asyncio
async def test_another_body_is_refused_by_the_other_replica(tmp_path: Path, redis_servers: Servers) -> None:
    """The second replica knows the intent from the store, and names what differs."""
    redis = redis_servers.start("--maxmemory-policy", "noeviction")
    async with serving(Emulator()) as url:
        file = write_configuration(tmp_path, url, _shared(tmp_path, redis.url))
        async with service_processes(file, 2) as stubs:
            request = session_request()
            await stubs[0].CreateSession(request, timeout=10)
            request.one_time_payment.amount.CopyFrom(usd(7))

            error = await refusal(stubs[1].CreateSession(request, timeout=10))

    assert "INTENT_MISMATCH" == error.reason
    fields = {violation.field for violation in error.violations}
    assert {"one_time_payment.amount.nanos", "one_time_payment.amount.units"} == fields


@pytest.mark.asyncio
async def test_money_does_not_move_without_the_store(tmp_path: Path, redis_servers: Servers) -> None:
    """Redis dies: a paid decryption is refused before it is sent, a session goes on."""
    redis = redis_servers.start("--maxmemory-policy", "noeviction")
    emulator = Emulator()
    async with serving(emulator) as url:
        file = write_configuration(tmp_path, url, _shared(tmp_path, redis.url))
        async with service_processes(file, 1) as stubs:
            await stubs[0].CreateSession(session_request(), timeout=10)
            redis.kill()

            error = await refusal(stubs[0].DecryptApplePay(decryption_request(), timeout=10))
            session = await stubs[0].CreateSession(session_request(), timeout=10)

    assert ("STORE_UNAVAILABLE", call_pb2.OUTCOME_NOT_SENT) == (error.reason, error.outcome)
    assert 0 == emulator.journal.count("decryption")
    assert session.session.token


@pytest.mark.asyncio
async def test_get_intent_tells_the_same_on_every_replica(tmp_path: Path, redis_servers: Servers) -> None:
    """What one replica executed, the other can tell."""
    redis = redis_servers.start("--maxmemory-policy", "noeviction")
    async with serving(Emulator()) as url:
        file = write_configuration(tmp_path, url, _shared(tmp_path, redis.url))
        async with service_processes(file, 2) as stubs:
            request = decryption_request()
            done = await stubs[0].DecryptApplePay(request, timeout=10)
            asked = service_pb2.GetIntentRequest(
                request_id=request.request_id, operation=service_pb2.OPERATION_DECRYPT_APPLE_PAY
            )

            told = await stubs[1].GetIntent(asked, timeout=10)

    assert service_pb2.INTENT_STATE_SETTLED == told.intent_state
    assert call_pb2.OUTCOME_SUCCEEDED == told.call_outcome.outcome
    assert (done.payment_method_id, done.payment_id) == (told.existing.payment_method_id, told.existing.payment_id)
