"""Rate limits over windows of a minute, and calls in flight, with the headers that report them.

Source: Zuora developer guides "Rate limits" and "Concurrency limits", read 2026-11.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from zuora_emulator.answers import Answer, Answered, json_answer
from zuora_emulator.errors import Context, common_body, quickstart_answer
from zuora_emulator.operations import Operation
from zuora_emulator.settings import Settings

_MINUTE_S = 60
CONCURRENCY_RETRY_AFTER_S = 120
CONCURRENCY_CODE = 50000070
_RATE_LIMIT_CODE = 70
_LONGER_WINDOWS = "2250000;w=3600, 27000000;w=86400"
_UNLIMITED = 1_000_000


class Limits:
    """Counts per minute and calls in flight."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.minute = -1
        self.counts: Counter[str] = Counter()
        self._in_flight: Counter[tuple[str, str]] = Counter()

    def clear(self) -> None:
        """Forget the counts; calls in flight go on counting."""
        self.counts.clear()

    def count_token_request(self, *, peer: str, now: datetime) -> tuple[tuple[str, str], ...]:
        """Count a token request of a peer address and return its headers.

        Raises:
            Answered: the minute's requests are used up (429).
        """
        limit = self._settings.token_limit_per_minute or _UNLIMITED
        left = limit - self._count(f"token {peer}", now)
        headers = (
            ("x-ratelimit-limit-minute", str(limit)),
            ("x-ratelimit-remaining-minute", str(max(left, 0))),
        )
        if left < 0:
            reasons = [{"code": _RATE_LIMIT_CODE, "message": "API rate limit exceeded"}]
            raise Answered(json_answer(429, {"reasons": reasons}, *headers, ("retry-after", _seconds_left(now))))
        return headers

    def count_request(self, *, tenant: str, now: datetime, context: Context) -> tuple[tuple[str, str], ...]:
        """Count an API request of a tenant and return its headers.

        Raises:
            Answered: the minute's requests are used up (429).
        """
        limit = self._settings.rate_limit_per_minute or _UNLIMITED
        left = limit - self._count(f"api {tenant}", now)
        headers = (
            ("ratelimit-limit", f"{limit}, {limit};w=60, {_LONGER_WINDOWS}"),
            ("ratelimit-remaining", str(max(left, 0))),
            ("ratelimit-reset", _seconds_left(now)),
        )
        if left < 0:
            raise Answered(rate_limited(context, retry_after_s=int(_seconds_left(now))).with_headers(*headers))
        return headers

    def _count(self, name: str, now: datetime) -> int:
        minute = int(now.timestamp()) // _MINUTE_S
        if minute != self.minute:
            self.minute = minute
            self.counts.clear()
        self.counts[name] += 1
        return self.counts[name]

    @contextmanager
    def slot(self, *, tenant: str, entity: str, context: Context) -> Iterator[tuple[tuple[str, str], ...]]:
        """Hold one of the calls in flight of an entity; gives the headers of the concurrency limit.

        Raises:
            Answered: all are taken (429 with `Retry-After`).
        """
        limit = self._settings.concurrency_limit or _UNLIMITED
        key = (tenant, entity)
        left = limit - self._in_flight[key] - 1
        headers = _concurrency_headers(context.operation, limit, max(left, 0))
        if left < 0:
            raise Answered(concurrency_limited(context, CONCURRENCY_RETRY_AFTER_S).with_headers(*headers))
        self._in_flight[key] += 1
        try:
            yield headers
        finally:
            self._in_flight[key] -= 1


def _concurrency_headers(operation: Operation, limit: int, left: int) -> tuple[tuple[str, str], ...]:
    if operation.dialect != "v1":  # the documents list them for /v1 only
        return ()
    return (
        ("concurrency-limit-type", "Default"),
        ("concurrency-limit-limit", str(limit)),
        ("concurrency-limit-remaining", str(left)),
    )


def _seconds_left(now: datetime) -> str:
    return str(_MINUTE_S - int(now.timestamp()) % _MINUTE_S)


def rate_limited(context: Context, *, retry_after_s: int) -> Answer:
    """Answer 429 as the gateway layer does: a code of two digits and no `success`."""
    retry_after = ("retry-after", str(retry_after_s))
    message = "The request limit of your tenant has been exceeded."
    if context.operation.dialect == "quickstart":
        return _quickstart_429(message, context).with_headers(retry_after)
    return json_answer(429, {"reasons": [{"code": _RATE_LIMIT_CODE, "message": message}]}, retry_after)


def concurrency_limited(context: Context, retry_after_s: int) -> Answer:
    """Answer 429 for too many calls in flight."""
    retry_after = ("retry-after", str(retry_after_s))
    message = "The maximum number of concurrent requests has been exceeded."
    if context.operation.dialect == "quickstart":
        return _quickstart_429(message, context).with_headers(retry_after)
    return json_answer(429, common_body([{"code": CONCURRENCY_CODE, "message": message}], context), retry_after)


def _quickstart_429(message: str, context: Context) -> Answer:
    problem = {"code": "too_many_requests", "message": message}
    return quickstart_answer(429, [problem], context.settings)
