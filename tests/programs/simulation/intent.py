"""What callers want, and how they say it."""

import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from zuora_emulator import seed
from zuora_emulator.apple_tokens import OpenedToken, minted_token

from programs.simulation.clock import START
from programs.simulation.grpc_context import Seen

MERCHANT_ID: Final = "merchant.example.payorch"
MISSING_ACCOUNT: Final = "2c92c0f80000000000000000000000ee"
OPERATIONS: Final = {
    "CreateSession": service_pb2.OPERATION_CREATE_SESSION,
    "DecryptApplePay": service_pb2.OPERATION_DECRYPT_APPLE_PAY,
    "CreatePaymentMethod": service_pb2.OPERATION_CREATE_PAYMENT_METHOD,
}


@dataclass(slots=True)
class Answer:
    """What one call ended with."""

    number: int
    began_s: float
    ended_s: float
    allowed_s: float
    body: int
    seen: Seen
    instance: str
    is_retry: bool = False
    """Whether gRPC had sent it before."""
    read_since_s: float = 0.0
    """From when on what the instance read of the intent counts as read in this call: the begin of what it joined."""
    looked_up: bool = False
    """Whether GetIntent told it."""
    left: bool = False
    """Whether the caller did not wait for the end."""


@dataclass(slots=True)
class Purpose:
    """One thing that a customer wants done once."""

    name: str
    namespace: str
    rpc: str
    token: bytes = b""
    account_id: str = seed.ACCOUNT_US.id
    pays: bool = False
    intents: list["Intent"] = field(default_factory=list)


@dataclass(slots=True)
class Intent:
    """One request id, with the body it is for and, from a careless caller, another."""

    name: str
    purpose: Purpose
    request_id: str
    key: str
    """The idempotency key that it has by the rules."""
    bodies: tuple[bytes, bytes]
    answers: list[Answer] = field(default_factory=list)
    sleeper: bool = False
    """Whether its caller comes back after more than a day."""
    late_sleeper: bool = False
    """Whether its caller comes back after some hours, and then not before more than a day."""

    @property
    def timed(self) -> bool:
        """Whether the request id tells when it was made."""
        return len(self.request_id) == 36 and self.request_id[14] == "7"


def new_request_id(rng: random.Random, now_s: float) -> str:
    """Return a UUIDv7, a UUIDv4 or some text."""
    kind = rng.random()
    if kind < 0.5:
        milliseconds = int((START.timestamp() + now_s) * 1000)
        value = (milliseconds << 80) | (7 << 76) | (rng.getrandbits(12) << 64) | (2 << 62) | rng.getrandbits(62)
        return str(uuid.UUID(int=value))
    if kind < 0.8:
        return str(uuid.UUID(int=rng.getrandbits(128), version=4))
    return f"order-{rng.getrandbits(64):016x}"


_TEMPLATE: Final = minted_token(
    merchant_id=MERCHANT_ID,
    amount_minor=1234,
    currency_numeric="840",
    now=datetime(2026, 11, 20, tzinfo=UTC),
    entropy=random.Random(1).randbytes,  # noqa: S311 - a published test token
)


TOKEN_PARTS: Final = (_TEMPLATE["data"], _TEMPLATE["signature"][-120:-40], _TEMPLATE["header"]["ephemeralPublicKey"])
"""What every token holds and nothing else does; the beginning of a signature is the same in all."""


def new_token(rng: random.Random) -> bytes:
    """Return a token of the right structure with an id of its own; only the simulated Zuora can open it."""
    header = {**_TEMPLATE["header"], "transactionId": rng.randbytes(32).hex()}
    return json.dumps({**_TEMPLATE, "header": header}).encode()


def open_token(*, merchant_id: str, token: Mapping[str, Any], now: datetime) -> OpenedToken:
    """Open a token without its cryptography, which takes longer than all the rest of a call."""
    del merchant_id, now
    return OpenedToken(
        account_number="4111111111111111",
        expiration="391231",
        currency_numeric="840",
        amount_minor=1234,
        transaction_id=token["header"]["transactionId"],
    )


def bodies_of(purpose: Purpose, request_id: str) -> tuple[bytes, bytes]:
    """Return the request, and one with another body under the same request id."""
    make = {"CreateSession": _session, "DecryptApplePay": _decryption, "CreatePaymentMethod": _payment_method}
    first, other = (make[purpose.rpc](purpose, request_id, changed=changed) for changed in (False, True))
    return first.SerializeToString(), other.SerializeToString()


def _session(purpose: Purpose, request_id: str, *, changed: bool) -> service_pb2.CreateSessionRequest:
    request = service_pb2.CreateSessionRequest(request_id=request_id)
    payment = request.one_time_payment
    payment.amount.currency_code, payment.amount.units = "USD", 101 if changed else 100
    payment.account_id = purpose.account_id
    return request


def _decryption(purpose: Purpose, request_id: str, *, changed: bool) -> service_pb2.DecryptApplePayRequest:
    request = service_pb2.DecryptApplePayRequest(
        request_id=request_id, token_json=purpose.token, merchant_id=MERCHANT_ID, account_id=purpose.account_id
    )
    request.zuora_default.SetInParent()
    if purpose.pays:
        request.pay_invoice.invoice = seed.INVOICE_US.number
    else:
        request.no_charge.SetInParent()
    if changed:
        request.card_holder.name = "Another Holder"
    return request


def _payment_method(purpose: Purpose, request_id: str, *, changed: bool) -> service_pb2.CreatePaymentMethodRequest:
    request = service_pb2.CreatePaymentMethodRequest(request_id=request_id)
    request.account_by_id.id = purpose.account_id
    request.sepa_debit.iban = "DE89370400440532013000"
    request.sepa_debit.mandate.id = "mandate-2" if changed else "mandate-1"
    return request
