"""Several processes behind one port, as the command runs them."""

import asyncio
import os
import re
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import msgspec
import pytest
from local.process import COMMAND, write_configuration
from local.requests import session_request
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.workers import SHORTEST_LIFE_S, Workers
from support.manual_clock import ManualClock
from support.ports import free_port
from support.redis_server import servers
from zuora_emulator import Emulator, serving

pytestmark = pytest.mark.timeout(60)
COUNT = 2
MEMORY = (
    "store.kind: memory is known to one process alone, so several would execute a resend again; "
    "set store.kind: redis, or leave out --workers\n"
)


@dataclass(frozen=True, slots=True)
class Family:
    """A parent, and what its workers said when they listened."""

    parent: asyncio.subprocess.Process
    port: int
    listening: list[dict[str, Any]]


def configured(folder: Path, zuora_url: str, redis_url: str, port: int, admin_port: int) -> Path:
    """Write a configuration that workers can share."""
    (folder / "key").write_text(secrets.token_hex())
    over = {
        "rpc": {"listen": f"127.0.0.1:{port}"},
        "admin": {"listen": f"127.0.0.1:{admin_port}"},
        "store": {"kind": "redis", "url": redis_url},
        "orchestration": {"keys": [{"id": "k1", "file": str(folder / "key")}]},
    }
    return write_configuration(folder, zuora_url, over)


async def started(file: Path) -> asyncio.subprocess.Process:
    """Start two workers and their parent."""
    return await asyncio.create_subprocess_exec(
        COMMAND, "serve", "--config", file, "--workers", str(COUNT), stderr=asyncio.subprocess.PIPE
    )


