"""What arrived and went back, secrets masked.

A value is shown only if its place is on the list of places that hold no secret.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from zuora_emulator.hub_sends import MASK
from zuora_emulator.payment_method_schema import TOP
from zuora_emulator.payment_methods_v1 import LONGEST, REQUIRED

SHOWN_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "async",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "idempotency-key",
        "traceparent",
        "tracestate",
        "user-agent",
        "zuora-entity-ids",
        "zuora-org-ids",
        "zuora-track-id",
        "zuora-version",
    }
)
SHOWN_FIELDS = frozenset(
    {
        "accountID",
        "accountId",
        "accountKey",
        "account_id",
        "account_number",  # at the top level: the number of a Zuora account, not of a bank's
        "amount",
        "authAmount",
        "authGateway",
        "client_id",
        "currency",
        "currencyCode",
        "custom_type",
        "gatewayId",
        "gateway_id",
        "grant_type",
        "integrationType",
        "invoiceId",
        "makeDefault",
        "merchantID",
        "mitConsentAgreementSrc",
        "mitProfileAction",
        "mitProfileType",
        "paymentGateway",
        "paymentMethodId",
        "totalAmount",
        "type",
    }
)
NAMED_FIELDS = SHOWN_FIELDS | {
    *TOP,
    *LONGEST,
    *(name for names in REQUIRED.values() for name in names),
    "cardHolderInfo",
    "client_secret",
    "gatewayOptions",
    "invoices",
    "mandateInfo",
    "paymentToken",
    "processPayment",
    "processingOptions",
    "storePaymentMethod",
}
"""Fields whose names are shown; names of custom fields are somebody's own."""

Outcome = Literal["executed", "queued", "replayed", "refused", "fault", "cut"]


@dataclass(slots=True, kw_only=True)
class Arrival:
    """One call as it came, and what became of it (filled in at the end)."""

    number: int
    operation: str
    time: datetime
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    fault: str | None = None
    outcome: Outcome | None = None
    status: int | None = None
    answer: Any = None
    """The body that went back, masked; None if there was none."""
    request_id: str | None = None
    token_client: str | None = None
    """Client id of the bearer token; the token itself is never shown."""
    token_entities: tuple[str, ...] = ()
    """Entities for which the bearer token is valid."""
    tenant: str | None = None
    """The tenant that the call acted for; None if that was not found out."""
    entity: str | None = None
    """The entity that the call acted in; None likewise."""

    @property
    def track_id(self) -> str | None:
        """The `Zuora-Track-Id` that came."""
        return self.headers.get("zuora-track-id")

    @property
    def idempotency_key(self) -> str | None:
        """The `Idempotency-Key` that came."""
        return self.headers.get("idempotency-key")


@dataclass(slots=True)
class Journal:
    """The arrivals in their order."""

    entries: list[Arrival] = field(default_factory=list)

    def record(
        self, *, operation: str, time: datetime, method: str, path: str, headers: Iterable[tuple[str, str]], body: Any
    ) -> Arrival:
        """Add an arrival, masked, and return it for its outcome to be filled in."""
        arrival = Arrival(
            number=len(self.entries) + 1,
            operation=operation,
            time=time,
            method=method,
            path=path,
            headers={name: value if name in SHOWN_HEADERS else MASK for name, value in headers},
            body=masked(body),
        )
        self.entries.append(arrival)
        return arrival

    def count(self, operation: str) -> int:
        """How many calls of that operation arrived."""
        return len(self.of(operation))

    def of(self, operation: str) -> list[Arrival]:
        """The arrivals of one operation."""
        return [entry for entry in self.entries if entry.operation == operation]

    def with_request_id(self, request_id: str) -> Arrival | None:
        """The arrival that was given that id; the newest are looked at first."""
        return next((entry for entry in reversed(self.entries) if entry.request_id == request_id), None)

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """The entries with JSON values."""
        return [
            {name: getattr(entry, name) for name in Arrival.__slots__ if name != "time"}
            | {"time": entry.time.isoformat()}
            for entry in self.entries
        ]


def masked(body: Any) -> Any:
    """Return a body with every value masked that is not listed; bodies that are no object are only measured."""
    if isinstance(body, bytes):
        return f"<{len(body)} bytes>"
    if not isinstance(body, Mapping):
        return None if body is None else MASK
    return {
        name if name in NAMED_FIELDS else MASK: _masked_field(name, value) if name in NAMED_FIELDS else MASK
        for name, value in body.items()
    }


def _masked_field(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if name in SHOWN_FIELDS and isinstance(value, str | int | Decimal):
        return value if isinstance(value, str | int) else str(value)
    if name == "invoices" and isinstance(value, list):
        return [item.get("invoiceNumber", MASK) if isinstance(item, Mapping) else MASK for item in value]
    return MASK
