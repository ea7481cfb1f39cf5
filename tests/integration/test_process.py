"""The real process: its commands, its signals and its exit status."""

import asyncio
import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc
from harness.http2 import ENHANCE_YOUR_CALM, GOAWAY, PING, PREFACE, SETTINGS, frame
from harness.otlp_receiver import collecting
from harness.raw_server import listening
from harness.requests import session_request
from harness.service_process import COMMAND, grpc_port, start_service, write_configuration
from harness.stack import configuration
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from zuora_emulator import Emulator, serving


@pytest.mark.asyncio
async def test_a_call_in_progress_ends_well_after_sigterm(tmp_path: Path) -> None:
    """The signal comes while Zuora is slow; the caller gets its answer and the process exits 0."""
    emulator = Emulator()
    emulator.faults.add("sessions:slow:1")
    async with serving(emulator) as url:
        process = await start_service(write_configuration(tmp_path, url))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{await grpc_port(process)}") as channel:
            stub = service_grpc.PaymentOrchestrationServiceStub(channel)
            call = asyncio.ensure_future(_await(stub.CreateSession(session_request(), timeout=10)))
            while not emulator.journal.count("sessions") and not emulator.ledger.count("sessions"):
                await asyncio.sleep(0.01)
            process.send_signal(signal.SIGTERM)

            answer = await call
        _, _ = await process.communicate()

    assert 32 == len(answer.session.token)
    assert 0 == process.returncode


ARE_YOU = b"are-you?"
FORGED = b'\n{"event":"access","decision":"allowed","caller":"jwt:cfo"}\n'


@pytest.mark.asyncio
async def test_a_peer_writes_no_line_into_the_log(tmp_path: Path) -> None:
    """Debug data of a GOAWAY is a peer's own text, and gRPC would log it as it came."""
    async with serving(Emulator()) as url:
        process = await start_service(write_configuration(tmp_path, url), audit=asyncio.subprocess.PIPE)
        reader, writer = await asyncio.open_connection("127.0.0.1", await grpc_port(process))
        goaway = frame(GOAWAY, bytes(4) + ENHANCE_YOUR_CALM.to_bytes(4, "big") + FORGED)
        writer.write(PREFACE + frame(SETTINGS) + goaway + frame(PING, ARE_YOU))
        await writer.drain()
        # The answer to the ping, or the end: what came before it has been read.
        async with asyncio.timeout(10):
            received = b""
            while ARE_YOU not in received and (more := await reader.read(4096)):
                received += more
        writer.close()
        process.send_signal(signal.SIGTERM)
        audit, log = await process.communicate()

    assert b"jwt:cfo" not in audit + log
    assert all(isinstance(json.loads(line), dict) for line in (audit + log).splitlines())


def test_leaves_no_core_dump(tmp_path: Path) -> None:
    """Whatever limit it was started with; only this shows it where the kernel hands dumps to files."""
    file = write_configuration(tmp_path, "http://127.0.0.1:9")
    process = subprocess.Popen(  # noqa: S603 - our own command
        [COMMAND, "serve", "--config", file], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30)),  # noqa: PLW1509 - no threads
    )  # fmt: skip
    assert process.stderr is not None
    with process.stderr as log:
        while b"listening" not in log.readline():
            pass
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        process.send_signal(signal.SIGABRT)
        _, status = os.waitpid(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)

    assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
    assert (-signal.SIGABRT, False) == (process.returncode, os.WCOREDUMP(status))
    assert [] == list(tmp_path.glob("core*"))


def test_needs_both_standard_streams(tmp_path: Path) -> None:
    """A socket would be given the number of one that is closed, and would get the audit."""
    file = write_configuration(tmp_path, "http://127.0.0.1:9")
    command = f"exec {COMMAND} serve --config {file} >&-"
    ended = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)  # noqa: S603 - ours

    assert (1, "the audit cannot be written: its standard stream is closed\n") == (ended.returncode, ended.stderr)


