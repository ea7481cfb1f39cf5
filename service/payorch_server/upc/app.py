"""The hub's HTTP: `POST /upc/{hub}` with basic credentials, from addresses that may call."""

import ssl
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import msgspec
import structlog
from opentelemetry import trace

from payorch_server.model.shown_forms import shown_id
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.http_connection import BodyProblem, HttpAnswer, HttpLimits, HttpRequest, HttpService
from payorch_server.runtime.http_listener import HttpListener
from payorch_server.runtime.listen_address import split_address
from payorch_server.telemetry.log_context import log_context
from payorch_server.telemetry.logging import where
from payorch_server.upc.addresses import Address, AddressRules, RefusalLimit
from payorch_server.upc.answers import HubAnswer, Situation, answer_to
from payorch_server.upc.credentials import HubCredentials
from payorch_server.upc.exchange import Caller, ExchangeObserver, HubExchange, names_of
from payorch_server.upc.hub_decode import decode, names_in
from payorch_server.upc.hub_encode import encode_answer
from payorch_server.upc.hub_parts import REQUEST_LIMIT_S, HubCallNotes
from payorch_server.upc.request import Defect, HubRequest, UnusableRequest
from payorch_server.upc.settings import HubSettings, HubTlsSettings, UpcSettings

_Read = TypeVar("_Read", bound=HubRequest | UnusableRequest)

_LOG: Final = structlog.get_logger("payorch.upc")
_PATH: Final = "/upc/"
_MAX_BODY_BYTES: Final = 2**20
_MAX_CONNECTIONS: Final = 1_000
_MAX_REFUSED_BODIES: Final = 20
"""Bodies of refused callers that are read at a time; each may take a mebibyte and ten seconds."""
_LATE_S: Final = 1.0
"""How much later than its limit a request is given up that the hub itself should have answered by then."""


