"""A request for every arm of every oneof of our requests to Zuora, filled by the descriptors with values Zuora takes.

A new arm gets a request by itself. If its fields need values of a form, they are added to `_VALUES`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor, OneofDescriptor
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.zuora.resources.payment_methods import CREATED_BY_V1
from zuora_emulator import seed

from harness.requests import MERCHANT_ID, minted_token, new_request_id, usd

RPCS: Final = ("CreateSession", "DecryptApplePay", "CreatePaymentMethod")
_FOR_V2_ONLY: Final = frozenset({"billing_details", "retry_rule", "device_session_id", "bank_identification_number"})
_FOR_V1_ONLY: Final = frozenset({"currency_code"})
_LEFT_OUT: Final = frozenset({"route", "validate_only", "selection"})
"""Fields that say where a call goes, that it does not go at all, and how much of the answer comes back."""
_USUAL: Final = {"account": "account_by_id"}
"""What a oneof that the arm does not name holds, in place of its first field."""
_GOOGLE_TOKEN: Final = json.dumps({"protocolVersion": "ECv2", "signedMessage": "{}"}).encode()
_VALUES: Final[Mapping[str, Any]] = {
    "AccountById.id": seed.ACCOUNT_US.id,
    "AccountByNumber.number": seed.ACCOUNT_US.number,
    "BillingDetails.email": "jo@example.com",
    "Card.number": "4111111111111111",
    "Card.security_code": "123",
    "CustomFieldValue.decimal": "1.50",
    "CustomMethod.type": f"Example__c_{seed.TENANT}",
    "NullableIpAddress.address": "192.0.2.1",
    "PayInvoice.invoice": seed.INVOICE_US_LARGE.number,
    "SessionInvoice.invoice_number": seed.INVOICE_US.number,
    "StoredCredentialProfile.type": "Recurring",
    "account_id": seed.ACCOUNT_US.id,
    "action": "Activate",
    "bank_aba_code": "021000021",
    "bank_account_type": "checking",
    "bank_identification_number": "411111",
    "brand": "visa",
    "business_identification_code": "COBADEFFXXX",
    "consent_agreement_source": "External",
    "currency_code": "USD",
    "email": "jo@example.com",
    "expiry_month": 12,
    "expiry_year": 2031,
    "iban": "DE89370400440532013000",
    "merchant_id": MERCHANT_ID,
    "shopper_email": "jo@example.com",
}
"""By message and field, or by field alone, what the general filling would get wrong."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One way through the oneofs of a request: the chosen field of each oneof on the way, by the oneof's path."""

    rpc: str
    choices: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return ", ".join([self.rpc, *(f"{oneof} = {field}" for oneof, field in self.choices)])


def arms() -> list[Arm]:
    """Return every arm of the requests, with the choices that lead to it."""
    return [Arm(rpc, choices) for rpc in RPCS for choices in _ways(_request_type(rpc).DESCRIPTOR, "")]


def _request_type(rpc: str) -> Any:
    return getattr(service_pb2, f"{rpc}Request")


def _ways(message: Descriptor, path: str) -> Iterator[tuple[tuple[str, str], ...]]:
    for oneof in _oneofs(message):
        for field in oneof.fields:
            own = (f"{path}{oneof.name}", field.name)
            inner = [*_ways(_ours(field), f"{path}{field.name}.")] if _ours(field) else []
            yield from ((own, *way) for way in inner or [()])
    for field in message.fields:
        if _ours(field) and field.name not in _LEFT_OUT and field.containing_oneof is None:
            yield from _ways(_ours(field), f"{path}{field.name}.")


def _oneofs(message: Descriptor) -> list[OneofDescriptor]:
    """Return the oneofs that are written as such; an optional field is one too, with a single arm."""
    return [oneof for oneof in message.oneofs if not oneof.name.startswith("_")]


def _ours(field: FieldDescriptor) -> Any:
    """Return the message of our own that a field, or each value of a map, holds; None for anything else."""
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        message = message.fields_by_name["value"].message_type
    return message if message is not None and message.full_name.startswith("payorch.") else None


def request_of(arm: Arm) -> Any:
    """Return a request that takes the arm, with every other field set that may stand beside it."""
    request = _request_type(arm.rpc)(request_id=new_request_id())
    choices = dict(arm.choices)
    made_by_v1 = choices.get("method") in CREATED_BY_V1
    _fill(request, "", choices, _LEFT_OUT | (_FOR_V2_ONLY if made_by_v1 else _FOR_V1_ONLY))
    return request


def _fill(message: Any, path: str, choices: Mapping[str, str], left_out: frozenset[str]) -> None:
    chosen = {
        choices.get(f"{path}{oneof.name}", _USUAL.get(oneof.name, oneof.fields[0].name))
        for oneof in _oneofs(message.DESCRIPTOR)
    }
    for field in message.DESCRIPTOR.fields:
        is_arm = field.containing_oneof in _oneofs(message.DESCRIPTOR)
        is_set = field.name == "request_id" or field.name in (left_out if not path else ())
        if not is_set and (not is_arm or field.name in chosen):
            _set(message, field, path, choices)


def _set(message: Any, field: FieldDescriptor, path: str, choices: Mapping[str, str]) -> None:
    inside = f"{path}{field.name}."
    if field.message_type is None:
        value = _value(field)
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)
    elif field.message_type.full_name == "google.type.Money":
        getattr(message, field.name).CopyFrom(usd(12, 340_000_000) if field.name == "expected_amount" else usd(100))
    elif field.message_type.GetOptions().map_entry:
        entries = getattr(message, field.name)
        name = "own" if message.DESCRIPTOR.name == "CustomMethod" else "own__c"
        if _ours(field):
            _fill(entries[name], inside, choices, frozenset())
        else:
            entries[name] = "value"
    else:
        child = getattr(message, field.name).add() if field.is_repeated else getattr(message, field.name)
        child.SetInParent()
        _fill(child, inside, choices, frozenset())


def _value(field: FieldDescriptor) -> Any:
    owner = field.containing_type.name
    known = _VALUES.get(f"{owner}.{field.name}", _VALUES.get(field.name))
    if known is not None:
        return known
    match field.type:
        case FieldDescriptor.TYPE_BYTES:
            return _GOOGLE_TOKEN if "Google" in owner else minted_token()
        case FieldDescriptor.TYPE_STRING:
            return "value"
        case FieldDescriptor.TYPE_BOOL:
            return True
        case _:
            return 1
