"""A tracer whose spans are plain records; only those that are exported are made into the SDK's ReadableSpans."""

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from time import time_ns
from typing import Final, Protocol

from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource  # noqa: TID251 - what spans are of
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits  # noqa: TID251 - what exporters are given
from opentelemetry.sdk.trace import Span as SdkSpan  # noqa: TID251 - for what our spans do as the SDK's do
from opentelemetry.sdk.trace import Tracer as SdkTracer  # noqa: TID251 - it has the ids and the resource
from opentelemetry.sdk.util import BoundedList  # noqa: TID251 - as the SDK's spans have them
from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: TID251 - names the tracer
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AnyValue, Attributes

_LOG: Final = logging.getLogger(__name__)
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_SAMPLED_RANDOM: Final = TraceFlags(TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID)
_NUMBERS: Final = frozenset({bool, int, float})
_UNSET: Final = Status(StatusCode.UNSET)
# A recipient that fails must not fail the call that made the span.
_GUARD: Final = contextlib.suppress(Exception)


class Fate(Enum):
    """What becomes of the spans of a call."""

    UNDECIDED = auto()
    """They are held: the call has not ended."""
    KEPT = auto()
    UNWANTED = auto()
    LOST = auto()
    """Too many calls were open."""


@dataclass(slots=True)
class CallTrace:
    """The spans of one call in this process: its outermost one, those below it, and those that only link to it."""

    root_id: int
    """Span id of the outermost one."""
    ended: "list[RecordedSpan]" = field(default_factory=list)
    """Those that wait for the decision."""
    failed: bool = False
    """Whether one of those that ended so far recorded a failure."""
    fate: Fate = Fate.UNDECIDED


class SpanRecipient(Protocol):
    """Is given every span of a tracer, when it starts and when it has ended."""

    def on_start(self, span: "RecordedSpan", parent: "RecordedSpan | None") -> None:
        """Note a start.

        Args:
            span: Has its ids, links and first attributes.
            parent: The span of the same tracer below which it starts.
        """
        ...

    def on_end(self, span: "RecordedSpan") -> None:
        """Take a span, which does not change any more."""
        ...

    def shutdown(self) -> None:
        """Send what is left; this may block."""
        ...


