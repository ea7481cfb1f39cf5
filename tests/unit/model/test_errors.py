import pytest
from payorch_server.model.errors import (
    CallError,
    Failure,
    InvalidRequestError,
    Violation,
    call_error,
    error_for,
    invalid,
)
from payorch_server.model.outcome import VERDICTS, Outcome, Reason

VIOLATION = Violation("session.amount", "money.positive", "must be positive")


class TestFailure:
    """The table of verdicts decides what an error means."""

    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_means_what_the_table_says(self, reason: Reason) -> None:
        """An error has the verdict of its reason."""
        error = error_for(Failure(reason, "private"))

        assert type(error) is CallError
        assert error.verdict == VERDICTS[reason]

    def test_builds_invalid_for_violations(self) -> None:
        """Broken rules were found before anything was sent, and the reason stays."""
        error = error_for(Failure(Reason.ROUTE_HINT_UNKNOWN, "private", violations=(VIOLATION,)))

        assert (type(error), error.failure.reason) == (InvalidRequestError, Reason.ROUTE_HINT_UNKNOWN)
        assert error.verdict.outcome is Outcome.NOT_SENT

    def test_keeps_metadata_of_a_refusal(self) -> None:
        """Keyword arguments become metadata."""
        error = call_error(Reason.ROUTE_NOT_FOUND, "private", rulesTried="a, b")

        assert dict(error.failure.metadata) == {"rulesTried": "a, b"}
        assert str(error) == "ROUTE_NOT_FOUND: private"

    def test_lists_violations_in_the_private_message(self) -> None:
        """Operators read all of them in one line."""
        error = invalid(VIOLATION, Violation("b", "r", "must be set"))

        assert error.verdict.outcome is Outcome.NOT_SENT
        assert error.failure.detail == "session.amount: must be positive; b: must be set"


class TestInvalid:
    """A request that breaks rules."""

    def test_keeps_the_callers_map_keys_out_of_private_texts(self) -> None:
        """They go back to the caller, and not into a log."""
        error = invalid(Violation('custom_fields["4111111111111111"].text', "string.max_len", "is too long"))

        assert "4111111111111111" not in error.failure.detail
        assert "custom_fields[key].text" in error.failure.detail
