"""What scripted faults answer, in the shape Zuora or the edge in front of it would use."""

from zuora_emulator.answers import Answer, html_answer, json_answer
from zuora_emulator.declines import decline_message
from zuora_emulator.errors import (
    Context,
    coded,
    common_body,
    quickstart_answer,
    system_error_answer,
    unauthorized_answer,
)
from zuora_emulator.faults import Fault, Kind
from zuora_emulator.limits import CONCURRENCY_RETRY_AFTER_S, concurrency_limited, rate_limited
from zuora_emulator.oauth import refusal

EDGE_STATUSES = frozenset({401, 408, 429, 502, 503, 504})
"""Given by the layers before the API: the call is not processed, and its idempotency key not used up."""

_EDGE_TITLES = {408: "Request Timeout", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}
_CATEGORY_BY_STATUS = {403: 10, 404: 40, 405: 45, 406: 45, 409: 50, 415: 45, 423: 50}
_UNKNOWN_OBJECT = 500000
_INTERNAL_FAULT = 53000060
_FIRST_SERVER_ERROR = 500


def edge_answer(fault: Fault, context: Context) -> Answer | None:
    """Return the answer of a fault that keeps the call from the API; None for any other fault."""
    if fault.kind is Kind.HTML:
        return html_answer(502, _EDGE_TITLES[502])
    if fault.kind is not Kind.STATUS or fault.status not in EDGE_STATUSES:
        return None
    retry_after_s = int(fault.seconds)
    if fault.status == 401:
        is_token = context.operation.dialect == "oauth"
        return refusal(401, "Unauthorized", context.settings) if is_token else unauthorized_answer(context)
    if fault.status == 429:
        return _too_many(context, retry_after_s or CONCURRENCY_RETRY_AFTER_S)
    return _gateway_answer(fault.status, retry_after_s, context)


def _too_many(context: Context, retry_after_s: int) -> Answer:
    limited = rate_limited(context, retry_after_s=retry_after_s)
    return limited if context.operation.dialect == "oauth" else concurrency_limited(context, retry_after_s)


def _gateway_answer(status: int, retry_after_s: int, context: Context) -> Answer:
    title = _EDGE_TITLES[status]
    answer = html_answer(status, title)
    if context.operation.dialect == "quickstart":
        problem = {"code": title.lower().replace(" ", "_"), "message": title}
        answer = quickstart_answer(status, [problem], context.settings)
    return answer.with_headers(("retry-after", str(retry_after_s))) if retry_after_s else answer


def api_answer(fault: Fault, context: Context) -> Answer | None:
    """Return the answer of a fault that the API itself gives instead of executing; None for any other fault."""
    if fault.kind is Kind.SUCCESS_FALSE:
        reasons = [{"code": coded(fault.code, context), "message": "The scripted fault of the emulator."}]
        return json_answer(200, common_body(reasons, context))
    if fault.kind is Kind.DECLINED_AS_FAULT:
        reasons = [{"code": coded(_INTERNAL_FAULT, context), "message": decline_message(fault.decline)}]
        return json_answer(200, common_body(reasons, context))
    if fault.kind is not Kind.STATUS:
        return None
    if context.operation.dialect == "quickstart":
        problem = {"code": "invalid_request", "message": "The scripted fault of the emulator."}
        return quickstart_answer(fault.status, [problem], context.settings)
    if context.operation.dialect == "oauth":
        return refusal(fault.status, "The scripted fault of the emulator.", context.settings)
    if fault.status >= _FIRST_SERVER_ERROR:
        return system_error_answer(context)
    code = coded(_UNKNOWN_OBJECT * 100 + _CATEGORY_BY_STATUS.get(fault.status, 20), context)
    reasons = [{"code": code, "message": "The scripted fault of the emulator."}]
    return json_answer(fault.status, common_body(reasons, context))
