"""The ASGI application and the object that Python users hold."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from zuora_emulator import operations, seed
from zuora_emulator.answers import MARKER, Answer, ConnectionCut, NeverAnswered, json_answer
from zuora_emulator.apple_tokens import TokenOpener, open_with_published_authority
from zuora_emulator.call import Arrived, packed
from zuora_emulator.clock import Clock, SystemClock
from zuora_emulator.control import book_endpoints
from zuora_emulator.control_base import Endpoint, control_routes
from zuora_emulator.control_world import world_endpoints
from zuora_emulator.faults import Faults
from zuora_emulator.fixtures import Fixtures
from zuora_emulator.hub_caller import HttpHubCaller, HubCaller
from zuora_emulator.hub_sends import HubSends
from zuora_emulator.idempotency import Idempotency
from zuora_emulator.ids import Ids
from zuora_emulator.journal import Journal
from zuora_emulator.ledger import Ledger
from zuora_emulator.limits import Limits
from zuora_emulator.openapi import openapi_endpoint
from zuora_emulator.operations import Operation
from zuora_emulator.page import page_routes
from zuora_emulator.pipeline import answer_to
from zuora_emulator.scenarios import Scenario, scenario_of, start
from zuora_emulator.settings import Settings
from zuora_emulator.state import State
from zuora_emulator.upc import Upc
from zuora_emulator.upc_control import upc_endpoints
from zuora_emulator.upc_types import UpcConfiguration
from zuora_emulator.world import World

TOKEN_PATH = "/oauth/token"
REDEEM_PATH = "/_emulator/sessions/{key}/redeem"
SESSIONS_PATH = "/web-payments/sessions"
V1_SESSIONS_PATH = "/v1/web-payments/sessions"
DECRYPTION_PATH = "/v1/payment-methods/decryption"
PAYMENT_METHODS_PATH = "/v2/payment_methods"
PAYMENT_METHODS_V1_PATH = "/v1/payment-methods"
PAYMENT_METHOD_PATH = "/v2/payment_methods/{key}"
PAYMENT_METHOD_V1_PATH = "/v1/payment-methods/{key}"
PAYMENTS_PATH = "/v1/payments"
PAYMENT_PATH = "/v1/payments/{key}"
REFUNDS_OF_PAYMENT_PATH = "/v1/payments/{key}/refunds"
REFUNDS_PATH = "/v1/refunds"
REFUND_PATH = "/v1/refunds/{key}"

REQUEST_ID = "zuora_emulator.request_id"
"""Member of the scope of an emulated operation: the id under which the journal has the call."""
STALE = "zuora_emulator.stale"
"""Member of the scope, where a server has one: a function that makes the next call over the connection be cut."""
_DRIPS = 20
"""In about how many pieces a slow body comes."""
_ALL_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_COMPRESSED_FROM = 1000
"""Bytes from which Zuora compresses an answer."""


class Emulator:
    """An emulated Zuora: `app` is what serves, the rest is for looking and for making trouble.

    Args:
        clock: where time comes from; `ManualClock` in tests.
        rng: where ids come from; a seeded one makes runs repeatable.
        settings: the switches.
        opener: how Apple Pay tokens are opened; by default with the published test authority.
        fixtures: the world at the start, and after a reset; by default that of `seed`.
        upc: custom payment method types, and the gateways that call a payment hub, in place of those of `fixtures`.
        hub_caller: how hubs are called; by default over sockets.

    Raises:
        UpcConfigurationError: Zuora would not accept `upc`.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        settings: Settings | None = None,
        opener: TokenOpener = open_with_published_authority,
        fixtures: Fixtures | None = None,
        upc: UpcConfiguration | None = None,
        hub_caller: HubCaller | None = None,
    ) -> None:
        chosen = replace(settings or Settings())  # its own, as it may be switched at run time
        start = fixtures or seed.fixtures()
        self._world = World(
            fixtures=start,
            state=start.state(),
            settings=chosen,
            clock=clock or SystemClock(),
            ids=Ids(rng or random.Random()),  # noqa: S311 - ids of an emulator guard nothing
            opener=opener,
            limits=Limits(chosen),
            idempotency=Idempotency(chosen),
        )
        self._world.upc = _connector(self._world, upc or start.upc, hub_caller or HttpHubCaller())
        self.app: ASGIApp = _application(self._world)

    @property
    def settings(self) -> Settings:
        """The switches."""
        return self._world.settings

    @property
    def clock(self) -> Clock:
        """Where time comes from."""
        return self._world.clock

    @property
    def fixtures(self) -> Fixtures:
        """The world at the start."""
        return self._world.fixtures

    @property
    def state(self) -> State:
        """Accounts, invoices, payment methods as they now are."""
        return self._world.state

    @property
    def ledger(self) -> Ledger:
        """What was executed."""
        return self._world.ledger

    @property
    def journal(self) -> Journal:
        """What arrived."""
        return self._world.journal

    @property
    def faults(self) -> Faults:
        """What shall go wrong."""
        return self._world.faults

    @property
    def upc(self) -> Upc:
        """Payments and refunds with custom methods, what was sent to hubs, and triggers."""
        return self._world.upc

    async def run_due(self) -> int:
        """Do what is due: calls with `async: true`, sends to hubs, retries; returns how many there were."""
        return await self._world.run_due()

    def next_due(self) -> datetime | None:
        """When the clock has something to do; None: never, as things are."""
        return self._world.next_due()

    async def advance(self, by: timedelta) -> None:
        """Set the clock forward, stopping wherever something is due by it.

        Raises:
            ClockNotAdjustableError: The clock is not the emulator's to move.
        """
        await self._world.advance(by)

    async def start(self, scenario: Scenario | str) -> None:
        """Start a scenario, on top of what the emulator already does.

        Args:
            scenario: One of its own by name, a file's by path (`*.yaml`), or a scenario.

        Raises:
            FileError: There is no such scenario.
            ClockNotAdjustableError: It moves the clock, which is not the emulator's to move.
        """
        await start(self._world, scenario_of(scenario) if isinstance(scenario, str) else scenario)

    def reset(self) -> None:
        """Go back to the seed."""
        self._world.reset()


