"""What the payer reads, and may do next."""

from dataclasses import dataclass
from typing import Final, Literal

from shop.orders import Intent, Stage

Action = Literal["start", "retry", "wait", "none"]
"""Begin, with a fresh Apple Pay token; send the same again; let the page ask again; or nothing."""

PAYMENT: Final = "payment"
DEBIT: Final = "direct debit"

_ACTIONS: Final[dict[Stage, Action]] = {
    Stage.NEW: "start",
    Stage.NOT_SENT: "retry",
    Stage.DECLINED: "start",
    Stage.FAILED: "start",
    Stage.REFUSED: "none",
    Stage.IN_DOUBT: "wait",
    Stage.REVIEW: "none",
    Stage.DONE: "none",
}
_TEXTS: Final = {
    PAYMENT: {
        Stage.NEW: "",
        Stage.NOT_SENT: "Your payment could not be sent, and you were not charged. Please try again.",
        Stage.DECLINED: "Your bank declined the payment, and you were not charged. Please try another card.",
        Stage.FAILED: "Your payment did not work, and you were not charged. Please try again in a moment.",
        Stage.REFUSED: "We cannot take this payment, and you were not charged. Please contact us.",
        Stage.IN_DOUBT: "We do not know yet whether you have paid. Please do not pay again: we are checking it.",
        Stage.REVIEW: "We have to check this payment. Please do not pay again: we will write to you.",
        Stage.DONE: "Paid. Thank you!",
    },
    DEBIT: {
        Stage.NEW: "",
        Stage.NOT_SENT: "Your bank account could not be saved. Please try again.",
        Stage.DECLINED: "Your bank refused the direct debit. Please try another account.",
        Stage.FAILED: "Your bank account could not be saved. Please try again in a moment.",
        Stage.REFUSED: "We cannot save this bank account. Please check it, or contact us.",
        Stage.IN_DOUBT: "We do not know yet whether your bank account is saved. We are checking it.",
        Stage.REVIEW: "We have to check this direct debit. We will write to you.",
        Stage.DONE: "Your bank account is saved.",
    },
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A state as the page shows it. No reason, code or field is in it: those are for developers."""

    stage: Stage
    text: str
    action: Action
    track_id: str
    """What the payer quotes to the support; empty before the first call."""


def shown(intent: Intent) -> Shown:
    """Return what the page shows of an intent."""
    action = _ACTIONS[intent.stage]
    # No money moves, and another account number is another request.
    if intent.purpose == DEBIT and intent.stage is Stage.REFUSED:
        action = "start"
    return Shown(intent.stage, _TEXTS[intent.purpose][intent.stage], action, intent.track_id)
