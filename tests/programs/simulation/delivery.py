"""How requests fail on their way, and how answers arrive: whole, in another form, or damaged."""

import errno
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Final

import aiohttp
import httpx
import msgspec
from aiohttp.client_reqrep import ConnectionKey
from payorch_server.zuora.settings import ZuoraHttpSettings
from zuora_emulator import Emulator
from zuora_emulator.answers import Answer

_PEER: Final = ConnectionKey(
    host="zuora",
    port=443,
    is_ssl=True,
    ssl=True,
    proxy=None,
    proxy_auth=None,
    proxy_headers_hash=None,
    server_hostname=None,
)
UNDELIVERED: Final[dict[str, Callable[[], Exception]]] = {
    "refused": lambda: aiohttp.ClientConnectorError(_PEER, OSError(errno.ECONNREFUSED, "refused")),
    "connect_timeout": lambda: aiohttp.ConnectionTimeoutError("simulated"),
    "drop_before": aiohttp.ServerDisconnectedError,
}
"""What aiohttp raises when the network loses a request before Zuora has it."""
NEVER_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""What aiohttp raises before a byte is sent."""
_TOO_LARGE: Final = b" " * (ZuoraHttpSettings().max_answer_bytes + 1)
_SINGLE: Final = ("zuora-request-id", "zuora-track-id", "content-type", "retry-after", "date")


class _Body(httpx.AsyncByteStream):
    """An answer's body, which may break off in the middle."""

    def __init__(self, body: bytes, error: Exception | None = None) -> None:
        self._body = body
        self._error = error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body
        if self._error is not None:
            raise self._error


async def answer_of(emulator: Emulator, request: httpx.Request) -> Answer:
    """Ask the emulator; httpx's own transport looks for a missing module on every request, which is slow."""
    answered: dict[str, Any] = {"body": b""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.content, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answered.update(message)
        else:
            answered["body"] += message.get("body", b"")

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 123),
        "root_path": "",
    }
    await emulator.app(scope, receive, send)
    headers = tuple((name.decode(), value.decode()) for name, value in answered["headers"])
    return Answer(answered["status"], answered["body"], headers)


def response_of(answer: Answer) -> httpx.Response:
    return httpx.Response(answer.status, headers=list(answer.headers), stream=_Body(answer.body))


def cut(answer: Answer) -> httpx.Response:
    error = httpx.ReadError("simulated")
    error.__cause__ = aiohttp.ClientPayloadError("simulated")
    cut = _Body(answer.body[: len(answer.body) // 2], error)
    return httpx.Response(answer.status, headers=list(answer.headers), stream=cut)


def is_refusal(answer: Answer) -> bool:
    return answer.status >= 400 or b'"success":false' in answer.body.replace(b" ", b"")


def as_httpx(cause: Exception) -> Exception:
    """Return the exception as it arrives over aiohttp, whose classes are not to be trusted."""
    kinds = (
        (aiohttp.ClientConnectorError, httpx.ConnectError),
        (aiohttp.ServerTimeoutError, httpx.ConnectTimeout),
        (aiohttp.ClientOSError, httpx.ConnectError),
        (aiohttp.ServerDisconnectedError, httpx.ReadError),
    )
    error = next(outer for inner, outer in kinds if isinstance(cause, inner))("simulated")
    error.__cause__ = cause
    return error


def category_of(body: bytes) -> int | None:
    """Return the category of a v1 refusal's first code, whatever its JSON type."""
    if b'"reasons"' not in body or b'"success":false' not in body.replace(b" ", b""):
        return None
    try:
        code = str(msgspec.json.decode(body)["reasons"][0].get("code", ""))
    except msgspec.DecodeError:
        return None
    return int(code[-2:]) if code.isdigit() else None


def brief(body: bytes) -> str:
    category = category_of(body)
    return f"category {category}" if category is not None else f"{len(body)} bytes"


def damaged(answer: Answer, damage: str) -> httpx.Response:
    """Return an answer whose body cannot be read."""
    if damage == "cut_body":
        return cut(answer)
    if damage == "bad_coding":
        # Nothing at all is no damage.
        return response_of(replace(answer, body=answer.body or b"{}").with_headers(("content-encoding", "gzip")))
    return response_of(replace(answer, body=answer.body + _TOO_LARGE))


def disguised(answer: Answer, disguise: str) -> Answer:
    """Return an answer as proxies may pass it on, which says the same."""
    if disguise == "byte_order_mark":
        return replace(answer, body=b"\xef\xbb\xbf" + answer.body)
    if disguise == "twice":
        return answer.with_headers(*(pair for pair in answer.headers if pair[0] in _SINGLE))
    return answer
