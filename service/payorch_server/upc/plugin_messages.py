"""Turns what the hub asks into messages of `payorch.v1.PaymentGatewayService`; pure."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from google.protobuf.message import Message
from google.type.money_pb2 import Money
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch.v1 import payment_method_pb2

from payorch_server.model.money import Amount
from payorch_server.model.secret import reveal  # noqa: TID251 - the messages go to the gateway
from payorch_server.upc.gateway_outcome import CallFacts
from payorch_server.upc.request import FieldValue, HubRequest, JsonNumber, Operation, Payment, Refund, Validation

SERVICE: Final = "payorch.v1.PaymentGatewayService"
METHODS: Final[Mapping[Operation, str]] = {
    Operation.VALIDATE: "ValidatePaymentMethod",
    Operation.PAYMENT: "ProcessPayment",
    Operation.REFUND: "ProcessRefund",
}
"""The RPC of each operation."""
OPERATION_NUMBERS: Final[Mapping[Operation, gateway_pb2.GatewayOperation.ValueType]] = {
    Operation.VALIDATE: gateway_pb2.GATEWAY_OPERATION_VALIDATE,
    Operation.PAYMENT: gateway_pb2.GATEWAY_OPERATION_PAYMENT,
    Operation.REFUND: gateway_pb2.GATEWAY_OPERATION_REFUND,
}
"""Each operation in the words of `GatewayOperation`."""
DECIMAL: Final = re.compile(r"-?[0-9]{1,30}(?:[.][0-9]{1,30})?", re.ASCII)
"""What `CustomFieldValue.decimal` may be."""
# Larger ones have no plain form that is a decimal of the contract, and may have one that fills the memory.
_SMALL_EXPONENT: Final = re.compile(r"[^eE]{1,70}[eE][+-]?0{0,20}[0-9]{1,2}", re.ASCII)
_NANOS: Final = Decimal(10**9)


def request_message(request: HubRequest, facts: CallFacts) -> Message:
    """Return the message of a request.

    Raises:
        ValueError: A value has no form in the contract: an amount beyond 64 bits or with more than nine decimals, or a
            text that is no Unicode.
    """
    call = _call(request, facts)
    match request.subject:
        case Validation() as validation:
            return _validation(validation, call)
        case Payment() as payment:
            return _payment(payment, call)
        case Refund() as refund:
            return _refund(refund, call, account_currency=request.account.currency, facts=facts)


def look_up_message(key: str, operation: Operation) -> Message:
    """Return the message that asks what became of the calls under a key."""
    return gateway_pb2.LookUpRequest(idempotency_key=key, operation=OPERATION_NUMBERS[operation])


def secret_texts(request: HubRequest) -> tuple[str, ...]:
    """Return the secret texts of a request."""
    values = (*reveal(request.method.token_data).values(), *reveal(request.gateway_options).values())
    return tuple(value for value in values if isinstance(value, str))


def _call(request: HubRequest, facts: CallFacts) -> gateway_pb2.GatewayCall:
    call = gateway_pb2.GatewayCall(
        idempotency_key=facts.idempotency_key,
        attempt=facts.attempt,
        may_be_repeated=facts.may_be_repeated,
        tenant_id=request.tenant_id,
        gateway_name=request.gateway_name,
        method=gateway_pb2.CustomPaymentMethod(
            id=request.method.id,
            type=request.method.type,
            token_data={name: field_value(value) for name, value in reveal(request.method.token_data).items()},
        ),
        gateway_options=reveal(request.gateway_options),
        other_members_json=reveal(request.other_members),
    )
    call.first_send_time.FromDatetime(facts.first_send)
    if request.account.number or request.account.currency:
        call.account.number, call.account.currency = request.account.number, request.account.currency
    return call


def field_value(value: FieldValue) -> payment_method_pb2.CustomFieldValue:
    """Return a field's value as a message; a number that is no decimal of the contract becomes its text."""
    if value is None:
        return payment_method_pb2.CustomFieldValue(null_value=payment_method_pb2.CustomFieldNull())
    if isinstance(value, bool):
        return payment_method_pb2.CustomFieldValue(flag=value)
    if isinstance(value, str):
        return payment_method_pb2.CustomFieldValue(text=value)
    plain = _plain_decimal(value)
    if plain is None:
        return payment_method_pb2.CustomFieldValue(text=value.text)
    return payment_method_pb2.CustomFieldValue(decimal=plain)


def _plain_decimal(number: JsonNumber) -> str | None:
    """Return the number without an exponent, or None if it is no decimal of the contract."""
    if DECIMAL.fullmatch(number.text):
        return number.text
    if not _SMALL_EXPONENT.fullmatch(number.text):
        return None
    plain = format(Decimal(number.text), "f")
    return plain if DECIMAL.fullmatch(plain) else None


def _money(amount: Amount) -> Money:
    units = int(amount.value)
    nanos = (amount.value - units) * _NANOS
    if nanos != int(nanos):
        raise ValueError("The amount has more than nine decimals.")
    return Money(currency_code=amount.currency, units=units, nanos=int(nanos))


def _validation(subject: Validation, call: gateway_pb2.GatewayCall) -> Message:
    amount = _money(subject.auth_amount) if subject.auth_amount else None
    return gateway_pb2.ValidatePaymentMethodRequest(call=call, auth_amount=amount)


def _payment(subject: Payment, call: gateway_pb2.GatewayCall) -> Message:
    return gateway_pb2.ProcessPaymentRequest(
        call=call,
        payment_id=subject.id,
        payment_number=subject.number,
        amount=_money(subject.amount),
        soft_descriptor=subject.soft_descriptor,
        soft_descriptor_phone=subject.soft_descriptor_phone,
    )


def _refund(subject: Refund, call: gateway_pb2.GatewayCall, *, account_currency: str, facts: CallFacts) -> Message:
    return gateway_pb2.ProcessRefundRequest(
        call=call,
        refund_id=subject.id,
        refund_number=subject.number,
        amount=format(subject.amount, "f"),
        account_currency=account_currency,
        payment_id=subject.payment_id,
        payment_idempotency_key=facts.payment_idempotency_key,
        reference_id=subject.reference_id,
        soft_descriptor=subject.soft_descriptor,
        soft_descriptor_phone=subject.soft_descriptor_phone,
    )
