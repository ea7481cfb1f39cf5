"""The log and the audit of a real process: what it does when they are not read."""

import asyncio
import fcntl
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn

import aiohttp
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from harness.calls import refusal
from harness.controlled_emulator import wait_until
from harness.ports import free_port
from harness.requests import decryption_request, session_request
from harness.service_process import grpc_port, start_service, write_configuration
from harness.stack import running as running_stack
from payorch import CallError
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.rpc.interceptors import boundary, payloads
from structlog.testing import capture_logs
from zuora_emulator import Emulator, serving

# Each call logs its request; 30 of them are more than the queue and any pipe hold.
LARGE, CALLS = "x" * 200_000, 30
LONG_S = 20.0
TIMEOUT = aiohttp.ClientTimeout(total=LONG_S)


@dataclass(frozen=True, slots=True)
class Service:
    """A service process and its emulator."""

    process: asyncio.subprocess.Process
    emulator: Emulator
    channel: grpc.aio.Channel
    admin_url: str

    @property
    def stub(self) -> Any:
        """Its RPCs."""
        return service_grpc.PaymentOrchestrationServiceStub(self.channel)

    async def probe(self, path: str) -> str:
        """Return the good answer to a GET on the admin port."""
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session, session.get(self.admin_url + path) as answer:
            assert HTTPStatus.OK == answer.status
            return await answer.text()

    async def status_of(self, path: str) -> int:
        """Return the status of the answer to a GET on the admin port."""
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session, session.get(self.admin_url + path) as answer:
            return answer.status

    async def exit_status(self) -> int:
        """Wait for the end of the process, without reading its log, for which `wait` would wait."""
        async with asyncio.timeout(LONG_S):
            while self.process.returncode is None:
                await asyncio.sleep(0.01)
        return self.process.returncode

    async def metric(self, name: str, stream: str) -> float:
        """Return the value of a metric of a stream."""
        for line in (await self.probe("/metrics")).splitlines():
            series, _, value = line.rpartition(" ")
            if series.startswith(name) and f'stream="{stream}"' in series:
                return float(value)
        raise AssertionError(f"There is no {name}.")

    async def pay(self, request: service_pb2.DecryptApplePayRequest | None = None) -> CallError | None:
        """Pay; return the refusal, if there is one."""
        try:
            await self.stub.DecryptApplePay(request or decryption_request(), timeout=LONG_S)
        except grpc.aio.AioRpcError as error:
            return CallError.from_rpc_error(error)
        return None

    async def fill_the_log(self) -> None:
        """Have more lines logged than fit anywhere."""
        for _ in range(CALLS):
            await refusal(self.stub.GetIntent(service_pb2.GetIntentRequest(request_id=LARGE), timeout=LONG_S))


@asynccontextmanager
async def service(
    folder: Path, *, audit: int = asyncio.subprocess.DEVNULL, telemetry: Mapping[str, str] | None = None
) -> AsyncIterator[Service]:
    """Run a service whose log is not read after its first lines; end it by force if it has not ended."""
    emulator, admin = Emulator(), f"127.0.0.1:{free_port()}"
    async with serving(emulator) as url:
        over = {"telemetry": {"log_level": "debug", **(telemetry or {})}, "admin": {"listen": admin}}
        process = await start_service(write_configuration(folder, url, over), audit=audit)
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{await grpc_port(process)}") as channel:
                yield Service(process, emulator, channel, f"http://{admin}")
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


