"""The meaning of Zuora's answers: the reason for a status and error codes.

An answer may carry several codes; all are read, and the most severe meaning wins.
Sources: Zuora, "Error codes", "Error handling" and "Idempotent requests" (read 2026-11-20); Quickstart API, "Errors".
"""

import re
from typing import Final

from payorch_server.model.attempt import UpstreamFacts, ZuoraReply
from payorch_server.model.errors import CallError, Failure, UpstreamEvidence, error_for
from payorch_server.model.outcome import VERDICTS, Advice, Outcome, Reason
from payorch_server.zuora.answer_body import AnswerBody, Form
from payorch_server.zuora.error_texts import ErrorText, error_texts, mask_quotes, private_text
from payorch_server.zuora.messages import Damage, HttpResponse, JsonObject, text_of
from payorch_server.zuora.quotes import NOTHING_QUOTED, Quotes
from payorch_server.zuora.response_headers import http_date_s
from payorch_server.zuora.settings import Declines

# The last two digits of Zuora's billing codes.
CATEGORIES: Final = {
    10: Reason.UPSTREAM_PERMISSION_DENIED,
    11: Reason.UPSTREAM_CREDENTIALS_REJECTED,
    20: Reason.UPSTREAM_REQUEST_REFUSED,
    21: Reason.UPSTREAM_REQUEST_REFUSED,
    22: Reason.UPSTREAM_REQUEST_REFUSED,
    23: Reason.UPSTREAM_REQUEST_REFUSED,
    27: Reason.UPSTREAM_REQUEST_REFUSED,
    30: Reason.UPSTREAM_RULE_BROKEN,
    40: Reason.UPSTREAM_NOT_FOUND,
    45: Reason.UPSTREAM_UNSUPPORTED,
    50: Reason.UPSTREAM_LOCKED,
    60: Reason.UPSTREAM_INTERNAL,
    61: Reason.UPSTREAM_TEMPORARY,
    70: Reason.UPSTREAM_THROTTLED,
    90: Reason.UPSTREAM_REQUEST_REFUSED,
    99: Reason.UPSTREAM_GATEWAY_FAILED,
}
# Words of the Quickstart operations: the type of the body and the codes of its errors.
WORDS: Final = {
    "SystemError": Reason.UPSTREAM_INTERNAL,
    "authorization_token_expired": Reason.UPSTREAM_CREDENTIALS_REJECTED,
    "bad_gateway": Reason.UPSTREAM_EDGE_FAILED,
    "bad_request": Reason.UPSTREAM_REQUEST_REFUSED,
    "card_error": Reason.PAYMENT_DECLINED,
    "conflict": Reason.UPSTREAM_IN_PROGRESS,
    "forbidden": Reason.UPSTREAM_PERMISSION_DENIED,
    "gateway_timeout": Reason.UPSTREAM_EDGE_FAILED,
    "internal_server_error": Reason.UPSTREAM_INTERNAL,
    "locked": Reason.UPSTREAM_IN_PROGRESS,
    "method_not_allowed": Reason.UPSTREAM_UNSUPPORTED,
    "not_found": Reason.UPSTREAM_NOT_FOUND,
    "payment_gateway_error": Reason.UPSTREAM_GATEWAY_FAILED,
    "payment_gateway_timeout": Reason.UPSTREAM_GATEWAY_FAILED,
    "payment_gateway_unavailable": Reason.UPSTREAM_GATEWAY_FAILED,
    "request_failed": Reason.UPSTREAM_RULE_BROKEN,
    "request_timeout": Reason.UPSTREAM_NO_ANSWER,
    "resource_not_found": Reason.UPSTREAM_NOT_FOUND,
    "service_unavailable": Reason.UPSTREAM_EDGE_FAILED,
    "too_many_requests": Reason.UPSTREAM_THROTTLED,
    "unauthorized": Reason.UPSTREAM_CREDENTIALS_REJECTED,
}
# What a status means when the body carries no known code. It is a refusal only if servers and proxies answer with that
# status before anything executes; every other 4xx may be a proxy's answer to a call that Zuora has executed.
STATUSES: Final = {
    400: Reason.UPSTREAM_REQUEST_REFUSED,
    401: Reason.UPSTREAM_CREDENTIALS_REJECTED,
    402: Reason.UPSTREAM_CODE_UNKNOWN,
    403: Reason.UPSTREAM_PERMISSION_DENIED,
    404: Reason.UPSTREAM_NOT_FOUND,
    405: Reason.UPSTREAM_UNSUPPORTED,
    406: Reason.UPSTREAM_UNSUPPORTED,
    408: Reason.UPSTREAM_NO_ANSWER,
    409: Reason.UPSTREAM_IN_PROGRESS,
    411: Reason.UPSTREAM_UNSUPPORTED,
    413: Reason.UPSTREAM_REQUEST_REFUSED,
    414: Reason.UPSTREAM_UNSUPPORTED,
    415: Reason.UPSTREAM_UNSUPPORTED,
    417: Reason.UPSTREAM_UNSUPPORTED,
    421: Reason.UPSTREAM_UNSUPPORTED,
    422: Reason.UPSTREAM_KEY_CONFLICT,
    423: Reason.UPSTREAM_IN_PROGRESS,
    425: Reason.UPSTREAM_UNSUPPORTED,
    426: Reason.UPSTREAM_UNSUPPORTED,
    428: Reason.UPSTREAM_UNSUPPORTED,
    429: Reason.UPSTREAM_THROTTLED,
    431: Reason.UPSTREAM_UNSUPPORTED,
    451: Reason.UPSTREAM_UNSUPPORTED,
    500: Reason.UPSTREAM_INTERNAL,
    502: Reason.UPSTREAM_EDGE_FAILED,
    503: Reason.UPSTREAM_EDGE_FAILED,
    504: Reason.UPSTREAM_EDGE_FAILED,
}
# From the most severe meaning to the mildest: what may have been executed is never called refused.
_SEVERITY: Final = (
    (Outcome.PARTIAL, Advice.LOOK_UP),
    (Outcome.UNKNOWN, Advice.LOOK_UP),
    (Outcome.UNKNOWN, Advice.RESEND_SAME_REQUEST_ID),
    (Outcome.REFUSED, Advice.FIX_REQUEST),
    (Outcome.REFUSED, Advice.USE_NEW_REQUEST_ID),
    (Outcome.NOT_SENT, Advice.RESEND_SAME_REQUEST_ID),
)
# Statuses that stay in doubt whatever code comes with them. Zuora documents no body for the 409 that means "the first
# send is still running", so it could look like the 409 of lock contention, after which a new request id would execute
# the call twice.
_DOUBTFUL: Final = frozenset({408, 409, 422, 423, 502, 503, 504})
_TOO_MANY_REQUESTS: Final = 429
_MAX_CODES: Final = 10
# Zuora forgets an idempotency key after a day, so a longer wait has no meaning.
_MAX_RETRY_AFTER_S: Final = 86_400.0
_SECONDS: Final = re.compile(r"[0-9]+(?:\.0+)?")
# Content types of proxies and servers, which may stand in a text for operators.
_MEDIA_TYPES: Final = frozenset(
    {"application/json", "application/problem+json", "application/xml", "text/html", "text/plain", "text/xml"}
)
# Such as 53200020 or 90000011: six digits of resource and two of category.
_BILLING_CODE: Final = re.compile(r"[569][0-9]{7}")
# Sessions have a family of their own as well, such as 71012540; elsewhere those digits are another product's.
_SESSION_CODE: Final = re.compile(r"[5679][0-9]{7}")
_SESSIONS: Final = "sessions"
# Statuses beside which a tenant's configured declines count: those of Zuora's own failures.
_DECLINING: Final = frozenset({200, 400, 402, 500})
# HTTP's last registered status, and one that hosting software made its own.
_LAST_OF_HTTP: Final = 511
_BANDWIDTH_EXCEEDED: Final = 509


