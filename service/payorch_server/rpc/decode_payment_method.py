"""Decodes CreatePaymentMethodRequest into its command.

The arms differ only in their fields, so they are read by their descriptors: fields marked sensitive are wrapped, unset
fields are omitted.
"""

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any, Final

import msgspec
from google.protobuf.descriptor import Descriptor
from payorch.v1 import payment_method_pb2, sensitivity_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2

from payorch_server.applepay import AppleToken
from payorch_server.intents.token_guard import token_name
from payorch_server.model.card_numbers import may_hold_card_number, without_card_numbers
from payorch_server.model.errors import Violation, invalid
from payorch_server.model.operation import CREATE_PAYMENT_METHOD
from payorch_server.model.secret import Secret
from payorch_server.routing.conditions import RouteQuery
from payorch_server.rpc.decode import NO_OVERRIDES, apple_token, hints_of, intent_of, payment_data_of, secrets_of
from payorch_server.rpc.validation import CheckedRequest
from payorch_server.runtime.interpreter_defaults import MAX_JSON_DEPTH, is_nested_deeper
from payorch_server.store.keyring import Keyring
from payorch_server.usecases.create_payment_method import CreatePaymentMethod
from payorch_server.zuora.resources.payment_methods import CREATED_BY_V1, PaymentMethodRequest, Selection, Value
from payorch_server.zuora.resources.payment_methods_v1 import CARD_NAMES, RESERVED_NAMES

_V2_ONLY: Final = ("billing_details", "retry_rule", "device_session_id", "bank_identification_number", "selection")
_APPLE_PAY: Final = frozenset({"apple_pay", "adyen_apple_pay"})
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode_create_payment_method(
    checked: CheckedRequest[service_pb2.CreatePaymentMethodRequest], keyring: Keyring
) -> CreatePaymentMethod:
    """Return the command of a request.

    Raises:
        InvalidRequestError: A rule that no proto can express is broken: a malformed token, or a field that the
            method's operation does not have.
    """
    request = checked.message
    kind = str(request.WhichOneof("method"))
    violations = [*further_violations(request)]
    if violations:
        raise invalid(*violations)
    arm = getattr(request, kind)
    token = apple_token(arm.token_json, f"{kind}.token_json") if kind in _APPLE_PAY else None
    method = PaymentMethodRequest(
        kind=kind,
        members={**_members(arm), **_wallet_token(kind, arm, token)},
        account_id=request.account_by_id.id,
        account_number=request.account_by_number.number,
        is_default=request.default_method if request.HasField("default_method") else None,
        billing_details=_members(request.billing_details) if request.HasField("billing_details") else None,
        custom_fields={name: Secret(_custom_value(value)) for name, value in request.custom_fields.items()},
        gateway_options=secrets_of(request.gateway_options),
        maximum_payment_attempts=_optional(request.retry_rule, "maximum_payment_attempts"),
        payment_retry_interval_hours=_optional(request.retry_rule, "payment_retry_interval_hours"),
        device_session_id=Secret(request.device_session_id) if request.device_session_id else None,
        ip_address=Secret(request.consent_ip_address.ip_address or None)
        if request.HasField("consent_ip_address")
        else None,
        bank_identification_number=Secret(request.bank_identification_number)
        if request.bank_identification_number
        else None,
        currency_code=request.currency_code,
        selection=_selection(request.selection),
    )
    in_place_of = {f"{kind}.token_json": token.fingerprint_sha256} if token else NO_OVERRIDES
    account = method.account_id or method.account_number
    query = RouteQuery(CREATE_PAYMENT_METHOD.name, hints_of(request), request.currency_code, account=account)
    intent = intent_of(checked, keyring, query, in_place_of=in_place_of)
    guarded = token_name(public_key_hash=token.public_key_hash, transaction_id=token.transaction_id) if token else ""
    return CreatePaymentMethod(intent, method, guarded)


