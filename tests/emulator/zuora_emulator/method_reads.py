"""Payment methods that exist: reading one or many, and giving an orphan its account.

    GET   /v2/payment_methods/{id}    200 as the creation answered
    GET   /v2/payment_methods         200 {"next_page": "<cursor>", "data": [...]}; newest first
    PATCH /v2/payment_methods/{id}    {"account_id": "..."}
    GET   /v1/payment-methods/{id}    200 {"id": "...", "type": "CreditCard", "status": "Active", ..., "success": true}
    PUT   /v1/payment-methods/{id}    {"accountKey": "..."}

Sure, because documented: paths, members, `cursor`, `page_size`, `filter[]` and `sort[]` (`name.asc`, `name.desc`). Not
sure: the size of a page without `page_size`, which filters a list knows, by what it can be sorted besides what is no
object, and how Quickstart shows types that it cannot create; here `other`.

Source: Quickstart API reference, "List payment methods", "Retrieve a payment method"; Zuora v1 API reference, "Retrieve
a payment method", "Update a payment method", read 2026-11.
"""

import base64
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from zuora_emulator.answers import Answer, json_answer
from zuora_emulator.call import Call
from zuora_emulator.errors import Reason, Refused, refused
from zuora_emulator.fields import Fields
from zuora_emulator.payment_method_schema import OBJECTS
from zuora_emulator.payment_methods import USER, account_body
from zuora_emulator.selection import PAYMENT_METHOD_FIELDS, read_selection
from zuora_emulator.state import Account, PaymentMethod

_USUAL_PAGE = 20
_TYPES: Mapping[str, str] = {
    "card": "CreditCard",
    "cc_ref": "CreditCardReferenceTransaction",
    "ach_debit": "ACH",
    "sepa_debit": "SEPA",
    "betalings_debit": "Betalingsservice",
    "autogiro_debit": "Autogiro",
    "bacs_debit": "Bacs",
    "au_becs_debit": "Becs",
    "nz_becs_debit": "Becsnz",
    "pad_debit": "PAD",
    "paypal_express": "PayPalEC",
    "paypal_express_native": "PayPalNativeEC",
    "paypal_adaptive": "PayPalAdaptive",
    "apple_pay": "ApplePay",
    "adyen_apple_pay": "AdyenApplePay",
    "adyen_google_pay": "AdyenGooglePay",
}
"""Types of Quickstart, and what `/v1` calls them."""
_QUICKSTART_TYPES = {name: quickstart for quickstart, name in _TYPES.items()}
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "EQ": operator.eq,
    "NE": operator.ne,
    "LT": operator.lt,
    "LE": operator.le,
    "GT": operator.gt,
    "GE": operator.ge,
}
SORTABLE = tuple(sorted(PAYMENT_METHOD_FIELDS - OBJECTS.keys() - {"billing_details", "custom_fields"}))
"""What lists can be sorted by: all fields that are no objects."""
_SORT = re.compile(rf"({'|'.join(SORTABLE)})\.(asc|desc)")
_FILTER = re.compile(r"(\w+)\.([A-Z]{2}):(.+)", re.ASCII)


def get_method(call: Call) -> Answer:
    """Return a payment method as Quickstart shows it.

    Raises:
        Refused: there is none with this id in this entity, or the query is wrong.
    """
    selection = read_selection(call.arrived.query, strict=call.settings.unknown_selections == "refuse")
    method = _quickstart_method(call)
    return json_answer(200, selection.apply(_quickstart_body(call, method), _account_body(call, method)))


