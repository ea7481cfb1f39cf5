"""The network between service and Zuora, and the faults of Zuora."""

import asyncio
import errno
import hashlib
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import httpx
import msgspec
from aiohttp.client_reqrep import ConnectionKey
from zuora_emulator import Emulator
from zuora_emulator.answers import Answer, html_answer
from zuora_emulator.faults import Fault, parse_fault
from zuora_emulator.idempotency import Idempotency

from programs.simulation.bookkeeping import Counts, EventLog
from programs.simulation.faults import TOKEN, WIRE, ZUORA, drawn, scripted, status_of
from programs.simulation.random_choices import RandomChoices

_OPERATIONS: Final = {
    "/oauth/token": "token",
    "/web-payments/sessions": "sessions",
    "/v1/payment-methods/decryption": "decryption",
    "/v2/payment_methods": "payment_methods",
}
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
_HOP_S: Final = (0.005, 0.08)
_EDGE: Final = (408, 502, 503, 504)
_PRIVATE_4XX: Final = (402, 418, 440, 444, 449, 460, 494, 499)
"""What edges answer in place of a Zuora that may have executed the call."""
_UNDELIVERED: Final[dict[str, Callable[[], Exception]]] = {
    "refused": lambda: aiohttp.ClientConnectorError(_PEER, OSError(errno.ECONNREFUSED, "refused")),
    "connect_timeout": lambda: aiohttp.ConnectionTimeoutError("simulated"),
    "drop_before": aiohttp.ServerDisconnectedError,
}
"""What aiohttp raises when the network loses a request before Zuora has it."""
FOREVER_S: Final = 400.0


class ForgetfulKeys(Idempotency):
    """Zuora's idempotency store, which may or may not keep what it says of passing trouble."""

    def __init__(self, *, choices: RandomChoices) -> None:
        super().__init__(on_other_body=choices.body_mismatch)
        self._choices = choices
        self.early: set[str] = set()
        """Keys whose stored answer was given before anything looked at them."""

    def finish(self, key: str, answer: Answer) -> None:
        """Store the answer, unless the run says that its kind is not stored."""
        if not self._choices.transient_stored and _category(answer.body) in {50, 61}:
            self.abandon(key)
            return
        super().finish(key, answer)

    def keep(self, key: str, answer: Answer, **about: Any) -> None:
        """Store an answer of the edge."""
        if key not in self._records:
            self.early.add(key)
        super().keep(key, answer, **about)


@dataclass(slots=True)
class Send:
    """One request on its way."""

    number: int
    time_s: float
    instance: str
    host: str
    operation: str
    key: str
    track_id: str
    meant: str
    """Hash of host, entity and body: what Zuora would execute."""
    arrived_s: float | None = None


@dataclass(slots=True)
class Sends:
    """All requests of a run."""

    all: list[Send] = field(default_factory=list)
    by_request_id: dict[str, Send] = field(default_factory=dict)
    """By the Zuora-Request-Id of the answer."""
    open: dict[str, list[Send]] = field(default_factory=dict)
    """By key: those that an instance now waits for."""
    overlaps: list[tuple[Send, Send]] = field(default_factory=list)
    """An earlier one and a later one of the same key that were open together."""


