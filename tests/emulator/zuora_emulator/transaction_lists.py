"""Lists of payments and refunds, in pages.

    GET /v1/payments?status=Processed&sort=-amount&pageSize=2&page=1
    200 {"payments": [...], "nextPage": "http://.../v1/payments?status=Processed&sort=-amount&pageSize=2&page=2", ...}

Sure, because documented: the parameters, that each filter compares one member of the answer, `null` for a text that is
not there, at most two fields to sort by, `-` for ascending order and `+` or nothing for descending order, the newest
number first without `sort`, 40 entries at most, and `nextPage` only where there is one. Not sure: pages of 20 without
`pageSize`, how exactly times are compared (here to the second, a date for its whole day), and what becomes of a
parameter that the list does not have.

Source: Zuora v1 API reference, "List payments" and "List refunds", read 2026-11.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal
from urllib.parse import urlencode

from zuora_emulator.answers import Answer, json_answer
from zuora_emulator.call import Call
from zuora_emulator.digits import whole_number
from zuora_emulator.errors import Reason, Refused
from zuora_emulator.headers import effective_version
from zuora_emulator.payment_answers import payment_json, refund_json
from zuora_emulator.upc_payments import is_visible

LARGEST_PAGE = 40
MOST_SORT_FIELDS = 2
_USUAL_PAGE = 20
_FIRST_VERSION_WITH_27 = "2025-08-12"
Kind = Literal["text", "number", "day", "time"]

_COMMON: dict[str, Kind] = {
    "accountId": "text",
    "amount": "number",
    "createdById": "text",
    "createdDate": "time",
    "number": "text",
    "status": "text",
    "type": "text",
    "updatedById": "text",
    "updatedDate": "time",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a list can be filtered and sorted by."""

    filters: Mapping[str, Kind]
    sortable: tuple[str, ...]


_SORTABLE = ("number", "accountId", "amount", "createdDate", "createdById", "updatedDate", "updatedById")
_OF_PAYMENTS: dict[str, Kind] = {
    "appliedAmount": "number",
    "creditBalanceAmount": "number",
    "currency": "text",
    "effectiveDate": "day",
    "refundAmount": "number",
    "unappliedAmount": "number",
}
_OF_REFUNDS: dict[str, Kind] = {"methodType": "text", "paymentId": "text", "refundDate": "day"}
PAYMENTS = Listed(
    filters=_COMMON | _OF_PAYMENTS,
    sortable=(
        *_SORTABLE,
        "appliedAmount",
        "unappliedAmount",
        "refundAmount",
        "creditBalanceAmount",
        "effectiveDate",
    ),
)
REFUNDS = Listed(
    filters=_COMMON | _OF_REFUNDS,
    sortable=(*_SORTABLE, "refundDate", "paymentId"),
)


def list_payments(call: Call) -> Answer:
    """Return a page of the payments that the caller may see.

    Raises:
        Refused: a parameter has a wrong value.
    """
    payments = call.state.upc_payments.values()
    bodies = [payment_json(call.upc, payment) for payment in payments if is_visible(call, payment)]
    return _page(call, "payments", PAYMENTS, bodies)


def list_refunds(call: Call) -> Answer:
    """Return a page of the refunds that the caller may see.

    Raises:
        Refused: a parameter has a wrong value.
    """
    refunds = call.state.upc_refunds.values()
    bodies = [refund_json(call.upc, refund) for refund in refunds if is_visible(call, refund)]
    return _page(call, "refunds", REFUNDS, bodies)


def _page(call: Call, name: str, listed: Listed, bodies: list[dict[str, Any]]) -> Answer:
    query = call.arrived.query
    known = {"page", "pageSize", "sort", *listed.filters}
    unknown = [parameter for parameter, _ in query if parameter not in known]
    if unknown and call.settings.unknown_selections == "refuse":
        raise _refusal(call, unknown[0], f"there is none of this name; there are {', '.join(sorted(known))}")
    for parameter, value in query:
        if parameter in listed.filters:
            matches = _filter(call, parameter, listed.filters[parameter], value)
            bodies = [body for body in bodies if matches(body[parameter])]
    _sort(call, listed, bodies)
    page, size = _whole(call, "page", 1, None), _whole(call, "pageSize", _USUAL_PAGE, LARGEST_PAGE)
    answer: dict[str, Any] = {name: bodies[(page - 1) * size : page * size], "success": True}
    if page * size < len(bodies):
        answer["nextPage"] = _next_page(call, page + 1, size)
    return json_answer(200, answer)


