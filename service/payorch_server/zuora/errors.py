"""The meaning of Zuora's answers: the reason for a status and error codes.

An answer may carry several codes; all are read, and the most severe meaning wins.
Sources: Zuora, "Error codes", "Error handling" and "Idempotent requests" (read 2026-11-20); Quickstart API, "Errors".
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from payorch_server.model.attempt import UpstreamFacts, ZuoraReply
from payorch_server.model.errors import CallError, Failure, UpstreamEvidence, error_for
from payorch_server.model.outcome import VERDICTS, Advice, Outcome, Reason
from payorch_server.model.shown_forms import MASKED
from payorch_server.zuora.answer_body import AnswerBody, Form
from payorch_server.zuora.messages import Damage, HttpResponse, JsonObject, text_of
from payorch_server.zuora.quotes import NOTHING_QUOTED, Quotes

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
_MAX_DETAIL_CHARACTERS: Final = 400
# Content types of proxies and servers, which may stand in a text for operators.
_MEDIA_TYPES: Final = frozenset(
    {"application/json", "application/problem+json", "application/xml", "text/html", "text/plain", "text/xml"}
)
# Such as 53200020 or 90000011: six digits of resource and two of category.
_BILLING_CODE: Final = re.compile(r"[569][0-9]{7}")
# Words with an address or five digits and more, except Zuora's own codes in front.
_PERSONAL: Final = re.compile(r"(?<=\s)(?:\S*@\S*|\S*(?:\d\S*){5,})")
_LONG_NUMBER: Final = re.compile(r"(?<![0-9A-Za-z])\d(?:[ -]?\d){11,}(?![0-9A-Za-z])")


@dataclass(frozen=True, slots=True)
class _ErrorText:
    """One code with its message, which may quote the request."""

    code: str = field(repr=False)
    message: str = field(repr=False)


def classify(
    answer: HttpResponse, body: AnswerBody, facts: UpstreamFacts, *, quotes: Quotes = NOTHING_QUOTED
) -> CallError | None:
    """Return the error an answer means, or None if it reports success.

    Args:
        answer: The HTTP answer.
        body: What its body says.
        facts: What is known of the call; becomes part of the error.
        quotes: The secrets of the request, which Zuora may quote.
    """
    # 1. A body that cannot be trusted: what remains is the status, and what ids are legible.
    if body.form is Form.BROKEN:
        return _broken(answer, body.members, facts)
    payload = body.members
    texts = tuple(_error_texts(payload))
    # 2. A status of success and no report of failure in the body.
    if _is_success(answer.status) and not _reports_failure(payload):
        return None if body.form is Form.OBJECT else _unreadable(answer, facts)
    # 3. A failure: the most severe meaning of its codes and its status.
    reason = _reason(answer.status, texts)
    method_id, payment_id = _method_id(payload), text_of(payload.get("paymentId"))
    if method_id:
        # 4. It names a payment method, so some of it happened.
        reason = Reason.PAYMENT_REFUSED_METHOD_CREATED
    elif payload.get("success") is True:
        # 5. It reports success and error codes: a contradiction, of which neither side can be trusted.
        reason = Reason.UPSTREAM_ANSWER_UNREADABLE
    texts = _mask_quotes(quotes, texts[:_MAX_CODES])
    evidence = UpstreamEvidence(
        zuora_codes=tuple(text.code for text in texts if text.code)[:_MAX_CODES],
        payment_method_id=method_id,
        payment_id=payment_id,
        retry_after_s=retry_after_s(answer),
    )
    return error_for(Failure(reason, _detail(answer, texts), evidence=evidence, facts=facts))


def _mask_quotes(quotes: Quotes, texts: Iterable[_ErrorText]) -> tuple[_ErrorText, ...]:
    return tuple(
        _ErrorText(text.code and quotes.mask_code(text.code), quotes.mask_text(text.message)) for text in texts
    )


def _method_id(payload: JsonObject) -> str:
    """Return the id of a payment method that a failed answer names: it exists."""
    v1_id = payload.get("id") if payload.get("success") is False else None
    return text_of(payload.get("paymentMethodId")) or text_of(v1_id)


def incomplete_answer(missing: str, facts: UpstreamFacts) -> CallError:
    """Return the error for a success that lacks what the operation promises."""
    detail = f"Zuora reported success without {missing}"
    return error_for(Failure(Reason.UPSTREAM_ANSWER_INCOMPLETE, detail, facts=facts))


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
        raise incomplete_answer(name, reply.facts)
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
    damage = answer.damage.value if answer.damage else "is broken JSON"
    failed = Failure(
        reason,
        f"status {answer.status}: the body {damage} ({len(answer.body)} bytes)",
        evidence=UpstreamEvidence(
            payment_method_id=method_id, payment_id=payment_id, retry_after_s=retry_after_s(answer)
        ),
        facts=facts,
        is_broken=True,
        cut_off=answer.damage is Damage.CUT,
    )
    return error_for(failed)


def _unreadable(answer: HttpResponse, facts: UpstreamFacts) -> CallError:
    kind = answer.headers.get("content-type", "none").partition(";")[0].strip().lower()
    kind = kind if kind in _MEDIA_TYPES else "unknown type"
    detail = f"status {answer.status} with {len(answer.body)} bytes of {kind} that are not a JSON object"
    return error_for(Failure(Reason.UPSTREAM_ANSWER_UNREADABLE, detail, facts=facts))


def _reports_failure(payload: JsonObject) -> bool:
    if payload.get("success") is False or payload.get("Success") is False:
        return True
    # A successful answer may carry the members as well, null or empty.
    return any(payload.get(member) for member in ("reasons", "errors", "Errors"))


def _error_texts(payload: JsonObject) -> Iterable[_ErrorText]:
    for member in ("reasons", "errors", "Errors"):
        listed = payload.get(member)
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, Mapping):
                code, message = entry.get("code", entry.get("Code")), entry.get("message", entry.get("Message"))
                yield _ErrorText(text_of(code), text_of(message))
    if isinstance(payload.get("type"), str) and ("errors" in payload or "message" in payload):
        yield _ErrorText(payload["type"], "")
    if "code" in payload or ("message" in payload and "reasons" not in payload):
        yield _ErrorText(text_of(payload.get("code")), text_of(payload.get("message")))


def _reason(status: int, texts: tuple[_ErrorText, ...]) -> Reason:
    codes = [text.code for text in texts]
    # Quickstart calls every 402 request_failed; the code beside it separates a declined payment from a broken rule.
    if "card_error" in codes:
        codes = [code for code in codes if code != "request_failed"]
    known = [reason for code in codes if (reason := _by_code(code)) is not None]
    by_status = STATUSES.get(status)
    if any(_is_of_unknown_category(code) for code in codes):
        known.append(by_status or Reason.UPSTREAM_CODE_UNKNOWN)
    if not known:
        return by_status or _by_class(status)
    if status in _DOUBTFUL:
        known.append(STATUSES[status])
    return min(known, key=_rank)


def _rank(reason: Reason) -> int:
    verdict = VERDICTS[reason]
    return _SEVERITY.index((verdict.outcome, verdict.advice))


def _by_class(status: int) -> Reason:
    # Proxies have 4xx statuses of their own, such as 499 when they stop waiting although Zuora is about to answer.
    if 400 <= status < 500:  # noqa: PLR2004
        return Reason.UPSTREAM_EDGE_FAILED
    # 3xx is never followed, and 202 promises work whose end is never reported.
    return Reason.UPSTREAM_CODE_UNKNOWN


def _by_code(code: str) -> Reason | None:
    if code in WORDS:
        return WORDS[code]
    if not code.isascii() or not code.isdigit():
        return None
    return CATEGORIES.get(int(code[-2:])) if len(code) == 2 or _BILLING_CODE.fullmatch(code) else None  # noqa: PLR2004 - "70"


def _is_of_unknown_category(code: str) -> bool:
    return bool(_BILLING_CODE.fullmatch(code)) and int(code[-2:]) not in CATEGORIES


def _detail(answer: HttpResponse, texts: tuple[_ErrorText, ...]) -> str:
    joined = "; ".join(f"{text.code} {text.message}".strip() for text in texts) or f"{len(answer.body)} bytes"
    masked = _PERSONAL.sub(MASKED, _LONG_NUMBER.sub("[number]", joined))
    return f"status {answer.status}: {masked}"[:_MAX_DETAIL_CHARACTERS]


def retry_after_s(answer: HttpResponse) -> float | None:
    """Return the wait that Zuora demands: Retry-After, or on a 429 without it the end of the rate limit's window."""
    text = answer.headers.get("retry-after")
    if text is None and answer.status == _TOO_MANY_REQUESTS:
        text = answer.headers.get("ratelimit-reset")
    return _seconds(text)


def _seconds(text: str | None) -> float | None:
    return min(float(text), _MAX_RETRY_AFTER_S) if text and text.isascii() and text.isdigit() else None