class Network:
    """Carries requests of all instances to the emulators, badly."""

    def __init__(
        self,
        *,
        rng: random.Random,
        choices: RandomChoices,
        log: EventLog,
        counts: Counts,
        emulators: Mapping[str, Emulator],
    ) -> None:
        self._rng = rng
        self._choices = choices
        self._log = log
        self._counts = counts
        self._emulators = emulators
        self._background: dict[asyncio.Task[Any], None] = {}
        self.faults_on = False
        self.silent: dict[str, str] = {}
        """What befalls every call to a host that has stopped answering, by host; tokens still come."""
        self.sends = Sends()
        self.intents: dict[str, str] = {}
        """Name of the intent by Track-Id, for the log."""

    async def settle(self) -> None:
        """Wait until nothing is under way any more."""
        while self._background:
            await asyncio.wait(tuple(self._background))

    async def carry(self, request: httpx.Request, instance: str) -> httpx.Response:
        """Take a request to Zuora and bring its answer, or whatever befalls either."""
        send = self._noted(request, instance)
        others = self.sends.open.setdefault(send.key, [])
        if send.key:
            self.sends.overlaps += ((other, send) for other in others)
        others.append(send)
        try:
            return await self._carried(request, send)
        finally:
            others.remove(send)

    def _noted(self, request: httpx.Request, instance: str) -> Send:
        headers = request.headers
        meant = hashlib.sha256(
            f"{request.url.host}/{headers.get('zuora-entity-ids', '')}/".encode() + request.content
        ).hexdigest()[:12]
        send = Send(
            number=len(self.sends.all) + 1,
            time_s=asyncio.get_running_loop().time(),
            instance=instance,
            host=request.url.host,
            operation=_OPERATIONS[request.url.path],
            key=headers.get("idempotency-key", ""),
            track_id=headers.get("zuora-track-id", ""),
            meant=meant,
        )
        self.sends.all.append(send)
        return send

    def _say(self, send: Send, text: str) -> None:
        self._log.add(send.instance, f"{text} (send {send.number})", self.intents.get(send.track_id, "token"))

    def _draw(self, send: Send) -> tuple[str, str]:
        """Return what the network does, and what Zuora does."""
        if not self.faults_on:
            return "", ""
        counts, factor = self._counts, self._choices.storm
        if send.operation == "token":
            kind = drawn(self._rng, TOKEN, factor=factor)
            counts.opportunities["token"] += 1
            if kind:
                counts.faults[f"token/{kind}"] += 1
            return ("drop_before", "") if kind == "token_drop" else ("", kind)
        wire, zuora = drawn(self._rng, WIRE, factor=factor), drawn(self._rng, ZUORA, factor=factor)
        wire = self.silent.get(send.host, wire)
        counts.opportunities["wire"] += 1
        counts.opportunities["zuora"] += 1
        if wire:
            counts.faults[f"wire/{wire}"] += 1
        if zuora:
            counts.faults[f"zuora/{zuora}"] += 1
        return wire, zuora

    async def _carried(self, request: httpx.Request, send: Send) -> httpx.Response:
        wire, zuora = self._draw(send)
        self._say(send, f"sends {send.operation} {send.key[:12]} meaning {send.meant} [{wire or '-'} {zuora or '-'}]")
        await asyncio.sleep(self._rng.uniform(*_HOP_S))
        if wire in _UNDELIVERED:
            raise _as_httpx(_UNDELIVERED[wire]())
        if wire == "edge_before":
            return _response(html_answer(self._rng.choice(_EDGE), "simulated edge"))
        # From here on the request is on its way: what Zuora does with it does not depend on who still waits.
        delay_s = self._rng.uniform(1.0, 100.0) if wire == "late" else 0.0
        delivery = self._later(self._delivered(request, send, zuora), delay_s)
        if wire == "reset":
            raise _as_httpx(aiohttp.ClientOSError(errno.ECONNRESET, "reset"))
        if wire == "late":
            await asyncio.sleep(self._rng.choice((0.1, FOREVER_S)))
            raise _as_httpx(aiohttp.ServerTimeoutError("simulated"))
        return await self._brought_back(await asyncio.shield(delivery), wire)

    async def _brought_back(self, response: httpx.Response, wire: str) -> httpx.Response:
        if wire == "drop_after":
            raise _as_httpx(aiohttp.ServerDisconnectedError())
        if wire == "cut_body":
            return _cut(response)
        if wire == "edge_after":
            return _response(html_answer(self._rng.choice(_EDGE), "simulated edge"))
        if wire == "edge_4xx_after":
            return _response(html_answer(self._rng.choice(_PRIVATE_4XX), "simulated edge"))
        if wire == "delay":
            await asyncio.sleep(self._rng.uniform(1.0, 40.0))
        elif wire == "hang":
            await asyncio.sleep(FOREVER_S)
        await asyncio.sleep(self._rng.uniform(*_HOP_S))
        return response

    def _later(self, work: Any, delay_s: float) -> asyncio.Task[httpx.Response]:
        async def delayed() -> httpx.Response:
            if delay_s:
                await asyncio.sleep(delay_s)
            return await work

        task = asyncio.get_running_loop().create_task(delayed())
        self._background[task] = None
        task.add_done_callback(self._arrived)
        return task

    def _arrived(self, task: asyncio.Task[Any]) -> None:
        del self._background[task]
        task.result()

    async def _delivered(self, request: httpx.Request, send: Send, zuora: str) -> httpx.Response:
        emulator = self._emulators[send.host]
        send.arrived_s = asyncio.get_running_loop().time()
        fault = scripted(self._rng, zuora)
        if fault is not None:
            emulator.faults.add(_fault(f"{send.operation}:{fault}"))
        before = len(emulator.ledger.entries)
        answer = await _answer_of(emulator, request)
        request_id = answer.header("zuora-request-id") or ""
        executed = any(entry.request_id == request_id for entry in emulator.ledger.entries[before:])
        self.sends.by_request_id.setdefault(request_id, send)
        if executed and zuora == "gateway_99_charged":
            answer = self._charged_99(emulator, send, answer)
        answer = self._in_fashion(answer)
        self._say(send, f"Zuora {'EXECUTES and ' if executed else ''}answers {answer.status} {_brief(answer.body)}")
        return _response(answer)

    def _charged_99(self, emulator: Emulator, send: Send, answer: Answer) -> Answer:
        """Say that the gateway failed, although it did what was asked; that answer is the stored one."""
        body = {
            "success": False,
            "processId": f"{send.number:016X}",
            "reasons": [{"code": 53000099, "message": "simulated"}],
        }
        kept = tuple(pair for pair in answer.headers if pair[0] in {"zuora-request-id", "zuora-track-id"})
        failed = Answer(200, msgspec.json.encode(body), (*kept, ("content-type", "application/json")))
        if send.key and send.key in emulator._world.idempotency._records:
            emulator._world.idempotency.finish(send.key, failed)
        return failed

    def _in_fashion(self, answer: Answer) -> Answer:
        """Return a refusal with an HTTP status, or with 200 and success: false, as the run says."""
        if not self._choices.errors_as_status or answer.status != 200:
            return answer
        category = _category(answer.body)
        if category is None or b"paymentMethodId" in answer.body:
            return answer
        return Answer(status_of(category), answer.body, answer.headers)


