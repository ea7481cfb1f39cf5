"""The commands of the runbooks, run over the log of a service."""

import asyncio
import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from harness.controlled_emulator import frozen_emulator, wait_until
from harness.log_files import logging_to_files
from harness.requests import session_request
from harness.stack import LocalStack, running
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.telemetry.settings import TelemetrySettings
from zuora_emulator import seed
from zuora_emulator.clock import ManualClock

PAGE = (Path(__file__).parents[2] / "docs" / "runbooks.md").read_text()
IN_DOUBT, COUNTED, OF_THE_HUB = re.findall(r"```sh\nkubectl logs [^|]+\|\s*(jq .*?)\n```", PAGE, re.DOTALL)
LONG_S = 20.0

pytestmark = pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")


def found(recipe: str, log: bytes) -> list[Any]:
    """Run a command of the page over a log; return the objects it prints."""
    ended = subprocess.run(["/bin/sh", "-c", recipe], input=log, capture_output=True, check=True)  # noqa: S603 - of our own page
    return [json.loads(line) for line in ended.stdout.splitlines()]


class Caller:
    """Calls a service whose Zuora has a clock that stands still."""

    def __init__(self, stack: LocalStack, clock: ManualClock, channel: grpc.aio.Channel) -> None:
        self._stack = stack
        self._clock = clock
        self._stub: Any = service_grpc.PaymentOrchestrationServiceStub(channel)

    async def call(self, request: service_pb2.CreateSessionRequest, *faults: str) -> None:
        """Call, whatever comes of it."""
        for fault in faults:
            self._stack.emulator.faults.add(fault)
        await asyncio.gather(self._stub.CreateSession(request, timeout=LONG_S), return_exceptions=True)

    async def leave(self, request: service_pb2.CreateSessionRequest, *faults: str) -> None:
        """Call, leave, and only then have Zuora answer."""
        for fault in ("sessions:slow:30", *faults):
            self._stack.emulator.faults.add(fault)
        executor = self._stack.application.components.executor
        call = self._stub.CreateSession(request, timeout=LONG_S)
        await wait_until(lambda: executor.in_flight == 1)
        call.cancel()
        await wait_until(lambda: all(execution.was_left for execution in executor._executions.values()))
        while executor.in_flight:
            self._clock.advance(timedelta(minutes=1))
            await asyncio.sleep(0)


def session(request_id: str, *, account: str = seed.ACCOUNT_US.id) -> service_pb2.CreateSessionRequest:
    """Make a request under an id that is read in the log."""
    request = session_request(request_id)
    request.one_time_payment.account_id = account
    return request


def unknown_account(request_id: str) -> service_pb2.CreateSessionRequest:
    """Make a request that Zuora refuses."""
    return session(request_id, account=seed.ACCOUNT_US.id[:-2] + "99")


async def log_of_a_day() -> bytes:
    """Make calls; return both streams of the process and what is no JSON, as a pod's log has them."""
    emulator, clock = frozen_emulator()
    with logging_to_files(TelemetrySettings()) as files:
        async with running(emulator=emulator) as stack, grpc.aio.insecure_channel(stack.target) as channel:
            caller = Caller(stack, clock, channel)
            await caller.call(session("succeeds-at-once"))
            await caller.leave(session("succeeds-after-its-caller-left"))
            await caller.leave(unknown_account("is-refused-after-its-caller-left"))
            lost = ["sessions:drop"] * 9
            await caller.call(session("is-in-doubt-for-ever"), *lost)
            emulator.faults.clear()
            await caller.call(session("is-settled-by-a-resend"), *lost)
            emulator.faults.clear()
            await caller.call(session("is-settled-by-a-resend"))
            await caller.call(unknown_account("is-refused-at-once"))
        return b"\n".join((b"Defaulted container", *files.read()))


@pytest.mark.asyncio
async def test_recipes_count_what_is_in_doubt_and_nothing_else() -> None:
    """Calls whose executions ended well after they had left say UNKNOWN, and are in doubt no more."""
    log = await log_of_a_day()

    assert ["is-in-doubt-for-ever"] == [line["request_id"] for line in found(IN_DOUBT, log)]
    counted = {(line["outcome"], line.get("reason")): line["calls"] for line in found(COUNTED, log)}
    assert (2, 2) == (counted["UNKNOWN", "CALLER_LEFT"], counted["SUCCEEDED", None])
    assert 7 == sum(counted.values())
    assert [] == found(OF_THE_HUB, log)