def further_violations(request: Any) -> Iterator[Violation]:
    """Find violations of rules that no proto can express."""
    kind = str(request.WhichOneof("method"))
    if kind not in CREATED_BY_V1:
        return
    for name in _V2_ONLY:
        field = request.DESCRIPTOR.fields_by_name[name]
        if request.HasField(name) if field.message_type else getattr(request, name):
            yield Violation(name, "v2_only", f"is not supported by the operation that creates {kind}; omit it")
    for name in request.custom_fields:
        if not name.endswith("__c"):
            yield Violation(f'custom_fields["{name}"]', "custom_field.name", "must end in __c for this method")
    for name, value in request.custom.fields.items():
        yield from _custom_violations(f'custom.fields["{name}"]', name, value)


def _custom_violations(path: str, name: str, value: payment_method_pb2.CustomFieldValue) -> Iterator[Violation]:
    """Find what would become a member with another meaning, or bring card data past the fields for it."""
    if name.lower() in RESERVED_NAMES:
        yield Violation(path, "custom.reserved", "is a name that Zuora reserves; give the type's field another name")
    text = value.text or value.decimal
    if name.lower() in CARD_NAMES:
        yield Violation(path, "custom.card_data", "is the name of card data, which belongs in card; omit it")
    elif may_hold_card_number(text) and without_card_numbers(text) != text:
        yield Violation(path, "custom.card_data", "must not contain a card number, which belongs in card; omit it")


def _wallet_token(kind: str, arm: Any, token: AppleToken | None) -> dict[str, Any]:
    if "token_json" not in arm.DESCRIPTOR.fields_by_name:
        return {}
    path = f"{kind}.token_json"
    if token is not None:
        # v1 takes the object as one string, v2 as an object.
        as_text = kind in CREATED_BY_V1
        return {"token_json": Secret(token.payment_data_json.decode()) if as_text else payment_data_of(token)}
    if is_nested_deeper(arm.token_json):
        raise invalid(Violation(path, "json.object", f"must be nested at most {MAX_JSON_DEPTH} levels deep"))
    try:
        _OBJECT.decode(arm.token_json)
        return {"token_json": Secret(arm.token_json.decode())}
    except (msgspec.DecodeError, UnicodeDecodeError):
        description = "must be the wallet's JSON object as UTF-8 bytes"
        raise invalid(Violation(path, "json.object", description)) from None


@cache
def _sensitive(descriptor: Descriptor) -> frozenset[str]:
    return frozenset(
        field.name
        for field in descriptor.fields
        if field.GetOptions().Extensions[sensitivity_pb2.sensitivity] != sensitivity_pb2.SENSITIVITY_UNSPECIFIED
    )


def _members(message: Any) -> dict[str, Any]:
    """Return the set fields of a message by name, sensitive ones wrapped."""
    sensitive = _sensitive(message.DESCRIPTOR)
    members: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.message_type is None:
            members[field.name] = Secret(value) if field.name in sensitive else value
        elif field.message_type.GetOptions().map_entry:
            members[field.name] = {name: Secret(_custom_value(item)) for name, item in value.items()}
        else:
            members[field.name] = _members(value)
    return members


def _custom_value(value: payment_method_pb2.CustomFieldValue) -> Value:
    arm = value.WhichOneof("value")
    if arm == "decimal":
        # Not a Decimal, which the encoder would write as 1E-7 where the caller wrote 0.0000001.
        return msgspec.Raw(format(Decimal(value.decimal), "f").encode())
    return None if arm == "null_value" else getattr(value, str(arm))


def _optional(message: Any, name: str) -> int | None:
    return getattr(message, name) if message.HasField(name) else None


def _selection(selection: payment_method_pb2.ResponseSelection) -> Selection:
    return Selection(
        payment_method_fields=tuple(selection.payment_method_fields),
        account_fields=tuple(selection.account_fields),
        expand=tuple(selection.expand),
        filters=tuple(selection.filters),
        page_size=_optional(selection, "page_size"),
    )