def _whole(call: Call, parameter: str, usual: int, most: int | None) -> int:
    """Read a whole number from 1; where it is given twice, the last one."""
    value = dict(call.arrived.query).get(parameter)
    if value is None:
        return usual
    number = whole_number(value)
    if number is None or not 1 <= number <= (most or number):
        raise _refusal(call, parameter, "it must be a whole number from 1" + (f" to {most}" if most else ""))
    return number


def _next_page(call: Call, page: int, size: int) -> str:
    """Return the address of a page, at the host to which the caller sent this request."""
    kept = [pair for pair in call.arrived.query if pair[0] not in {"page", "pageSize"}]
    path = call.arrived.url.partition("?")[0]
    query = urlencode([*kept, ("pageSize", size), ("page", page)])
    return f"http://{call.arrived.headers.get('host', '')}{path}?{query}"


# --- filters


def _filter(call: Call, parameter: str, kind: Kind, value: str) -> Callable[[Any], bool]:
    match kind:
        case "text":
            wanted = None if value == "null" else value
            return lambda found: bool(found == wanted)
        case "number":
            number = _number(call, parameter, value)
            return lambda found: bool(found == number)
        case _:
            return _time_filter(call, parameter, value)


def _number(call: Call, parameter: str, value: str) -> Decimal:
    try:
        number = Decimal(value if value.isascii() and "_" not in value else "NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise _refusal(call, parameter, "it must be a number")
    return number


def _time_filter(call: Call, parameter: str, value: str) -> Callable[[Any], bool]:
    """Match the day where one side has no time of day, else the second."""
    try:
        wanted = datetime.fromisoformat(value)
        wanted = wanted.replace(tzinfo=wanted.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _refusal(call, parameter, "it must be a date or a time of ISO 8601") from None
    forms = (wanted.strftime("%Y-%m-%d"), wanted.strftime("%Y-%m-%d %H:%M:%S"))
    has_time = len(value) > len(forms[0])
    return lambda found: bool(str(found) in forms if has_time else str(found)[: len(forms[0])] == forms[0])


# --- order


def _sort(call: Call, listed: Listed, bodies: list[dict[str, Any]]) -> None:
    fields = [field for name, value in call.arrived.query if name == "sort" for field in value.split(",")]
    if len(fields) > MOST_SORT_FIELDS:
        raise _refusal(call, "sort", f"it can have {MOST_SORT_FIELDS} fields")
    # From the least to the most important, as sorting keeps the order of equals. A plus may arrive as a space.
    for field in ["number", *reversed(fields)]:
        name = field.strip().lstrip("+-")
        if name not in listed.sortable or len(field.strip()) > len(name) + 1:
            raise _refusal(call, "sort", f"a list can be sorted by {', '.join(listed.sortable)}")
        bodies.sort(key=_ordering(name), reverse=not field.strip().startswith("-"))


def _ordering(name: str) -> Callable[[Mapping[str, Any]], tuple[bool, Any]]:
    """Return a key for sorting; what is not there is less than everything."""
    return lambda body: (body[name] is not None, 0 if body[name] is None else body[name])


def _refusal(call: Call, parameter: str, problem: str) -> Refused:
    """Refuse a parameter; its category is one of its own from the version on that has it."""
    version = effective_version(call.arrived, call.settings)
    has_27 = len(version) == len(_FIRST_VERSION_WITH_27) and version >= _FIRST_VERSION_WITH_27
    message = f"Invalid query parameter: {parameter[:64]}: {problem}"
    return Refused((Reason(category=27 if has_27 else 20, message=message, parameter=parameter),))