@pytest.mark.asyncio
async def test_a_peer_writes_no_line_through_a_command() -> None:
    """A health check prints what it was asked for, whatever the server sends."""

    async def forge(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        settings, goaway = frame(SETTINGS, b""), frame(GOAWAY, bytes(4) + ENHANCE_YOUR_CALM.to_bytes(4) + FORGED)
        writer.write(settings + goaway)
        await writer.drain()

    async with listening(forge) as port:
        check = await asyncio.create_subprocess_exec(
            COMMAND, "healthcheck", "--address", f"127.0.0.1:{port}",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await check.communicate()

    assert 1 == check.returncode
    assert not [line for line in (out + err).splitlines() if line.startswith(b"{")]


def test_is_not_dumpable() -> None:
    """A kernel that hands dumps to a program looks at this flag alone."""
    lines = (
        "import ctypes",
        "from payorch_server.runtime.core_dumps import forbid_core_dumps",
        "prctl, get_dumpable = ctypes.CDLL(None).prctl, 3",
        "before = prctl(get_dumpable)",
        "forbid_core_dumps()",
        "print(before, prctl(get_dumpable))",
    )
    ended = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)  # noqa: S603 - our own

    assert "1 0\n" == ended.stdout


@pytest.mark.asyncio
async def test_opens_as_many_files_as_it_may(tmp_path: Path) -> None:
    """Every connection is one; the soft limit of most systems is for interactive programs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    try:
        async with serving(Emulator()) as url:
            process = await start_service(write_configuration(tmp_path, url))
            await grpc_port(process)
            limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
            process.kill()
            await process.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert (hard, hard) == limits


@pytest.mark.asyncio
async def test_an_end_has_its_order(tmp_path: Path) -> None:
    """NOT_SERVING; calls are still taken; those in progress end; their spans are sent; exit status 0."""
    emulator = Emulator()
    order: list[str] = []
    async with serving(emulator) as url, collecting() as collector:
        over = {
            "grpc": {"drain_wait_s": 1.0},
            "telemetry": {"traces": "otlp", "otlp_endpoint": collector.grpc_url, "sampling": {"ratio": 1.0}},
        }
        process = await start_service(write_configuration(tmp_path, url, over))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{await grpc_port(process)}") as channel:
            stub = service_grpc.PaymentOrchestrationServiceStub(channel)
            await stub.CreateSession(session_request(), timeout=10)
            process.send_signal(signal.SIGTERM)
            async for answer in _health(channel).Watch(health_pb2.HealthCheckRequest(), timeout=10):
                if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
                    order.append("not serving")
                    break
            emulator.faults.add("sessions:slow:2")  # longer than the wait, so that it ends in the drain
            await stub.CreateSession(session_request(), timeout=10)
            order.append("call answered")
        _, log = await process.communicate()
        order += re.findall(r'"event":"(draining|call|stopped)"', log.decode())
        served = [span.name for span in collector.spans if span.kind == "SERVER"]

    assert ["not serving", "call answered", "call", "draining", "call", "stopped"] == order
    assert ["payorch.v1.PaymentOrchestrationService/CreateSession"] * 2 == served
    assert 0 == process.returncode


def _health(channel: grpc.aio.Channel) -> Any:
    return health_pb2_grpc.HealthStub(channel)


async def _await(call: grpc.aio.UnaryUnaryCall) -> object:
    return await call


@pytest.mark.asyncio
async def test_a_second_signal_ends_the_process_at_once(tmp_path: Path) -> None:
    """Somebody who presses Ctrl-C twice means it."""
    emulator = Emulator()
    emulator.faults.add("sessions:slow:15")
    async with serving(emulator) as url:
        process = await start_service(write_configuration(tmp_path, url))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{await grpc_port(process)}") as channel:
            stub = service_grpc.PaymentOrchestrationServiceStub(channel)
            call = asyncio.ensure_future(_await(stub.CreateSession(session_request(), timeout=15)))
            while not emulator.journal.count("sessions") and not emulator.ledger.count("sessions"):
                await asyncio.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            assert process.stderr is not None
            while b"draining" not in await process.stderr.readline():
                pass
            process.send_signal(signal.SIGTERM)
            _, _ = await process.communicate()
            await asyncio.gather(call, return_exceptions=True)

    assert 130 == process.returncode


@pytest.mark.asyncio
async def test_a_port_is_not_shared_with_a_second_service(tmp_path: Path) -> None:
    """The kernel would spread calls over both, and each would count its own intents alone."""
    async with serving(Emulator()) as url:
        first = await start_service(write_configuration(tmp_path, url))
        taken = f"127.0.0.1:{await grpc_port(first)}"
        second = await start_service(write_configuration(tmp_path, url, {"grpc": {"listen": taken}}))
        try:
            _, log = await second.communicate()
        finally:
            for process in (first, second):
                if process.returncode is None:
                    process.kill()
                await process.wait()

    assert 1 == second.returncode
    assert log.decode().endswith(f"grpc.listen: cannot listen on {taken}; is the port in use?\n")


@pytest.mark.asyncio
async def test_healthcheck_tells_serving_from_absent(tmp_path: Path) -> None:
    """Its exit status is what a probe looks at."""
    async with serving(Emulator()) as url:
        process = await start_service(write_configuration(tmp_path, url))
        address = f"127.0.0.1:{await grpc_port(process)}"
        while await _healthcheck(address) != 0:
            pass
        process.send_signal(signal.SIGTERM)
        _, _ = await process.communicate()

    assert 1 == await _healthcheck(address)


async def _healthcheck(address: str) -> int:
    check = await asyncio.create_subprocess_exec(
        COMMAND, "healthcheck", "--address", address,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    return await check.wait()


def test_a_broken_configuration_lists_every_problem(tmp_path: Path) -> None:
    """Exit status 2, one line per problem, no stack trace."""
    content = configuration(emulator_url="http://127.0.0.1:9080", folder=tmp_path)
    content["grpc"]["listen"] = "0.0.0.0:50051"
    content["tenants"]["acme"]["client_id"] = "short"
    content["tenants"]["acme"]["base_url"] = "http://rest.example.com"
    content["tenants"]["solo"]["client_secret_file"] = str(tmp_path / "absent")
    content["routing"][0]["to"]["tenant"] = "nobody"
    file = tmp_path / "payorch.yaml"
    file.write_text(yaml.safe_dump(content))

    ended = subprocess.run([COMMAND, "check-config", "--config", file], capture_output=True, text=True, check=False)  # noqa: S603 - our own command

    assert 2 == ended.returncode
    assert "Traceback" not in ended.stderr
    for part in (
        "6 problems",
        "grpc.listen: 0.0.0.0:50051 can be reached from other machines in plaintext",
        "grpc.listen: 0.0.0.0:50051 can be reached from other machines without an access policy",
        "tenants.acme.client_id: must have 36 characters",
        "tenants.acme.base_url: http is for loopback only; use https",
        "tenants.solo.client_secret_file:",
        "routing.0 (solo).to.tenant: nobody is not in tenants",
    ):
        assert part in ended.stderr


def test_a_command_whose_output_cannot_be_written_says_so() -> None:
    """One sentence, no stack trace, and a status that a script notices."""
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run([COMMAND, "config-schema"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own command

    assert (1, "The output could not be written: No space left on device.\n") == (ended.returncode, ended.stderr)


def test_a_command_without_a_standard_output_keeps_its_status() -> None:
    """A health check, for example, is asked for its status alone."""
    shell = f"{COMMAND} config-schema >&-"
    ended = subprocess.run(["/bin/sh", "-c", shell], stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own command

    assert (0, "") == (ended.returncode, ended.stderr)
