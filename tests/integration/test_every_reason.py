"""Whatever a call ends with: wire, span, metric, log line and record say the same."""

from collections.abc import AsyncIterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import pytest_asyncio
from harness.keyring import KEYRING
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: TID251 - to look at spans
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: TID251
from opentelemetry.trace import StatusCode
from payorch import CallError
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.access.callers import access_table
from payorch_server.calls.metrics import CallMetrics
from payorch_server.calls.recording import CallRecord
from payorch_server.model.errors import Failure, error_for
from payorch_server.model.outcome import VERDICTS, Reason
from payorch_server.rpc.health import Health
from payorch_server.rpc.interceptors.boundary import BoundaryInterceptor
from payorch_server.rpc.server import build_server
from payorch_server.rpc.settings import GrpcSettings
from payorch_server.rpc.status import CATALOGUE
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.telemetry.providers import Telemetry, start_telemetry
from payorch_server.telemetry.settings import TelemetrySettings
from payorch_server.usecases.policy import LivePolicy, Policy
from structlog.testing import capture_logs

# Source: OpenTelemetry, "Semantic conventions for gRPC", status codes that are errors of a server.
SERVER_FAULTS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}


class _Failing(service_grpc.PaymentOrchestrationServiceServicer):
    reason = Reason.INTERNAL

    async def GetIntent(self, _request: Any, _context: Any) -> Any:  # noqa: N802 - generated name
        raise error_for(Failure(self.reason, "private"))


@dataclass(slots=True)
class Watched:
    """A service that fails with what it is told, and everything that tells of it."""

    servicer: _Failing
    stub: Any
    spans: InMemorySpanExporter
    telemetry: Telemetry
    records: list[CallRecord]

    async def fails(self) -> tuple[CallError, MutableMapping[str, Any]]:
        """Call; return the error as the caller sees it, and the log line."""
        request = service_pb2.GetIntentRequest(request_id="x" * 16, operation=service_pb2.OPERATION_CREATE_SESSION)
        with capture_logs() as log:
            try:
                await self.stub.GetIntent(request, timeout=10)
            except grpc.aio.AioRpcError as error:
                return CallError.from_rpc_error(error), next(one for one in log if one["event"] == "call")
        raise AssertionError("the call succeeded")


@pytest_asyncio.fixture
async def watched() -> AsyncIterator[Watched]:
    """Serve through our own boundary."""
    spans, records, servicer = InMemorySpanExporter(), list[CallRecord](), _Failing()
    telemetry = start_telemetry(TelemetrySettings(), processors=(SimpleSpanProcessor(spans),))
    calls = CallMetrics(telemetry.meter, clock=SystemClock())

    def ended(record: CallRecord) -> None:
        records.append(record)
        calls.count_call(record)

    policy = LivePolicy(Policy(access_table(None, namespace="n"), None))  # type: ignore[arg-type] # nothing is dispatched
    boundary = BoundaryInterceptor(
        settings=GrpcSettings(),
        policy=policy,
        keyring=KEYRING,
        tracer=telemetry.tracer,
        clock=SystemClock(),
        tasks=TaskOwner(),
        deadlines=Deadlines(SystemClock()),
        ended=ended,
    )
    health = Health(())
    server = build_server(
        settings=GrpcSettings(),
        servicer=servicer,  # type: ignore[arg-type] # any servicer of this service
        interceptors=(boundary,),
        health=health,
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)
        yield Watched(servicer, stub, spans, telemetry, records)
    await server.stop(None)
    telemetry.shutdown()


@pytest.mark.asyncio
@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
async def test_is_told_alike_everywhere(watched: Watched, reason: Reason) -> None:
    """One decision, told five times."""
    watched.servicer.reason = reason
    verdict, code = VERDICTS[reason], CATALOGUE[reason][0].name

    error, line = await watched.fails()

    told = (code, reason.name, verdict.outcome.name)
    assert told == (error.code.name, error.reason, call_pb2.Outcome.Name(error.outcome).removeprefix("OUTCOME_"))
    assert told == (line["code"], line["reason"], line["outcome"])
    assert told == tuple(getattr(watched.records[-1], name) for name in ("code", "reason", "outcome"))
    span = next(one for one in watched.spans.get_finished_spans() if "GetIntent" in one.name)
    attributes = span.attributes or {}
    assert told == (
        attributes["rpc.response.status_code"], attributes["error.type"], attributes["payorch.outcome"]
    )  # fmt: skip
    assert (code in SERVER_FAULTS) is (span.status.status_code is StatusCode.ERROR)
    metrics = watched.telemetry.exposition("")[0].decode()
    assert f'outcome="{verdict.outcome.name}",reason="{reason.name}",rpc="GetIntent",tenant=""}} 1.0' in metrics


@pytest.mark.asyncio
async def test_only_a_defect_is_an_error_line(watched: Watched) -> None:
    """What was foreseen is information; nobody is woken for a declined card."""
    levels = set()
    for reason in Reason:
        watched.servicer.reason = reason
        levels.add((await watched.fails())[1]["log_level"])

    assert {"info"} == levels