def _connector(world: World, configuration: UpcConfiguration, caller: HubCaller) -> Upc:
    return Upc(
        configuration,
        settings=world.settings,
        clock=world.clock,
        ids=world.ids,
        ledger=world.ledger,
        state=world.state,
        sends=HubSends(caller=caller, clock=world.clock, faults=world.faults),
    )


def _application(world: World) -> ASGIApp:
    paths = {
        TOKEN_PATH: operations.TOKEN,
        SESSIONS_PATH: operations.SESSIONS,
        DECRYPTION_PATH: operations.DECRYPTION,
        PAYMENT_METHODS_PATH: operations.PAYMENT_METHODS,
        PAYMENT_METHOD_PATH: operations.GET_METHOD,
        PAYMENT_METHODS_V1_PATH: operations.PAYMENT_METHODS_V1,
        PAYMENT_METHOD_V1_PATH: operations.GET_METHOD_V1,
        PAYMENTS_PATH: operations.CREATE_PAYMENT,
        PAYMENT_PATH: operations.GET_PAYMENT,
        REFUNDS_OF_PAYMENT_PATH: operations.REFUND_PAYMENT,
        REFUNDS_PATH: operations.LIST_REFUNDS,
        REFUND_PATH: operations.GET_REFUND,
        V1_SESSIONS_PATH: operations.SESSIONS,
    }
    routes = [_route(world, path, operation) for path, operation in paths.items()]
    does = 'do with a session what a browser would: {"type": "CreditCard", "decline": "insufficient_funds"}'
    redeem = Endpoint("POST", REDEEM_PATH, does, _endpoint(world, REDEEM_PATH, operations.REDEEM_SESSION), True)
    endpoints = [*book_endpoints(world), *world_endpoints(world), *upc_endpoints(world)]
    described = list(paths.items())
    described += [(path, operation) for (path, _), operation in _ALSO.items()]
    described.append((REDEEM_PATH, operations.REDEEM_SESSION))
    control = [*endpoints, redeem, openapi_endpoint(described, endpoints)]
    # A bare router: Starlette's own error pages would answer where a connection must be cut instead.
    return Router(
        [*page_routes(control, _missing), *control_routes(control, world.settings), *routes],
        default=_not_found,
        redirect_slashes=False,
    )


