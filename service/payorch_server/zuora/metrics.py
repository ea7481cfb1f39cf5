"""Metrics of requests to Zuora, retries, waits and tokens."""

from typing import Final

from opentelemetry.metrics import Meter, NoOpMeter

from payorch_server.model.outcome import Reason
from payorch_server.telemetry.instruments import CheapCounter, CheapHistogram
from payorch_server.zuora.messages import HttpResponse

_REQUEST: Final = ("http.request.method", "url.template", "server.address", "http.response.status_code", "error.type")


class UpstreamMetrics:
    """Records requests, retries and waits."""

    def __init__(self, meter: Meter | None = None) -> None:
        meter = meter or NoOpMeter("payorch")
        self._requests = CheapHistogram(
            meter, "http.client.request.duration", _REQUEST, description="Requests to Zuora."
        )
        self._retries = CheapCounter(
            meter,
            "payorch.upstream.retries",
            ("tenant", "reason"),
            unit="{retry}",
            description="Attempts that follow a failed one, by its reason.",
        )
        self._queued = CheapHistogram(
            meter, "payorch.upstream.queue.duration", ("tenant",), description="Waits of calls for a free slot."
        )
        self._token_waits = CheapHistogram(
            meter, "payorch.token.wait.duration", ("tenant",), description="Waits of calls for a token."
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
        status = answer.status if answer is not None else None
        failure = (failed.name if status is None else str(status)) if failed is not None else None
        self._requests.record(duration_s, "POST", template, host, status, failure)

    def count_retry(self, tenant: str, reason: Reason) -> None:
        """Count a retry."""
        self._retries.add(tenant, reason.name)

    def record_queue_wait(self, tenant: str, wait_s: float) -> None:
        """Record a wait for a free slot."""
        self._queued.record(wait_s, tenant)

    def record_token_wait(self, tenant: str, wait_s: float) -> None:
        """Record a wait for a token."""
        self._token_waits.record(wait_s, tenant)

    def count_fetch(self, tenant: str, *, failed: Reason | None) -> None:
        """Count a request for a token."""
        self._fetches.add(tenant, failed.name if failed else "fetched")
