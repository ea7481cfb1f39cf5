"""Kinds of declines, in the words that are seen of gateways behind Zuora: "Transaction declined.CODE - TEXT".

Sure, because seen: the form, and `do_not_honor`. Not sure: the other codes, which differ from gateway to gateway.
"""

from collections.abc import Mapping

USUAL_DECLINE = "do_not_honor"
DECLINES: Mapping[str, str] = {
    "do_not_honor": "The bank declined the payment.",
    "insufficient_funds": "The account has not enough funds.",
    "expired_card": "The card has expired.",
    "lost_card": "The card was reported lost.",
    "stolen_card": "The card was reported stolen.",
    "suspected_fraud": "The payment looks like fraud.",
    "invalid_account": "The account does not exist or is closed.",
    "authentication_required": "The cardholder must authenticate the payment.",
    "limit_exceeded": "The payment exceeds a limit of the card.",
    "issuer_unavailable": "The bank could not be reached.",
}
"""Text of each kind."""


def decline_message(kind: str) -> str:
    """Return what an answer says of a decline; empty for the usual kind."""
    code = kind or USUAL_DECLINE
    return f"Transaction declined.{code} - {DECLINES[code]}"
