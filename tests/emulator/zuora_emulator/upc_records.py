"""Payments and refunds with custom payment methods, and every send of them to a hub."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from zuora_emulator.upc_answers import HubOperation, Status

Reason = Literal["first", "hourly", "opened", "asked for", "duplicated"]
"""Why a request is sent: the first time, by the clock, because its page was opened, by a trigger, or by the network."""


@dataclass(slots=True, kw_only=True)
class Transaction:
    """What payments and refunds have in common. Processed and Error are final."""

    id: str
    number: str
    tenant: str
    entity: str
    account_id: str
    method_id: str
    gateway_id: str
    amount: Decimal
    currency: str
    created_at: datetime
    soft_descriptor: str = ""
    soft_descriptor_phone: str = ""
    gateway_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    comment: str | None = None
    status: Status = "Processing"
    sends: int = 0
    next_send_at: datetime | None = None
    """When the clock sends it again; None: never."""
    code: str | None = None
    message: str | None = None
    reference_id: str | None = None
    """The gateway's id of it."""
    second_reference_id: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether its status stays as it is."""
        return self.status != "Processing"


@dataclass(slots=True, kw_only=True)
class UpcPayment(Transaction):
    """A payment."""

    invoices: tuple[tuple[str, Decimal], ...] = ()
    """Ids of invoices, and what of the amount is for each."""
    attempt: int = 1
    """1 for the payment that was asked for, and 1 more for each that Configurable Payment Retry made after it."""
    retry_of: str | None = None
    """Id of the payment in Error that this one collects again."""
    retry_at: datetime | None = None
    """When Configurable Payment Retry makes a new payment; None: never."""


@dataclass(slots=True, kw_only=True)
class UpcRefund(Transaction):
    """A refund of a payment."""

    payment_id: str


@dataclass(slots=True, kw_only=True)
class HubSend:
    """One request to a hub, secrets masked, and what became of it."""

    number: int
    operation: HubOperation
    subject: str | None
    """Id of the payment or refund; None for a validation."""
    reason: Reason
    time: datetime
    url: str
    headers: dict[str, str]
    request: Any
    fault: str | None = None
    status: int | None = None
    """HTTP status of the answer that Zuora read; None: it read none."""
    answer: Any = None
    failure: str | None = None
    """Why no answer was read."""
    conclusion: Status | None = None
    """What the answer means; None while the hub works on it, and for an answer that was not read."""
    ignored: bool = False
    """Whether the conclusion came after the payment or refund was final."""
    problems: tuple[str, ...] = ()
    """Where the answer breaks Zuora's rules."""