def list_methods(call: Call) -> Answer:
    """Return a page of the payment methods that the caller may see, the newest first.

    Raises:
        Refused: the query is wrong.
    """
    own = {"cursor", "filter[]", "sort[]"}
    query = call.arrived.query
    strict = call.settings.unknown_selections == "refuse"
    selection = read_selection([pair for pair in query if pair[0] not in own], strict=strict)
    visible = [method for method in reversed(call.state.payment_methods.values()) if _is_visible(call, method)]
    bodies = [(method, _quickstart_body(call, method)) for method in visible]
    for text in (value for name, value in query if name == "filter[]"):
        matches = _filter(text)
        bodies = [(method, body) for method, body in bodies if matches(body)]
    for name, is_descending in reversed(_sort_of(query)):
        bodies.sort(key=lambda pair: _order_of(pair[1].get(name)), reverse=is_descending)
    start = _start([method for method, _ in bodies], next((value for name, value in query if name == "cursor"), None))
    size = next((int(value) for name, value in query if name == "page_size"), _USUAL_PAGE)
    page = bodies[start : start + size]
    data = [selection.apply(body, _account_body(call, method)) for method, body in page]
    is_last = start + size >= len(bodies)
    return json_answer(200, {"next_page": None if is_last else _cursor(page[-1][0]), "data": data})


def update_method(call: Call) -> Answer:
    """Give an orphan its account, in the words of Quickstart.

    Raises:
        Refused: there is no such method or account, or the body has other members.
    """
    method = _quickstart_method(call)
    unknown = [name for name in call.body if name not in {"account_id", "account_number"}]
    if unknown:
        raise _quickstart_refusal("invalid_request", "Only the account can be changed.", unknown[0])
    name = next(iter(call.body), "account_id")
    key = call.body.get(name)
    account = call.account(key) if isinstance(key, str) else None
    if account is None:
        raise _quickstart_refusal("resource_not_found", "There is no such account.", name)
    attached = _attached(call, method, account)
    return json_answer(200, _quickstart_body(call, attached))


def get_method_v1(call: Call) -> Answer:
    """Return a payment method as `/v1` shows it.

    Raises:
        Refused: there is none with this id in this entity.
    """
    return json_answer(200, _v1_body(call, _v1_method(call)) | {"success": True})


def update_method_v1(call: Call) -> Answer:
    """Give an orphan its account.

    Raises:
        Refused: there is no such method or account, or the body has other members.
    """
    method, fields = _v1_method(call), Fields(call.body)
    key = fields.text("accountKey", required=True)
    account = None if key is None else call.account(key)
    if key is not None and account is None:
        fields.refuse(40, "Cannot find an account with this accountKey", "accountKey")
    for name in call.body:
        if name != "accountKey":
            fields.refuse(45, f"Changing {name} is not emulated", name)
    fields.finish()
    assert account is not None
    method = _attached(call, method, account)
    ids = {"processId": call.arrived.process_id, "requestId": call.arrived.request_id}
    return json_answer(200, {"id": method.id, "success": True} | ids)


# --- finding


def _is_visible(call: Call, method: PaymentMethod) -> bool:
    is_here = (method.tenant, method.entity) == (call.client.tenant, call.entity)
    return is_here and (method.account_id is None or call.sees(call.state.accounts[method.account_id]))


def _method(call: Call) -> PaymentMethod | None:
    method = call.state.payment_methods.get(call.arrived.key)
    return method if method is not None and _is_visible(call, method) else None


def _v1_method(call: Call) -> PaymentMethod:
    method = _method(call)
    if method is None:
        raise refused(40, "Cannot find a payment method with this id.", "payment-method-id")
    return method


def _quickstart_method(call: Call) -> PaymentMethod:
    method = _method(call)
    if method is None:
        message = "There is no such payment method."
        reason = Reason(
            category=40,
            message=message,
            parameter="payment_method_id",
            quickstart_code="resource_not_found",
            quickstart_status=404,
        )
        raise Refused((reason,))
    return method


def _attached(call: Call, method: PaymentMethod, account: Account) -> PaymentMethod:
    if method.account_id not in {None, account.id}:
        raise refused(30, "The payment method belongs to another account.", "accountKey")
    attached = call.state.attach(method, account)
    call.record(account=account.id, effects={"payment_method_id": method.id})
    return attached


def _quickstart_refusal(code: str, message: str, parameter: str) -> Refused:
    return Refused((Reason(category=20, message=message, parameter=parameter, quickstart_code=code),))


# --- pages


