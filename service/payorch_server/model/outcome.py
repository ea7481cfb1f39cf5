"""What happened to a call at Zuora, and what its caller should do next: one table."""

import enum
from dataclasses import dataclass
from typing import Final

from payorch_server.model.operation import CREATE_SESSION


class Outcome(enum.Enum):
    """What happened at Zuora, as far as is known."""

    SUCCEEDED = "succeeded"
    NOT_SENT = "not_sent"
    REFUSED = "refused"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


class Advice(enum.Enum):
    """What the caller should do next."""

    NONE = "none"
    RESEND_SAME_REQUEST_ID = "resend_same_request_id"
    FIX_REQUEST = "fix_request"
    USE_NEW_REQUEST_ID = "use_new_request_id"
    LOOK_UP = "look_up"


class Reason(enum.Enum):
    """Why a call failed; the names are those of payorch.v1.ErrorReason without their prefix."""

    REQUEST_INVALID = enum.auto()
    REQUEST_MALFORMED = enum.auto()
    REQUEST_TOO_LARGE = enum.auto()
    METHOD_UNKNOWN = enum.auto()
    TRACK_ID_INVALID = enum.auto()
    PAYMENT_METHOD_TYPE_UNSUPPORTED = enum.auto()
    RAW_CARD_DATA_DISABLED = enum.auto()
    INTENT_MISMATCH = enum.auto()
    INTENT_EXPIRED = enum.auto()
    ROUTE_GONE = enum.auto()
    SESSION_STALE = enum.auto()
    APPLE_PAY_TOKEN_REUSED = enum.auto()
    STORE_UNAVAILABLE = enum.auto()
    AUDIT_UNAVAILABLE = enum.auto()
    CLOCK_OFFSET_TOO_LARGE = enum.auto()
    ROUTE_NOT_FOUND = enum.auto()
    ROUTE_HINT_UNKNOWN = enum.auto()
    ROUTE_HINT_CONTRADICTED = enum.auto()
    DEADLINE_TOO_SHORT = enum.auto()
    OVERLOADED = enum.auto()
    CALLER_LEFT = enum.auto()
    STILL_RUNNING = enum.auto()
    EARLIER_ATTEMPT_UNSETTLED = enum.auto()
    INTENT_NOT_RECORDED = enum.auto()
    INTENT_RECORD_UNREADABLE = enum.auto()
    UPSTREAM_UNREACHABLE = enum.auto()
    UPSTREAM_TLS_FAILED = enum.auto()
    UPSTREAM_CIRCUIT_OPEN = enum.auto()
    UPSTREAM_NO_ANSWER = enum.auto()
    UPSTREAM_EDGE_FAILED = enum.auto()
    UPSTREAM_IN_PROGRESS = enum.auto()
    UPSTREAM_KEY_CONFLICT = enum.auto()
    UPSTREAM_ANSWER_UNREADABLE = enum.auto()
    UPSTREAM_ANSWER_INCOMPLETE = enum.auto()
    TOKEN_UNAVAILABLE = enum.auto()
    UPSTREAM_CREDENTIALS_REJECTED = enum.auto()
    UPSTREAM_THROTTLED = enum.auto()
    UPSTREAM_REQUEST_REFUSED = enum.auto()
    UPSTREAM_RULE_BROKEN = enum.auto()
    UPSTREAM_NOT_FOUND = enum.auto()
    UPSTREAM_PERMISSION_DENIED = enum.auto()
    UPSTREAM_UNSUPPORTED = enum.auto()
    UPSTREAM_LOCKED = enum.auto()
    UPSTREAM_TEMPORARY = enum.auto()
    PAYMENT_DECLINED = enum.auto()
    UPSTREAM_CODE_UNKNOWN = enum.auto()
    UPSTREAM_INTERNAL = enum.auto()
    UPSTREAM_GATEWAY_FAILED = enum.auto()
    PAYMENT_REFUSED_METHOD_CREATED = enum.auto()
    UPSTREAM_REFUSAL_STORED = enum.auto()
    CALLER_UNAUTHENTICATED = enum.auto()
    CALLER_NOT_PERMITTED = enum.auto()
    SWITCHED_OFF = enum.auto()
    CALLER_KEYS_UNAVAILABLE = enum.auto()
    INTERNAL = enum.auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reason means for the caller."""

    outcome: Outcome
    advice: Advice


_NOT_SENT_RESEND: Final = Verdict(Outcome.NOT_SENT, Advice.RESEND_SAME_REQUEST_ID)
_NOT_SENT_FIX: Final = Verdict(Outcome.NOT_SENT, Advice.FIX_REQUEST)
_REFUSED_FIX: Final = Verdict(Outcome.REFUSED, Advice.FIX_REQUEST)
_REFUSED_NEW: Final = Verdict(Outcome.REFUSED, Advice.USE_NEW_REQUEST_ID)
_UNKNOWN_RESEND: Final = Verdict(Outcome.UNKNOWN, Advice.RESEND_SAME_REQUEST_ID)
_UNKNOWN_LOOK_UP: Final = Verdict(Outcome.UNKNOWN, Advice.LOOK_UP)
_UNKNOWN_NEW: Final = Verdict(Outcome.UNKNOWN, Advice.USE_NEW_REQUEST_ID)
_PARTIAL_LOOK_UP: Final = Verdict(Outcome.PARTIAL, Advice.LOOK_UP)

VERDICTS: Final = {
    Reason.REQUEST_INVALID: _NOT_SENT_FIX,
    Reason.REQUEST_MALFORMED: _NOT_SENT_FIX,
    Reason.REQUEST_TOO_LARGE: _NOT_SENT_FIX,
    Reason.METHOD_UNKNOWN: _NOT_SENT_FIX,
    Reason.TRACK_ID_INVALID: _NOT_SENT_FIX,
    Reason.PAYMENT_METHOD_TYPE_UNSUPPORTED: _NOT_SENT_FIX,
    Reason.RAW_CARD_DATA_DISABLED: _NOT_SENT_FIX,
    Reason.INTENT_MISMATCH: _NOT_SENT_FIX,
    Reason.INTENT_EXPIRED: _UNKNOWN_LOOK_UP,
    Reason.ROUTE_GONE: _UNKNOWN_LOOK_UP,
    Reason.SESSION_STALE: _REFUSED_NEW,
    Reason.APPLE_PAY_TOKEN_REUSED: _NOT_SENT_FIX,
    Reason.STORE_UNAVAILABLE: _NOT_SENT_RESEND,
    Reason.AUDIT_UNAVAILABLE: _NOT_SENT_RESEND,
    Reason.CLOCK_OFFSET_TOO_LARGE: _NOT_SENT_RESEND,
    Reason.ROUTE_NOT_FOUND: _NOT_SENT_FIX,
    Reason.ROUTE_HINT_UNKNOWN: _NOT_SENT_FIX,
    Reason.ROUTE_HINT_CONTRADICTED: _NOT_SENT_FIX,
    Reason.DEADLINE_TOO_SHORT: _NOT_SENT_RESEND,
    Reason.OVERLOADED: _NOT_SENT_RESEND,
    Reason.CALLER_LEFT: _UNKNOWN_RESEND,
    Reason.STILL_RUNNING: _UNKNOWN_RESEND,
    Reason.EARLIER_ATTEMPT_UNSETTLED: _UNKNOWN_RESEND,
    Reason.INTENT_NOT_RECORDED: _UNKNOWN_LOOK_UP,
    Reason.INTENT_RECORD_UNREADABLE: _UNKNOWN_LOOK_UP,
    Reason.UPSTREAM_UNREACHABLE: _NOT_SENT_RESEND,
    Reason.UPSTREAM_TLS_FAILED: _NOT_SENT_RESEND,
    Reason.UPSTREAM_CIRCUIT_OPEN: _NOT_SENT_RESEND,
    Reason.UPSTREAM_NO_ANSWER: _UNKNOWN_RESEND,
    Reason.UPSTREAM_EDGE_FAILED: _UNKNOWN_RESEND,
    Reason.UPSTREAM_IN_PROGRESS: _UNKNOWN_RESEND,
    Reason.UPSTREAM_KEY_CONFLICT: _UNKNOWN_LOOK_UP,
    Reason.UPSTREAM_ANSWER_UNREADABLE: _UNKNOWN_LOOK_UP,
    Reason.UPSTREAM_ANSWER_INCOMPLETE: _UNKNOWN_LOOK_UP,
    Reason.TOKEN_UNAVAILABLE: _NOT_SENT_RESEND,
    Reason.UPSTREAM_CREDENTIALS_REJECTED: _NOT_SENT_RESEND,
    Reason.UPSTREAM_THROTTLED: _NOT_SENT_RESEND,
    Reason.UPSTREAM_REQUEST_REFUSED: _REFUSED_FIX,
    Reason.UPSTREAM_RULE_BROKEN: _REFUSED_FIX,
    Reason.UPSTREAM_NOT_FOUND: _REFUSED_FIX,
    Reason.UPSTREAM_PERMISSION_DENIED: _NOT_SENT_RESEND,
    Reason.UPSTREAM_UNSUPPORTED: _REFUSED_FIX,
    Reason.UPSTREAM_LOCKED: _REFUSED_NEW,
    Reason.UPSTREAM_TEMPORARY: _REFUSED_NEW,
    Reason.PAYMENT_DECLINED: _REFUSED_NEW,
    Reason.UPSTREAM_CODE_UNKNOWN: _UNKNOWN_LOOK_UP,
    Reason.UPSTREAM_INTERNAL: _UNKNOWN_LOOK_UP,
    Reason.UPSTREAM_GATEWAY_FAILED: _UNKNOWN_LOOK_UP,
    Reason.PAYMENT_REFUSED_METHOD_CREATED: _PARTIAL_LOOK_UP,
    Reason.UPSTREAM_REFUSAL_STORED: _REFUSED_NEW,
    Reason.CALLER_UNAUTHENTICATED: _NOT_SENT_RESEND,
    Reason.CALLER_NOT_PERMITTED: _NOT_SENT_FIX,
    Reason.SWITCHED_OFF: _NOT_SENT_RESEND,
    Reason.CALLER_KEYS_UNAVAILABLE: _NOT_SENT_RESEND,
    Reason.INTERNAL: _UNKNOWN_RESEND,
}
"""The one table; a test walks it against payorch.v1.ErrorReason and its comments."""

# What differs for an RPC. A session does nothing until a browser uses its token, and no operation of Zuora's reads
# sessions: there is nothing to look up.
_VERDICTS_OF_RPC: Final = {(CREATE_SESSION.name, _UNKNOWN_LOOK_UP): _UNKNOWN_NEW}


def verdict_of(reason: Reason, *, rpc: str) -> Verdict:
    """Return what a reason means for a caller of an RPC.

    Args:
        reason: Why the call failed.
        rpc: Name of the RPC, such as `CreateSession`; empty where it is not known.
    """
    verdict = VERDICTS[reason]
    return _VERDICTS_OF_RPC.get((rpc, verdict), verdict)
