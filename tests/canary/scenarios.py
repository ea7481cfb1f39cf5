"""What is done to the service while everything is watched."""

import asyncio
import base64
import contextlib
import logging
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import grpc
import structlog
from harness.controlled_emulator import DECRYPTION, answer_path_with, wait_until
from harness.keyring import KEYRING
from harness.service_process import grpc_port, write_configuration
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: TID251 - to look at spans
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: TID251
from payorch import CallError
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.access.callers import access_table
from payorch_server.model.errors import Failure, error_for
from payorch_server.model.identifiers import parse_track_id
from payorch_server.model.outcome import Reason
from payorch_server.rpc.health import Health
from payorch_server.rpc.interceptors.boundary import BoundaryInterceptor
from payorch_server.rpc.interceptors.payloads import PayloadInterceptor
from payorch_server.rpc.server import build_server
from payorch_server.rpc.settings import GrpcSettings
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.telemetry.providers import start_telemetry
from payorch_server.telemetry.settings import TelemetrySettings
from payorch_server.usecases.policy import LivePolicy, Policy
from zuora_emulator import serving
from zuora_emulator.app import PAYMENT_METHODS_PATH

from canary.canaries import SERVICE, Canary, Planted, named, planted_requests, planted_response
from canary.search import Sinks
from canary.watch import Watch, lenient, logged, until_ready, watched

UNFORESEEN = "CanaryOfAnExceptionNobodyForesaw"
WRONG_KEY = "CanaryOfTheKeyOfAMap"
CARD = "4929123456781236"
"""Of no request: Zuora may quote what it knows from elsewhere."""
_GROUPS = [CARD[at : at + 4] for at in range(0, len(CARD), 4)]
CARD_FORMS = (
    *(
        separator.join(_GROUPS)
        for separator in ("", " ", "-", ".", "/", "_", ":", ", ", " - ", "\u00a0", "\u200b", "%20")
    ),
    "\u200b".join(CARD),
    ".".join(CARD),
    "".join(chr(0xFF10 + int(digit)) for digit in CARD),
    "".join(chr(0x0660 + int(digit)) for digit in CARD),
    CARD.encode().hex(),
    "-".join(_GROUPS).encode().hex().upper(),
    base64.b64encode(CARD.encode()).decode(),
    base64.urlsafe_b64encode(f"no. {CARD}!".encode()).decode().rstrip("="),
)
ID_HEADERS = ("zuora-request-id", "zuora-track-id")
FAULTS = (
    "400", "401", "403", "404", "409", "415", "422", "423", "429:70", "500", "502", "503:70", "504", "html", "empty",
    "truncated", "no_id", "drop", "drop_after", "success_false:90000050", "success_false:90000061",
    "success_false:90000070", "success_false:90000099", "success_false:90000077",
)  # fmt: skip
REFUSED_ARMS = {"google_pay", "other", "paypal"}
"""Methods that no operation of Zuora creates."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a scenario left behind."""

    canaries: list[Canary]
    sinks: Sinks
    refused: dict[str, str]
    """Why calls failed, by their arms."""


Scenario = Callable[[Path], Awaitable[Seen]]


async def every_arm(
    folder: Path,
    *,
    log_format: str = "json",
    redis_url: str = "",
    sweeps: bool = True,
    only: Collection[str] = (),
) -> Seen:
    """Call every RPC with every arm of every oneof, or some only: shown first, then executed, then looked up."""
    refused = {}
    async with watched(folder, log_format=log_format, redis_url=redis_url, sweeps=sweeps) as watch:
        for one in planted_requests():
            if one.rpc == "GetIntent" or (only and one.arm not in only):
                continue
            watch.canaries += one.canaries
            preview = type(one.request).FromString(one.request.SerializeToString())
            preview.validate_only = True
            shown = await watch.call(one.rpc, preview)
            if not isinstance(shown, CallError):
                watch.sinks.add("preview", shown.upstream_request.SerializeToString(), shown.upstream_request.body)
            answer = await watch.call(one.rpc, one.request)
            if isinstance(answer, CallError):
                refused[one.arm] = repr(answer)
                continue
            watch.canaries += _granted(answer)
            operation = service_pb2.Operation.Value(f"OPERATION_{_upper_snake(one.rpc)}")
            await watch.call(
                "GetIntent", service_pb2.GetIntentRequest(request_id=one.request.request_id, operation=operation)
            )
    return Seen(watch.canaries, watch.sinks, refused)