class Fifo:
    """A named pipe, whose reader can leave and return."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._path = path
        self._begun = b""
        self._read_end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.write_end = os.open(path, os.O_WRONLY)

    def begin(self) -> None:
        """Read from now on."""
        os.close(self._read_end)
        self._read_end = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)

    def end(self) -> None:
        """Leave; the process that reads does so at any time."""
        os.close(self._read_end)
        self._read_end = os.open(os.devnull, os.O_RDONLY)

    async def decisions_on(self, rpc: str) -> list[str]:
        """Return the decisions on calls of an RPC, when the first line of one has come: a thread writes them."""
        decisions: list[str] = []
        async with asyncio.timeout(LONG_S):
            while not decisions:
                decisions += [line["decision"] for line in self.lines() if line["rpc"] == rpc]
                await asyncio.sleep(0.01)
        return decisions

    def lines(self) -> list[dict[str, Any]]:
        """Return what has come."""
        found = b""
        try:
            while part := os.read(self._read_end, 65536):
                found += part
        except BlockingIOError:
            pass
        *lines, self._begun = (self._begun + found).split(b"\n")
        return [json.loads(line) for line in lines]


@contextmanager
def fifo(folder: Path) -> Iterator[Fifo]:
    """Make a named pipe."""
    made = Fifo(folder / "audit")
    try:
        yield made
    finally:
        made.end()
        os.close(made.write_end)


async def health(channel: grpc.aio.Channel) -> int:
    """Return the health of the whole process."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=LONG_S)
    return int(answer.status)


@pytest.mark.asyncio
@pytest.mark.timeout(90)
class TestLog:
    """Nothing waits for a reader of the log."""

    async def test_is_not_read_and_costs_no_call(self, tmp_path: Path) -> None:
        """Six megabytes of lines: all works, what does not fit is counted, and a line reports it afterwards."""
        async with service(tmp_path) as running:
            await running.fill_the_log()

            assert (await running.stub.CreateSession(session_request(), timeout=LONG_S)).session.token
            assert await running.pay() is None
            assert health_pb2.HealthCheckResponse.SERVING == await health(running.channel)
            assert {"live": True} == json.loads(await running.probe("/livez"))
            assert json.loads(await running.probe("/readyz"))["ready"]
            lost = await running.metric("payorch_log_lost_total", "log")
            assert lost > 0

            assert lost == await _reported(running.process, most=lost)

    async def test_is_not_read_and_does_not_delay_the_end(self, tmp_path: Path) -> None:
        """SIGTERM ends the process in its order; the lines that are left are lost."""
        async with service(tmp_path, telemetry={"traces": "console"}) as running:
            await running.fill_the_log()
            running.process.send_signal(signal.SIGTERM)

            assert 0 == await running.exit_status()

    async def test_is_not_read_and_does_not_delay_a_second_signal(self, tmp_path: Path) -> None:
        """It ends the process although a call is in progress."""
        async with service(tmp_path) as running:
            running.emulator.faults.add("sessions:slow:15")
            await running.fill_the_log()
            call = asyncio.ensure_future(_await(running.stub.CreateSession(session_request(), timeout=LONG_S)))
            while not running.emulator.journal.count("sessions"):
                await asyncio.sleep(0.01)
            running.process.send_signal(signal.SIGTERM)
            while await running.status_of("/readyz") == HTTPStatus.OK:
                pass
            running.process.send_signal(signal.SIGTERM)

            assert 130 == await running.exit_status()
            await asyncio.gather(call, return_exceptions=True)


async def _await(call: Any) -> object:
    return await call


async def _reported(process: asyncio.subprocess.Process, *, most: float) -> int:
    """Read the log until so many lines are reported as lost; return how many are."""
    assert process.stderr is not None
    seen, reported = b"", 0
    while reported < most:
        # Lines are longer than a stream reader takes at once.
        *lines, seen = (seen + await process.stderr.read(1 << 20)).split(b"\n")
        events = [json.loads(line) for line in lines if b"lines_lost" in line]
        reported += sum(event["lines"] for event in events)
    return reported


REFUSED = (
    grpc.StatusCode.UNAVAILABLE,
    "AUDIT_UNAVAILABLE",
    call_pb2.OUTCOME_NOT_SENT,
    call_pb2.ADVICE_RESEND_SAME_REQUEST_ID,
    5.0,
)


def _shown(error: CallError | None) -> tuple[object, ...]:
    assert error is not None
    return error.code, error.reason, error.outcome, error.advice, error.retry_delay_s