def classify(
    answer: HttpResponse,
    body: AnswerBody,
    facts: UpstreamFacts,
    *,
    operation: str = "",
    quotes: Quotes = NOTHING_QUOTED,
    declines: Declines = (),
) -> CallError | None:
    """Return the error an answer means, or None if it reports success.

    Args:
        answer: The HTTP answer.
        body: What its body says.
        facts: What is known of the call; becomes part of the error.
        operation: Short name of the operation, which has codes of its own.
        quotes: The secrets of the request, which Zuora may quote.
        declines: How the tenant's gateways decline; empty where an attempt of the intent is in doubt.
    """
    # 1. A body that cannot be trusted: what remains is the status, and what ids are legible.
    if body.form is Form.BROKEN:
        return _broken(answer, body.members, facts)
    payload = body.members
    texts = tuple(error_texts(payload))
    # 2. A status of success and no report of failure in the body.
    if _is_success(answer.status) and not _reports_failure(payload):
        return None if body.form is Form.OBJECT else _unreadable(answer, facts)
    # 3. A failure: the most severe meaning of its codes and its status.
    reason = _reason(answer.status, texts, _SESSION_CODE if operation == _SESSIONS else _BILLING_CODE)
    method_id, payment_id = _method_id(payload), text_of(payload.get("paymentId"))
    # v2 names a method that it created so; errors have ids of their own, and so have sessions.
    is_creation = _is_success(answer.status) and operation != _SESSIONS
    created_id = text_of(payload.get("id")) if is_creation else ""
    if method_id:
        # 4. It names a payment method, so some of it happened.
        reason = Reason.PAYMENT_REFUSED_METHOD_CREATED
    elif created_id or payment_id or payload.get("success") is True:
        # 5. It reports error codes and a payment or success: a contradiction, of which neither side can be trusted.
        reason = Reason.UPSTREAM_ANSWER_UNREADABLE
    elif reason is Reason.UPSTREAM_INTERNAL and _is_decline(answer.status, payload, texts, declines):
        # 6. It names nothing that exists, and one code with a message by which this tenant's gateways decline.
        reason = Reason.PAYMENT_DECLINED
    texts = mask_quotes(quotes, texts[:_MAX_CODES])
    evidence = UpstreamEvidence(
        zuora_codes=tuple(text.code for text in texts if text.code)[:_MAX_CODES],
        payment_method_id=method_id or created_id,
        payment_id=payment_id,
        retry_after_s=retry_after_s(answer),
    )
    return error_for(Failure(reason, private_text(answer, texts), evidence=evidence, facts=facts))