@asynccontextmanager
async def family(folder: Path, emulator: Emulator, *, admin_port: int = 0) -> AsyncIterator[Family]:
    """Run two workers; those that are left at the end are killed."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(emulator))
        redis = stack.enter_context(servers()).start("--maxmemory-policy", "noeviction")
        port = free_port()
        parent = await started(configured(folder, url, redis.url, port, admin_port))
        assert parent.stderr is not None
        listening: list[dict[str, Any]] = []
        try:
            while len(listening) < COUNT:
                line = await parent.stderr.readline()
                assert line, "They ended before they listened."
                if b'"event":"listening"' in line:
                    listening.append(msgspec.json.decode(line))
            yield Family(parent, port, listening)
        finally:
            if parent.returncode is None:
                parent.kill()
                await parent.communicate()


async def served_by(family: Family) -> list[int]:
    """Return how many calls each worker has served."""
    counts = []
    async with aiohttp.ClientSession() as session:
        for one in family.listening:
            async with session.get(f"http://127.0.0.1:{one['admin_port']}/metrics") as answer:
                text = await answer.text()
            found = re.findall(r"^rpc_server_call_duration_seconds_count\{.*\} (\S+)$", text, re.MULTILINE)
            counts.append(int(sum(map(float, found))))
    return counts


async def call_anew(port: int, request_id: str = "") -> object:
    """Create a session over a connection of its own."""
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)
        return await stub.CreateSession(session_request(request_id), timeout=15, wait_for_ready=True)


@pytest.mark.asyncio
async def test_workers_share_the_port_and_what_they_know_of_intents(tmp_path: Path) -> None:
    """Of many connections each worker gets some; a resend is recognised by whoever gets it."""
    emulator = Emulator()
    async with family(tmp_path, emulator) as workers:
        for _ in range(3):
            for number in range(10):
                await call_anew(workers.port, f"one-of-the-intents-{number:03}")

        counts = await served_by(workers)
        workers.parent.send_signal(signal.SIGTERM)
        _, log = await workers.parent.communicate()

    assert 30 == sum(counts)
    assert all(counts)
    assert 10 == emulator.ledger.count("sessions")
    assert (0, COUNT) == (workers.parent.returncode, log.count(b'"stopped"'))


@pytest.mark.asyncio
async def test_a_call_in_progress_ends_well_after_sigterm(tmp_path: Path) -> None:
    """The parent passes the signal on and waits for its workers."""
    emulator = Emulator()
    emulator.faults.add("sessions:slow:1")
    async with family(tmp_path, emulator) as workers:
        call = asyncio.ensure_future(call_anew(workers.port))
        while not emulator.journal.count("sessions"):
            await asyncio.sleep(0.01)
        workers.parent.send_signal(signal.SIGTERM)

        answer: Any = await call
        await workers.parent.communicate()

    assert 32 == len(answer.session.token)
    assert 0 == workers.parent.returncode


@pytest.mark.asyncio
async def test_workers_end_politely_when_their_parent_was_killed(tmp_path: Path) -> None:
    """They would hold the port for ever otherwise."""
    async with family(tmp_path, Emulator()) as workers:
        workers.parent.kill()
        _, log = await workers.parent.communicate()

    assert COUNT == log.count(b'"stopped"')


@pytest.mark.asyncio
async def test_a_port_is_not_shared_with_another_family(tmp_path: Path) -> None:
    """The kernel would spread calls over both."""
    async with family(tmp_path, Emulator()) as workers:
        second = await started(tmp_path / "payorch.yaml")
        _, log = await second.communicate()

    assert 1 == second.returncode
    assert f"rpc.listen: 127.0.0.1:{workers.port} cannot be listened on: Address already in use\n" == log.decode()


@pytest.mark.parametrize(
    ("over", "problem"),
    [
        (
            {},
            MEMORY,
        ),
        (
            {"store": {"kind": "redis", "url": "redis://127.0.0.1:1/0"}},
            "rpc.listen: 127.0.0.1:0 names no port that several workers could share; name one\n",
        ),
    ],
)
@pytest.mark.asyncio
async def test_what_cannot_be_shared_is_refused(tmp_path: Path, over: dict[str, Any], problem: str) -> None:
    """Exit status 1 and a sentence, before any worker is started."""
    (tmp_path / "key").write_text(secrets.token_hex())
    keys = {"orchestration": {"keys": [{"id": "k1", "file": str(tmp_path / "key")}]}}
    file = write_configuration(tmp_path, "http://127.0.0.1:1", over | keys)

    process = await started(file)
    _, log = await process.communicate()

    assert (1, problem) == (process.returncode, log.decode())


@pytest.mark.parametrize("number", ["0", "65", "two", "-1"])
@pytest.mark.asyncio
async def test_number_is_within_reason(number: str) -> None:
    """Anything else is a usage error."""
    process = await asyncio.create_subprocess_exec(
        COMMAND, "serve", "--config=x", f"--workers={number}", stderr=asyncio.subprocess.PIPE
    )
    _, log = await process.communicate()

    assert 2 == process.returncode
    assert f"'{number}' is not a number of processes from 1 to 64" in log.decode()


@pytest.mark.asyncio
async def test_ports_of_their_own_are_told_apart_by_number(tmp_path: Path) -> None:
    """Worker 1 has its probes one port further."""
    admin_port = free_port()
    async with family(tmp_path, Emulator(), admin_port=admin_port) as workers:
        assert {admin_port, admin_port + 1} == {one["admin_port"] for one in workers.listening}


@pytest.mark.parametrize(
    ("admin", "diagnostics", "problem"),
    [
        (9464, 9465, "diagnostics.listen: worker 0 would listen on a port that is that of admin.listen of worker 1"),
        (50999, 0, "admin.listen: worker 1 would listen on a port that is that of rpc.listen"),
        (65535, 0, "admin.listen: worker 1 would listen on a port that is beyond 65535"),
    ],
)
@pytest.mark.asyncio
async def test_ports_that_would_meet_are_refused(tmp_path: Path, admin: int, diagnostics: int, problem: str) -> None:
    """Before any worker is started."""
    (tmp_path / "key").write_text(secrets.token_hex())
    over = {
        "rpc": {"listen": "127.0.0.1:51000"},
        "admin": {"listen": f"127.0.0.1:{admin}"},
        "diagnostics": {"listen": f"127.0.0.1:{diagnostics}"},
        "store": {"kind": "redis", "url": "redis://127.0.0.1:1/0"},
        "orchestration": {"keys": [{"id": "k1", "file": str(tmp_path / "key")}]},
    }

    process = await started(write_configuration(tmp_path, "http://127.0.0.1:1", over))
    _, log = await process.communicate()

    assert (1, problem + "\n") == (process.returncode, log.decode())


LIVING = "print('worker', sys.argv[-1], os.getpid(), flush=True); sys.stdin.read()"


def script(text: str) -> tuple[str, ...]:
    """Return a command that runs a few lines in place of a worker."""
    return (sys.executable, "-c", f"import os, pathlib, signal, sys, time\n{text}")


@pytest.mark.asyncio
async def test_one_that_lived_for_a_while_is_started_anew(capfd: pytest.CaptureFixture[str]) -> None:
    """A crash of one costs its own calls, and not those of the others."""
    clock = ManualClock()
    running = asyncio.ensure_future(Workers(script(LIVING), count=COUNT, clock=clock).run())
    said = await _said(capfd, COUNT)
    clock.advance(SHORTEST_LIFE_S)

    os.kill(said["1"], signal.SIGKILL)
    again = await _said(capfd, 1)
    signal.raise_signal(signal.SIGTERM)

    assert 0 == await running
    assert ({"0", "1"}, {"1"}) == (set(said), set(again))


@pytest.mark.asyncio
async def test_one_that_cannot_start_again_leaves_the_others_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What it finds now, such as a broken file, was not there when they began; it is tried again and again."""
    clock, broken = ManualClock(), tmp_path / "broken"
    text = f"if pathlib.Path({str(broken)!r}).exists(): sys.exit(2)\n{LIVING}"
    running = asyncio.ensure_future(Workers(script(text), count=COUNT, clock=clock, waits_s=(0.0,)).run())
    said = await _said(capfd, COUNT)
    clock.advance(SHORTEST_LIFE_S)
    broken.touch()
    os.kill(said["1"], signal.SIGKILL)
    await _logged(capfd, "status=2")

    os.kill(said["0"], 0)  # it lives
    broken.unlink()
    again = await _said(capfd, 1)
    signal.raise_signal(signal.SIGTERM)

    assert (0, {"1"}) == (await running, set(again))


