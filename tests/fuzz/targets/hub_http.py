"""Bytes on a connection to the hub: HTTP, its credentials, and where it comes from."""

import asyncio
import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from harness.hub import HUB
from harness.hub_http import GOOD, OLD_PASSWORD, PASSWORD, USER, authorization, payment_body, post
from payorch_server.model.secret import Secret
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.http_connection import Connections, HttpLimits, HttpService
from payorch_server.upc.addresses import AddressRules
from payorch_server.upc.answers import HubAnswer, Situation, answer_to
from payorch_server.upc.app import _FAILED, _MALFORMED, HubAccess, HubEndpoint, _report_defect
from payorch_server.upc.credentials import HubCredentials, generation_of
from payorch_server.upc.request import HubRequest, UnusableRequest

from fuzz.target import CANARY, Target, note, require

_ROUNDS: Final = 30
_PEER: Final = ("198.51.100.7", 1)


class _Hub:
    """Notes what reaches it, and is in doubt about all of it."""

    def __init__(self) -> None:
        self.accepted: list[HubRequest | UnusableRequest] = []

    async def answer(self, _hub: str, request: HubRequest | UnusableRequest, **_more: Any) -> HubAnswer:
        """Note a request that came with credentials."""
        self.accepted.append(request)
        return answer_to(Situation.STORE_UNAVAILABLE, in_doubt=True)

    async def answer_refused(self, _request: UnusableRequest, **_more: Any) -> HubAnswer:
        """Refuse one that came without."""
        return answer_to(Situation.CREDENTIALS_WRONG, in_doubt=True)


class _Observer:
    """Looks at nothing."""

    @contextmanager
    def observe(self, _hub: str) -> Iterator[Any]:
        """Report to nothing."""
        yield lambda _exchange: None


class _Wire(asyncio.Transport):
    """The peer's end."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self._closing = False

    def write(self, data: Any) -> None:
        self.written += data

    def writelines(self, data: Any) -> None:
        self.written += b"".join(data)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    def abort(self) -> None:
        self._closing = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return _PEER if name == "peername" else default

    def pause_reading(self) -> None:
        """Nothing arrives by itself."""

    def resume_reading(self) -> None:
        """As above."""


class _Listener:
    """What serves connections, on a loop of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.hub = _Hub()
        clock = SystemClock()
        access = HubAccess(
            {"main": HUB},
            HubCredentials({"main": [generation_of(USER, Secret(password)) for password in (PASSWORD, OLD_PASSWORD)]}),
            AddressRules(allow=(), trusted_proxies=("198.51.100.0/24",)),
        )
        endpoint = HubEndpoint(
            self.hub,
            access=lambda: access,
            observer=_Observer(),
            clock=clock,
            deadlines=Deadlines(clock),
        )
        self._service = HttpService(
            endpoint.handle,
            malformed=_MALFORMED,
            failed=_FAILED,
            report=_report_defect,
            limits=HttpLimits(connections=1, idle_s=5.0),
            clock=clock,
        )

    async def exchange(self, pieces: list[bytes]) -> bytes:
        """Return what is written in answer to bytes that arrive in pieces."""
        wire = _Wire()
        connections = Connections(self._service)
        connection = connections()
        connection.connection_made(wire)
        for piece in pieces:
            if not wire.is_closing():
                connection.data_received(piece)
                await asyncio.sleep(0)
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
        connection.connection_lost(None)
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
        return bytes(wire.written)


_LISTENER: Final = _Listener()
atexit.register(_LISTENER.loop.close)


def run(data: bytes) -> None:
    """Receive bytes whole and in two pieces; the first byte says where they are cut."""
    cut, sent = (data[0] if data else 0) * 4, data[1:]
    for pieces in ([sent], [sent[:cut], sent[cut:]]):
        _LISTENER.hub.accepted.clear()
        answer = _LISTENER.loop.run_until_complete(_LISTENER.exchange(pieces))
        note(answer.decode("latin-1"))
        require(not answer or answer.startswith(b"HTTP/"), "an answer is HTTP")
        is_bad_request = answer.partition(b" ")[2].startswith(b"400")
        require(not is_bad_request, "nothing proves that no money moved")
        require(not _LISTENER.hub.accepted or _has_credentials(sent), "nothing reaches the hub without credentials")


def _has_credentials(sent: bytes) -> bool:
    """Return whether one of the passwords stands in the bytes, in the one spelling that Base64 has for it."""
    folded = sent.replace(b" ", b"")
    return any(
        authorization(password).split()[-1].encode().rstrip(b"=")[:-1] in folded
        for password in (PASSWORD, OLD_PASSWORD)
    )


def _seeds() -> Iterator[bytes]:
    body = payment_body()
    yield b"\x10" + post(body, GOOD)
    yield b"\x20" + post(body, authorization(CANARY), "X-Forwarded-For: 192.0.2.1, 198.51.100.9")
    yield b"\x08" + post(body, GOOD, version="1.0")
    yield b"\x08" + post(body, GOOD, close=False) + post(body, GOOD)
    yield b"\x40" + post(b'5\r\n{"a":\r\n0\r\n\r\n', GOOD, "Transfer-Encoding: chunked", length=-1)
    yield b"\x40" + post(body, GOOD, "Expect: 100-continue", "Content-Encoding: gzip")
    yield b"\x01" + post(b"", target="/upc/other", method="GET")
    yield b"\x01" + post(body, GOOD, "Upgrade: h2c", "Connection: Upgrade")
    yield b"\x02PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + CANARY.encode()
    yield b"\x02\x16\x03\x01\x00\xa5" + CANARY.encode()
    yield b"\x20" + post(body, f"Authorization: Basic {CANARY}\x01")
    yield b"\x20" + post(body, "Authorization: Basic a", f"{CANARY} : x", "Content-Length: 9")


TARGET = Target(
    "hub_http",
    run,
    _seeds,
    covers=("runtime.http_connection", "upc.app", "upc.credentials", "upc.addresses"),
    words=(
        *("POST /upc/main HTTP/1.1\r\n", "Authorization: Basic ", "X-Forwarded-For: ", "Content-Length: ", "\r\n\r\n"),
        *("Transfer-Encoding: chunked", "0\r\n\r\n", "Expect: 100-continue", "Connection: ", "Content-Encoding: gzip"),
    ),
)