def _is_decline(status: int, payload: JsonObject, texts: tuple[ErrorText, ...], declines: Declines) -> bool:
    if status not in _DECLINING or len(texts) != 1 or not _is_false(payload.get("success")) or payload.get("id"):
        return False
    (text,) = texts
    return any(text.code == decline.code and text.message.startswith(decline.message) for decline in declines)


def _method_id(payload: JsonObject) -> str:
    """Return the id of a payment method that a failed answer names: it exists."""
    v1_id = payload.get("id") if _is_false(payload.get("success")) else None
    return text_of(payload.get("paymentMethodId")) or text_of(v1_id)


def incomplete_answer(missing: str, facts: UpstreamFacts, payload: JsonObject | None = None) -> CallError:
    """Return the error for a success that lacks what the operation promises.

    Args:
        missing: What it lacks, for operators.
        facts: What is known of the call.
        payload: The answer; the ids in it are of what exists.
    """
    ids = payload or {}
    exists = UpstreamEvidence(
        payment_method_id=text_of(ids.get("paymentMethodId")), payment_id=text_of(ids.get("paymentId"))
    )
    detail = f"Zuora reported success without {missing}"
    return error_for(Failure(Reason.UPSTREAM_ANSWER_INCOMPLETE, detail, evidence=exists, facts=facts))


def promised_text(reply: ZuoraReply, member: str, *, name: str) -> str:
    """Return a text that every success has.

    Args:
        reply: A success.
        member: Of its JSON.
        name: What it is, for operators, such as "a session token".

    Raises:
        CallError: The answer has no such text, or an empty one; UNKNOWN.
    """
    value = reply.payload.get(member)
    if not isinstance(value, str) or not value:
        raise incomplete_answer(name, reply.facts, reply.payload)
    return value


def _is_success(status: int) -> bool:
    # 202 promises work whose end is never reported.
    return 200 <= status < 300 and status != 202  # noqa: PLR2004 - HTTP's own numbers


def _broken(answer: HttpResponse, ids: JsonObject, facts: UpstreamFacts) -> CallError:
    """Return what an answer means whose body cannot be trusted: never anything more certain than its status."""
    by_status = STATUSES.get(answer.status) or _by_class(answer.status)
    # 1. The id of a payment method: v1 and v2 name it so, and edges name their own things so.
    is_method = _is_success(answer.status) or "success" in ids
    method_id = ids.get("paymentMethodId") or (ids.get("id") if is_method else None) or ""
    payment_id = ids.get("paymentId", "")
    # 2. Where the status is a success or a refusal, or something exists, the lost text could say otherwise.
    reason = by_status
    if method_id or payment_id or _is_success(answer.status) or VERDICTS[by_status].outcome is Outcome.REFUSED:
        is_late = answer.damage is Damage.LATE
        reason = Reason.UPSTREAM_NO_ANSWER if is_late else Reason.UPSTREAM_ANSWER_UNREADABLE
    damage = answer.damage.value if answer.damage else "is broken JSON or contradicts itself"
    failed = Failure(
        reason,
        f"status {answer.status}: the body {damage} ({len(answer.body)} bytes)",
        evidence=UpstreamEvidence(
            payment_method_id=method_id, payment_id=payment_id, retry_after_s=retry_after_s(answer)
        ),
        facts=facts,
        is_broken=True,
        cut_off=answer.damage in {Damage.CUT, Damage.UNFRAMED},
    )
    return error_for(failed)


