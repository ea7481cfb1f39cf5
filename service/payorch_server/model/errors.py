"""The errors of a call.

CallError
├── NotSent          nothing reached Zuora's business logic
│   └── Invalid      ... because the request breaks rules, each named
├── Refused          Zuora refused; nothing happened
├── OutcomeUnknown   it may or may not have happened
└── Partial          some of it happened

The table in `model/outcome.py` alone decides which of the four a reason belongs to; `error_for` builds the right one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from payorch_server.model.attempt import UpstreamFacts
from payorch_server.model.outcome import VERDICTS, Outcome, Reason, Verdict

_MAX_PRIVATE_CHARACTERS: Final = 400
_KEY: Final = re.compile(r'\[".*"\]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule of a request."""

    field: str
    """Path of the field, such as `one_time_payment.amount.currency_code`."""
    rule: str
    """Stable name of the rule, such as `string.max_len`."""
    description: str
    """What must hold. Never the value."""

    def __repr__(self) -> str:
        return f"Violation({self.place!r}, {self.rule!r}, {self.description!r})"

    @property
    def place(self) -> str:
        """The field without keys of maps: they are the caller's text, go back to the caller, and nowhere else."""
        return _KEY.sub("[key]", self.field)


@dataclass(frozen=True, slots=True)
class UpstreamEvidence:
    """What Zuora said about a failure. Its own texts stay in private messages."""

    zuora_codes: tuple[str, ...] = ()
    payment_method_id: str = ""
    payment_id: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Everything known about why a call failed."""

    reason: Reason
    detail: str
    """For operators; never sent to the caller."""
    violations: tuple[Violation, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    """For ErrorInfo.metadata; lowerCamel keys, units in the key."""
    evidence: UpstreamEvidence = field(default_factory=UpstreamEvidence)
    facts: UpstreamFacts = field(default_factory=UpstreamFacts)
    resend_before: datetime | None = None
    """Until when a resend of the same request id is safe, UTC; None where nothing was sent."""


class CallError(Exception):
    """A call that failed in a way the service foresaw."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.reason.name}: {failure.detail}")
        self.failure = failure

    @property
    def verdict(self) -> Verdict:
        """What the failure means for the caller."""
        return VERDICTS[self.failure.reason]


class NotSent(CallError):  # noqa: N818 - the tree reads as outcomes
    """Nothing reached Zuora's business logic."""


class InvalidRequestError(NotSent):
    """The request breaks rules."""


class Refused(CallError):  # noqa: N818
    """Zuora refused; nothing happened."""


class OutcomeUnknown(CallError):  # noqa: N818
    """It may or may not have happened."""


class Partial(CallError):  # noqa: N818
    """Some of it happened; the evidence names what exists."""


_CLASSES: Mapping[Outcome, type[CallError]] = {
    Outcome.NOT_SENT: NotSent,
    Outcome.REFUSED: Refused,
    Outcome.UNKNOWN: OutcomeUnknown,
    Outcome.PARTIAL: Partial,
}


def error_for(failed: Failure) -> CallError:
    """Return the error whose class the outcome table demands."""
    if failed.violations:
        return InvalidRequestError(failed)
    return _CLASSES[VERDICTS[failed.reason].outcome](failed)


def call_error(reason: Reason, detail: str, **metadata: str) -> CallError:
    """Return an error that carries no evidence from Zuora."""
    return error_for(Failure(reason, detail, metadata=metadata))


def invalid(*violations: Violation) -> CallError:
    """Return the error for a request that breaks rules."""
    told = "; ".join(f"{one.place}: {one.description}" for one in violations)
    return InvalidRequestError(Failure(Reason.REQUEST_INVALID, told[:_MAX_PRIVATE_CHARACTERS], violations=violations))
