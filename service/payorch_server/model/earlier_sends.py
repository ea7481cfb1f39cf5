"""What a failed attempt proves when other attempts of its intent came before it.

A refusal proves nothing about an earlier send that may have been executed: Zuora may have refused it before it looked
at the key, and "the invoice is paid" may be about that very send. A refusal with the ids of an earlier answer is the
key's stored answer: the key executed nothing else.
That holds only while Zuora cannot have forgotten the key: after that it executes the call a second time, and the later
attempts repeat the answer to that.
An answer in doubt with the ids of an earlier answer is stored too, and stays in doubt however often the key is sent.
"""

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Final

from payorch_server.model.call_notes import CallNotes
from payorch_server.model.errors import CallError, Failure, error_for
from payorch_server.model.outcome import VERDICTS, Advice, Outcome, Reason, Verdict
from payorch_server.model.secret import Secret


@dataclass(frozen=True, slots=True)
class EarlierSends:
    """What is known of sends of an intent before this execution."""

    doubtful: bool = False
    """Whether one of them may have been executed."""
    answer_ids: Container[Secret[str]] = frozenset()
    """Zuora-Request-Ids and processIds of their answers, as Zuora sent them."""
    first_send_s: float | None = None
    """Unix time before which nothing of the intent was sent; None where its age does not matter."""


NO_EARLIER_SENDS: Final = EarlierSends()

# Checks that Zuora, or its edge, may make before it looks at the key.
_EARLY_CHECKS: Final = frozenset(
    {Reason.UPSTREAM_CREDENTIALS_REJECTED, Reason.UPSTREAM_PERMISSION_DENIED, Reason.UPSTREAM_THROTTLED}
)
WORTH_RESENDING: Final = Verdict(Outcome.UNKNOWN, Advice.RESEND_SAME_REQUEST_ID)
"""In doubt, and a resend settles it."""


def reason_given_earlier_sends(failed: Failure, *, doubtful: bool, repeated: bool) -> Reason:
    """Return the reason that holds for the intent.

    Args:
        failed: What the attempt alone means.
        doubtful: Whether an earlier attempt may have been executed.
        repeated: Whether its answer carries the ids of an earlier answer.
    """
    reason = failed.reason
    if repeated and reason in _EARLY_CHECKS:
        return Reason.UPSTREAM_REFUSAL_STORED
    if repeated and VERDICTS[reason] == WORTH_RESENDING:
        return Reason.UPSTREAM_INTERNAL
    if not doubtful:
        return reason
    outcome = VERDICTS[reason].outcome
    proves_nothing = outcome is Outcome.NOT_SENT or (outcome is Outcome.REFUSED and not repeated)
    return Reason.EARLIER_ATTEMPT_UNSETTLED if proves_nothing else reason


def error_given_notes(error: CallError, notes: CallNotes) -> CallError:
    """Return what the error of a call means for its intent, with the doubt that no record was read to settle."""
    return error_given_doubt(error) if notes.sent_before and not notes.intent_read else error


def error_given_doubt(error: CallError) -> CallError:
    """Return what an error means for an intent that an earlier call may have had executed.

    NOT_SENT would be true of this call alone, and a caller could take it for the end of the intent.
    """
    if error.verdict.outcome is not Outcome.NOT_SENT:
        return error
    failure = error.failure
    metadata = {"lastReason": failure.reason.name}
    return error_for(replace(failure, reason=Reason.EARLIER_ATTEMPT_UNSETTLED, violations=(), metadata=metadata))
