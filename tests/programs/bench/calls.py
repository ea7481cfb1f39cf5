"""The calls that are measured, at the caller's end: each differs from all others in its ids."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from google.protobuf.message import Message
from harness.requests import MERCHANT_ID, minted_token
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2

from programs.bench.levels import CREATE_PAYMENT_METHOD, CREATE_SESSION, DECRYPT_APPLE_PAY
from programs.bench.workload import ACCOUNT_ID, INVOICE

_TRANSACTION_ID: Final = b'"transactionId": "'
_TRANSACTION_ID_CHARACTERS: Final = 64


@dataclass(frozen=True, slots=True)
class Rpc:
    """An RPC of the service."""

    request: Callable[[], Message]
    """Returns a request like no other."""
    result_of: Callable[[Any], str]
    """Returns what the caller of an answer asked for; empty if the answer does not have it."""


def metadata() -> tuple[tuple[str, str], ...]:
    """Return metadata like no other call's."""
    return (
        ("traceparent", f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"),
        ("zuora-track-id", secrets.token_hex(16)),
    )


def _uuid7() -> str:
    """Return what callers should name their intents with."""
    since_ms, random = time.time_ns() // 1_000_000, secrets.token_hex(9)
    digits = f"{since_ms:012x}7{random[:3]}a{random[3:]}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def _create_session() -> service_pb2.CreateSessionRequest:
    made = service_pb2.CreateSessionRequest(request_id=_uuid7())
    flow = made.pay_and_store
    flow.amount.currency_code, flow.amount.units, flow.amount.nanos = "USD", 123, 450_000_000
    flow.account_id = ACCOUNT_ID
    flow.invoices.add(invoice_number=INVOICE)
    return made


def _decrypt_apple_pay() -> service_pb2.DecryptApplePayRequest:
    made = service_pb2.DecryptApplePayRequest(
        request_id=_uuid7(), token_json=_token(), merchant_id=MERCHANT_ID, account_id=ACCOUNT_ID
    )
    made.zuora_default.SetInParent()
    made.pay_invoice.invoice = INVOICE
    amount = made.expected_amount
    amount.currency_code, amount.units, amount.nanos = "USD", 12, 340_000_000
    return made


def _create_payment_method() -> service_pb2.CreatePaymentMethodRequest:
    made = service_pb2.CreatePaymentMethodRequest(request_id=_uuid7(), currency_code="EUR")
    made.account_by_id.id = ACCOUNT_ID
    made.sepa_debit.iban = "DE89370400440532013000"
    made.sepa_debit.mandate.id = "mandate-1"
    return made


@cache
def _minted() -> tuple[bytes, ...]:
    """Mint a token, and return what is before, between and after the places where it has its transaction id."""
    token = minted_token()
    start = token.index(_TRANSACTION_ID) + len(_TRANSACTION_ID)
    transaction_id = token[start : start + _TRANSACTION_ID_CHARACTERS]
    # The object around the token has it in capitals, which means the same.
    return tuple(token.replace(transaction_id.upper(), transaction_id).split(transaction_id))


def _token() -> bytes:
    """Return a token like no other; its signature is another one's, which only Zuora could find out."""
    return secrets.token_hex(_TRANSACTION_ID_CHARACTERS // 2).encode().join(_minted())


RPCS: Final[Mapping[str, Rpc]] = {
    CREATE_SESSION: Rpc(_create_session, lambda answer: str(answer.session.token)),
    DECRYPT_APPLE_PAY: Rpc(_decrypt_apple_pay, lambda answer: str(answer.payment_id and answer.payment_method_id)),
    CREATE_PAYMENT_METHOD: Rpc(_create_payment_method, lambda answer: str(answer.payment_method.id)),
}
"""Those that are measured, by name."""