_ALSO = {
    (PAYMENT_METHODS_PATH, "GET"): operations.LIST_METHODS,
    (PAYMENT_METHOD_PATH, "PATCH"): operations.UPDATE_METHOD,
    (PAYMENT_METHOD_V1_PATH, "PUT"): operations.UPDATE_METHOD_V1,
    (PAYMENTS_PATH, "GET"): operations.LIST_PAYMENTS,
}
"""Second operations of paths, by method."""


def _route(world: World, path: str, operation: Operation) -> Route:
    return Route(path, _endpoint(world, path, operation), methods=_ALL_METHODS)


def _endpoint(world: World, path: str, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if path == V1_SESSIONS_PATH and not world.settings.accept_v1_sessions_path:
            return _missing(request)
        arrived = await _arrived(world, _ALSO.get((path, request.method), operation), request)
        request.scope[REQUEST_ID] = arrived.request_id
        try:
            answer = await answer_to(world, arrived)
        except NeverAnswered:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            raise
        dated = answer.with_headers(("date", format_datetime(world.clock.now(), usegmt=True)))
        return _response(dated, request, world.clock)

    return endpoint


async def _arrived(world: World, operation: Operation, request: Request) -> Arrived:
    counts = Counter(request.headers.keys())
    # Not request.url, which cannot be had where the query is not UTF-8.
    query = request.scope["query_string"].decode("latin-1")
    url = request.scope["path"] + (f"?{query}" if query else "")
    return Arrived(
        operation=operation,
        method=request.method,
        url=url,
        query=tuple(request.query_params.multi_items()),
        key=request.path_params.get("key", ""),
        headers={name.lower(): value for name, value in request.headers.items()},
        repeated_headers=frozenset(name for name, count in counts.items() if count > 1),
        raw_body=await request.body(),
        peer=request.client.host if request.client else "",
        request_id=world.ids.request_id(),
        process_id=world.ids.process_id(),
        now=world.clock.now(),
    )


def _response(answer: Answer, request: Request, clock: Clock | None = None) -> Response:
    body = answer.body
    headers = list(answer.headers)
    accepts_gzip = "gzip" in request.headers.get("accept-encoding", "")
    if len(body) > _COMPRESSED_FROM and accepts_gzip and answer.header("content-encoding") is None:
        body = packed(body)
        headers.append(("content-encoding", "gzip"))
    headers.append(("content-length", str(len(body))))
    response = _AnswerResponse(answer, clock)
    response.status_code = answer.status
    response.body = body
    response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return response


class _AnswerResponse(Response):
    """A response that comes as its answer says: at once or slowly, whole or not."""

    def __init__(self, answer: Answer, clock: Clock | None) -> None:
        super().__init__()
        self._answer, self._clock = answer, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        answer, body = self._answer, self.body
        if answer.leaves_stale and STALE in scope:
            scope[STALE]()
        if not answer.is_cut and not (answer.drip_s and self._clock):
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if answer.is_cut:
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            raise ConnectionCut
        assert self._clock
        size = max(1, len(body) // _DRIPS)
        begins = range(0, len(body), size)
        for begin in begins:
            await self._clock.sleep(answer.drip_s / len(begins))
            await send({"type": "http.response.body", "body": body[begin : begin + size], "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _missing(request: Request) -> Response:
    """Answer a path that is not emulated; a missing path needs no token."""
    reasons = [{"code": 50000040, "message": "The requested resource is not found."}]
    return _response(json_answer(404, {"success": False, "reasons": reasons}, MARKER), request)


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await _missing(Request(scope, receive))(scope, receive, send)
