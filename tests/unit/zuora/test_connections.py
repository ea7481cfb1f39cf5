"""The connections to Zuora: which are used again, and whose answer they bring."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from harness.raw_server import listening
from opentelemetry.trace import NoOpTracer
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.zuora.settings import ZuoraHttpSettings
from payorch_server.zuora.transport import HttpPost, Transport, Transports, open_transports

BODY = b'{"a":1}'
_TRACK_ID = re.compile(rb"zuora-track-id: (\S+)", re.IGNORECASE)


def answer_to(track_id: str) -> bytes:
    """Return an answer that echoes a Track-Id, and says in its body to what it answers."""
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nzuora-track-id: %s\r\n\r\n%s" % (
        len(track_id),
        track_id.encode(),
        track_id.encode(),
    )


@dataclass(slots=True)
class Upstream:
    """A server that echoes Track-Ids; before or instead of the answer to one it may write others."""

    before: dict[str, bytes] = field(default_factory=dict)
    """What is written once before an answer, by the Track-Id of the request."""
    instead: dict[str, bytes] = field(default_factory=dict)
    """What is written instead of an answer, by the Track-Id of the request."""
    opened: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer every request of a connection."""
        self.opened.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while request := await reader.readuntil(BODY):
                found = _TRACK_ID.search(request)
                track_id = found[1].decode() if found else ""
                writer.write(self.before.pop(track_id, b"") + self.instead.get(track_id, answer_to(track_id)))
                await writer.drain()


@asynccontextmanager
async def opened(upstream: Upstream) -> AsyncIterator[tuple[Transports, str]]:
    """Serve; yield transports, and where to send."""
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(listening(upstream.serve))
        transports = open_transports(
            settings=ZuoraHttpSettings(),
            version="0",
            tracer=NoOpTracer(),
            deadlines=Deadlines(SystemClock()),
            stack=stack,
        )
        yield transports, f"http://127.0.0.1:{port}/x"


async def send(transport: Transport, url: str, track_id: str, *, key: str) -> str | CallError:
    """Send; return the body of the answer, which says whose it is, or the error."""
    headers = {"zuora-track-id": track_id, "idempotency-key": key}
    try:
        return (await transport.post(HttpPost(url, headers, BODY, "/x"), timeout_s=5.0)).body.decode()
    except CallError as error:
        return error


@pytest.mark.asyncio
class TestReuse:
    """Which connections are used again."""

    async def test_of_calls_is_the_rule(self) -> None:
        """Calls in turn need one connection."""
        upstream = Upstream()
        async with opened(upstream) as (transports, url):
            answers = [await send(transports.of_calls, url, f"t{number}", key="k") for number in range(10)]

        assert answers == [f"t{number}" for number in range(10)]
        assert len(upstream.opened) == 1

    async def test_of_requests_for_tokens_never_happens(self) -> None:
        """Nothing in a token says whose it is, so none may come from a connection that another request used."""
        upstream = Upstream()
        async with opened(upstream) as (transports, url):
            await send(transports.of_calls, url, "t0", key="k")
            for number in range(3):
                await send(transports.of_others, url, f"t{number}", key="k")
            await send(transports.of_calls, url, "t1", key="k")

        assert len(upstream.opened) == 1 + 3

    async def test_ends_where_no_connection_is_silent(self) -> None:
        """Nothing was sent, and another attempt finds other connections."""
        upstream = Upstream()
        async with opened(upstream) as (transports, url):
            calls = (send(transports.of_calls, url, f"t{number}", key="k") for number in range(5))
            await asyncio.gather(*calls)
            for writer in upstream.opened:
                writer.write(answer_to("t0"))
                await writer.drain()
            for _ in range(10):
                await asyncio.sleep(0)

            failed = await send(transports.of_calls, url, "t5", key="k")
            answer = await send(transports.of_calls, url, "t6", key="k")

        assert isinstance(failed, CallError)
        assert (failed.failure.reason, answer, len(upstream.opened)) == (Reason.UPSTREAM_UNREACHABLE, "t6", 6)


@pytest.mark.asyncio
class TestSecondAnswer:
    """A second answer to an earlier request, which arrives when the next request has been sent."""

    @pytest.mark.parametrize("between", range(8), ids=lambda between: f"{between} requests between")
    async def test_is_never_that_of_another_call(self, between: int) -> None:
        """What happened to the call is unknown, and the connection, which is out of step, is not used again."""
        upstream = Upstream(before={"t1": answer_to("t0")})
        async with opened(upstream) as (transports, url):
            for number in range(between + 1):
                await send(transports.of_calls, url, f"t0{number or ''}", key=f"k0{number}")
            failed = await send(transports.of_calls, url, "t1", key="k1")
            answer = await send(transports.of_calls, url, "t1", key="k1")

        assert isinstance(failed, CallError)
        assert (failed.failure.reason, failed.verdict.outcome) == (Reason.UPSTREAM_NO_ANSWER, Outcome.UNKNOWN)
        assert (answer, len(upstream.opened)) == ("t1", 2)

    async def test_to_the_same_key_is_the_stored_answer(self) -> None:
        """Zuora echoes the Track-Id with which a key was first sent."""
        upstream = Upstream(instead={"t1": answer_to("t0")})
        async with opened(upstream) as (transports, url):
            await send(transports.of_calls, url, "t0", key="k")
            await send(transports.of_calls, url, "other", key="other")

            answer = await send(transports.of_calls, url, "t1", key="k")

        assert (answer, len(upstream.opened)) == ("t0", 1)

    @pytest.mark.parametrize("echoed", ["unknown", ""], ids=["of another process", "none"])
    async def test_is_not_seen_in_an_echo_that_proves_nothing(self, echoed: str) -> None:
        """The key may have been sent by another process, and proxies omit fields."""
        upstream = Upstream(instead={"t1": answer_to(echoed)})
        async with opened(upstream) as (transports, url):
            await send(transports.of_calls, url, "t0", key="k0")

            answer = await send(transports.of_calls, url, "t1", key="k1")

        assert (answer, len(upstream.opened)) == (echoed, 1)

    async def test_cannot_be_told_apart_where_calls_share_a_track_id(self) -> None:
        """Callers may give the same one to several calls; then an answer with it is their own."""
        upstream = Upstream()
        async with opened(upstream) as (transports, url):
            answers = [await send(transports.of_calls, url, "ticket-1", key=f"k{number}") for number in range(3)]

        assert answers == ["ticket-1"] * 3
