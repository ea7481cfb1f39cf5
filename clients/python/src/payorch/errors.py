"""The exceptions of a client: by what happened at Zuora, with texts that are enough for a ticket."""

from collections.abc import Iterator
from typing import Final

from payorch.call_error import CallError
from payorch.v1 import call_pb2

ERRORS_URL: Final = "docs/errors.md"
"""The page with every reason, in the project's repository."""
_MOST_VIOLATIONS: Final = 3


class PayorchError(Exception):
    """A call that failed. The subclass says what happened at Zuora, `error.advice` what to do next.

    Its text alone is enough for a ticket: it names reason, broken fields, request id and Track-Id.
    """

    def __init__(
        self,
        error: CallError,
        request_id: str,
        attempts: tuple[CallError, ...] = (),
        errors_url: str = ERRORS_URL,
    ) -> None:
        """Remember what is known.

        Args:
            error: Of the least certain attempt.
            request_id: Of the intent, for a resend; empty where the call has none.
            attempts: How all attempts of the call ended, in their order; empty for a single one.
            errors_url: Of the page that the text links to.
        """
        self.error = error
        self.request_id = request_id
        self.attempts = attempts or (error,)
        self._errors_url = errors_url
        super().__init__(error_text(error, request_id=request_id, attempts=self.attempts, errors_url=errors_url))

    def __reduce__(self) -> tuple[type["PayorchError"], tuple[CallError, str, tuple[CallError, ...], str]]:
        """Survive pickling, so that a task queue can raise it in another process."""
        return type(self), (self.error, self.request_id, self.attempts, self._errors_url)


class NotSentError(PayorchError):
    """Nothing of this call reached Zuora; an earlier call of the same intent may have."""


class RefusedError(PayorchError):
    """Zuora refused, and did nothing."""


class PartialError(PayorchError):
    """A part was done: `error.call_outcome.existing` names it."""


class OutcomeUnknownError(PayorchError):
    """It may or may not have been done; start no new intent before that is settled."""


_ERRORS: Final[dict[int, type[PayorchError]]] = {
    call_pb2.OUTCOME_NOT_SENT: NotSentError,
    call_pb2.OUTCOME_REFUSED: RefusedError,
    call_pb2.OUTCOME_PARTIAL: PartialError,
}


def exception_of(
    error: CallError, request_id: str, attempts: tuple[CallError, ...] = (), errors_url: str = ERRORS_URL
) -> PayorchError:
    """Return the exception for an error; an outcome that is not known here is an unknown one."""
    return _ERRORS.get(error.outcome, OutcomeUnknownError)(error, request_id, attempts, errors_url)


def error_text(error: CallError, *, request_id: str, attempts: tuple[CallError, ...], errors_url: str) -> str:
    """Return an error in one line: what, which fields, what it means, and the ids by which others find the call."""
    what = f"{_name(error)}: {error.message}{_fields(error)}"
    anchor = error.reason.lower() or "outcomes-and-advice"
    facts = ", ".join(_facts(error, request_id, attempts))
    # What others wrote must not begin a new line in a log.
    return "".join(
        character if character.isprintable() else repr(character)[1:-1]
        for character in f"{what} ({facts}, {errors_url}#{anchor})"
    )


def _name(error: CallError) -> str:
    return error.reason or error.code.name


def _fields(error: CallError) -> str:
    """Return the first violations in brackets, and how many there are beside them.

    The service puts the first one at the end of the message, and then it is left out here.
    """
    first = error.violations[:_MOST_VIOLATIONS]
    shown = [f"{each.field}: {each.description}" for each in first]
    if shown and f" {error.message}".endswith(f" {shown[0]}"):
        del shown[0]
    omitted = error.metadata.get("violationsOmitted", "")
    more = len(error.violations) - len(first) + (int(omitted) if omitted.isdecimal() else 0)
    shown += [f"and {more} more"] if more else []
    return f" [{'; '.join(shown)}]" if shown else ""


def _facts(error: CallError, request_id: str, attempts: tuple[CallError, ...]) -> Iterator[str]:
    yield f"outcome {call_pb2.Outcome.Name(error.outcome).removeprefix('OUTCOME_')}"
    yield f"advice {call_pb2.Advice.Name(error.advice).removeprefix('ADVICE_')}"
    if len(attempts) > 1:
        yield f"after {len(attempts)} attempts"
    if attempts[-1] is not error:
        yield f"the last one ended as {_name(attempts[-1])}"
    if request_id:
        yield f"request id {request_id}"
    if error.track_id:
        yield f"Track-Id {error.track_id}"
    if error.zuora_codes:
        yield f"Zuora codes {' '.join(error.zuora_codes)}"
