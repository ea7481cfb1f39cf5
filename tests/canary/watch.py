"""A running service of which everything that it writes is kept."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import grpc
from google.rpc import status_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from harness.log_files import logging_to_files
from harness.memory_records import values_in
from harness.otlp_receiver import collecting
from harness.stack import LocalStack, merged, running
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: TID251 - to look at spans
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: TID251
from payorch import CallError
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.telemetry.settings import TelemetrySettings
from redis import Redis
from starlette.types import Receive, Scope, Send
from zuora_emulator import Emulator, seed
from zuora_emulator.settings import Settings

from canary.canaries import SERVICE, Canary, named
from canary.search import Sinks

FLEET_KEY = "CanaryOfTheFleetKeyWhichIsLongEnoughToBeOne="
STORE_PASSWORD = "CanaryOfTheStorePassword"
CREDENTIAL = "CanaryOfTheCallersOwnCredential"
KNOWN = named(
    {
        "OAuth secret": seed.CLIENT_A.client_secret,
        "fleet key": FLEET_KEY,
        "store password": STORE_PASSWORD,
        "caller's credential": CREDENTIAL,
    }
)


class Reprs:
    """The representations of living objects of ours.

    A process of tests holds objects of earlier tests, and of some that ran without a protection: exceptions with their
    frames live until the collector comes. What was shown before is therefore not of this test.
    """

    def __init__(self) -> None:
        gc.collect()
        self._before = frozenset(_reprs())

    def new(self) -> Iterator[str]:
        """Yield those that are not as one was at the beginning."""
        yield from (shown for shown in _reprs() if shown not in self._before)


def _reprs() -> list[str]:
    ours = (
        kept for kept in gc.get_objects() if str(getattr(type(kept), "__module__", "")).startswith("payorch_server")
    )
    return [repr(kept) for kept in ours]


@dataclass(slots=True)
class Watch:
    """The service, its callers, and what is known of both."""

    stack: LocalStack
    channel: grpc.aio.Channel
    spans: InMemorySpanExporter
    sinks: Sinks
    reprs: Reprs = field(default_factory=Reprs)
    redis_url: str = ""
    canaries: list[Canary] = field(default_factory=lambda: list(KNOWN))

    async def call(self, rpc: str, request: Any, *, timeout_s: float = 10, track_id: str = "") -> Any:
        """Call; return the response, or the error as a caller sees it. All but the response is kept."""
        method = getattr(service_grpc.PaymentOrchestrationServiceStub(self.channel), rpc)
        own = (("zuora-track-id", track_id),) if track_id else ()
        call = method(request, timeout=timeout_s, metadata=(("authorization", f"Bearer {CREDENTIAL}"), *own))
        try:
            answer = await call
        except grpc.RpcError as error:
            answer = CallError.from_rpc_error(error)
            self.sinks.add("client error", repr(answer), str(error), repr(error))
        self.sinks.add("metadata", await call.initial_metadata() or "", *_values(await call.trailing_metadata()))
        self.sinks.add("status", await call.code(), await call.details(), *_details(await call.trailing_metadata()))
        return answer

    async def collect(self) -> None:
        """Look into everything that can be looked into from outside."""
        emulator = self.stack.emulator
        self.canaries += (Canary("access token", token) for token in emulator.state.grants)
        self.sinks.add("spans", *(span.to_json() for span in self.spans.get_finished_spans()))
        self.sinks.add("journal", json.dumps(emulator.journal.as_json()), json.dumps(emulator.ledger.as_json()))
        self.sinks.add("store", *self._stored())
        self.sinks.add("reprs", *self.reprs.new())
        self.sinks.add("records", repr(self.stack.application.components.call_history._own))
        self.sinks.add("reflection", *[one async for one in self._reflected()])
        async with aiohttp.ClientSession() as session:
            for base, path in (
                (self.stack.admin_url, "/livez"),
                (self.stack.admin_url, "/readyz"),
                (self.stack.admin_url, "/metrics"),
                (self.stack.emulator_url, "/_emulator/journal"),
                (self.stack.emulator_url, "/_emulator/ledger"),
            ):
                async with session.get(base + path) as answer:
                    sink = "admin" if base == self.stack.admin_url else "journal"
                    self.sinks.add(sink, answer.headers, await answer.read())

    def _stored(self) -> Iterator[bytes]:
        if self.redis_url:
            with Redis.from_url(self.redis_url, password=STORE_PASSWORD) as redis:
                for key in redis.scan_iter():
                    yield key
                    yield from redis.hgetall(key).values() if redis.type(key) == b"hash" else [redis.get(key)]
            return
        store: Any = self.stack.application.components.executor.ledger._store._inner
        for key, value in values_in(store).items():
            yield key.encode()
            yield value

    async def _reflected(self) -> AsyncIterator[bytes]:
        asked = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE.full_name),
            reflection_pb2.ServerReflectionRequest(file_by_filename="payorch/v1/payment_method.proto"),
        ]
        stub = reflection_pb2_grpc.ServerReflectionStub(self.channel)
        async for answer in stub.ServerReflectionInfo(iter(asked)):
            yield answer.SerializeToString()


def _values(metadata: Any) -> Iterator[object]:
    for key, value in metadata or ():
        if not key.endswith("-details-bin"):
            yield from (key, value)


def _details(metadata: Any) -> Iterator[object]:
    for key, value in metadata or ():
        if key == "grpc-status-details-bin":
            yield value
            yield status_pb2.Status.FromString(value)


@contextmanager
def logged(sinks: Sinks, log_format: str = "json") -> Iterator[None]:
    """Write log lines of every level, and the audit, into the sink `log`."""
    settings = TelemetrySettings(log_level="debug", log_format=log_format)  # type: ignore[arg-type] # one of two
    with logging_to_files(settings) as files:
        try:
            yield
        finally:
            sinks.add("log", *files.read())


def lenient() -> Emulator:
    """Make an emulator that takes numbers without check digits, as a scrubber would find those with."""
    return Emulator(settings=Settings(check_numbers=False, most_methods_per_account=None))


def _sweeping(emulator: Emulator, sinks: Sinks, reprs: Reprs) -> None:
    """Look at our objects while calls are under way: those of a call live no longer."""
    inner = emulator.app

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].startswith("/_emulator"):
            sinks.add("reprs", *reprs.new())
        await inner(scope, receive, send)

    emulator.app = app


@asynccontextmanager
async def watched(
    folder: Path,
    *,
    log_format: str = "json",
    emulator: Emulator | None = None,
    over: Mapping[str, Any] | None = None,
    redis_url: str = "",
    sweeps: bool = False,
) -> AsyncIterator[Watch]:
    """Run the service and keep everything; `collect` has been called when the context ends well."""
    sinks, reprs, spans, emulator = Sinks(), Reprs(), InMemorySpanExporter(), emulator or lenient()
    (folder / "key").write_text(FLEET_KEY)
    (folder / "password").write_text(STORE_PASSWORD)
    settings: dict[str, Any] = {
        "telemetry": {"log_level": "debug"},
        "intents": {"keys": [{"id": "k1", "file": str(folder / "key")}]},
        "payment_methods": {"raw_card_data": True},
    }
    if redis_url:
        settings["store"] = {
            "kind": "redis",
            "url": redis_url,
            "password_file": str(folder / "password"),
            "connect_timeout_s": 5.0,
            "operation_timeout_s": 5.0,
        }
    if sweeps:
        _sweeping(emulator, sinks, reprs)
    async with collecting() as collector:
        settings["telemetry"] |= {"traces": "otlp", "otlp_endpoint": collector.grpc_url}
        with logged(sinks, log_format):
            async with (
                running(
                    emulator=emulator,
                    tenants=("acme",),
                    over=merged(settings, over or {}),
                    span_processors=(SimpleSpanProcessor(spans),),
                ) as stack,
                grpc.aio.insecure_channel(stack.target) as channel,
            ):
                watch = Watch(stack, channel, spans, sinks, reprs, redis_url)
                yield watch
                await watch.collect()
        # All spans have been sent when the service has ended.
        assert collector.texts
        sinks.add("spans", *collector.texts)


async def until_ready(stack: LocalStack) -> None:
    """Wait for the first token."""
    while not stack.application.components.health.ready:
        await asyncio.sleep(0.01)


SINKS: Sequence[str] = (
    "admin",
    "client error",
    "journal",
    "log",
    "metadata",
    "preview",
    "process",
    "records",
    "reflection",
    "reprs",
    "spans",
    "status",
    "store",
)
"""Every sink; each has a row in test_redactors.py."""
