"""The one table of what Zuora is answered.

What Zuora counts as an error it collects again by a new payment with a new id, which nothing can recognise. So an
answer that means Error needs proof that no money moved under this id, now or in an earlier send; everything else is
503, which leaves the payment in Processing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from payorch_server.upc.gateway_outcome import GatewayOutcome, Result


class Answer(StrEnum):
    """What Zuora understands of an answer."""

    APPROVED = "Approved"
    """200; the payment is Processed."""
    DECLINED = "Declined"
    """200; Error."""
    FAILED = "Failed"
    """200; Error."""
    SYSTEM = "System"
    """200; Error."""
    NOT_UNDERSTOOD = "not understood"
    """400; Error."""
    UNAUTHORIZED = "unauthorized"
    """401; Error."""
    UNKNOWN = "unknown"
    """503; the payment stays in Processing."""


STATUSES: Final[Mapping[Answer, int]] = {
    Answer.APPROVED: 200,
    Answer.DECLINED: 200,
    Answer.FAILED: 200,
    Answer.SYSTEM: 200,
    Answer.NOT_UNDERSTOOD: 400,
    Answer.UNAUTHORIZED: 401,
    Answer.UNKNOWN: 503,
}
"""HTTP status of each answer."""
MEAN_ERROR: Final = frozenset(Answer) - {Answer.APPROVED, Answer.UNKNOWN}
"""The answers after which Zuora may collect the same money by a new payment."""


class Situation(StrEnum):
    """What happened to a request; the values are the texts that Zuora stores where no gateway says anything."""

    APPROVED = "The gateway approved it."
    DECLINED = "The gateway declined it."
    FAILED = "The gateway failed, and no money moved."
    LOOKED_UP_DECLINED = "The gateway declined an earlier send of it."
    LOOKED_UP_FAILED = "The gateway failed in an earlier send of it, and no money moved."
    NOT_ATTEMPTED = "The gateway was not called."
    NOT_CONNECTED = "The gateway could not be reached, and was not called."
    NOT_OFFERED = "The gateway does not offer this operation or currency, and was not called."
    PENDING = "The gateway has not finished it."
    NO_OUTCOME = "It is not known what the gateway did."
    REFUSED_EARLIER = "An earlier send of it was refused by the hub, and no gateway was called."
    CREDENTIALS_REFUSED = "The hub does not accept these credentials."
    CREDENTIALS_MISSING = "The hub needs credentials."
    ID_ILLEGIBLE = "The id of the payment or refund cannot be read."
    REQUEST_UNUSABLE = "The hub cannot use this request."
    TENANT_UNKNOWN = "The hub does not serve this tenant."
    GATEWAY_UNKNOWN = "The hub has no gateway for this gateway name, tenant and type."
    SWITCHED_OFF = "The gateway is switched off."
    GATEWAY_CHANGED = "Another gateway was called for it earlier."
    REQUEST_CHANGED = "It differs from an earlier send under the same id."
    RECORD_UNREADABLE = "The record of an earlier send cannot be read."
    TOO_OLD = "An earlier send is in doubt, and too old to be repeated."
    STILL_RUNNING = "An earlier send is still running."
    STORE_UNAVAILABLE = "The hub cannot record it now."
    DRAINING = "The hub is shutting down."
    OVERLOADED = "The hub or the gateway has too many calls in progress."
    ADDRESS_REFUSED = "The hub does not take calls from this address."
    REFUSED_TOO_OFTEN = "Too many calls came with wrong credentials."
    INCOMPLETE = "The request did not arrive completely."
    OUT_OF_TIME = "It was not finished in time."
    DEFECT = "The hub failed."


@dataclass(frozen=True, slots=True)
class _Row:
    """The answers to one situation."""

    alone: Answer
    """Where nothing was sent to a gateway under the id before."""
    in_doubt: Answer = Answer.UNKNOWN
    """Where an earlier send is open, or its record cannot be read."""


_TABLE: Final[Mapping[Situation, _Row]] = {
    Situation.APPROVED: _Row(Answer.APPROVED, Answer.APPROVED),
    Situation.DECLINED: _Row(Answer.DECLINED),
    Situation.FAILED: _Row(Answer.FAILED),
    Situation.LOOKED_UP_DECLINED: _Row(Answer.DECLINED, Answer.DECLINED),
    Situation.LOOKED_UP_FAILED: _Row(Answer.FAILED, Answer.FAILED),
    Situation.NOT_ATTEMPTED: _Row(Answer.SYSTEM),
    Situation.NOT_CONNECTED: _Row(Answer.SYSTEM),
    Situation.NOT_OFFERED: _Row(Answer.SYSTEM),
    Situation.PENDING: _Row(Answer.UNKNOWN),
    Situation.NO_OUTCOME: _Row(Answer.UNKNOWN),
    Situation.REFUSED_EARLIER: _Row(Answer.NOT_UNDERSTOOD),
    Situation.CREDENTIALS_REFUSED: _Row(Answer.UNAUTHORIZED),
    Situation.CREDENTIALS_MISSING: _Row(Answer.UNAUTHORIZED),
    Situation.ID_ILLEGIBLE: _Row(Answer.UNKNOWN),
    Situation.REQUEST_UNUSABLE: _Row(Answer.NOT_UNDERSTOOD),
    Situation.TENANT_UNKNOWN: _Row(Answer.NOT_UNDERSTOOD),
    Situation.GATEWAY_UNKNOWN: _Row(Answer.NOT_UNDERSTOOD),
    Situation.SWITCHED_OFF: _Row(Answer.NOT_UNDERSTOOD),
    Situation.GATEWAY_CHANGED: _Row(Answer.UNKNOWN),
    Situation.REQUEST_CHANGED: _Row(Answer.UNKNOWN),
    Situation.RECORD_UNREADABLE: _Row(Answer.UNKNOWN),
    Situation.TOO_OLD: _Row(Answer.UNKNOWN),
    Situation.STILL_RUNNING: _Row(Answer.UNKNOWN),
    Situation.STORE_UNAVAILABLE: _Row(Answer.UNKNOWN),
    Situation.DRAINING: _Row(Answer.UNKNOWN),
    Situation.OVERLOADED: _Row(Answer.UNKNOWN),
    Situation.ADDRESS_REFUSED: _Row(Answer.UNKNOWN),
    Situation.REFUSED_TOO_OFTEN: _Row(Answer.UNKNOWN),
    Situation.INCOMPLETE: _Row(Answer.UNKNOWN),
    Situation.OUT_OF_TIME: _Row(Answer.UNKNOWN),
    Situation.DEFECT: _Row(Answer.UNKNOWN),
}
_NEEDS_PEOPLE: Final = frozenset(
    {
        Situation.ID_ILLEGIBLE,
        Situation.GATEWAY_CHANGED,
        Situation.REQUEST_CHANGED,
        Situation.RECORD_UNREADABLE,
        Situation.TOO_OLD,
    }
)
REFUSALS_OF_HUB: Final = frozenset(
    {
        Situation.REFUSED_EARLIER,
        Situation.CREDENTIALS_REFUSED,
        Situation.REQUEST_UNUSABLE,
        Situation.TENANT_UNKNOWN,
        Situation.GATEWAY_UNKNOWN,
        Situation.SWITCHED_OFF,
    }
)
"""Situations in which the hub itself refuses, and no gateway is called."""
_OF_OUTCOMES: Final[Mapping[Result, Situation]] = {
    Result.APPROVED: Situation.APPROVED,
    Result.DECLINED: Situation.DECLINED,
    Result.FAILED: Situation.FAILED,
    Result.NOT_ATTEMPTED: Situation.NOT_ATTEMPTED,
    Result.PENDING: Situation.PENDING,
}
_REFUSALS_OF_GATEWAYS: Final = frozenset({Situation.DECLINED, Situation.FAILED, Situation.NOT_ATTEMPTED})


@dataclass(frozen=True, slots=True)
class HubAnswer:
    """The answer to one request."""

    situation: Situation
    answer: Answer
    outcome: GatewayOutcome | None
    """What the gateway said; None where the answer is the hub's own."""
    needs_people: bool
    """Whether no resend can help, so that an alarm is raised."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUSES[self.answer]


def answer_to(situation: Situation, *, in_doubt: bool, outcome: GatewayOutcome | None = None) -> HubAnswer:
    """Return what Zuora is answered.

    Args:
        situation: What happened.
        in_doubt: Whether an earlier send under the id is open or its record cannot be read. Never for a validation,
            which moves no money.
        outcome: Of the gateway, if it said something.
    """
    row = _TABLE[situation]
    answer = row.in_doubt if in_doubt else row.alone
    # A refusal after an open send proves nothing: a gateway that lost the key refuses what it executed before.
    unproven = in_doubt and situation in _REFUSALS_OF_GATEWAYS
    said = None if answer is Answer.UNKNOWN else outcome
    return HubAnswer(situation, answer, said, needs_people=unproven or situation in _NEEDS_PEOPLE)


def situation_of(result: Result) -> Situation:
    """Return the situation after a gateway answered a call."""
    return _OF_OUTCOMES[result]
