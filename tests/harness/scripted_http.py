"""An HTTP transport that answers from a script in place of a network."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import httpx
from opentelemetry.trace import NoOpTracer
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.zuora.settings import ZuoraHttpSettings
from payorch_server.zuora.transport import Transport
from payorch_server.zuora.wires import HttpxWire

Handler = Callable[[httpx.Request], Awaitable[httpx.Response] | httpx.Response]


class Chunks(httpx.AsyncByteStream):
    """A body as it comes from a socket: read once, not decompressed."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


class ScriptedTransport(httpx.AsyncBaseTransport):
    """Keeps every request and answers with the handler, or with the next of a list of answers."""

    def __init__(self, *answers: httpx.Response | Exception, handler: Handler | None = None) -> None:
        self._answers = list(answers)
        self._handler = handler
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.requests.append(request)
        if self._handler is not None:
            answer = self._handler(request)
            return answer if isinstance(answer, httpx.Response) else await answer
        scripted = self._answers.pop(0)
        if isinstance(scripted, Exception):
            raise scripted
        return scripted

    def form(self, index: int = 0) -> dict[str, list[str]]:
        """Read the body of a request as a form."""
        return parse_qs(self.requests[index].content.decode())


def transport_over(http: httpx.AsyncBaseTransport, **settings: Any) -> Transport:
    """Make our transport over the far end."""
    return Transport(
        settings=ZuoraHttpSettings(**settings),
        version="1.2.3",
        wire=HttpxWire(http),
        tracer=NoOpTracer(),
        deadlines=Deadlines(SystemClock()),
    )


def answer(status: int = 200, body: Any = None, **headers: str) -> httpx.Response:
    """Make an answer: bytes as they are, anything else as JSON; header names are written with underscores."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers={"content-type": "application/json", **named}, stream=Chunks(content))
