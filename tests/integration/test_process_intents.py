"""Intents and the end of the process: an orderly one, and one that nobody could prepare for."""

import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from harness.calls import refusal
from harness.controlled_emulator import frozen_emulator, wait_until
from harness.requests import decryption_request
from harness.service_process import grpc_port, start_service, write_configuration
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from zuora_emulator import serving

A_MINUTE = timedelta(minutes=1)


def stub_of(channel: grpc.aio.Channel) -> Any:
    """Return the public stub."""
    return service_grpc.PaymentOrchestrationServiceStub(channel)


@pytest.mark.asyncio
async def test_a_drain_finishes_flights_whose_callers_left(tmp_path: Path) -> None:
    """The process ends when Zuora has answered and not before, with status 0."""
    emulator, clock = frozen_emulator()
    emulator.faults.add("decryption:slow:1")
    async with serving(emulator) as url:
        process = await start_service(write_configuration(tmp_path, url))
        target = f"127.0.0.1:{await grpc_port(process)}"
        async with grpc.aio.insecure_channel(target) as channel:
            leaving = stub_of(channel).DecryptApplePay(decryption_request(), timeout=15)
            await clock.until_somebody_sleeps()
            leaving.cancel()
        process.send_signal(signal.SIGTERM)
        await _until_closed(target)

        assert process.returncode is None, "the flight is not over"
        clock.advance(A_MINUTE)
        _, log = await process.communicate()

    assert 0 == process.returncode
    assert b"executions_cut" not in log
    assert b"stopped" in log
    assert 1 == emulator.ledger.count("decryption")
    assert [200] == [arrival.status for arrival in emulator.journal.of("decryption")]


async def _until_closed(target: str) -> None:
    """Wait until the service accepts no calls any more."""
    request = service_pb2.GetIntentRequest(request_id="x" * 16, operation=service_pb2.OPERATION_CREATE_SESSION)
    code = grpc.StatusCode.OK
    while code is grpc.StatusCode.OK:
        async with grpc.aio.insecure_channel(target) as channel:
            code = await stub_of(channel).GetIntent(request, timeout=5).code()


@pytest.mark.asyncio
@pytest.mark.parametrize("answered", [True, False], ids=["Zuora has answered nobody", "Zuora is still at it"])
async def test_a_killed_process_costs_no_second_payment(tmp_path: Path, *, answered: bool) -> None:
    """Killed between sending and recording; its memory is gone, and the key alone finds the one payment."""
    emulator, clock = frozen_emulator()
    emulator.faults.add("decryption:slow:1")
    request = decryption_request()
    async with serving(emulator) as url:
        file = write_configuration(tmp_path, url)
        process = await start_service(file)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{await grpc_port(process)}") as channel:
            lost = stub_of(channel).DecryptApplePay(request, timeout=15)
            await clock.until_somebody_sleeps()
            process.kill()
            await process.communicate()
            assert (await refusal(lost)).call_outcome is None, "no outcome means: unknown, resend"
        if answered:
            clock.advance(A_MINUTE)

        process = await start_service(file)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{await grpc_port(process)}") as channel:
            stub = stub_of(channel)
            if not answered:
                error = await refusal(stub.DecryptApplePay(request, timeout=15))
                assert "UPSTREAM_IN_PROGRESS" == error.reason
                assert call_pb2.ADVICE_RESEND_SAME_REQUEST_ID == error.advice
                clock.advance(A_MINUTE)
                await wait_until(lambda: emulator.journal.of("decryption")[0].status == 200)
            answer = await stub.DecryptApplePay(request, timeout=15)
        process.terminate()
        await process.communicate()

    (entry,) = emulator.ledger.of("decryption")
    assert entry.effects["payment_id"] == answer.payment_id
    assert 1 == len({arrival.idempotency_key for arrival in emulator.journal.of("decryption")})