def _filter(text: str) -> Callable[[Mapping[str, Any]], bool]:
    found = _FILTER.fullmatch(text)
    if found is None or found[1] not in PAYMENT_METHOD_FIELDS or found[2] not in _COMPARISONS:
        raise _quickstart_refusal("invalid_parameter", "The filter is not one that a list has.", "filter[]")
    name, compare, wanted = found[1], _COMPARISONS[found[2]], found[3]
    return lambda body: compare(_text(body.get(name)), wanted)


def _sort_of(query: Sequence[tuple[str, str]]) -> list[tuple[str, bool]]:
    """Return the fields to sort by, the most important first, and whether each is descending."""
    order = []
    for part in (part for name, value in query if name == "sort[]" for part in value.split(",")):
        found = _SORT.fullmatch(part)
        if found is None:
            message = f"A list is sorted by name.asc or name.desc, where the name is one of {', '.join(SORTABLE)}."
            raise _quickstart_refusal("invalid_parameter", message, "sort[]")
        order.append((found[1], found[2] == "desc"))
    return order


def _order_of(value: Any) -> tuple[bool, Any]:
    """Return the key by which values are sorted; what is not there is less than everything."""
    return value is not None, 0 if value is None else value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _cursor(method: PaymentMethod) -> str:
    return base64.urlsafe_b64encode(method.id.encode()).decode()


def _start(methods: Sequence[PaymentMethod], cursor: str | None) -> int:
    if cursor is None:
        return 0
    ends = [index for index, method in enumerate(methods) if _cursor(method) == cursor]
    if not ends:
        raise _quickstart_refusal("invalid_parameter", "The cursor is not one of this list.", "cursor")
    return ends[0] + 1


# --- writing


def _counts(call: Call, method: PaymentMethod) -> tuple[int, int]:
    """Return how many of its payments were processed, and how many ended in an error."""
    states = [payment.status for payment in call.state.upc_payments.values() if payment.method_id == method.id]
    return states.count("Processed"), states.count("Error")


def _created_at(call: Call, method: PaymentMethod) -> datetime:
    return method.created_at or call.arrived.now


def _quickstart_body(call: Call, method: PaymentMethod) -> dict[str, Any]:
    processed, in_error = _counts(call, method)
    created = _created_at(call, method).isoformat(timespec="seconds")
    usual: dict[str, Any] = {
        "id": method.id,
        "created_by_id": USER,
        "created_time": created,
        "updated_by_id": USER,
        "updated_time": created,
        "custom_fields": {},
        "type": _QUICKSTART_TYPES.get(method.type, "other"),
        "state": "active",
        "auto_generated": False,
        "use_default_retry_rule": True,
        "existing_mandate": False,
        "number_of_consecutive_failures": 0,
    }
    account = {"account_id": method.account_id} if method.account_id else {}
    counts = {"total_number_of_processed_payments": processed, "total_number_of_error_payments": in_error}
    return usual | dict(method.shown) | account | counts


def _account_body(call: Call, method: PaymentMethod) -> Mapping[str, Any] | None:
    return None if method.account_id is None else account_body(call.state.accounts[method.account_id], call.state)


def _v1_body(call: Call, method: PaymentMethod) -> dict[str, Any]:
    processed, in_error = _counts(call, method)
    created = _created_at(call, method).strftime("%Y-%m-%d %H:%M:%S")
    body: dict[str, Any] = {
        "id": method.id,
        "type": _TYPES.get(method.type, method.type),
        "status": "Active",
        "isDefault": method.is_default,
        "createdBy": USER,
        "createdDate": created,
        "updatedBy": USER,
        "updatedDate": created,
        "existingMandate": "No",
        "numConsecutiveFailures": 0,
        "totalNumberOfProcessedPayments": processed,
        "totalNumberOfErrorPayments": in_error,
        "useDefaultRetryRule": True,
    }
    if method.last_digits:
        body["cardNumber"] = method.last_digits.rjust(16, "*")
    profile = method.stored_credential
    if profile is not None:
        mit = {"mitProfileType": profile.type, "mitConsentAgreementSrc": profile.consent_source}
        body["mandateInfo"] = mit | {"mandateStatus": profile.status}
    return body
