"""One valid request of each RPC, for the emulator's seeded accounts."""

import json
import uuid
from datetime import UTC, datetime

from google.type import money_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from zuora_emulator import seed
from zuora_emulator.apple_pay import AppleAuthority, mint_token, wrap_token

MERCHANT_ID = "merchant.example.payorch"
USD_NUMERIC, EUR_NUMERIC = "840", "978"


def new_request_id() -> str:
    """Return a fresh name for an intent."""
    return str(uuid.uuid4())


def usd(units: int, nanos: int = 0) -> money_pb2.Money:
    """Return an amount in dollars."""
    return money_pb2.Money(currency_code="USD", units=units, nanos=nanos)


def minted_token(
    *,
    amount_minor: int = 1234,
    currency_numeric: str = USD_NUMERIC,
    merchant_id: str = MERCHANT_ID,
    wrapped: bool = True,
) -> bytes:
    """Return the JSON of a fresh Apple Pay token."""
    token = mint_token(
        authority=AppleAuthority.published(),
        merchant_id=merchant_id,
        amount_minor=amount_minor,
        currency_numeric=currency_numeric,
        now=datetime.now(UTC),  # noqa: TID251 - a token is made at a time of day
    )
    return json.dumps(wrap_token(token) if wrapped else token).encode()


def session_request(request_id: str = "") -> service_pb2.CreateSessionRequest:
    """Return a request that pays 100.10 USD once."""
    request = service_pb2.CreateSessionRequest(request_id=request_id or new_request_id())
    request.one_time_payment.amount.CopyFrom(usd(100, 100_000_000))
    request.one_time_payment.account_id = seed.ACCOUNT_US.id
    return request


def decryption_request(request_id: str = "", *, token_json: bytes = b"") -> service_pb2.DecryptApplePayRequest:
    """Return a request that pays 12.34 USD of an invoice with an Apple Pay token."""
    request = service_pb2.DecryptApplePayRequest(
        request_id=request_id or new_request_id(),
        token_json=token_json or minted_token(),
        merchant_id=MERCHANT_ID,
        account_id=seed.ACCOUNT_US.id,
    )
    request.zuora_default.SetInParent()
    request.pay_invoice.invoice = seed.INVOICE_US.number
    request.expected_amount.CopyFrom(usd(12, 340_000_000))
    return request


def payment_method_request(request_id: str = "") -> service_pb2.CreatePaymentMethodRequest:
    """Return a request that creates a SEPA debit."""
    request = service_pb2.CreatePaymentMethodRequest(request_id=request_id or new_request_id())
    request.account_by_number.number = seed.ACCOUNT_US.number
    request.sepa_debit.iban = "DE89370400440532013000"
    request.sepa_debit.mandate.id = "mandate-1"
    return request
