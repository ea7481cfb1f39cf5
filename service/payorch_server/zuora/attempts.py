"""The attempts of one execution, and what a failed one means after those before it."""

import dataclasses
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from payorch_server.model.attempt import Attempt, UpstreamFacts
from payorch_server.model.context import CallContext
from payorch_server.model.earlier_sends import EarlierSends, reason_given_earlier_sends
from payorch_server.model.errors import CallError, UpstreamEvidence, error_for
from payorch_server.model.identifiers import REPETITION_LIMIT
from payorch_server.model.outcome import Outcome
from payorch_server.model.secret import Secret
from payorch_server.zuora.answer_body import AnswerBody
from payorch_server.zuora.errors import classify
from payorch_server.zuora.messages import Call, HttpResponse, encode_body
from payorch_server.zuora.quotes import Quotes
from payorch_server.zuora.settings import Declines

# Every id of Zuora's has one.
_SIGNIFICANT_DIGIT: Final = re.compile(r"[1-9]")
_NOTHING_EXISTS: Final = UpstreamEvidence()


class Attempts:
    """The attempts so far; each sends the same body and headers, but for the token."""

    def __init__(self, call: Call, headers: Mapping[str, str], earlier: EarlierSends, declines: Declines = ()) -> None:
        self.body = encode_body(call.body)
        self.headers = headers
        self.quotes = Quotes(call.body)
        """The secrets of the body, which answers may quote."""
        self._operation = call.operation
        self._declines = declines
        self.sent: tuple[Attempt, ...] = ()
        """Those that reached the network, in their order."""
        self.tries = 0
        """Attempts, and those that failed before they were sent, such as at the token endpoint."""
        self.doubtful = earlier.doubtful
        """Whether one of them, or of an earlier execution, may have been executed."""
        self.first_send_s = earlier.first_send_s
        """Before which nothing of the intent was sent, Unix time; None where its age does not matter."""
        self._earlier_ids = earlier.answer_ids
        self._answer_ids: set[Secret[str]] = set()
        self._existing = _NOTHING_EXISTS

    def add(
        self, answer: HttpResponse | None, error: CallError | None, *, started_at: datetime, duration_s: float
    ) -> None:
        """Add an attempt that was sent.

        Args:
            answer: Zuora's, or None if there was none.
            error: What the attempt alone means, or None for a success.
            started_at: When it was sent, UTC.
            duration_s: How long it took.
        """
        self.sent += (
            Attempt(
                ordinal=len(self.sent) + 1,
                http_status=answer.status if answer else 0,
                zuora_request_id=self.quotes.mask_id(answer.zuora_request_id) if answer else "",
                started_at=started_at,
                duration_s=duration_s,
                outcome=error.verdict.outcome if error else Outcome.SUCCEEDED,
            ),
        )

    def error_of(self, answer: HttpResponse, body: AnswerBody) -> CallError | None:
        """Return the error that an answer alone means, without what it quotes, or None for a success."""
        # A message by which a gateway declines proves nothing about other sends.
        declines = () if self.doubtful else self._declines
        failed = classify(
            answer, body, UpstreamFacts(), operation=self._operation, quotes=self.quotes, declines=declines
        )
        return self.quotes.mask_error(failed) if failed else None

    def error_given_earlier(self, error: CallError, facts: UpstreamFacts, *, answered_at_s: float = 0.0) -> CallError:
        """Return what a failed attempt means for the intent, and remember its answer for the next attempt.

        Args:
            error: What the attempt alone means.
            facts: What is known of all attempts, with the ids of its answer.
            answered_at_s: When its answer was written at the latest, Unix time; 0 without an answer.
        """
        ids = facts.answer_ids
        known = any(answer_id in self._answer_ids or answer_id in self._earlier_ids for answer_id in ids)
        # What is lost of a stored answer could say more than that a check refused the call.
        proves_little = error.failure.is_broken and error.verdict.outcome is Outcome.NOT_SENT
        # An answer to a second execution is repeated as well, once Zuora has forgotten the first.
        age_s = answered_at_s - (answered_at_s if self.first_send_s is None else self.first_send_s)
        repeated = known and not proves_little and age_s <= REPETITION_LIMIT.total_seconds()
        reason = reason_given_earlier_sends(error.failure, doubtful=self.doubtful, repeated=repeated)
        self._answer_ids.update(ids)
        self.doubtful |= error.verdict.outcome is Outcome.UNKNOWN
        last = error.failure.reason
        metadata = error.failure.metadata if reason is last else {"lastReason": last.name}
        combined = error_for(dataclasses.replace(error.failure, reason=reason, metadata=metadata, facts=facts))
        return self._with_existing_ids(combined)

    def _with_existing_ids(self, error: CallError) -> CallError:
        """Return an error in doubt with the ids that an earlier answer named, if its own names none."""
        evidence = error.failure.evidence
        if evidence.payment_method_id or evidence.payment_id:
            self._existing = evidence
            return error
        if error.verdict.outcome is not Outcome.UNKNOWN:
            return error
        known = self._existing
        kept = dataclasses.replace(evidence, payment_method_id=known.payment_method_id, payment_id=known.payment_id)
        return error_for(dataclasses.replace(error.failure, evidence=kept))


def _is_id(text: str, attempts: Attempts) -> bool:
    """Return whether a text can tell one answer from another.

    Proxies and redaction write "-", "null", "[masked]" or zeros where an id belongs, or repeat what they were sent.
    """
    return _SIGNIFICANT_DIGIT.search(text) is not None and text not in attempts.headers.values()


def facts_of(
    answer: HttpResponse | None, payload: Mapping[str, object] | None, attempts: Attempts, context: CallContext
) -> UpstreamFacts:
    """Return what is known of a call after an attempt.

    Args:
        answer: Zuora's, or None if there was none.
        payload: Its JSON object, or None if it has none.
        attempts: So far.
        context: Of the call.
    """
    if answer is None:
        return UpstreamFacts(attempts.sent)
    quotes, is_own = attempts.quotes, answer.track_id == context.track_id_on_wire
    process_id = (payload or {}).get("processId")
    process_id = process_id if isinstance(process_id, str) else ""
    return UpstreamFacts(
        attempts=attempts.sent,
        zuora_request_id=quotes.mask_id(answer.zuora_request_id),
        zuora_process_id=quotes.mask_id(process_id),
        echoed_track_id=context.track_id if is_own else quotes.mask_id(answer.track_id),
        answer_ids=tuple(Secret(text) for text in (answer.zuora_request_id, process_id) if _is_id(text, attempts)),
    )
