"""Payment methods of defined custom types: the fields of the type, and the validation by the hub.

Sure, because documented: `skipValidation`, the rules of fields, that `upcTokenData` of an Approved answer changes them.
Not sure: how Zuora words a validation that failed. Here it is what was seen of declines: HTTP 200, `success: false`,
the category of an internal fault, and "Transaction declined.CODE - MESSAGE". An unknown one has another message.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from zuora_emulator.answers import Answer, json_answer
from zuora_emulator.call import Call
from zuora_emulator.fields import Fields
from zuora_emulator.state import Account, PaymentMethod
from zuora_emulator.upc_answers import HubReply
from zuora_emulator.upc_types import CustomField, CustomType

_DECLINED = 60
"""Category of the reason code."""
_DATES = {
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "datetime": re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?"),
}


def token_data_of(fields: Fields, body: Mapping[str, Any], custom: CustomType) -> dict[str, Any]:
    """Return a method's fields as the hub gets them, those without a value as `""`.

    Fields of the body that the type does not have are left out: Zuora ignores what it does not know.
    """
    return {own.name: _value(fields, own, body.get(own.member)) for own in custom.fields}


def check_gateway(call: Call, fields: Fields) -> None:
    """Refuse a gateway that calls no hub: methods of custom types are for those that do."""
    key = call.body.get("authGateway")
    is_known = isinstance(key, str) and call.state.gateway(key, tenant=call.client.tenant, entity=call.entity)
    if is_known and call.upc.gateway_for(key, account=None, tenant=call.client.tenant, entity=call.entity) is None:
        fields.refuse(30, "The gateway does not support custom payment method types.", "authGateway")


def _value(fields: Fields, own: CustomField, value: Any) -> Any:
    if value is None or value == "":
        if own.required:
            fields.refuse(22, f"Missing required value: {own.member}", own.member)
        return ""
    problem = _problem(own, value)
    if problem:
        fields.refuse(20, f"Invalid value: {own.member} {problem}", own.member)
    return value


def _problem(own: CustomField, value: Any) -> str:
    match own.type:
        case "number":
            is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
            return "" if is_number else "must be a number"
        case "boolean":
            return "" if isinstance(value, bool) else "must be a boolean"
        case "date" | "datetime":
            is_date = isinstance(value, str) and _DATES[own.type].fullmatch(value)
            return "" if is_date else f"must be a {own.type} of ISO 8601"
    if not isinstance(value, str):
        return "must be a string"
    if not own.min_length <= len(value) <= own.max_length:
        return f"must have {own.min_length} to {own.max_length} characters"
    return ""


async def validated(call: Call, method: PaymentMethod, account: Account | None) -> PaymentMethod | Answer:
    """Ask the hub about a method of a defined type, unless the request or the gateway says not to.

    Returns:
        The method with the changes of the hub's answer, or the refusal to create it.
    """
    key = call.body.get("authGateway")
    gateway = call.upc.gateway_for(key, account=account, tenant=method.tenant, entity=method.entity)
    if gateway is None or not gateway.verifies_new_methods or call.body.get("skipValidation"):
        return method
    reply = await call.upc.validate(
        method,
        gateway=gateway,
        account=account,
        currency=call.body.get("currencyCode") or (account.currency if account else None),
        gateway_options=call.body.get("gatewayOptions") or {},
    )
    is_unknown = reply.conclusion == "Processing"
    if reply.conclusion == "Error" or (is_unknown and call.settings.upc_unknown_validate == "refuse"):
        return _refusal(call, reply)
    if is_unknown:
        return method
    return call.upc.with_changes(method, reply.token_data)


def _refusal(call: Call, reply: HubReply) -> Answer:
    message = f"Transaction declined.{reply.code or reply.http_status} - {reply.message or 'No reason was given.'}"
    if reply.conclusion == "Processing":
        message = "The gateway gave no answer that could be used."
    code: int | str = call.arrived.operation.resource * 100 + _DECLINED
    reason = {
        "code": str(code) if call.settings.code_type == "text" else code,
        "message": message,
    }
    body = {
        "success": False,
        "processId": call.arrived.process_id,
        "requestId": call.arrived.request_id,
        "reasons": [reason],
    }
    return json_answer(200, body)
