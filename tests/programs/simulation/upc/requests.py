"""Payments, refunds and validations as Zuora knows them, and their sends."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final

from payorch_server.model.money import Amount
from payorch_server.model.secret import Secret
from payorch_server.upc.answers import MEAN_ERROR, Answer, HubAnswer
from payorch_server.upc.request import (
    Account,
    CustomMethod,
    HubRequest,
    Operation,
    Payment,
    Refund,
    RequestName,
    Validation,
    idempotency_key,
)

TENANT: Final = "12368"
TYPE: Final = "Wallet__c_12368"
_NOTHING: Final[Mapping[str, str]] = {}


class State(StrEnum):
    """Of a payment or refund in Zuora."""

    PROCESSING = "Processing"
    PROCESSED = "Processed"
    ERROR = "Error"


@dataclass(slots=True)
class Send:
    """One delivery of a request to a replica, and what the hub answered, whether or not Zuora heard it."""

    number: int
    replica: str
    form: str
    """Whole, damaged in some way, or with credentials that the replica refuses."""
    began_s: float
    ended_s: float = float("inf")
    answer: HubAnswer | None = None
    is_recorded: bool = True
    """Whether the end that it was answered was in the store at that moment."""


@dataclass(slots=True)
class Item:
    """A payment, refund or validation."""

    id: str
    subject: Payment | Refund | Validation
    instance: str
    """Gateway instance in Zuora, which may be renamed."""
    token: str
    state: State = State.PROCESSING
    settled_by: str = ""
    first_sent_s: float = -1.0
    settled_s: float = float("inf")
    sends: list[Send] = field(default_factory=list)

    @property
    def operation(self) -> Operation:
        """What is asked for."""
        if isinstance(self.subject, Validation):
            return Operation.VALIDATE
        return Operation.PAYMENT if isinstance(self.subject, Payment) else Operation.REFUND

    @property
    def name(self) -> RequestName:
        """What names it."""
        return RequestName(TENANT, self.operation, self.id)

    @property
    def key(self) -> str:
        """Of its effect."""
        return idempotency_key(self.name)

    def request(self, gateway_name: str) -> HubRequest:
        """Return it as it is sent now."""
        method_id = "" if self.operation is Operation.VALIDATE else f"method-{self.token}"
        method = CustomMethod(method_id, TYPE, Secret({"walletToken": self.token}))
        return HubRequest(TENANT, gateway_name, method, self.subject, Account(), Secret(_NOTHING), Secret(b""))

    def hear(self, answer: HubAnswer, *, at_s: float) -> None:
        """Do what Zuora does with an answer."""
        if self.state is not State.PROCESSING or answer.answer is Answer.UNKNOWN:
            return
        self.settle(State.ERROR if answer.answer in MEAN_ERROR else State.PROCESSED, by="hub", at_s=at_s)

    def settle(self, state: State, *, by: str, at_s: float) -> None:
        """Set its final state."""
        self.state, self.settled_by, self.settled_s = state, by, at_s


@dataclass(slots=True)
class Purpose:
    """What is to happen once: one invoice's collection or one refund of money, by as many items as it takes."""

    name: str
    items: list[Item] = field(default_factory=list)


class Items:
    """Everything Zuora sends in one run."""

    def __init__(self) -> None:
        self.all: list[Item] = []
        self.collections: list[Purpose] = []
        self.refunds: list[Purpose] = []
        self.validations: list[Item] = []
        self._numbers = itertools.count(1)

    def payment(self, purpose: Purpose, *, amount: Decimal, instance: str) -> Item:
        """Make a payment of an invoice; after an Error it has a new id."""
        number = next(self._numbers)
        subject = Payment(f"pay-{number}", f"P-{number:08}", Amount(amount, "USD"))
        return self._add(purpose, Item(subject.id, subject, instance, purpose.name))

    def refund(self, purpose: Purpose, payment: Item, *, amount: Decimal) -> Item:
        """Make a refund of a payment."""
        number = next(self._numbers)
        subject = Refund(f"ref-{number}", f"R-{number:08}", amount, payment.id)
        return self._add(purpose, Item(subject.id, subject, payment.instance, payment.token))

    def validation(self, *, token: str, instance: str) -> Item:
        """Make a validation."""
        item = Item("", Validation(None), instance, token)
        self.validations.append(item)
        return item

    def _add(self, purpose: Purpose, item: Item) -> Item:
        purpose.items.append(item)
        self.all.append(item)
        return item
