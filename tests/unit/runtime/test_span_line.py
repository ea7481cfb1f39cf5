from opentelemetry.sdk.trace import ReadableSpan  # noqa: TID251 - what is shown
from opentelemetry.trace import SpanContext, Status, StatusCode
from payorch_server.runtime.span_line import span_line


def test_a_span_is_one_line() -> None:
    """Trace, parent, span, duration, a mark for errors, name, attributes that the name does not say."""
    span = ReadableSpan(
        name="POST /x",
        context=SpanContext(1, 2, is_remote=False),
        parent=SpanContext(1, 3, is_remote=False),
        attributes={"url.template": "/x", "error.type": "500", "zuora.codes": ("1", "2")},
        status=Status(StatusCode.ERROR),
        start_time=0,
        end_time=1_500_000,
    )

    expected = f"{1:032x} {3:016x} > {2:016x}      1.50 ms ! POST /x error.type=500 zuora.codes=1,2\n"
    assert expected == span_line(span)


def test_a_root_has_no_parent() -> None:
    """A dash stands for it."""
    span = ReadableSpan(name="call", context=SpanContext(1, 2, is_remote=False), start_time=0, end_time=0)

    assert f"{1:032x} {'-' * 16} > {2:016x}      0.00 ms   call\n" == span_line(span)
