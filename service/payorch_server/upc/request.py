"""What Zuora asks of the hub, decoded: one operation on a custom payment method, and the key of its effect."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

from payorch_server.model.money import Amount
from payorch_server.model.secret import Secret

_PREFIX: Final = "upc1-"
_HEX_DIGITS: Final = 40


class Operation(StrEnum):
    """What Zuora asks for; the values are Zuora's words."""

    VALIDATE = "Validate"
    PAYMENT = "Payment"
    REFUND = "Refund"


@dataclass(frozen=True, slots=True)
class JsonNumber:
    """A JSON number as it was written, digit by digit."""

    text: str


FieldValue: TypeAlias = str | bool | JsonNumber | None
"""A value of a custom payment method's field: JSON string, boolean, number or null."""
TokenData: TypeAlias = Mapping[str, FieldValue]
"""The fields of a custom payment method by name."""


@dataclass(frozen=True, slots=True)
class CustomMethod:
    """A custom payment method."""

    id: str
    """Zuora's id; empty while the method is being created."""
    type: str
    """Full type, such as `AmazonPay__c_12368`."""
    token_data: Secret[TokenData]


@dataclass(frozen=True, slots=True)
class Account:
    """The billing account; both members are empty where Zuora sends none."""

    number: str = field(default="", repr=False)
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Validation:
    """The check of a payment method that is being created."""

    auth_amount: Amount | None
    """To be authorized; None where Zuora sends none."""

    @property
    def id(self) -> str:
        """Validations have no id."""
        return ""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment."""

    id: str
    """Zuora's id of it, the same in every send."""
    number: str
    amount: Amount
    soft_descriptor: str = ""
    soft_descriptor_phone: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund of a payment."""

    id: str
    """Zuora's id of it, the same in every send."""
    number: str
    amount: Decimal
    """In the currency of the payment, which Zuora does not name."""
    payment_id: str
    """Zuora's id of the payment."""
    reference_id: str = ""
    """The gateway's id of the payment, as Zuora stored it."""
    soft_descriptor: str = ""
    soft_descriptor_phone: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class HubRequest:
    """A request of Zuora's."""

    tenant_id: str
    gateway_name: str
    """Name of the gateway instance in Zuora."""
    method: CustomMethod
    subject: Validation | Payment | Refund
    account: Account
    gateway_options: Secret[Mapping[str, str]]
    other_members: Secret[bytes]
    """JSON object of the members that are not known here, verbatim; empty where there are none."""

    @property
    def operation(self) -> Operation:
        """What is asked for."""
        return _OPERATIONS[type(self.subject)]

    @property
    def name(self) -> "RequestName | None":
        """What names the request in every send; None for a validation."""
        return RequestName(self.tenant_id, self.operation, self.subject.id) if self.subject.id else None


@dataclass(frozen=True, slots=True)
class RequestName:
    """What names a payment or refund: the same in every send, and of no other request."""

    tenant_id: str
    operation: Operation
    id: str


class Defect(StrEnum):
    """Why a request cannot be acted on."""

    NOT_JSON = "the body is no JSON object in UTF-8"
    TOO_LARGE = "the body is larger than 1 MiB"
    TOO_DEEP = "the body is nested more than 16 levels deep"
    TOO_MANY_TEXTS = "the body has more than 20,000 texts"
    ENCODED = "the body is compressed, which the hub does not accept"
    MEMBER_TWICE = "a member occurs twice"
    MEMBER_MISSING = "a mandatory member is missing"
    MEMBER_INVALID = "a member has a value that is not allowed"
    OPERATION_UNKNOWN = "the operation is not Validate, Payment or Refund"
    NOT_READ = "only what names the request was read"


@dataclass(frozen=True, slots=True)
class UnusableRequest:
    """A request that cannot be acted on, with what names it as far as that can be read."""

    defect: Defect
    member: str = ""
    """Path of the member that is at fault, of ours and never a text of the request; empty for the whole body."""
    names: tuple[RequestName, ...] = ()
    """What the request may be a send of. With a known operation at most one; otherwise one for each readable id."""
    is_validation: bool = False
    """Whether the operation is certainly Validate, which moves no money."""


_OPERATIONS = {Validation: Operation.VALIDATE, Payment: Operation.PAYMENT, Refund: Operation.REFUND}


def idempotency_key(name: RequestName) -> str:
    """Return the key of a payment or refund.

    Every replica, version and restart must compute the same, so nothing else goes into it: no hub, gateway, URL or
    counter. Each part is preceded by its length in bytes, four bytes long, most significant first.

    Returns:
        `upc1-` and the first 40 hexadecimal digits of a SHA-256 over tenant id, operation and id.
    """
    return _key_over(name.tenant_id, name.operation, name.id)


def validation_key(*, tenant_id: str, nonce: str) -> str:
    """Return the key of one validation, which has no id of Zuora's: a random nonce of the execution takes its place.

    A later validation of the same method has another key, so that no gateway repeats its refusal.
    """
    return _key_over(tenant_id, Operation.VALIDATE, nonce)


def _key_over(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return _PREFIX + digest.hexdigest()[:_HEX_DIGITS]
