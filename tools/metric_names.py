"""The metrics of the service and of the hub: what dashboards and alerts may query.

Tests compare it with what a running service exposes, and compare dashboards and alert rules with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from payorch_server.model.outcome import Outcome, Reason
from payorch_server.upc.answers import Situation

OF_THE_SCRAPE: Final = frozenset({"cluster", "job", "instance", "namespace", "pod"})
"""Labels that Prometheus adds."""
OF_PROMETHEUS: Final = frozenset({"up", "ALERTS"})
"""Series that Prometheus makes itself."""
_SUFFIX: Final = {"s": "_seconds", "": ""}
OUTCOMES: Final = frozenset(outcome.name for outcome in Outcome)
DISPOSITIONS: Final = frozenset({"opened", "joined", "replayed", "refused", "taken_over", "unrecorded"})
SITUATIONS: Final = frozenset(situation.name.lower() for situation in Situation)
REASONS: Final = frozenset(reason.name for reason in Reason)


@dataclass(frozen=True, slots=True)
class Metric:
    """One instrument."""

    name: str
    """As OpenTelemetry names it."""
    kind: Literal["counter", "gauge", "histogram"]
    labels: frozenset[str]
    """As Prometheus names them."""
    unit: Literal["s", ""] = ""
    values: dict[str, frozenset[str]] = field(default_factory=dict)
    """What a label can be, where that is fixed."""

    @property
    def family(self) -> str:
        """Return its name in Prometheus, without the suffixes of a histogram's series."""
        name = self.name.replace(".", "_") + _SUFFIX[self.unit]
        return f"{name}_total" if self.kind == "counter" else name

    def series(self) -> Iterator[tuple[str, frozenset[str]]]:
        """Yield the names of its series in Prometheus, each with its labels."""
        if self.kind != "histogram":
            yield self.family, self.labels
            return
        yield f"{self.family}_bucket", self.labels | {"le"}
        yield f"{self.family}_sum", self.labels
        yield f"{self.family}_count", self.labels


def _counter(name: str, *labels: str, **values: set[str]) -> Metric:
    return Metric(name, "counter", frozenset({*labels, *values}), values={k: frozenset(v) for k, v in values.items()})


def _gauge(name: str, *labels: str, unit: Literal["s", ""] = "") -> Metric:
    return Metric(name, "gauge", frozenset(labels), unit)


def _seconds(name: str, *labels: str) -> Metric:
    return Metric(name, "histogram", frozenset(labels), "s")


METRICS: Final = (
    _seconds("rpc.server.call.duration", "rpc_system_name", "rpc_method", "rpc_response_status_code", "error_type"),
    _seconds(
        "http.client.request.duration",
        "http_request_method",
        "url_template",
        "server_address",
        "http_response_status_code",
        "error_type",
    ),
    _counter("payorch.calls", "rpc", "tenant", outcome={*OUTCOMES}, reason={"", *REASONS}),
    _gauge("payorch.calls.in_progress"),
    _gauge("payorch.intents.in_flight"),
    _counter("payorch.executions", "rpc", "tenant", outcome={*OUTCOMES}, reason={"", *REASONS}),
    _counter("payorch.intents", "rpc", disposition={*DISPOSITIONS}),
    _gauge("payorch.intents.unsettled"),
    _gauge("payorch.intents.unsettled.age", unit="s"),
    _counter("payorch.upstream.retries", "tenant", "reason"),
    _gauge("payorch.upstream.retry_budget", "tenant"),
    _gauge("payorch.upstream.circuit", "tenant", "entity"),
    _gauge("payorch.upstream.in_flight", "tenant"),
    _gauge("payorch.upstream.waiting", "tenant"),
    _seconds("payorch.upstream.queue.duration", "tenant"),
    _counter("payorch.token.fetches", "tenant", result={"fetched", *REASONS}),
    _seconds("payorch.token.wait.duration", "tenant"),
    _gauge("payorch.clock.offset", "tenant", unit="s"),
    _gauge("payorch.token.age", "tenant", unit="s"),
    _gauge("payorch.quota.left", "tenant", "limit"),
    _counter("payorch.route.decisions", "tenant", "rule", result={"routed", "refused"}),
    _counter("payorch.access.decisions", "right", decision={"allowed", "denied"}),
    _counter("payorch.configuration.reloads", result={"adopted", "refused", "switched_off"}),
    _gauge("payorch.configuration.refused"),
    _gauge("payorch.policy.info", "policy_hash", "version"),
    _gauge("payorch.build.info", "version", "python_version", "grpc_version"),
    _seconds("payorch.event_loop.lag"),
    _counter("process.cpu.seconds"),
    _gauge("process.resident_memory_bytes"),
    _gauge("process.virtual_memory_bytes"),
    _gauge("process.start_time", unit="s"),
    _gauge("process.open_fds"),
    _gauge("process.max_fds"),
    _counter("python.gc.collections", "generation"),
    _counter("python.gc.objects_collected", "generation"),
    _counter("python.gc.objects_uncollectable", "generation"),
    _gauge("payorch.certificate.expiry", unit="s"),
    _gauge("payorch.issuer.key_age", "issuer", unit="s"),
    _gauge("payorch.issuer.keys_usable", "issuer"),
    _gauge("payorch.tenant.ready", "tenant"),
    _gauge("payorch.money.accepted"),
    _gauge("payorch.calls.backlog_age", unit="s"),
    _counter("payorch.store.failures", "operation"),
    _gauge("payorch.store.entries"),
    _gauge("payorch.store.max_entries"),
    _counter("payorch.replays", "tenant"),
    _counter("payorch.spans.dropped", "reason"),
    _counter("payorch.call_records.lost"),
    _counter("payorch.log.lost", stream={"log", "audit"}),
    _gauge("payorch.log.stalled", "stream"),
    _seconds("payorch.upc.call.duration", "hub", "gateway", "operation", "answer"),
    _counter("payorch.upc.refused", situation={*SITUATIONS}),
    _counter("payorch.upc.needs_people", "operation", "gateway", situation={*SITUATIONS}),
    _gauge("payorch.upc.open_records", "hub", "gateway"),
    _gauge("payorch.upc.open_record_age", "hub", "gateway", unit="s"),
    _counter("payorch.upc.gateway.calls", "gateway", "method", "result"),
    _seconds("payorch.upc.gateway.call.duration", "gateway", "method"),
    _gauge("payorch.upc.gateway.ready", "gateway"),
    _counter("payorch.upc.contract_broken", "gateway", "rule"),
    _gauge("payorch.upc.in_flight", "hub"),
)
SERIES: Final = {name: labels for metric in METRICS for name, labels in metric.series()}
"""Every series in Prometheus, and its labels."""
VALUES: Final = {metric.family: metric.values for metric in METRICS}
"""What the labels of a counter can be, where that is fixed."""