def _granted(answer: Any) -> list[Canary]:
    """Return the secrets that a response hands over."""
    return [Canary("session token", answer.session.token)] if "session" in answer.DESCRIPTOR.fields_by_name else []


def _upper_snake(name: str) -> str:
    return "".join(f"_{one}" if one.isupper() else one.upper() for one in name).lstrip("_")


def written_forms(value: str) -> tuple[str, ...]:
    """Return a value as it may be quoted: in clear, encoded and reversed."""
    encoded = value.encode()
    return (
        value,
        value.swapcase(),
        value[::-1],
        quote(value, safe=""),
        "".join(f"%{byte:02x}" for byte in encoded),
        encoded.hex(),
        encoded.hex().upper(),
        base64.b64encode(encoded).decode(),
        base64.urlsafe_b64encode(b"is " + encoded).decode().rstrip("="),
    )


def fresh(one: Planted, number: int) -> Any:
    """Return the request again as a new intent."""
    request = type(one.request).FromString(one.request.SerializeToString())
    request.request_id = f"another-intent-{number:04}"
    return request


def planted_for(rpc: str, arm: str) -> Planted:
    """Return the request of an RPC with an arm."""
    return next(one for one in planted_requests() if one.rpc == rpc and arm in one.arm.split("."))


async def quoting(folder: Path) -> Seen:
    """Zuora's refusals quote the request wherever a text can stand, one form of one value at a time."""
    emulator, quoted = lenient(), [""]

    def refusal() -> tuple[int, Any, dict[str, str]]:
        text = quoted[0]
        reasons = [
            {"code": 53000020, "message": f"Invalid value: {text}, {text.upper()}!"},
            {"code": text, "message": f"value={text}."},
        ]
        # Headers cannot hold every text.
        head = dict.fromkeys(ID_HEADERS, text) if text.isascii() and text.isprintable() else {}
        return 400, {"success": False, "processId": text, "reasons": reasons}, head

    wanted = (("DecryptApplePay", "no_charge", DECRYPTION), ("CreatePaymentMethod", "sepa_debit", PAYMENT_METHODS_PATH))
    for _, _, path in wanted:
        answer_path_with(emulator, path, refusal)
    async with watched(folder, emulator=emulator) as watch:
        for rpc, arm, _ in wanted:
            one = planted_for(rpc, arm)
            watch.canaries += [canary for canary in one.canaries if not canary.where.endswith("(key)")]
            values = [canary.value for canary in one.canaries if not canary.where.endswith("(key)")]
            forms = [*(form for value in values for form in written_forms(value)), *CARD_FORMS]
            for number, form in enumerate(forms):
                quoted[0] = form
                await watch.call(rpc, fresh(one, number))
        watch.canaries += named({"card number of another": CARD})
    return Seen(watch.canaries, watch.sinks, {})


async def named_by_secrets(folder: Path) -> Seen:
    """Callers name their calls by a card number, in forms that a Track-Id can have: a success, a resend, a refusal."""
    emulator = lenient()
    track_ids = [form for form in CARD_FORMS if parse_track_id(form)]
    async with watched(folder, emulator=emulator, over={"call_history": {"in_store": True}}, sweeps=True) as watch:
        for number, track_id in enumerate(track_ids):
            planted = planted_for("CreateSession", "store_only")
            watch.canaries += planted.canaries
            for _ in range(2):
                await watch.call("CreateSession", fresh(planted, number), track_id=track_id)
            emulator.faults.add("sessions:400")
            await watch.call("CreateSession", fresh(planted, 1000 + number), track_id=track_id)
        watch.canaries += named({"Track-Id": CARD})
    # The caller receives its own Track-Id, and so does Zuora.
    for sink in ("metadata", "status", "client error", "journal"):
        watch.sinks.written.pop(sink, None)
    return Seen(watch.canaries, watch.sinks, {})


