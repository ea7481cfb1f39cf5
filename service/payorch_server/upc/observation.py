"""What is reported of the hub: a server span and a log record per request, alarms and metrics.

Ids of Zuora's are reported in their known forms; nothing else of a request is, and nothing that a gateway writes.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

import structlog
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.metrics import Meter, Observation
from opentelemetry.trace import SpanKind, Status, StatusCode

from payorch_server.model.shown_forms import shown_id
from payorch_server.runtime.clock import Clock
from payorch_server.telemetry.instruments import CheapCounter, CheapHistogram, observe
from payorch_server.telemetry.logging import where
from payorch_server.telemetry.spans import emit_pointer
from payorch_server.upc.answers import Answer, HubAnswer, Situation
from payorch_server.upc.exchange import names_of
from payorch_server.upc.hub_parts import HubCallNotes
from payorch_server.upc.open_records import OpenRecords
from payorch_server.upc.request import HubRequest, UnusableRequest
from payorch_server.upc.settings import UpcSettings

_LOG: Final = structlog.get_logger("payorch.upc")
_SPAN: Final = "POST /upc/{hub}"
_LABELS: Final = ("hub", "gateway", "operation", "answer")
_POINTER: Final = "send"
_CALLABLE_STATES: Final = frozenset({"READY", "IDLE"})
"""States of a channel that can be called; IDLE is one whose connection was closed for want of calls."""


class ReportedExchange(Protocol):
    """One request to the hub and its answer."""

    @property
    def caller(self) -> str:
        """Who sent it, in a word of ours."""
        ...

    @property
    def request(self) -> HubRequest | UnusableRequest | None:
        """None where the body was not read."""
        ...

    @property
    def answer(self) -> HubAnswer:
        """What Zuora is answered."""
        ...

    @property
    def duration_s(self) -> float:
        """From the first byte of the request to the answer."""
        ...

    @property
    def notes(self) -> HubCallNotes:
        """Filled by the hub."""
        ...


class HubObservation:
    """Reports requests, calls of gateways, and what is in doubt."""

    def __init__(
        self, *, tracer: trace.Tracer, meter: Meter, clock: Clock, settings: Callable[[], UpcSettings]
    ) -> None:
        """Make an observation and its instruments.

        Args:
            tracer: Makes the spans.
            meter: Makes the instruments.
            clock: Measures.
            settings: Returns the settings in force, whose hubs and gateways are the only values of labels.
        """
        self._tracer = tracer
        self._clock = clock
        self._settings = settings
        self.open_records = OpenRecords()
        """Requests that this process left in doubt."""
        self._in_flight: Counter[str] = Counter()
        self._durations = CheapHistogram(
            meter, "payorch.upc.call.duration", _LABELS, description="Requests of Zuora's, by answer."
        )
        self._plugin_durations = CheapHistogram(
            meter, "payorch.upc.gateway.call.duration", ("gateway", "method"), description="Calls of gateways."
        )
        self._refused = CheapCounter(
            meter, "payorch.upc.refused", ("situation",), unit="{request}", description="Answers of the hub's own."
        )
        self._plugin_calls = CheapCounter(
            meter,
            "payorch.upc.gateway.calls",
            ("gateway", "method", "result"),
            unit="{call}",
            description="Calls of gateways, by result.",
        )
        self._broken = CheapCounter(
            meter,
            "payorch.upc.contract_broken",
            ("gateway", "rule"),
            unit="{answer}",
            description="Answers of gateways that break a rule of the contract.",
        )
        self._for_people = _counter_for_people(meter)
        self._meter = meter
        self._publish(meter)

    def __repr__(self) -> str:
        return f"HubObservation({self.open_records!r})"

    # --- requests

    @contextmanager
    def observe(self, hub: str) -> Iterator[Callable[[ReportedExchange], None]]:
        """Open the span of one request, which is the current one inside; yield what its end is reported with.

        Args:
            hub: Name of the hub; empty where the path names none that exists.
        """
        # Zuora sends no trace context.
        span = self._tracer.start_span(_SPAN, context=Context(), kind=SpanKind.SERVER)
        # One that is not recorded as well: gateways are given the ids that the log has.
        token = attach(trace.set_span_in_context(span))
        self._in_flight[hub] += 1
        try:
            yield lambda exchange: self._report(hub, exchange, span)
        finally:
            self._in_flight[hub] -= 1
            detach(token)
            span.end()

    def _report(self, hub: str, exchange: ReportedExchange, span: trace.Span) -> None:
        """Count, log and mark a request; a failure of that does not change its answer."""
        try:
            self._finish_telemetry(hub, exchange, span)
        except Exception as defect:  # noqa: BLE001 - the answer is decided
            _LOG.error("upc_call_not_logged", type=type(defect).__name__, where=where(defect))

    def _finish_telemetry(self, hub: str, exchange: ReportedExchange, span: trace.Span) -> None:
        answer, fields = exchange.answer, _facts(hub, exchange)
        self._durations.record(exchange.duration_s, *(str(fields[name]) for name in _LABELS))
        if answer.outcome is None:
            self._refused.add(str(fields["situation"]))
        self._mark(span, fields, answer)
        trace_id = span.get_span_context().trace_id
        _LOG.info(
            "upc_call",
            **fields,
            **_defect(exchange.request),
            caller=str(exchange.caller),
            duration_s=round(exchange.duration_s, 6),
            trace_id=f"{trace_id:032x}" if trace_id else "",
        )

    def _mark(self, span: trace.Span, fields: dict[str, Any], answer: HubAnswer) -> None:
        if not span.is_recording():
            return
        span.set_attributes(
            {"http.request.method": "POST", "http.route": "/upc/{hub}", "http.response.status_code": answer.status}
        )
        span.set_attributes({f"payorch.upc.{name}": value for name, value in fields.items() if name != "status"})
        if answer.answer is not Answer.APPROVED:
            span.set_attribute("error.type", answer.situation.name)
        if answer.answer is Answer.UNKNOWN:
            span.set_status(Status(StatusCode.ERROR))
        if fields["id"] and fields["key"]:
            # All sends of a payment are found in the trace of its key.
            trace_id, span_id = span_ids_of_key(str(fields["key"]))
            emit_pointer(self._tracer, _POINTER, span, trace_id=trace_id, span_id=span_id)

    # --- what the hub and its gateways report

    def needs_people(self, situation: Situation, *, key: str, operation: str, gateway: str) -> None:
        """Log and count that a request cannot be settled by any resend."""
        self._for_people.add(situation.name.lower(), operation.lower(), gateway)
        _LOG.error(
            "upc_needs_people",
            situation=situation.name.lower(),
            detail=situation.value,
            key=key,
            operation=operation.lower(),
            gateway=gateway,
        )

    def opened(self, key: str, *, gateway: str, first_send_s: float) -> None:
        """Note that a request is in doubt."""
        self.open_records.add(key, gateway=gateway, first_send_s=first_send_s)

    def settled(self, key: str) -> None:
        """Note that a request has ended."""
        self.open_records.remove(key)

    def plugin_called(self, *, gateway: str, method: str, result: str, duration_s: float) -> None:
        """Count a call of a gateway."""
        self._plugin_calls.add(gateway, method, result)
        self._plugin_durations.record(duration_s, gateway, method)

    def contract_broken(self, *, gateway: str, rule: str) -> None:
        """Count an answer that breaks a rule of the contract."""
        self._broken.add(gateway, rule)

    # --- gauges

    def publish_gateways(self, states: Callable[[], Mapping[str, str]]) -> None:
        """Make the gauge of which gateways can be called, from the states of their channels."""
        observe(
            self._meter,
            "payorch.upc.gateway.ready",
            lambda: [
                Observation(int(state in _CALLABLE_STATES), {"gateway": name}) for name, state in states().items()
            ],
            unit="1",
            description="Whether a gateway can be called: 1 or 0.",
        )

    def _publish(self, meter: Meter) -> None:
        observe(
            meter,
            "payorch.upc.in_flight",
            lambda: [Observation(self._in_flight[hub], {"hub": hub}) for hub in self._settings().hubs],
            unit="{request}",
            description="Requests of Zuora's in progress.",
        )
        observe(
            meter,
            "payorch.upc.open_records",
            lambda: [Observation(count, labels) for labels, count, _ in self._open()],
            unit="{request}",
            description="Requests that this process left in doubt, not settled since.",
        )
        observe(
            meter,
            "payorch.upc.open_record_age",
            lambda: [Observation(age_s, labels) for labels, _, age_s in self._open()],
            unit="s",
            description="Time since the first send of the oldest of them.",
        )

    def _open(self) -> Iterator[tuple[dict[str, str], int, float]]:
        """Yield labels, number and age of what is in doubt, for every gateway: a missing series could mean anything."""
        found, now_s = self.open_records.by_gateway(), self._clock.now().timestamp()
        hubs = {name: gateway.hub for name, gateway in self._settings().gateways.items()}
        for gateway in dict.fromkeys((*hubs, *found)):
            labels = {"hub": hubs.get(gateway, ""), "gateway": gateway}
            summary = found.get(gateway)
            yield labels, summary.count if summary else 0, max(now_s - summary.oldest_s, 0.0) if summary else 0.0


def _counter_for_people(meter: Meter) -> CheapCounter:
    return CheapCounter(
        meter,
        "payorch.upc.needs_people",
        ("situation", "operation", "gateway"),
        unit="{request}",
        description="Requests that no resend can settle.",
    )


def span_ids_of_key(key: str) -> tuple[int, int]:
    """Return the trace id and the span id that a key leads to.

    The trace id is the first 32 hexadecimal digits of the SHA-256 over the key, the span id the 16 after them.
    """
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])


def _facts(hub: str, exchange: ReportedExchange) -> dict[str, Any]:
    """Return what log record and span have in common."""
    notes, answer = exchange.notes, exchange.answer
    operation, tenant_id, zuora_id = names_of(exchange.request)
    return {
        "hub": hub,
        "operation": operation.lower(),
        "tenant_id": shown_id(tenant_id),
        "id": shown_id(zuora_id),
        "key": notes.key,
        "answer": answer.answer.name.lower(),
        "situation": answer.situation.name.lower(),
        "status": answer.status,
        "attempt": notes.attempt,
        "gateway": notes.gateway,
        "replayed": notes.replayed,
        "joined": notes.joined,
    }


def _defect(request: HubRequest | UnusableRequest | None) -> dict[str, str]:
    """Return what is wrong with a request, in words of ours."""
    if not isinstance(request, UnusableRequest):
        return {}
    return {"defect": request.defect.name.lower(), "member": request.member}
