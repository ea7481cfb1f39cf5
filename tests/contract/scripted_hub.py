"""A payment hub that answers from a script, in process or over a socket, and keeps what Zuora sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
from aiohttp import web
from contract.zuora_caller import METHODS_V1, Caller
from zuora_emulator import HttpHubCaller, HubCaller, UpcConfiguration, seed
from zuora_emulator.state import Client

_PAGE = json.loads((Path(__file__).parents[1] / "vectors" / "upc_examples.json").read_text())
EXAMPLES = {example["request"]["operation"]: example for example in _PAGE["examples"]}
"""Zuora's own requests and responses, by operation."""
APPROVED = (200, {"responseCode": "Approved", "gatewayTransactionId": "180404672", "gatewayResponseCode": "601"})
DECLINED = (200, {"responseCode": "Declined", "gatewayResponseCode": "51", "gatewayResponseMessage": "No funds."})
UNKNOWN = (503, {"gatewayResponseMessage": "It is not known what the gateway did."})
CUT = None
"""In place of an answer: the connection ends without one."""
Script = tuple[int, Any] | None
METHOD = {
    "type": seed.AMAZON_PAY.full_name,
    "accountKey": seed.ACCOUNT_US.number,
    "amazonAccount": "SampleAmazonAccount",
    "amazonToken": "3sample54cf04113e3f1595951874003",
    "amazonTokenType": "Digital",
    "shopperEmail": "sample@testmail.com",
}
"""A method of the emulator's sample type."""


def compact(value: Any) -> bytes:
    """Encode as Zuora's examples, without blanks."""
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@dataclass(slots=True)
class ScriptedHub:
    """Answers with the next of its script, then with Approved; it is the way to itself in process."""

    url: str = "http://hub.test/upc/main"
    script: list[Script] = field(default_factory=list)
    requests: list[Received] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Answer at once unless a test says otherwise."""
        self.released.set()

    async def _answer(self, headers: Mapping[str, str], body: bytes) -> Script:
        self.requests.append(Received({name.lower(): value for name, value in headers.items()}, body))
        self.arrived.set()
        answer = self.script.pop(0) if self.script else APPROVED
        await self.released.wait()
        return answer

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, connect_timeout_s: float, answer_timeout_s: float
    ) -> tuple[int, bytes]:
        """Answer in process; what Zuora documents of time limits is what it asks for."""
        assert (url, connect_timeout_s, answer_timeout_s) == (self.url, 30, 60)
        answer = await self._answer(headers, body)
        if answer is None:
            raise ConnectionResetError
        return answer[0], answer[1] if isinstance(answer[1], bytes) else compact(answer[1])

    async def handle(self, request: web.Request) -> web.Response:
        """Answer over a socket."""
        answer = await self._answer(request.headers, await request.read())
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            raise web.HTTPInternalServerError
        content = answer[1] if isinstance(answer[1], bytes) else compact(answer[1])
        return web.Response(status=answer[0], body=content, content_type="application/json")


@asynccontextmanager
async def listening(hub: ScriptedHub) -> AsyncIterator[None]:
    """Serve the hub on a loopback socket."""
    runner = web.ServerRunner(web.Server(hub.handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}/upc/main"
    try:
        yield
    finally:
        await runner.cleanup()


@dataclass(slots=True)
class HubbedCaller:
    """A caller of an emulator that asks the scripted hub."""

    caller: Caller
    hub: ScriptedHub

    async def method(self, *, client: Client = seed.CLIENT_A, **more: Any) -> httpx.Response:
        """Create a method of the sample type; `None` takes a member away."""
        body = {name: value for name, value in {**METHOD, **more}.items() if value is not None}
        return await self.caller.post(METHODS_V1, body, client=client)

    async def method_id(self, **more: Any) -> str:
        """Create a method without asking the hub."""
        answer = await self.method(skipValidation=True, **more)
        return str(answer.json()["id"])

    async def pay(self, *answers: Script, method_id: str = "", **more: Any) -> httpx.Response:
        """Create a payment of 200 USD, with a new method unless one is named."""
        key = method_id or await self.method_id()
        self.hub.script += answers
        body = {
            "type": "Electronic",
            "accountNumber": seed.ACCOUNT_US.number,
            "amount": 200,
            "currency": "USD",
            "paymentMethodId": key,
            **more,
        }
        sent = {name: value for name, value in body.items() if value is not None and name != "headers"}
        return await self.caller.post("/v1/payments", sent, **more.get("headers", {}))

    async def refund(self, payment_id: str, *answers: Script, amount: Any = 200, **more: Any) -> httpx.Response:
        """Refund a payment."""
        self.hub.script += answers
        body = {"type": "Electronic", "totalAmount": amount, **more}
        return await self.caller.post(f"/v1/payments/{payment_id}/refunds", body)

    async def get(self, path: str) -> httpx.Response:
        """Read something of the API."""
        return await self.caller.http.get(path, headers=await self.caller.bearer())

    async def trigger(self, path: str, **body: Any) -> httpx.Response:
        """Post to one of the emulator's own endpoints."""
        return await self.caller.http.post(f"/_emulator{path}", json=body)

    async def shown(self) -> Any:
        """Read `/_emulator/upc`."""
        return (await self.caller.http.get("/_emulator/upc")).json()


class HubbedWith(Protocol):
    """Makes a caller of an emulator with a hub and the given switches."""

    def __call__(self, *, upc: UpcConfiguration | None = None, jump: bool = True, **switches: object) -> HubbedCaller:
        """Make one."""
        ...


def way_to(hub: ScriptedHub, *, over_a_socket: bool) -> HubCaller:
    """Return how the emulator reaches the hub."""
    return HttpHubCaller() if over_a_socket else hub