@pytest.mark.asyncio
@pytest.mark.timeout(90)
class TestAudit:
    """No audit, no money."""

    async def test_stops_payments_alone_while_its_reader_is_gone(self, tmp_path: Path) -> None:
        """Refused before anything is sent; a resend pays once, as soon as the reader is back."""
        with fifo(tmp_path) as audit:
            async with service(tmp_path, audit=audit.write_end) as running:
                assert await running.pay() is None
                paid = await audit.decisions_on("DecryptApplePay")
                audit.end()
                request, sent = decryption_request(), running.emulator.journal.count("decryption")

                refused = [await running.pay(request) for _ in range(3)]
                session = await running.stub.CreateSession(session_request(), timeout=LONG_S)
                stalled = await running.metric("payorch_log_stalled", "audit")
                not_sent = running.emulator.journal.count("decryption")
                audit.begin()
                while await running.pay(request) is not None:
                    pass

                assert (["allowed"], 1.0, sent) == (paid, stalled, not_sent)
                assert session.session.token
                assert {REFUSED} == {_shown(error) for error in refused}
                assert 2 == running.emulator.ledger.count("decryption")

    async def test_changes_no_answer_after_the_payment_was_sent(self, tmp_path: Path) -> None:
        """Its reader leaves while Zuora is slow."""
        with fifo(tmp_path) as audit:
            async with service(tmp_path, audit=audit.write_end) as running:
                running.emulator.faults.add("decryption:slow:1")
                call = asyncio.ensure_future(running.pay())
                await wait_until(lambda: running.emulator.journal.count("decryption") == 1)
                audit.end()

                assert await call is None
                assert 1 == running.emulator.ledger.count("decryption")

    async def test_stops_payments_while_its_reader_reads_nothing(self, tmp_path: Path) -> None:
        """Five seconds after the pipe was full; when it reads again, payments are accepted again."""
        with fifo(tmp_path) as audit:
            fcntl.fcntl(audit.write_end, fcntl.F_SETPIPE_SZ, 4096)
            async with service(tmp_path, audit=audit.write_end) as running:
                for _ in range(30):
                    await running.stub.CreateSession(session_request(), timeout=LONG_S)
                while not await running.metric("payorch_log_stalled", "audit"):
                    pass
                stalled = await running.pay()
                while await running.metric("payorch_log_stalled", "audit"):
                    audit.lines()

                assert (REFUSED, None) == (_shown(stalled), await running.pay())
                assert 1 == running.emulator.ledger.count("decryption")

    async def test_of_best_effort_stops_nothing(self, tmp_path: Path) -> None:
        """The operator has decided so."""
        with fifo(tmp_path) as audit:
            async with service(tmp_path, audit=audit.write_end, telemetry={"audit": "best_effort"}) as running:
                audit.end()

                assert [None, None] == [await running.pay() for _ in range(2)]
                audit.begin()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("module", "function", "event"),
    [(boundary, "record_of_call", "call_not_logged"), (payloads, "redacted", "payload_not_logged")],
)
async def test_a_line_that_cannot_be_made_is_reported_and_costs_no_answer(
    monkeypatch: pytest.MonkeyPatch, module: Any, function: str, event: str
) -> None:
    """A defect of ours; its text could hold anything, so only its kind and its place are shown."""

    def fail(*_arguments: object, **_named: object) -> NoReturn:
        raise ValueError("private")

    async with (
        running_stack(over={"telemetry": {"log_level": "debug"}}) as stack,
        grpc.aio.insecure_channel(stack.target) as channel,
    ):
        monkeypatch.setattr(module, function, fail)
        with capture_logs() as logs:
            stub = service_grpc.PaymentOrchestrationServiceStub(channel)
            answer = await stub.CreateSession(session_request(), timeout=LONG_S)

    assert answer.session.token
    assert {("error", "ValueError")} == {(line["log_level"], line["type"]) for line in logs if line["event"] == event}
    assert "private" not in str(logs)
