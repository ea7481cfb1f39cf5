"""Zuora's error shapes.

    v1, sessions   {"success": false, "processId": "...", "requestId": "...", "reasons": [{"code": 53000020, ...}]}
    v1 500         {"reasons": [{"code": "SystemError", "message": "..."}]}
    quickstart     {"type": "bad_request", "errors": [{"code": "...", "parameter": "...", "message": "..."}], ...}
    gateway 401    {"message": "Authentication error"}

Source: Zuora developer guides "Error handling" and "Error codes", Quickstart API reference, read 2026-11.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zuora_emulator.answers import Answer, json_answer
from zuora_emulator.operations import Operation
from zuora_emulator.settings import Settings

STATUS_BY_CATEGORY = {
    10: 403,
    11: 401,
    20: 400,
    21: 400,
    22: 400,
    23: 400,
    27: 400,
    30: 400,
    40: 404,
    45: 405,
    50: 409,
    60: 500,
    61: 500,
    70: 429,
    90: 400,
    99: 500,
}
"""HTTP status of each category from API version 2024-05-20 on."""

_FIRST_VERSION_WITH_STATUSES = "2024-05-20"

QUICKSTART_TYPES = {
    400: "bad_request",
    401: "unauthorized",
    402: "request_failed",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    422: "conflict",
    423: "locked",
    429: "too_many_requests",
    500: "internal_server_error",
    502: "bad_gateway",
    503: "service_unavailable",
    504: "gateway_timeout",
}
_QUICKSTART_STATUS = {20: 400, 21: 400, 22: 400, 30: 400, 40: 400, 99: 500}
_QUICKSTART_CODES = {
    10: "forbidden",
    20: "invalid_parameter",
    21: "unknown_parameter",
    22: "missing_parameter",
    30: "invalid_request",
    40: "resource_not_found",
    50: "in_use",
    70: "too_many_requests",
    99: "payment_gateway_error",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason of a refusal: its category (last two digits), a sentence, and what only Quickstart says."""

    category: int
    message: str
    parameter: str | None = None
    quickstart_code: str | None = None
    quickstart_status: int | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What an error body needs to know of the call it answers."""

    operation: Operation
    settings: Settings
    version: str
    process_id: str
    request_id: str


@dataclass(slots=True, eq=False)
class Refused(Exception):  # noqa: N818 - the emulator refuses; nothing of it is broken
    """The operation refuses; `existing` holds fields of what exists nevertheless (a half-done result)."""

    reasons: tuple[Reason, ...]
    existing: Mapping[str, Any] = field(default_factory=dict)
    at_gateway: bool = False
    """Refused by the layer before the API: the HTTP status does not depend on the version."""


def refused(category: int, message: str, parameter: str | None = None) -> Refused:
    """Build a refusal with one reason."""
    return Refused((Reason(category=category, message=message, parameter=parameter),))


def uses_statuses(version: str) -> bool:
    """Whether `/v1` of that version answers failures with an HTTP error status."""
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", version)) and version >= _FIRST_VERSION_WITH_STATUSES


def refusal_answer(refusal: Refused, context: Context) -> Answer:
    """Render a refusal in the dialect of its operation."""
    if context.operation.dialect == "browser":
        return _browser_refusal(refusal.reasons[0])
    if context.operation.dialect == "quickstart":
        return _quickstart_refusal(refusal.reasons, context.settings)
    status = STATUS_BY_CATEGORY[refusal.reasons[0].category]
    body = {**common_body(_coded(refusal.reasons, context), context), **refusal.existing}
    soft = bool(refusal.existing) or not (refusal.at_gateway or _has_statuses(context))
    return json_answer(200 if soft else status, body)


_BROWSER_ERRORS = {
    401: ("invalid_request_error", "unauthorized_access"),
    402: ("transaction_error", "transaction_declined"),
    429: ("invalid_request_error", "too_many_request"),
}


def _browser_refusal(reason: Reason) -> Answer:
    """Answer a page in the browser as the payment form reports errors."""
    status = reason.quickstart_status or STATUS_BY_CATEGORY[reason.category]
    kind, code = _BROWSER_ERRORS.get(status, ("invalid_request_error", "invalid_request"))
    return json_answer(status, {"success": False, "error": {"type": kind, "code": code, "message": reason.message}})


def _has_statuses(context: Context) -> bool:
    if context.operation.dialect == "sessions":
        return context.settings.sessions_failures == "status"
    return context.operation.dialect != "v1" or uses_statuses(context.version)


def common_body(reasons: list[dict[str, Any]], context: Context) -> dict[str, Any]:
    """Build the body that most failures of v1 have."""
    return {
        "success": False,
        "processId": context.process_id,
        "requestId": context.request_id,
        "reasons": reasons,
    }


def _coded(reasons: tuple[Reason, ...], context: Context) -> list[dict[str, Any]]:
    return [
        {"code": coded(context.operation.resource * 100 + reason.category, context), "message": reason.message}
        for reason in reasons
    ]


def coded(code: int, context: Context) -> int | str:
    """Return a reason code in the JSON type the settings ask for."""
    as_text = {"text": True, "number": False, "documented": context.operation.dialect == "sessions"}
    return str(code) if as_text[context.settings.code_type] else code


def _quickstart_refusal(reasons: tuple[Reason, ...], settings: Settings) -> Answer:
    first = reasons[0]
    status = first.quickstart_status or _QUICKSTART_STATUS.get(first.category, STATUS_BY_CATEGORY[first.category])
    problems = [
        {"code": reason.quickstart_code or _QUICKSTART_CODES.get(reason.category, "invalid_request")}
        | ({} if reason.parameter is None else {"parameter": reason.parameter})
        | {"message": reason.message}
        for reason in reasons
    ]
    kind = "payment_gateway_error" if first.category == 99 else None
    return quickstart_answer(status, problems, settings, kind=kind)


def quickstart_answer(
    status: int, problems: list[dict[str, Any]], settings: Settings, *, kind: str | None = None
) -> Answer:
    """Build a Quickstart error; `retryable` is there only for the statuses whose examples have it."""
    kind = kind or QUICKSTART_TYPES.get(status, "bad_request" if status < 500 else "internal_server_error")
    if settings.quickstart_errors == "flat":
        return json_answer(status, {"type": kind, **problems[0]})
    body: dict[str, Any] = {"type": kind, "errors": problems}
    if status in {400, 401, 404, 405}:
        body["retryable"] = False
    return json_answer(status, body)


def unauthorized_answer(context: Context) -> Answer:
    """Answer a missing, wrong or expired access token: 401 from the layer before the API."""
    challenge = ("www-authenticate", 'Bearer realm="zuora"')
    if context.operation.dialect == "quickstart":
        problem = {"code": "authorization_token_expired", "message": "The access token has expired."}
        return quickstart_answer(401, [problem], context.settings).with_headers(challenge)
    bodies: dict[str, dict[str, Any]] = {
        "message": {"message": "Authentication error"},
        "user_info": {"message": "Failed to get user info"},
        "reasons": {"success": False, "reasons": [{"code": 90000011, "message": "Authentication error"}]},
    }
    return json_answer(401, bodies[context.settings.unauthorized_body], challenge)


def system_error_answer(context: Context, message: str = "An internal error occurred.") -> Answer:
    """Answer 500 as the API itself does (not an edge)."""
    if context.operation.dialect == "quickstart":
        return quickstart_answer(500, [{"code": "internal_error", "message": message}], context.settings)
    return json_answer(500, {"reasons": [{"code": "SystemError", "message": message}]})


def key_refusal_answer(status: int, message: str, context: Context) -> Answer:
    """Answer 409 or 422 of the idempotency layer; the documents give no body."""
    if context.settings.key_refusal_body == "empty":
        return Answer(status, b"")
    if context.operation.dialect == "quickstart":
        code = "in_use" if status == 409 else "invalid_request"
        return quickstart_answer(status, [{"code": code, "message": message}], context.settings)
    if context.settings.key_refusal_body == "message":
        return json_answer(status, {"message": message})
    category = 50 if status == 409 else 20
    return json_answer(status, common_body(_coded((Reason(category=category, message=message),), context), context))