def _unreadable(answer: HttpResponse, facts: UpstreamFacts) -> CallError:
    kind = answer.headers.get("content-type", "none").partition(";")[0].strip().lower()
    kind = kind if kind in _MEDIA_TYPES else "unknown type"
    detail = f"status {answer.status} with {len(answer.body)} bytes of {kind} that are not a JSON object"
    return error_for(Failure(Reason.UPSTREAM_ANSWER_UNREADABLE, detail, facts=facts))


def _reports_failure(payload: JsonObject) -> bool:
    # Only true is success: what 0, null or "no" are meant to say is not known.
    if not all(_is_true(payload[member]) for member in ("success", "Success") if member in payload):
        return True
    # A successful answer may carry the members as well, null or empty.
    return any(payload.get(member) for member in ("reasons", "errors", "Errors", "faultcode"))


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def _is_false(value: object) -> bool:
    return value is False or (isinstance(value, str) and value.strip().lower() == "false")


def _reason(status: int, texts: tuple[ErrorText, ...], family: re.Pattern[str]) -> Reason:
    codes = [text.code for text in texts]
    # Quickstart calls every 402 request_failed; the code beside it separates a declined payment from a broken rule.
    if "card_error" in codes:
        codes = [code for code in codes if code != "request_failed"]
    known = [reason for code in codes if (reason := _by_code(code, family)) is not None]
    by_status = STATUSES.get(status)
    # A code that is not known may say more than those beside it. Many words of Quickstart's are not, and their status
    # decides.
    unknown = [code for code in codes if code and _by_code(code, family) is None]
    if any(by_status is None or _is_of_unknown_category(code, family) for code in unknown):
        known.append(by_status or Reason.UPSTREAM_CODE_UNKNOWN)
    if not known:
        return by_status or _by_class(status)
    if status in _DOUBTFUL or _is_of_an_edge(status):
        known.append(by_status or _by_class(status))
    return min(known, key=_rank)


def _rank(reason: Reason) -> int:
    verdict = VERDICTS[reason]
    return _SEVERITY.index((verdict.outcome, verdict.advice))


def _by_class(status: int) -> Reason:
    # Proxies have 4xx statuses of their own, such as 499 when they stop waiting although Zuora is about to answer.
    if 400 <= status < 500 or _is_of_an_edge(status):  # noqa: PLR2004
        return Reason.UPSTREAM_EDGE_FAILED
    # 3xx is never followed, and 202 promises work whose end is never reported.
    return Reason.UPSTREAM_CODE_UNKNOWN


def _is_of_an_edge(status: int) -> bool:
    """Return whether a 5xx is none of HTTP's: edges say with 520 and its kin what 502 to 504 say."""
    return _LAST_OF_HTTP < status < 600 or status == _BANDWIDTH_EXCEEDED  # noqa: PLR2004


def _by_code(code: str, family: re.Pattern[str]) -> Reason | None:
    if code in WORDS:
        return WORDS[code]
    if not code.isascii() or not code.isdigit():
        return None
    return CATEGORIES.get(int(code[-2:])) if len(code) == 2 or family.fullmatch(code) else None  # noqa: PLR2004 - "70"


def _is_of_unknown_category(code: str, family: re.Pattern[str]) -> bool:
    return bool(family.fullmatch(code)) and int(code[-2:]) not in CATEGORIES


def retry_after_s(answer: HttpResponse) -> float | None:
    """Return the wait that Zuora demands: Retry-After, or on a 429 without it the end of the rate limit's window."""
    text = answer.headers.get("retry-after")
    if text is None and answer.status == _TOO_MANY_REQUESTS:
        text = answer.headers.get("ratelimit-reset")
    return None if text is None else _wait_s(text, answer)


def _wait_s(text: str, answer: HttpResponse) -> float | None:
    if _SECONDS.fullmatch(text):
        return min(float(text), _MAX_RETRY_AFTER_S)
    # Edges write a date, which is one of their own clock, as the Date beside it is.
    until_s, stated_s = http_date_s(text), http_date_s(answer.headers.get("date", ""))
    if until_s is None or stated_s is None:
        return None
    return min(max(until_s - stated_s, 0.0), _MAX_RETRY_AFTER_S)
