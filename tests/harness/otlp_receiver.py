"""A collector for tests: takes OTLP over gRPC and HTTP, keeps what it is sent, and misbehaves on demand."""

import argparse
import asyncio
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import grpc
from aiohttp import web
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from harness.authority import Issued

Mode = Literal["healthy", "slow", "refusing"]
_MAX_BYTES: Final = 64 * 1024 * 1024
_KINDS: Final = {2: "SERVER", 3: "CLIENT"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A span as it was decoded from the wire."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    """Empty for a root."""
    kind: str
    attributes: dict[str, Any]
    failed: bool
    events: tuple[tuple[str, dict[str, Any]], ...]
    links: tuple[tuple[str, str], ...]
    """Trace id and span id of each."""
    started_ns: int


@dataclass(slots=True)
class Collector:
    """What came in, and what becomes of what comes."""

    mode: Mode = "healthy"
    keeps: bool = True
    """Whether spans are kept; a load test has too many."""
    spans: list[Seen] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """Each request with spans, as text."""
    metrics: set[str] = field(default_factory=set)
    """Their names."""
    headers: dict[str, list[dict[str, str]]] = field(default_factory=lambda: {"traces": [], "metrics": []})
    """Those of each export, by signal."""
    exports: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """A slow collector answers when it is set."""
    grpc_url: str = ""
    http_url: str = ""

    def trace(self, trace_id: str) -> list[Seen]:
        """Return the spans of a trace."""
        return [span for span in self.spans if span.trace_id == trace_id]

    async def behave(self, signal: str, headers: Iterable[tuple[str, str | bytes]]) -> bool:
        """Return whether an export is taken, when it is time to say so."""
        self.exports += 1
        self.headers[signal].append({name.lower(): str(value) for name, value in headers})
        if self.mode == "slow":
            await self.released.wait()
        return self.mode != "refusing"

    def take_spans(self, request: trace_service_pb2.ExportTraceServiceRequest) -> None:
        """Keep spans."""
        if self.keeps:
            scopes = (scope for resource in request.resource_spans for scope in resource.scope_spans)
            self.texts.append(str(request))
            self.spans += (_seen(span) for scope in scopes for span in scope.spans)

    def take_metrics(self, request: metrics_service_pb2.ExportMetricsServiceRequest) -> None:
        """Keep the names of metrics."""
        scopes = (scope for resource in request.resource_metrics for scope in resource.scope_metrics)
        self.metrics |= {metric.name for scope in scopes for metric in scope.metrics}


def _seen(span: trace_pb2.Span) -> Seen:
    return Seen(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        kind=_KINDS.get(span.kind, "INTERNAL"),
        attributes=dict(_values(span.attributes)),
        failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        events=tuple((event.name, dict(_values(event.attributes))) for event in span.events),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        started_ns=span.start_time_unix_nano,
    )


def _values(attributes: Any) -> Iterator[tuple[str, Any]]:
    pair: KeyValue
    for pair in attributes:
        yield pair.key, _value(pair.value)


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return [_value(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, str(kind))


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - its name in OTLP
        if not await self._collector.behave("traces", context.invocation_metadata()):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "refusing")
        self._collector.take_spans(request)
        return trace_service_pb2.ExportTraceServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - its name in OTLP
        if not await self._collector.behave("metrics", context.invocation_metadata()):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "refusing")
        self._collector.take_metrics(request)
        return metrics_service_pb2.ExportMetricsServiceResponse()


def _over_http(collector: Collector) -> web.Application:
    async def spans(request: web.Request) -> web.Response:
        if not await collector.behave("traces", request.headers.items()):
            return web.Response(status=503)
        collector.take_spans(trace_service_pb2.ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response(body=b"", content_type="application/x-protobuf")

    async def metrics(request: web.Request) -> web.Response:
        if not await collector.behave("metrics", request.headers.items()):
            return web.Response(status=503)
        collector.take_metrics(metrics_service_pb2.ExportMetricsServiceRequest.FromString(await request.read()))
        return web.Response(body=b"", content_type="application/x-protobuf")

    application = web.Application(client_max_size=_MAX_BYTES)
    application.router.add_post("/v1/traces", spans)
    application.router.add_post("/v1/metrics", metrics)
    return application


def _add_port(server: grpc.aio.Server, certificate: Issued | None) -> int:
    if certificate is None:
        return server.add_insecure_port("127.0.0.1:0")
    credentials = grpc.ssl_server_credentials([(certificate.key, certificate.certificate)])
    return server.add_secure_port("127.0.0.1:0", credentials)


def _context(certificate: Issued | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="payorch-") as folder:
        context.load_cert_chain(*certificate.write(Path(folder), "collector"))
    return context


@asynccontextmanager
async def collecting(
    mode: Mode = "healthy", *, keeps: bool = True, certificate: Issued | None = None
) -> AsyncIterator[Collector]:
    """Listen on two free ports of loopback; over TLS if there is a certificate."""
    collector = Collector(mode, keeps)
    server = grpc.aio.server(options=(("grpc.max_receive_message_length", _MAX_BYTES), ("grpc.so_reuseport", 0)))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Traces(collector), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Metrics(collector), server)
    grpc_port = _add_port(server, certificate)
    scheme = "https" if certificate else "http"
    collector.grpc_url = f"{scheme}://127.0.0.1:{grpc_port}"
    runner = web.AppRunner(_over_http(collector), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=_context(certificate))
    await site.start()
    collector.http_url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
    await server.start()
    try:
        yield collector
    finally:
        collector.released.set()
        await server.stop(None)
        await runner.cleanup()


async def _collect(mode: Mode) -> None:
    async with collecting(mode, keeps=False) as collector:
        print(collector.grpc_url, flush=True)  # noqa: T201 - whoever starts it reads the address
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=("healthy", "slow", "refusing"))
    asyncio.run(_collect(parser.parse_args().mode))
