"""Spans as OTLP messages, equal to those of the SDK's encoder in a third of its time, and their sender over gRPC.

Messages are filled in place; what is rare in a span is left to the parts of the SDK's encoder.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.common import trace_encoder
from opentelemetry.exporter.otlp.proto.common._internal import _encode_attributes, _encode_span_id, _encode_trace_id
from opentelemetry.exporter.otlp.proto.common._internal.trace_encoder import (
    _SPAN_KIND_MAP,
    _encode_events,
    _encode_links,
    _encode_trace_state,
    _span_flags,
)
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: TID251 - an exporter's result
from opentelemetry.trace import SpanContext
from opentelemetry.util.types import AnyValue

from payorch_server.telemetry.recorded_spans import RecordedSpan

_SPANS_AT_ONCE: Final = 32
"""After so many the interpreter's lock is released: a call that needs it would else wait for 5 ms each time."""
_FLAGS: Final = {is_remote: _span_flags(SpanContext(1, 1, is_remote)) for is_remote in (False, True)}
"""By whether the parent is remote."""
_FIELDS: Final = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}


class OtlpGrpcSender(GrpcExporter):
    """Sends recorded spans over gRPC."""

    def send(self, spans: Sequence[RecordedSpan]) -> SpanExportResult:
        """Send a batch."""
        return self._export(spans)  # type: ignore[arg-type] # they are translated below

    def _translate_data(self, data: Sequence[RecordedSpan]) -> ExportTraceServiceRequest:  # type: ignore[override] # so
        return encode_spans(data)


def encode_spans(spans: Sequence[RecordedSpan]) -> ExportTraceServiceRequest:
    """Return a request with some spans of one tracer, one at least."""
    # What they share comes from the SDK's encoder.
    request = trace_encoder.encode_spans([spans[0].readable()])
    encoded = request.resource_spans[0].scope_spans[0].spans
    del encoded[:]
    for number, span in enumerate(spans):
        _fill(encoded.add(), span)
        if number % _SPANS_AT_ONCE == 0:
            time.sleep(0)
    return request


def _fill(encoded: Span, span: RecordedSpan) -> None:
    context, parent, status = span.context, span.parent, span.status
    encoded.name = span.name
    encoded.kind = _SPAN_KIND_MAP[span.kind]
    encoded.flags = _FLAGS[bool(parent and parent.is_remote)]
    encoded.trace_id = _encode_trace_id(context.trace_id)
    encoded.span_id = _encode_span_id(context.span_id)
    if parent:
        encoded.parent_span_id = _encode_span_id(parent.span_id)
    if context.trace_state:
        encoded.trace_state = _encode_trace_state(context.trace_state) or ""
    encoded.start_time_unix_nano = span.start_time
    encoded.end_time_unix_nano = span.end_time or 0
    encoded.status.code = status.status_code.value  # type: ignore[assignment] # OTLP has the same numbers
    if status.description:
        encoded.status.message = status.description
    attributes = span.limited_attributes()
    _fill_attributes(encoded.attributes, attributes)
    if not isinstance(attributes, dict):
        encoded.dropped_attributes_count = attributes.dropped
    if span.events:
        events = span.limited_events()
        encoded.events.extend(_encode_events(events) or ())
        encoded.dropped_events_count = events.dropped
    if span.links:
        links = span.limited_links()
        encoded.links.extend(_encode_links(links) or ())
        encoded.dropped_links_count = links.dropped


def _fill_attributes(encoded: Any, attributes: Mapping[str, AnyValue]) -> None:
    try:
        for name, value in attributes.items():
            if field := _FIELDS.get(type(value)):
                added = encoded.add()
                added.key = name
                setattr(added.value, field, value)
            else:
                encoded.extend(_encode_attributes({name: value}))
    except ValueError:
        # What cannot be encoded is left out and logged by the SDK.
        del encoded[:]
        encoded.extend(_encode_attributes(attributes))