class InstanceWire(httpx.AsyncBaseTransport):
    """One instance's way into the network."""

    def __init__(self, network: Network, instance: str) -> None:
        self._network = network
        self._instance = instance

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request."""
        return await self._network.carry(request, self._instance)


class _Body(httpx.AsyncByteStream):
    """An answer's body, which may break off in the middle."""

    def __init__(self, body: bytes, error: Exception | None = None) -> None:
        self._body = body
        self._error = error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body
        if self._error is not None:
            raise self._error


async def _answer_of(emulator: Emulator, request: httpx.Request) -> Answer:
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


def _response(answer: Answer) -> httpx.Response:
    return httpx.Response(answer.status, headers=list(answer.headers), stream=_Body(answer.body))


def _cut(response: httpx.Response) -> httpx.Response:
    error = httpx.ReadError("simulated")
    error.__cause__ = aiohttp.ClientPayloadError("simulated")
    body = response.stream._body
    return httpx.Response(response.status_code, headers=response.headers, stream=_Body(body[: len(body) // 2], error))


def _as_httpx(cause: Exception) -> Exception:
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


def _category(body: bytes) -> int | None:
    """Return the category of a v1 refusal's first code, whatever its JSON type."""
    if b'"reasons"' not in body or b'"success":false' not in body.replace(b" ", b""):
        return None
    try:
        code = str(msgspec.json.decode(body)["reasons"][0].get("code", ""))
    except msgspec.DecodeError:
        return None
    return int(code[-2:]) if code.isdigit() else None


def _brief(body: bytes) -> str:
    category = _category(body)
    return f"category {category}" if category is not None else f"{len(body)} bytes"


_FAULTS: dict[str, Fault] = {}


def _fault(text: str) -> Fault:
    if text not in _FAULTS:
        _FAULTS[text] = parse_fault(text)
    return _FAULTS[text]
