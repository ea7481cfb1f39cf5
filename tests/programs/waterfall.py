"""A trace as indented text."""

from collections.abc import Iterable, Iterator, Sequence

from opentelemetry.sdk.trace import ReadableSpan  # noqa: TID251 - to look at spans
from opentelemetry.trace import StatusCode

_WIDTH = 40
_SHOWN = ("rpc.response.status_code", "http.response.status_code", "zuora.request_id", "error.type", "payorch.outcome")


def waterfall(spans: Iterable[ReadableSpan], *, trace_id: str) -> Iterator[str]:
    """Yield one line per span of the trace, children below their parents.

    Args:
        spans: Ended spans, of any trace.
        trace_id: 32 hexadecimal digits.
    """
    ours = [span for span in spans if f"{span.get_span_context().trace_id:032x}" == trace_id]
    ours.sort(key=lambda span: span.start_time or 0)
    if not ours:
        return
    start = min(span.start_time or 0 for span in ours)
    end = max(span.end_time or 0 for span in ours)
    known = {span.get_span_context().span_id for span in ours}
    roots = [span for span in ours if span.parent is None or span.parent.span_id not in known]
    yield from _lines(roots, ours, depth=0, start=start, length=max(end - start, 1))


def _lines(
    level: Sequence[ReadableSpan], every: Sequence[ReadableSpan], *, depth: int, start: int, length: int
) -> Iterator[str]:
    for span in level:
        own_start, own_end = (span.start_time or start) - start, (span.end_time or start) - start
        left = own_start * _WIDTH // length
        width = max((own_end - own_start) * _WIDTH // length, 1)
        bar = (" " * left + "#" * width)[:_WIDTH].ljust(_WIDTH)
        name = ("  " * depth + span.name)[:58].ljust(58)
        facts = " ".join(str(span.attributes[key]) for key in _SHOWN if span.attributes and key in span.attributes)
        mark = "!" if span.status.status_code is StatusCode.ERROR else " "
        yield f"  {name} |{bar}| {(own_end - own_start) / 1e6:8.2f} ms {mark} {facts}"
        children = [one for one in every if one.parent and one.parent.span_id == span.get_span_context().span_id]
        yield from _lines(children, every, depth=depth + 1, start=start, length=length)
