"""What a gateway says of a call, and what is known where it says nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from payorch_server.model.secret import Secret
from payorch_server.upc.request import Operation, TokenData


class Result(StrEnum):
    """How a call ended, in the words of `GatewayResult`."""

    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    FAILED = "FAILED"
    """The gateway answered, and nothing moved."""
    NOT_ATTEMPTED = "NOT_ATTEMPTED"
    """The gateway was provably not called."""
    PENDING = "PENDING"


def _no_changes() -> Secret[TokenData]:
    nothing: Mapping[str, None] = {}
    return Secret(nothing)


@dataclass(frozen=True, slots=True)
class GatewayOutcome:
    """What a gateway says of a call; its texts are within Zuora's limits."""

    result: Result
    code: str = ""
    """Of the gateway, stable: Zuora's retry rules go by it; at most 20 characters."""
    message: str = field(default="", repr=False)
    """At most 255 characters."""
    transaction_id: str = ""
    """At most 100 characters, for a validation 60."""
    second_transaction_id: str = ""
    """At most 100 characters, for a validation 60."""
    token_data_changes: Secret[TokenData] = field(default_factory=_no_changes)
    """New values of the method's fields."""
    cut: tuple[str, ...] = ()
    """Members that were longer than their limits and were cut."""


class Silence(StrEnum):
    """Why nothing is known of a call."""

    ERROR = "the gateway answered with a gRPC error"
    DEADLINE = "the gateway did not answer in time"
    UNSPECIFIED = "the gateway's result has no value that is known"
    RULE_BROKEN = "the gateway's answer breaks the rules of the contract"


@dataclass(frozen=True, slots=True)
class NoOutcome:
    """A call of which nothing is known: money may have moved."""

    silence: Silence
    code: str = ""
    """Name of the gRPC status code, for the log; empty where there is none."""


@dataclass(frozen=True, slots=True)
class NotSent:
    """A call of which provably not one byte was sent."""

    why: str
    """Constant text of ours."""


@dataclass(frozen=True, slots=True)
class NotHeardOf:
    """The answer of LookUp that the gateway has not heard of the key so far."""


@dataclass(frozen=True, slots=True)
class GatewayDescription:
    """What a gateway says of itself in DescribeGateway."""

    name: str
    version: str
    operations: frozenset[Operation]
    currencies: frozenset[str]
    """ISO 4217 codes; empty: all."""
    looks_up: bool
    idempotent_for: timedelta
    """How long the gateway gives the same key the same effect."""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What a call says beside the request."""

    idempotency_key: str
    attempt: int
    """From 1."""
    may_be_repeated: bool
    """Whether an earlier call under the key may have had its effect."""
    first_send: datetime
    """UTC."""
    payment_idempotency_key: str = ""
    """Of the refunded payment; empty for other operations."""