@pytest.mark.asyncio
async def test_one_that_ends_soon_ends_all_with_its_status() -> None:
    """What it could not start with, the others cannot either."""
    text = "sys.exit(7) if sys.argv[-1] == '1' else sys.stdin.read()"

    assert 7 == await Workers(script(text), count=COUNT, clock=ManualClock()).run()


@pytest.mark.asyncio
async def test_one_that_cannot_be_started_is_no_stack_trace() -> None:
    """Whatever the system refuses ends as a status."""
    assert 1 == await Workers(("/nonexistent",), count=COUNT, clock=ManualClock()).run()


DRAINING = """
def drain(*_):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    print('worker drains', sys.argv[-1], flush=True)
signal.signal(signal.SIGTERM, drain)
print('worker ready', sys.argv[-1], flush=True)
signal.pause()
signal.pause()  # the second signal ends it
"""


@pytest.mark.asyncio
async def test_a_second_signal_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    """The first asks workers for a drain, the second ends them."""
    running = asyncio.ensure_future(Workers(script(DRAINING), count=1, clock=ManualClock()).run())
    assert {"ready": 0} == await _said(capfd, 1)
    signal.raise_signal(signal.SIGTERM)
    assert {"drains": 0} == await _said(capfd, 1)
    signal.raise_signal(signal.SIGTERM)

    assert 128 + signal.SIGTERM == await running


@pytest.mark.asyncio
async def test_a_first_signal_does_not_cut_a_drain_that_has_begun(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A worker could not start, so the other drains; whoever stops the service then asks for no more than that."""
    go = f"pathlib.Path({str(tmp_path)!r}, 'go').exists()"
    text = f"if sys.argv[-1] == '1':\n    while not {go}: time.sleep(0.01)  # until told\n    sys.exit(7)"
    running = asyncio.ensure_future(Workers(script(text + DRAINING), count=COUNT, clock=ManualClock()).run())
    assert {"ready": 0} == await _said(capfd, 1)
    (tmp_path / "go").touch()
    assert {"drains": 0} == await _said(capfd, 1)

    signal.raise_signal(signal.SIGTERM)
    await asyncio.sleep(0)
    assert not running.done()
    signal.raise_signal(signal.SIGTERM)

    assert 7 == await running


async def _logged(capfd: pytest.CaptureFixture[str], part: str) -> None:
    """Wait until a log line has that part."""
    text = ""
    while part not in text:
        text += capfd.readouterr().out
        await asyncio.sleep(0.01)


async def _said(capfd: pytest.CaptureFixture[str], lines: int) -> dict[str, int]:
    """Wait until workers have written so many lines; return the number in each by the word before it."""
    text = ""
    while len(found := dict(re.findall(r"^worker (\w+) (\d+)$", text, re.MULTILINE))) < lines:
        text += capfd.readouterr().out
        await asyncio.sleep(0.01)
    return {word: int(number) for word, number in found.items()}
