"""What a person sees on the terminal while a client calls."""

import asyncio
import io
import re
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from contract.zuora_caller import DECRYPTION, SESSIONS, Caller, caller_with, decryption
from zuora_emulator import ConnectionCut, Settings, seed
from zuora_emulator.request_lines import LineWriter, with_lines

pytestmark = pytest.mark.asyncio

STORE = {"currency": "USD", "amount": 1, "processPayment": False}
Written = Callable[[], list[str]]


@asynccontextmanager
async def logged() -> AsyncIterator[tuple[Caller, Written]]:
    """Give a caller of an emulator that writes lines, and what ends the writing and returns them."""
    caller, stream = caller_with(Settings()), io.StringIO()
    writer = LineWriter(stream)

    def written() -> list[str]:
        writer.close()
        return stream.getvalue().splitlines()

    transport = httpx.ASGITransport(with_lines(caller.emulator, writer))
    async with httpx.AsyncClient(transport=transport, base_url="http://zuora") as http:
        await caller.http.aclose()
        caller.http = http
        yield caller, written
    writer.close()


class TestALine:
    """Each request has one."""

    async def test_says_who_called_what_and_what_was_executed(self) -> None:
        """Method, path, status, tenant and entity, Track-Id, outcome with the ids, duration."""
        async with logged() as (caller, written):
            body = (await caller.post(DECRYPTION, decryption(), zuora_track_id="order-17")).json()
            lines = written()

        assert len(lines) == 2
        assert re.fullmatch(r"12:00:00 POST /oauth/token 200 -/- - executed token client=A \d+\.\d ms", lines[0])
        effects = f"payment_method_id={body['paymentMethodId']} stored_credential=Active Recurring"
        effects += f" payment_id={body['paymentId']} invoice=INV00000002"
        start = f"12:00:00 POST {DECRYPTION} 200 10001/{seed.ENTITY_US} order-17 executed decryption {effects} "
        assert lines[1].startswith(start)

    async def test_says_what_became_of_every_other_call(self) -> None:
        """Refusals, replays, faults, cut connections, unknown paths and control endpoints."""
        async with logged() as (caller, written):
            await caller.post(SESSIONS, {})
            for _ in range(2):
                await caller.post(SESSIONS, STORE, idempotency_key="k")
            for fault in ("sessions:503", "sessions:drop"):
                caller.emulator.faults.add(fault)
                with suppress(ConnectionCut):
                    await caller.post(SESSIONS, STORE)
            await caller.http.get("/v1/nonsense")
            await caller.http.get("/_emulator/health")
            lines = [line for line in written() if "/oauth/token" not in line]

        place = f"10001/{seed.ENTITY_US} -"
        assert [
            re.sub(r" [0-9a-f]{32}| \d+\.\d ms|12:00:00 |session_token_sha256=\S+", "", line) for line in lines
        ] == [
            f"POST {SESSIONS} 400 {place} refused",
            f"POST {SESSIONS} 200 {place} executed sessions ",
            f"POST {SESSIONS} 200 {place} replayed",
            f"POST {SESSIONS} 503 -/- - fault fault=sessions:503",
            f"POST {SESSIONS} - -/- - cut fault=sessions:drop",
            "GET /v1/nonsense 404",
            "GET /_emulator/health 200",
        ]

    async def test_is_one_line_whatever_is_sent(self) -> None:
        """A path with a line break cannot write a second line."""
        async with logged() as (caller, written):
            await caller.http.get("/v1/a%0A12:00:00%1B[31m POST /v1/payments 200")
            lines = written()

        assert len(lines) == 1
        assert "\x1b" not in lines[0]


class StoppedTerminal(io.StringIO):
    """A stream that takes nothing until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def write(self, text: str) -> int:
        """Wait, then write."""
        self.released.wait()
        return super().write(text)


class TestWriting:
    """The loop never waits for the terminal."""

    async def test_does_not_stop_calls_when_the_terminal_is_stopped(self) -> None:
        """Lines beyond those that may wait are dropped and counted."""
        terminal = StoppedTerminal()
        writer = LineWriter(terminal)

        for number in range(10_100):
            writer.write(str(number))
        terminal.released.set()
        while terminal.getvalue().count("\n") < 10_000:
            await asyncio.sleep(0)
        writer.write("after")
        writer.close()

        lines = terminal.getvalue().splitlines()
        assert re.fullmatch(r"\(\d\d lines dropped\)|\(100 lines dropped\)", lines[-2])
        assert lines[-1] == "after"

    @pytest.mark.parametrize("quiet", [False, True])
    async def test_is_to_standard_error_unless_quiet(self, quiet: bool) -> None:  # noqa: FBT001 - a table
        """Standard output has the address and the world only."""
        options = ["--quiet"] if quiet else []
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "zuora_emulator", "serve", "--port", "0", *options,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().split()[-1]
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            await http.get("/_emulator/health")
        process.terminate()
        output, errors = await process.communicate()

        assert b"health" not in output
        assert errors.count(b"\n") == (0 if quiet else 1)
        assert (b"GET /_emulator/health 200" in errors) is not quiet

    async def test_goes_on_serving_when_its_reader_leaves(self) -> None:
        """And shows no broken pipe."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "zuora_emulator", "serve", "--port", "0",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        url = (await process.stdout.readline()).decode().split()[-1]
        process.stderr._transport.close()  # asyncio has no public way to leave a pipe
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            answers = [await http.get("/_emulator/health") for _ in range(3)]
        process.terminate()
        code = await process.wait()

        assert [answer.status_code for answer in answers] == [200] * 3
        assert code == 0
