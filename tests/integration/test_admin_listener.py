"""The listener of probes answers broken requests with constant texts, and repeats nothing of them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from harness.raw_http import CANARY, body_of, broken_requests, exchange, headers_of, listening_to_logs, status_of
from payorch_server.app.admin import Readiness, start_admin
from payorch_server.config import AdminSettings
from payorch_server.runtime.clock import SystemClock

_LIVE = b"GET /livez HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def _exposition(accept: str) -> tuple[bytes, str]:
    if CANARY in accept:
        raise ValueError(accept)
    return b"metrics", "text/plain"


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    """Of the listener alone."""
    async with AsyncExitStack() as stack:
        yield await start_admin(
            AdminSettings(listen="127.0.0.1:0"),
            readiness=lambda: Readiness(ready=True, details={}),
            exposition=_exposition,
            clock=SystemClock(),
            stack=stack,
        )


@pytest.mark.asyncio
class TestBrokenRequests:
    """What is no HTTP request."""

    @pytest.mark.parametrize("name", broken_requests("/readyz"))
    async def test_are_answered_with_a_constant_text(self, port: int, name: str) -> None:
        """Nothing comes back, nothing is logged, and the next probe is answered."""
        with listening_to_logs() as said:
            answer = await exchange(port, broken_requests("/readyz")[name])
            live = await exchange(port, _LIVE)

        assert (400, b"400: Bad Request") == (status_of(answer), body_of(answer))
        assert "server" not in headers_of(answer)
        assert CANARY not in str(said)
        assert 200 == status_of(live)


@pytest.mark.asyncio
class TestRequests:
    """What is HTTP."""

    @pytest.mark.parametrize(
        ("request_line", "status", "body"),
        [
            ("GET /livez HTTP/1.1", 200, b'{"live": true}'),
            ("HEAD /livez HTTP/1.1", 200, b""),
            ("GET /livez HTTP/1.0", 200, b'{"live": true}'),
            ("GET /livez?x=1 HTTP/1.1", 200, b'{"live": true}'),
            ("POST /readyz HTTP/1.1", 405, b"405: Method Not Allowed"),
            (f"GET /{CANARY} HTTP/1.1", 404, b"404: Not Found"),
        ],
    )
    async def test_are_answered_without_a_name_of_ours(
        self, port: int, request_line: str, status: int, body: bytes
    ) -> None:
        """No header names the software that answers."""
        answer = await exchange(port, f"{request_line}\r\nHost: h\r\nConnection: close\r\n\r\n".encode())

        assert (status, body) == (status_of(answer), body_of(answer))
        assert not {"server", "x-powered-by"} & headers_of(answer).keys()

    async def test_whose_handling_fails_leave_no_text_in_the_log(self, port: int) -> None:
        """The text of an exception may quote the request."""
        request = f"GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: {CANARY}\r\nConnection: close\r\n\r\n"
        with listening_to_logs() as said:
            answer = await exchange(port, request.encode())

        assert (500, b"500: Internal Server Error") == (status_of(answer), body_of(answer))
        assert ["admin_request_failed"] == said.names
        assert CANARY not in str(said)
