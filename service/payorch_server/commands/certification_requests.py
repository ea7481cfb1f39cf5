"""The requests that certification sends, as the hub would: each with ids and keys of its own."""

import json
import secrets
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from typing import Final, TypeAlias, TypeVar

from google.type.money_pb2 import Money
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2

from payorch_server.commands.certification_inputs import APPROVE, CertificationInputs
from payorch_server.runtime.clock import SystemClock
from payorch_server.upc.plugin_messages import OPERATION_NUMBERS
from payorch_server.upc.request import Operation, RequestName, idempotency_key, validation_key

ProcessRequest: TypeAlias = (
    gateway_pb2.ValidatePaymentMethodRequest | gateway_pb2.ProcessPaymentRequest | gateway_pb2.ProcessRefundRequest
)
"""A request under a key."""
AnyProcessRequest = TypeVar("AnyProcessRequest", bound=ProcessRequest)
VALIDATE: Final = gateway_pb2.GATEWAY_OPERATION_VALIDATE
PAYMENT: Final = gateway_pb2.GATEWAY_OPERATION_PAYMENT
REFUND: Final = gateway_pb2.GATEWAY_OPERATION_REFUND
OPERATIONS: Final = {number: operation for operation, number in OPERATION_NUMBERS.items()}
"""Each operation by its number in the contract."""
_TENANT: Final = "99999"
_SHORTEST_SECRET: Final = 8
"""Shorter texts occur by chance."""


def marker() -> str:
    """Return a text that occurs nowhere else: what must not come back."""
    return f"secret-{secrets.token_hex(8)}"


def money(amount: Decimal, currency: str) -> Money:
    """Return an amount as google.type.Money."""
    units, nanos = divmod(int(amount.scaleb(9)), 10**9)
    return Money(currency_code=currency, units=units, nanos=nanos)


def operation_of(request: ProcessRequest) -> "gateway_pb2.GatewayOperation.ValueType":
    """Return the operation of a request."""
    if isinstance(request, gateway_pb2.ValidatePaymentMethodRequest):
        return VALIDATE
    return PAYMENT if isinstance(request, gateway_pb2.ProcessPaymentRequest) else REFUND


def again(request: AnyProcessRequest) -> AnyProcessRequest:
    """Return a resend of a request: the same key, marked as possibly repeated."""
    resend = deepcopy(request)
    resend.call.attempt += 1
    resend.call.may_be_repeated = True
    return resend


class RequestFactory:
    """Makes requests.

    Args:
        method_type: Full type of the payment methods.
        inputs: The plug-in's magic values.
        currency: Of payments, unless another is named.
    """

    def __init__(self, *, method_type: str, inputs: CertificationInputs, currency: str) -> None:
        self.inputs = inputs
        self.currency = currency
        self._type = method_type

    def payment(self, section: str = APPROVE, *, currency: str = "") -> gateway_pb2.ProcessPaymentRequest:
        """Return a payment with the fields and the amount of a section."""
        number, payment_id = self._names("P")
        code = currency or self.currency
        request = gateway_pb2.ProcessPaymentRequest(
            call=self._call(Operation.PAYMENT, payment_id, section),
            payment_id=payment_id,
            payment_number=number,
            amount=money(self.inputs.amount(section, code), code),
            soft_descriptor="CERTIFICATION",
            soft_descriptor_phone=f"+1{secrets.randbelow(10**10):010}",
        )
        request.call.method.id = secrets.token_hex(16)
        return request

    def refund(self, paid: gateway_pb2.ProcessPaymentRequest, amount: Decimal) -> gateway_pb2.ProcessRefundRequest:
        """Return a refund of a payment, with the fields of `approve` and without the provider's id of the payment."""
        number, refund_id = self._names("R")
        request = gateway_pb2.ProcessRefundRequest(
            call=self._call(Operation.REFUND, refund_id, APPROVE),
            refund_id=refund_id,
            refund_number=number,
            amount=f"{amount:f}",
            account_currency=paid.amount.currency_code,
            payment_id=paid.payment_id,
            payment_idempotency_key=paid.call.idempotency_key,
        )
        request.call.method.id = paid.call.method.id
        return request

    def validation(self, section: str = APPROVE) -> gateway_pb2.ValidatePaymentMethodRequest:
        """Return a validation, which has no method id."""
        return gateway_pb2.ValidatePaymentMethodRequest(call=self._call(Operation.VALIDATE, "", section))

    def _call(self, operation: Operation, name: str, section: str) -> gateway_pb2.GatewayCall:
        key = (
            idempotency_key(RequestName(_TENANT, operation, name))
            if name
            else validation_key(tenant_id=_TENANT, nonce=secrets.token_hex(16))
        )
        call = gateway_pb2.GatewayCall(
            idempotency_key=key,
            attempt=1,
            tenant_id=_TENANT,
            gateway_name="Certification",
            account=gateway_pb2.BillingAccount(number=f"A{secrets.randbelow(10**10):010}", currency=self.currency),
            gateway_options={"certification": marker()},
            other_members_json=json.dumps({"certification": {"note": marker(), "rate": 1}}).encode(),
        )
        call.first_send_time.FromDatetime(SystemClock().now())
        call.method.type = self._type
        for field, value in self.inputs.fields.get(section, {}).items():
            call.method.token_data[field].CopyFrom(value)
        return call

    @staticmethod
    def _names(letter: str) -> tuple[str, str]:
        """Return a number and an id in the form of Zuora's."""
        return f"{letter}-{secrets.randbelow(10**8):08}", secrets.token_hex(16)


def secrets_in(request: ProcessRequest) -> Iterator[str]:
    """Yield the texts of a request that must not come back."""
    call = request.call
    for value in call.method.token_data.values():
        yield from _long_enough(value.text, value.decimal)
    yield from _long_enough(*call.gateway_options.values(), call.account.number)
    if not isinstance(request, gateway_pb2.ValidatePaymentMethodRequest):
        yield from _long_enough(request.soft_descriptor_phone)
    if call.other_members_json:
        yield from _long_enough(*_texts_in(json.loads(call.other_members_json)))


def _long_enough(*texts: str) -> Iterator[str]:
    return (text for text in texts if len(text) >= _SHORTEST_SECRET)


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for member in value.values():
            yield from _texts_in(member)
    elif isinstance(value, str):
        yield value