def _constant(status: int, text: str, *, close: bool = False, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    return HttpAnswer(status, msgspec.json.encode({"gatewayResponseMessage": text}), headers=headers or {}, close=close)


_NO_HUB: Final = _constant(404, "There is no hub here.", close=True)
_NOT_POST: Final = _constant(405, "The hub takes POST alone.", headers={"Allow": "POST"}, close=True)
# Not 400, which would mean Error: nothing that is no HTTP proves that no money moved.
_MALFORMED: Final = _constant(503, "This is no HTTP request that the hub can read.", close=True)
_FAILED: Final = _constant(503, Situation.DEFECT.value, close=True)
_NOT_READ: Final = frozenset({Situation.ADDRESS_REFUSED, Situation.REFUSED_TOO_OFTEN})
"""After these the rest of the request is not received."""
_NO_CODING: Final = frozenset({"", "identity"})
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="payorch"'}


class AnsweringHub(Protocol):
    """The hub without HTTP."""

    async def answer(
        self, hub: str, request: HubRequest | UnusableRequest, *, deadline_s: float, notes: HubCallNotes
    ) -> HubAnswer:
        """Answer a request that came with the right credentials."""
        ...

    async def answer_refused(
        self, request: UnusableRequest, *, notes: HubCallNotes, has_credentials: bool = True
    ) -> HubAnswer:
        """Answer a request that came with wrong credentials or none, of which no more than the id was read."""
        ...


@dataclass(frozen=True, slots=True)
class HubAccess:
    """Who may call which hub, in force now; replaced whole when the configuration changes."""

    hubs: Mapping[str, HubSettings]
    credentials: HubCredentials
    addresses: AddressRules


@dataclass(slots=True)
class _Received:
    """What is known of one request so far."""

    hub: str
    caller: Caller
    notes: HubCallNotes
    trace_id: str = ""
    request: HubRequest | UnusableRequest | None = None
    """None as long as the body was not read."""

    def log_fields(self) -> dict[str, str]:
        """Return what names the request in every log line about it, as far as it is known."""
        operation, tenant_id, zuora_id = names_of(self.request)
        fields = {
            "hub": self.hub,
            "operation": operation.lower(),
            "tenant_id": shown_id(tenant_id),
            "id": shown_id(zuora_id),
            "key": self.notes.key,
            "gateway": self.notes.gateway,
            "trace_id": self.trace_id,
            "caller": str(self.caller),
        }
        return {name: value for name, value in fields.items() if value}


class HubEndpoint:
    """Turns HTTP requests into requests to the hub, and its answers into HTTP answers."""

    def __init__(
        self,
        hub: AnsweringHub,
        *,
        access: Callable[[], HubAccess],
        observer: ExchangeObserver,
        clock: Clock,
        deadlines: Deadlines,
    ) -> None:
        """Make an endpoint.

        Args:
            hub: Answers.
            access: Returns who may call at this moment.
            observer: Is given each request to a hub and its answer.
            clock: The one that requests are timed with.
            deadlines: Of the process.
        """
        self._hub = hub
        self._access = access
        self._observer = observer
        self._clock = clock
        self._deadlines = deadlines
        self._refusals = RefusalLimit(clock)
        self._refused_bodies = 0

    async def handle(self, request: HttpRequest) -> HttpAnswer:
        """Answer one HTTP request. Only what `Hub` answers can mean Error to Zuora."""
        access = self._access()
        prefix, name = request.target[: len(_PATH)], request.target[len(_PATH) :]
        hub = name if prefix == _PATH and name in access.hubs else ""
        # 1. From where nothing may come, nothing is looked at.
        address = access.addresses.caller_of(request.peer, request.lines_of("X-Forwarded-For"))
        if address is None:
            return await self._answer(request, access, hub, None)
        # 2. Not a request to a hub.
        if prefix != _PATH or not name or "/" in name:
            return _NO_HUB
        if request.method != "POST":
            return _NOT_POST
        # 3. A request to a hub, or to one that does not exist, which is like wrong credentials.
        return await self._answer(request, access, hub, address)

    async def _answer(self, request: HttpRequest, access: HubAccess, hub: str, address: Address | None) -> HttpAnswer:
        received = _Received(hub, Caller.NOT_ALLOWED, HubCallNotes())
        with self._observer.observe(hub) as report, log_context(received):
            received.trace_id = _current_trace_id()
            try:
                answer = await self._answer_in_time(request, access, hub, address, received)
            except Exception as defect:  # noqa: BLE001 - whatever it is, money may have moved
                _report_defect(defect)
                answer = answer_to(Situation.DEFECT, in_doubt=True)
            duration_s = self._clock.monotonic() - request.first_byte_s
            report(HubExchange(hub, received.caller, received.request, answer, duration_s, received.notes))
        settings = access.hubs.get(hub)
        body = encode_answer(
            answer,
            operation=received.request.operation if isinstance(received.request, HubRequest) else None,
            token_data_form=settings.token_data_form if settings else "string",
        )
        headers = _CHALLENGE if answer.status == 401 else {}  # noqa: PLR2004 - HTTP's number
        return HttpAnswer(answer.status, body, headers=headers, close=answer.situation in _NOT_READ)

    async def _answer_in_time(
        self, request: HttpRequest, access: HubAccess, hub: str, address: Address | None, received: _Received
    ) -> HubAnswer:
        deadline_s = request.first_byte_s + REQUEST_LIMIT_S
        left_s = max(deadline_s - self._clock.monotonic(), 0.0)
        try:
            with self._deadlines.limit(left_s + _LATE_S):
                # 1. The address may not call.
                if address is None:
                    return answer_to(Situation.ADDRESS_REFUSED, in_doubt=False)
                # 2. Wrong credentials, or an unknown hub.
                if not access.credentials.accepts(hub, request.lines_of("Authorization")):
                    received.caller = Caller.REFUSED
                    return await self._answer_refused(request, address, received)
                # 3. A caller that may call.
                received.caller = Caller.KNOWN
                body = await request.read_body(at_most=_MAX_BODY_BYTES)
                received.request = _decoded(request, body, decode)
                if received.request is None:
                    return answer_to(Situation.INCOMPLETE, in_doubt=True)
                return await self._hub.answer(hub, received.request, deadline_s=deadline_s, notes=received.notes)
        except TimeoutError:
            return answer_to(Situation.OUT_OF_TIME, in_doubt=True)

    async def _answer_refused(self, request: HttpRequest, address: Address, received: _Received) -> HubAnswer:
        """Read a body for its ids alone, not too often."""
        if self._refused_bodies >= _MAX_REFUSED_BODIES or not self._refusals.admits(address):
            return answer_to(Situation.REFUSED_TOO_OFTEN, in_doubt=True)
        self._refused_bodies += 1
        try:
            body = await request.read_body(at_most=_MAX_BODY_BYTES)
        finally:
            self._refused_bodies -= 1
        names = _decoded(request, body, names_in)
        if names is None:
            return answer_to(Situation.INCOMPLETE, in_doubt=True)
        received.request = names
        has_credentials = bool(request.lines_of("Authorization"))
        return await self._hub.answer_refused(names, notes=received.notes, has_credentials=has_credentials)


def _current_trace_id() -> str:
    trace_id = trace.get_current_span().get_span_context().trace_id
    return f"{trace_id:032x}" if trace_id else ""


def _decoded(
    request: HttpRequest, body: bytes | BodyProblem, read: Callable[[bytes], _Read]
) -> _Read | UnusableRequest | None:
    """Return what a body contains, or None where it did not arrive."""
    if body is BodyProblem.INCOMPLETE:
        return None
    if body is BodyProblem.TOO_LARGE:
        return UnusableRequest(Defect.TOO_LARGE)
    codings = [line.strip().lower() for line in request.lines_of("Content-Encoding")]
    if any(coding not in _NO_CODING for coding in codings):
        return UnusableRequest(Defect.ENCODED)
    return read(body)


def tls_context(settings: HubTlsSettings) -> ssl.SSLContext:
    """Return what new connections are encrypted with: TLS 1.2 or newer, with the certificate as its files are now.

    Raises:
        OSError: The files cannot be read, or are no certificate with its key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    # Without a password OpenSSL would ask the terminal for one.
    context.load_cert_chain(settings.certificate_file, settings.key_file, password="")
    return context


async def start_hub(
    settings: UpcSettings,
    *,
    endpoint: HubEndpoint,
    clock: Clock,
    tls: Callable[[], ssl.SSLContext] | None,
    stack: AsyncExitStack,
    limits: HttpLimits | None = None,
) -> HttpListener:
    """Listen until the stack closes.

    To drain, `begin_drain` when the hub reports that it is not ready, and `drain` when load balancers had the time to
    notice.

    Args:
        settings: Where to listen.
        endpoint: Answers.
        clock: The one of the endpoint.
        tls: Returns what a new connection is encrypted with; None: plaintext.
        stack: Closes the listener.
        limits: What tests replace.

    Raises:
        OSError: The address cannot be listened on.
    """
    service = HttpService(
        endpoint.handle,
        malformed=_MALFORMED,
        failed=_FAILED,
        report=_report_defect,
        limits=limits or HttpLimits(connections=_MAX_CONNECTIONS, idle_s=settings.idle_timeout_s),
        clock=clock,
    )
    host, port = split_address(settings.listen) or ("127.0.0.1", 0)
    listener = HttpListener(service, tls=tls)
    await listener.start(host, port)
    stack.push_async_callback(listener.close)
    return listener


def _report_defect(error: BaseException) -> None:
    _LOG.error("upc_request_failed", type=type(error).__name__, where=where(error))