async def failing(folder: Path) -> Seen:
    """Every fault of the emulator, then a deadline that passes, and a caller who leaves."""
    emulator, one = lenient(), planted_for("CreatePaymentMethod", "card")
    refused: dict[str, str] = {}
    async with watched(folder, emulator=emulator) as watch:
        await until_ready(watch.stack)
        watch.canaries += one.canaries
        for number, fault in enumerate(FAULTS):
            emulator.faults.add(f"payment_methods:{fault}", times="always")
            answer = await watch.call("CreatePaymentMethod", fresh(one, number))
            refused[fault] = answer.reason if isinstance(answer, CallError) else ""
            emulator.faults.clear()
        emulator.faults.add("payment_methods:slow:1")
        answer = await watch.call("CreatePaymentMethod", fresh(one, 1000), timeout_s=0.4)
        refused["deadline"] = answer.reason or answer.code.name
        emulator.faults.add("payment_methods:slow:1")
        leaving = asyncio.ensure_future(watch.call("CreatePaymentMethod", fresh(one, 1001)))
        arrived = emulator.journal.count("payment_methods")
        await wait_until(lambda: emulator.journal.count("payment_methods") > arrived)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        refused["left"] = "CALLER_LEFT"
    return Seen(watch.canaries, watch.sinks, refused)


async def misusing(folder: Path) -> Seen:
    """Requests that break rules, with secrets in right and in wrong places, at the level of every day."""
    refused: dict[str, str] = {}
    async with watched(folder, over={"telemetry": {"log_level": "info"}}) as watch:
        for one in planted_requests():
            if one.rpc != "CreatePaymentMethod":
                continue
            watch.canaries += one.canaries
            for kind, request in _broken(one):
                answer = await watch.call(one.rpc, request)
                refused[f"{one.arm} {kind}"] = answer.reason
        secret = "CanaryThatIsNoMessage"
        watch.canaries += named({"bytes": secret, "a map (key)": WRONG_KEY})
        for kind, message in _unreadable(secret):
            refused[kind] = await _send_raw(watch, message)
    return Seen(watch.canaries, watch.sinks, refused)


def _broken(one: Planted) -> Iterator[tuple[str, Any]]:
    wrong = fresh(one, 1)
    wrong.currency_code = one.canaries[0].value
    wrong.selection.expand.append(one.canaries[-1].value)
    wrong.custom_fields[f"{WRONG_KEY} is no name"].SetInParent()
    yield "wrong places", wrong
    long = fresh(one, 2)
    for number, canary in enumerate(one.canaries):
        long.gateway_options[f"{WRONG_KEY}{number}"] = canary.value * 400
        long.billing_details.name += canary.value * 40
    yield "too long", long
    unknown = fresh(one, 3)
    encoded = one.canaries[0].value.encode()
    unknown.billing_details.MergeFromString(b"\xa2\x06" + bytes([len(encoded)]) + encoded)  # field 100
    yield "unknown field", unknown


def _unreadable(secret: str) -> Iterator[tuple[str, bytes]]:
    yield "no message", b"\xff" + secret.encode() * 3
    yield "too large", secret.encode() * 20_000


async def _send_raw(watch: Watch, message: bytes) -> str:
    method = watch.channel.unary_unary(f"/{SERVICE.full_name}/CreateSession")
    try:
        await method(message, timeout=10)
    except grpc.RpcError as error:
        told = CallError.from_rpc_error(error)
        watch.sinks.add("client error", repr(told), repr(error))
        return told.reason
    return ""


