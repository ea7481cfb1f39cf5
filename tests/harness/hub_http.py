"""The hub behind its real listener, and Zuora's requests byte by byte."""

import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from payorch_server.model.secret import Secret
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.http_connection import HttpLimits
from payorch_server.runtime.http_listener import HttpListener
from payorch_server.upc.addresses import AddressRules
from payorch_server.upc.app import AnsweringHub, HubAccess, HubEndpoint, start_hub
from payorch_server.upc.credentials import HubCredentials, generation_of
from payorch_server.upc.exchange import HubExchange
from payorch_server.upc.settings import UpcSettings

from harness.hub import HUB, FakeGateway, HubWorld
from harness.raw_http import exchange, status_of
from harness.upc_bodies import body, example

USER: Final = "zuora"
PASSWORD: Final = "pässwörd:with a colon"
OLD_PASSWORD: Final = "CANARY7f3a-old"
TARGET: Final = "/upc/main"


def authorization(password: str = PASSWORD, *, user: str = USER) -> str:
    """Return an Authorization line."""
    return f"Authorization: Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


GOOD: Final = authorization()


def payment_body(id_: str = "pay-1", **changes: Any) -> bytes:
    """Return the body of a payment."""
    members = example("Payment")
    members["payment"]["id"] = id_
    return body(members | changes)


def post(
    content: bytes,
    *lines: str,
    target: str = TARGET,
    version: str = "1.1",
    method: str = "POST",
    length: int | None = None,
    close: bool = True,
) -> bytes:
    """Write a request with further header lines; a negative length leaves the header out."""
    head = [f"{method} {target} HTTP/{version}", "Host: hub.test", "Content-Type: application/json", *lines]
    stated = len(content) if length is None else length
    head += [f"Content-Length: {stated}"] if stated >= 0 else []
    head += ["Connection: close"] if close else []
    return "\r\n".join([*head, "", ""]).encode("latin-1") + content


@dataclass(slots=True)
class Reports:
    """What was reported of requests."""

    exchanges: list[HubExchange] = field(default_factory=list)
    open: int = 0

    @contextmanager
    def observe(self, hub: str) -> Iterator[Callable[[HubExchange], None]]:
        """Count what is open."""
        del hub
        self.open += 1
        try:
            yield self.exchanges.append
        finally:
            self.open -= 1


@dataclass(slots=True)
class ServedHub:
    """A hub that listens."""

    world: HubWorld
    listener: HttpListener
    reports: Reports
    tls: ssl.SSLContext | None = None
    """Of clients."""
    sent: int = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.listener.port

    async def send(self, request: bytes) -> bytes:
        """Send bytes, and return what comes until the hub closes the connection."""
        return await exchange(self.port, request, tls=self.tls)

    async def pay(self) -> int:
        """Send a good payment of its own; return the status."""
        self.sent += 1
        return status_of(await self.send(post(payment_body(f"good-{self.sent}"), GOOD)))


def message_of(answer: bytes) -> str:
    """Return the text of an answer of the hub's own."""
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["gatewayResponseMessage"])


@asynccontextmanager
async def served_hub(
    *gateways: FakeGateway,
    hub: AnsweringHub | None = None,
    clock: Clock | None = None,
    limits: HttpLimits | None = None,
    tls: Callable[[], ssl.SSLContext] | None = None,
    **settings: Any,
) -> AsyncIterator[ServedHub]:
    """Serve the hub `main` on a free port.

    Args:
        gateways: Behind the hub.
        hub: Instead of a real one.
        clock: Instead of the loop's; it must begin at the loop's time.
        limits: Of the listener, if not the usual ones.
        tls: Returns what connections are encrypted with.
        settings: Of the hub.
    """
    world = await HubWorld(*gateways).begin()
    world.clock = clock or world.clock
    upc = UpcSettings(hubs={"main": HUB}, gateways={}, listen="127.0.0.1:0", **settings)
    generations = [generation_of(USER, Secret(password)) for password in (PASSWORD, OLD_PASSWORD)]
    access = HubAccess(
        upc.hubs,
        HubCredentials({"main": generations}),
        AddressRules(allow=upc.allow, trusted_proxies=upc.trusted_proxies),
    )
    reports = Reports()
    endpoint = HubEndpoint(
        hub or world.hub(),
        access=lambda: access,
        observer=reports,
        clock=world.clock,
        deadlines=Deadlines(world.clock),
    )
    async with AsyncExitStack() as stack:
        listener = await start_hub(upc, endpoint=endpoint, clock=world.clock, tls=tls, stack=stack, limits=limits)
        yield ServedHub(world, listener, reports)
    for tasks in world.tasks:
        await tasks.close()
