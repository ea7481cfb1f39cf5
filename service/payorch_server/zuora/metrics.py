"""Metrics of requests to Zuora, retries, waits and tokens."""

from opentelemetry.metrics import Meter, NoOpMeter

from payorch_server.model.outcome import Reason
from payorch_server.telemetry.instruments import BUCKETS_S, CheapCounter
from payorch_server.zuora.messages import HttpResponse


class UpstreamMetrics:
    """Records requests, retries and waits."""

    def __init__(self, meter: Meter | None = None) -> None:
        meter = meter or NoOpMeter("payorch")
        self._requests = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Requests to Zuora.",
            explicit_bucket_boundaries_advisory=BUCKETS_S,
        )
        self._retries = CheapCounter(
            meter,
            "payorch.upstream.retries",
            ("tenant", "reason"),
            unit="{retry}",
            description="Attempts that follow a failed one, by its reason.",
        )
        self._queued = meter.create_histogram(
            "payorch.upstream.queue.duration",
            unit="s",
            description="Waits of calls for a free slot.",
            explicit_bucket_boundaries_advisory=BUCKETS_S,
        )
        self._token_waits = meter.create_histogram(
            "payorch.token.wait.duration",
            unit="s",
            description="Waits of calls for a token.",
            explicit_bucket_boundaries_advisory=BUCKETS_S,
        )
        self._fetches = CheapCounter(
            meter,
            "payorch.token.fetches",
            ("tenant", "result"),
            unit="{fetch}",
            description="Requests for a token, by result.",
        )

    def record_request(
        self, duration_s: float, *, template: str, host: str, answer: HttpResponse | None, failed: Reason | None
    ) -> None:
        """Record a request to Zuora."""
        attributes: dict[str, str | int] = {
            "http.request.method": "POST",
            "url.template": template,
            "server.address": host,
        }
        if answer is not None:
            attributes["http.response.status_code"] = answer.status
        if failed is not None:
            attributes["error.type"] = failed.name if answer is None else str(answer.status)
        self._requests.record(duration_s, attributes)

    def count_retry(self, tenant: str, reason: Reason) -> None:
        """Count a retry."""
        self._retries.add(tenant, reason.name)

    def record_queue_wait(self, tenant: str, wait_s: float) -> None:
        """Record a wait for a free slot."""
        self._queued.record(wait_s, {"tenant": tenant})

    def record_token_wait(self, tenant: str, wait_s: float) -> None:
        """Record a wait for a token."""
        self._token_waits.record(wait_s, {"tenant": tenant})

    def count_fetch(self, tenant: str, *, failed: Reason | None) -> None:
        """Count a request for a token."""
        self._fetches.add(tenant, failed.name if failed else "fetched")
