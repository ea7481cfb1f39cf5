"""Payments and refunds, and every send of them to a hub."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from zuora_emulator.upc_answers import HubOperation, HubReply, Status

Reason = Literal["first", "hourly", "opened", "asked for", "duplicated"]
"""Why a request is sent: the first time, by the clock, because its page was opened, by a trigger, or by the network."""
TransactionType = Literal["Electronic", "External"]
"""Whether a gateway of Zuora moves the money, or it moved outside of Zuora and is only written down."""
METHOD_TYPES = (
    "ACH",
    "ApplePay",
    "Cash",
    "Check",
    "CreditCard",
    "PayPal",
    "WireTransfer",
    "DebitCard",
    "CreditCardReferenceTransaction",
    "BankTransfer",
    "Other",
)
"""How money moves outside of Zuora."""


@dataclass(slots=True, kw_only=True)
class Transaction:
    """What payments and refunds have in common. Processed and Error are final."""

    id: str
    number: str
    tenant: str
    entity: str
    account_id: str
    """Empty: the account is not known, as external payments allow."""
    method_id: str
    gateway_id: str
    amount: Decimal
    currency: str
    created_at: datetime
    type: TransactionType = "Electronic"
    dated: date | None = None
    """When it takes effect; None: on the day of its creation."""
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

    concluded_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        """Whether its status stays as it is."""
        return self.status != "Processing"

    @property
    def effective_on(self) -> date:
        """The day on which it takes effect."""
        return self.dated or self.created_at.date()

    def conclude(self, reply: HubReply, now: datetime) -> None:
        """Take over what a gateway answered."""
        self.status, self.next_send_at, self.concluded_at = reply.conclusion, None, now
        self.code, self.message = reply.code or None, reply.message or None
        self.reference_id = reply.transaction_id or None
        self.second_reference_id = reply.second_transaction_id or None


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
    payment_number: str
    method_type: str | None = None
    """How the money went back outside of Zuora."""

    @classmethod
    def of(cls, payment: UpcPayment, **own: Any) -> "UpcRefund":
        """Return a refund of a payment; `own` is what it does not have in common with it."""
        common = {
            "tenant": payment.tenant,
            "entity": payment.entity,
            "account_id": payment.account_id,
            "method_id": payment.method_id,
            "gateway_id": payment.gateway_id,
            "currency": payment.currency,
        }
        return cls(payment_id=payment.id, payment_number=payment.number, **common | own)


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