class RecordedSpan(trace.Span):
    """A span of a RecordingTracer; it does what a span of the SDK's would do.

    Limits are applied when it is exported, so values of attributes must not change after they were set.
    """

    __slots__ = (
        "attributes",
        "call",
        "context",
        "end_time",
        "events",
        "kind",
        "links",
        "name",
        "parent",
        "start_time",
        "status",
        "tracer",
    )

    def __init__(
        self,
        tracer: "RecordingTracer",
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: Attributes,
        links: Sequence[Link],
        start_time: int,
    ) -> None:
        """Start a span, without any recipient's knowledge."""
        self.tracer = tracer
        self.name = name
        self.context = context
        self.parent = parent
        self.kind = kind
        self.attributes: dict[str, AnyValue] = dict(attributes) if attributes else {}
        self.events: tuple[Event, ...] = ()
        self.links = tuple(links)
        self.status = _UNSET
        self.start_time = start_time
        """Nanoseconds since 1970."""
        self.end_time: int | None = None
        """Nanoseconds since 1970; None until it ends."""
        self.call: CallTrace | None = None
        """Set by the sampling, if there is one."""

    def __repr__(self) -> str:
        return f"RecordedSpan({self.name})"

    def get_span_context(self) -> SpanContext:
        """Return the ids."""
        return self.context

    def is_recording(self) -> bool:
        """Return whether the span has not ended."""
        return self.end_time is None

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Set one attribute."""
        if self._may_change():
            self.attributes[key] = value

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Set several."""
        if self._may_change():
            self.attributes.update(attributes)

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Add an event, which happens now unless a time is given."""
        if self._may_change():
            self.events += (Event(name, attributes, timestamp),)

    record_exception = SdkSpan.record_exception
    """By an event: add_event is all that it uses of a span."""

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Add a link to another span."""
        if self._may_change():
            self.links += (Link(context, attributes),)

    def update_name(self, name: str) -> None:
        """Rename the span."""
        if self._may_change():
            self.name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status; OK is final, and UNSET is ignored."""
        if not isinstance(status, Status):
            status = Status(status, description)
        is_effective = status.status_code is not StatusCode.UNSET and self.status.status_code is not StatusCode.OK
        if is_effective and self._may_change():
            self.status = status

    def end(self, end_time: int | None = None) -> None:
        """End the span, now unless a time is given."""
        if not self._may_change():
            return
        self.end_time = time_ns() if end_time is None else end_time
        for recipient in self.tracer.recipients:
            with _GUARD:
                recipient.on_end(self)

    def _may_change(self) -> bool:
        if self.end_time is None:
            return True
        _LOG.warning("A span that has ended does not change any more: %s", self.name)
        return False

    # --- for export: the SDK would have applied the limits at once

    def limited_attributes(self) -> "dict[str, AnyValue] | BoundedAttributes":
        """Return the attributes within their limits, and how many were dropped if they were not."""
        limits = self.tracer.limits
        most, most_characters = limits.max_span_attributes, limits.max_span_attribute_length
        if (most is None or len(self.attributes) <= most) and _are_plain(self.attributes, most_characters):
            return self.attributes
        return BoundedAttributes(most, self.attributes, max_value_len=most_characters)

    def limited_events(self) -> "BoundedList[Event]":
        """Return the events within their limits."""
        limits = self.tracer.limits
        most, most_characters = limits.max_event_attributes, limits.max_attribute_length
        events = [
            Event(event.name, BoundedAttributes(most, event.attributes, max_value_len=most_characters), event.timestamp)
            for event in self.events
        ]
        return BoundedList.from_seq(limits.max_events, events)

    def limited_links(self) -> "BoundedList[Link]":
        """Return the links that lead to something, within their limits."""
        limits = self.tracer.limits
        most, most_characters = limits.max_link_attributes, limits.max_attribute_length
        links = [
            Link(link.context, BoundedAttributes(most, link.attributes, max_value_len=most_characters))
            for link in self.links
            if link.context.is_valid or link.attributes or link.context.trace_state
        ]
        return BoundedList.from_seq(limits.max_links, links)

    def readable(self) -> ReadableSpan:
        """Return the span as exporters of the SDK take it."""
        return ReadableSpan(
            name=self.name,
            context=self.context,
            parent=self.parent,
            resource=self.tracer.resource,
            attributes=self.limited_attributes(),
            events=self.limited_events(),
            links=self.limited_links(),
            kind=self.kind,
            status=self.status,
            start_time=self.start_time,
            end_time=self.end_time,
            instrumentation_scope=self.tracer.scope,
        )


def _are_plain(attributes: Mapping[str, AnyValue], most_characters: int | None) -> bool:
    """Return whether the SDK would find nothing to change, which it takes several times as long to find."""
    for value in attributes.values():
        if isinstance(value, str):
            if most_characters is not None and len(value) > most_characters:
                return False
        elif type(value) not in _NUMBERS:
            return False
    return True


class RecordingTracer(trace.Tracer):
    """Records every span and gives it to recipients; ids and resource are the SDK's."""

    def __init__(self, sdk: SdkTracer, *, name: str, limits: SpanLimits, recipients: Sequence[SpanRecipient]) -> None:
        """Make a tracer.

        Args:
            sdk: A tracer of the SDK's, which generates the ids and has the resource.
            name: Of the instrumentation scope.
            limits: Of what is exported.
            recipients: Are given every span, in this order.
        """
        self._sdk = sdk
        self.scope = InstrumentationScope(name, "")
        self.limits = limits
        self.recipients = tuple(recipients)

    @property
    def resource(self) -> Resource:
        """What all spans are of."""
        return self._sdk.resource

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: ARG002, FBT001, FBT002 - the interface
        set_status_on_exception: bool = True,  # noqa: ARG002, FBT001, FBT002 - the interface
    ) -> RecordedSpan:
        """Start a span below the context's, or a trace; a span in a with statement ends, and records no exception."""
        around = trace.get_current_span(context)
        parent, ids = around.get_span_context(), self._sdk.id_generator
        if parent.is_valid:
            own = SpanContext(
                parent.trace_id,
                ids.generate_span_id(),
                is_remote=False,
                trace_flags=_SAMPLED_RANDOM if parent.trace_flags & TraceFlags.RANDOM_TRACE_ID else _SAMPLED,
                trace_state=parent.trace_state,
            )
        else:
            flags = _SAMPLED_RANDOM if ids.is_trace_id_random() else _SAMPLED
            own = SpanContext(ids.generate_trace_id(), ids.generate_span_id(), is_remote=False, trace_flags=flags)
        started = time_ns() if start_time is None else start_time
        span = RecordedSpan(
            self, name, own, parent if parent.is_valid else None, kind, attributes, links or (), started
        )
        local = around if isinstance(around, RecordedSpan) and around.tracer is self else None
        for recipient in self.recipients:
            with _GUARD:
                recipient.on_start(span, local)
        return span

    start_as_current_span = SdkTracer.start_as_current_span
    """By start_span: that is all that it uses of a tracer."""