class _Scripted(service_grpc.PaymentOrchestrationServiceServicer):
    """A service that does what it is told."""

    def __init__(self) -> None:
        self.does: Callable[[], Any] = dict

    async def CreateSession(self, _request: Any, _context: Any) -> Any:  # noqa: N802 - generated name
        return self.does()

    async def CreatePaymentMethod(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return self.does()


async def scripted(_folder: Path) -> Seen:
    """Every reason with a secret in its private text, exceptions nobody foresaw, and responses full of secrets."""
    sinks, spans, servicer = Sinks(), InMemorySpanExporter(), _Scripted()
    # No number: with a seed of planted_for, a request id would be the same text as a secret of the response.
    rng = random.Random("responses")  # noqa: S311 - the same canaries at every run
    secret = "CanaryInATextForOperators"
    refused = {}
    with logged(sinks):
        async with _served(servicer, spans) as channel:
            watch = Watch(None, channel, spans, sinks)  # type: ignore[arg-type] # nothing is behind this edge
            watch.canaries += named({"private text": secret, "exception": UNFORESEEN})
            session, method = planted_for("CreateSession", "store_only"), planted_for("CreatePaymentMethod", "card")
            watch.canaries += (*session.canaries, *method.canaries)
            for reason in Reason:
                servicer.does = partial(_raise, error_for(Failure(reason, secret)))
                refused[reason.name] = (await watch.call("CreateSession", session.request)).reason
            for error in (ValueError(UNFORESEEN), KeyError(UNFORESEEN), RecursionError(UNFORESEEN)):
                servicer.does = partial(_raise, error)
                refused[type(error).__name__] = (await watch.call("CreateSession", session.request)).reason
            for one in (session, method):
                response, canaries = planted_response(one.rpc, rng)
                watch.canaries += canaries
                servicer.does = partial(_same, response)
                await watch.call(one.rpc, one.request)
    return Seen([*watch.canaries], _with_spans(sinks, spans), refused)


def _with_spans(sinks: Sinks, spans: InMemorySpanExporter) -> Sinks:
    sinks.add("spans", *(span.to_json() for span in spans.get_finished_spans()))
    return sinks


def _raise(error: Exception) -> NoReturn:
    raise error


def _same(response: Any) -> Any:
    return response


@asynccontextmanager
async def _served(servicer: _Scripted, spans: InMemorySpanExporter) -> AsyncIterator[grpc.aio.Channel]:
    settings, policy = GrpcSettings(), LivePolicy(Policy(access_table(None, namespace="n"), None))  # type: ignore[arg-type] # nothing is dispatched
    telemetry = start_telemetry(TelemetrySettings(), processors=(SimpleSpanProcessor(spans),))
    boundary = BoundaryInterceptor(
        settings=settings,
        policy=policy,
        keyring=KEYRING,
        tracer=telemetry.tracer,
        clock=SystemClock(),
        tasks=TaskOwner(),
        deadlines=Deadlines(SystemClock()),
    )
    health = Health(())
    await health.start()
    server = build_server(
        settings=settings,
        servicer=servicer,  # type: ignore[arg-type] # any servicer of this service
        interceptors=(boundary, PayloadInterceptor(TelemetrySettings(log_level="debug"))),
        health=health,
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


async def telling(_folder: Path) -> Seen:
    """Lines that should never be written: with what a form gives away, and of what nobody retrieved."""
    sinks = Sinks()
    canaries = named({"card": "4929 0000 0000 0006", "IBAN": "GB33BUKB20201555555555", "exception": UNFORESEEN})
    with logged(sinks):
        log = structlog.get_logger("canary")
        for canary in canaries[:2]:
            log.info("call", detail=f"no {canary.value}", inner=[{canary.value: (canary.value,)}])
        logging.getLogger("asyncio").error("Task exception\n%s", UNFORESEEN, exc_info=ValueError(UNFORESEEN))
    return Seen(list(canaries), sinks, {})


async def crashing(folder: Path, *, unhooked: bool = False) -> Seen:
    """A real process ends in the middle of a call, by an exception that nobody can catch."""
    sinks, one = Sinks(), planted_for("CreateSession", "store_only")
    async with serving(lenient()) as url:
        file = write_configuration(folder, url, {"telemetry": {"log_level": "debug"}})
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "canary.crashing", str(file), *(["unhooked"] if unhooked else []),
            stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[1],
        )  # fmt: skip
        async with grpc.aio.insecure_channel(f"127.0.0.1:{await grpc_port(process)}") as channel:
            stub = service_grpc.PaymentOrchestrationServiceStub(channel)
            with contextlib.suppress(grpc.RpcError):
                await stub.CreateSession(one.request, timeout=10)
        try:
            async with asyncio.timeout(10):
                sinks.add("process", *await process.communicate())
        finally:
            if process.returncode is None:
                process.kill()
    return Seen([*one.canaries, *named({"exception": UNFORESEEN})], sinks, {"ended": str(process.returncode)})
