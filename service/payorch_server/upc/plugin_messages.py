"""Turns what the hub asks into messages of `payorch.v1.PaymentGatewayService`; pure."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, TypeAlias

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
LOOK_UP: Final = "LookUp"
"""The RPC that asks what became of calls."""
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
_RequestMessage: TypeAlias = (
    gateway_pb2.ValidatePaymentMethodRequest | gateway_pb2.ProcessPaymentRequest | gateway_pb2.ProcessRefundRequest
)


def request_message(request: HubRequest, facts: CallFacts) -> Message:
    """Return the message of a request.

    Raises:
        ValueError: A value has no form in the contract: an amount beyond 64 bits or with more than nine decimals, or a
            text that is no Unicode.
    """
    message: _RequestMessage
    match request.subject:
        case Validation() as validation:
            message = _validation(validation)
        case Payment() as payment:
            message = _payment(payment)
        case Refund() as refund:
            message = _refund(refund, account_currency=request.account.currency, facts=facts)
    # In place: protobuf copies every message that is given to another one's constructor.
    _fill(message.call, request, facts)
    return message


def look_up_message(key: str, operation: Operation) -> Message:
    """Return the message that asks what became of the calls under a key."""
    return gateway_pb2.LookUpRequest(idempotency_key=key, operation=OPERATION_NUMBERS[operation])


def secret_texts(request: HubRequest) -> tuple[str, ...]:
    """Return the secret texts of a request."""
    values = (*reveal(request.method.token_data).values(), *reveal(request.gateway_options).values())
    return tuple(value for value in values if isinstance(value, str))


def _fill(call: gateway_pb2.GatewayCall, request: HubRequest, facts: CallFacts) -> None:
    call.idempotency_key = facts.idempotency_key
    call.attempt = facts.attempt
    call.may_be_repeated = facts.may_be_repeated
    call.first_send_time.FromDatetime(facts.first_send)
    call.tenant_id = request.tenant_id
    call.gateway_name = request.gateway_name
    call.method.id, call.method.type = request.method.id, request.method.type
    fields = call.method.token_data
    for name, value in reveal(request.method.token_data).items():
        set_field(fields[name], value)
    for name, option in reveal(request.gateway_options).items():
        call.gateway_options[name] = option
    call.other_members_json = reveal(request.other_members)
    if request.account.number or request.account.currency:
        call.account.number, call.account.currency = request.account.number, request.account.currency


def set_field(field: payment_method_pb2.CustomFieldValue, value: FieldValue) -> None:
    """Set the value of a field of the method; a number that is no decimal of the contract becomes its text."""
    if value is None:
        field.null_value.SetInParent()
    elif isinstance(value, bool):
        field.flag = value
    elif isinstance(value, str):
        field.text = value
    elif (plain := _plain_decimal(value)) is not None:
        field.decimal = plain
    else:
        field.text = value.text


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


def _validation(subject: Validation) -> gateway_pb2.ValidatePaymentMethodRequest:
    amount = _money(subject.auth_amount) if subject.auth_amount else None
    return gateway_pb2.ValidatePaymentMethodRequest(auth_amount=amount)


def _payment(subject: Payment) -> gateway_pb2.ProcessPaymentRequest:
    return gateway_pb2.ProcessPaymentRequest(
        payment_id=subject.id,
        payment_number=subject.number,
        amount=_money(subject.amount),
        soft_descriptor=subject.soft_descriptor,
        soft_descriptor_phone=subject.soft_descriptor_phone,
    )


def _refund(subject: Refund, *, account_currency: str, facts: CallFacts) -> gateway_pb2.ProcessRefundRequest:
    return gateway_pb2.ProcessRefundRequest(
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
