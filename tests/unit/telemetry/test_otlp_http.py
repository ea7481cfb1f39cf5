"""Spans over OTLP/HTTP: what a collector has not accepted is not counted as sent."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from harness.spans import KeptRecords, tracer_over
from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: TID251 - a sender's result
from payorch_server.telemetry.otlp_http import span_sender
from payorch_server.telemetry.settings import TelemetrySettings


class Answering(ThreadingHTTPServer):
    """A collector that answers every request with one status."""

    status = 200
    requests = 0


class _Handler(BaseHTTPRequestHandler):
    server: Answering

    def do_POST(self) -> None:
        self.server.requests += 1
        self.send_response(self.server.status)
        self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def collector() -> Iterator[Answering]:
    """Start one."""
    with Answering(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class TestSender:
    """Of a batch of one span."""

    @pytest.mark.parametrize(
        ("status", "result"),
        [
            (200, SpanExportResult.SUCCESS),
            (202, SpanExportResult.SUCCESS),
            (301, SpanExportResult.FAILURE),
            (307, SpanExportResult.FAILURE),
            (400, SpanExportResult.FAILURE),
        ],
    )
    def test_believes_no_redirect(self, status: int, result: SpanExportResult, collector: Answering) -> None:
        """A proxy that redirects has accepted nothing, and is not followed: the headers are for the collector alone."""
        collector.status = status
        kept = KeptRecords()
        tracer_over(kept).start_span("call").end()
        sender = span_sender(
            TelemetrySettings(otlp_endpoint=f"http://127.0.0.1:{collector.server_port}"), timeout_s=5.0
        )

        assert (result, 1) == (sender.send(kept.spans), collector.requests)
