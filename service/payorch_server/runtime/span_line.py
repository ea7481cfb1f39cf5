"""One span as a line for people."""

from collections.abc import Iterator
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan  # noqa: TID251 - one of the SDK's parts
from opentelemetry.trace import INVALID_SPAN_CONTEXT, StatusCode

_SAID_ALREADY: Final = frozenset({"rpc.method", "rpc.system.name", "url.template"})


def span_line(span: ReadableSpan) -> str:
    """Return trace id, place in it, duration, name and attributes of a span, and an end of line."""
    context = span.get_span_context() or INVALID_SPAN_CONTEXT
    below = f"{span.parent.span_id:016x}" if span.parent else "-" * 16
    duration_ms = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
    mark = "!" if span.status.status_code is StatusCode.ERROR else " "
    place = f"{context.trace_id:032x} {below} > {context.span_id:016x}"
    return " ".join((place, f"{duration_ms:9.2f} ms", mark, span.name, *_told(span))) + "\n"


def _told(span: ReadableSpan) -> Iterator[str]:
    for name, value in (span.attributes or {}).items():
        if name not in _SAID_ALREADY:
            yield f"{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}"
