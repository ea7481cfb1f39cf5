from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Final

import pytest
from harness.clock import START, FakeClock
from payorch_server.zuora.clock_offset import ClockOffset, ClockOffsets, date_s, read_clock
from payorch_server.zuora.messages import HttpResponse

LIMIT_S: Final = 60.0
BEYOND: Final = ("token", "sessions", "sessions")


def dated(moment: datetime) -> HttpResponse:
    """Make an answer that was written at a moment; its Date names the second that had begun."""
    return HttpResponse(200, {"date": format_datetime(moment, usegmt=True)}, b"{}")


def stated(headers: Mapping[str, str]) -> HttpResponse:
    """Make an answer with headers."""
    return HttpResponse(200, headers, b"{}")


class Observed:
    """Clocks of one tenant, and how often their judgement changed."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.changes: list[tuple[str, bool]] = []
        self.clocks = ClockOffsets(clock=self.clock, max_offset_s=LIMIT_S, changed=self._changed)

    def _changed(self, tenant: str, judged: ClockOffset) -> None:
        self.changes.append((tenant, judged.too_large))

    def answered(self, ahead_s: float, operation: str = "sessions", *, duration_s: float = 0.1) -> bool:
        """Note an answer of a Zuora whose clock is ahead; return whether money is refused then."""
        self.clock.advance(1.7)
        answer = dated(self.clock.now() + timedelta(seconds=ahead_s))
        self.clocks.note("acme", answer, operation=operation, duration_s=duration_s)
        return self.clocks.too_large("acme")


class TestReadClock:
    """A Date has whole seconds, and was written at any moment between request and answer."""

    @pytest.mark.parametrize("ahead_s", [0, 0.9, 59.5, -3, 5400, -4200])
    @pytest.mark.parametrize(("duration_s", "written_before_s"), [(0.0, 0.0), (0.4, 0.4), (30, 0), (30, 15), (30, 30)])
    def test_states_the_truth_and_how_far_it_may_be_from_it(
        self, ahead_s: float, duration_s: float, written_before_s: float
    ) -> None:
        """Wherever in the second, and in the request, the Date was written."""
        received = START + timedelta(seconds=0.37)
        answer = dated(received + timedelta(seconds=ahead_s - written_before_s))

        reading = read_clock(answer, received_at_s=received.timestamp(), duration_s=duration_s)

        assert reading is not None
        assert abs(reading.offset_s - ahead_s) <= reading.uncertainty_s == (1 + duration_s) / 2
        assert reading.zuora_s == pytest.approx(received.timestamp() + reading.offset_s)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "soon",
            "0",
            "Thu, 26 Nov 2026 00:00:00 -0000",
            "Thu, 99 Nov 2026 00:00:00 GMT",
            "Fri, 31 Dec 99999 23:59:59 GMT",
        ],
    )
    def test_knows_nothing_without_a_date(self, text: str) -> None:
        """Nor with one that is none, or has no zone."""
        assert date_s(stated({"date": text})) is None
        assert read_clock(stated({}), received_at_s=0.0, duration_s=0.0) is None


class TestTooLarge:
    """Money is refused after three answers in a row, of two operations, beyond the limit."""

    @pytest.mark.parametrize("ahead_s", [62.0, -62.0, 5400.0, -4200.0, 4e9, -1.7e9])
    def test_is_judged_by_three_answers_of_two_operations(self, ahead_s: float) -> None:
        """In either direction, and the change is reported once."""
        observed = Observed()

        judged = [observed.answered(ahead_s, operation) for operation in (*BEYOND, "sessions")]

        assert judged == [False, False, True, True]
        assert observed.changes == [("acme", True)]
        assert observed.clocks.too_large_for == ("acme",)

    @pytest.mark.parametrize("operation", ["token", "sessions"])
    def test_is_not_judged_by_one_operation(self, operation: str) -> None:
        """One machine or cache of Zuora's may be wrong for long; the first answer of another decides."""
        observed = Observed()
        judged = [observed.answered(5400, operation) for _ in range(20)]

        assert (any(judged), observed.answered(5400, "decryption")) == (False, True)

    @pytest.mark.parametrize("wrong_s", [5400, -5400])
    def test_is_not_judged_by_answers_that_are_not_in_a_row(self, wrong_s: float) -> None:
        """Half of Zuora's machines may be wrong, whatever they answer."""
        observed = Observed()
        operations = ("token", "sessions", "decryption") * 10

        assert not any(
            observed.answered(wrong_s if n % 3 else 0.0, operation) for n, operation in enumerate(operations)
        )

    def test_ends_with_one_answer_within_the_limit(self) -> None:
        """And needs three again."""
        observed = Observed()
        for operation in BEYOND:
            observed.answered(5400, operation)

        judged = [observed.answered(59.0), observed.answered(5400, "token"), observed.answered(5400, "decryption")]

        assert judged == [False, False, False]
        assert observed.changes == [("acme", True), ("acme", False)]

    def test_is_neither_begun_nor_ended_by_a_request_that_took_too_long_to_tell(self) -> None:
        """Of 50 seconds that an answer took, its Date may be from the first or the last."""
        observed = Observed()
        begun = [observed.answered(50, operation, duration_s=50) for operation in BEYOND]
        for operation in BEYOND:
            observed.answered(80, operation)

        assert begun == [False, False, False]
        assert observed.answered(50, duration_s=50)

    def test_is_judged_of_each_tenant_alone(self) -> None:
        """And forgotten with it; an answer to a credential that no tenant has any more counts for none."""
        observed = Observed()
        for operation in BEYOND:
            observed.answered(5400, operation)
            observed.clocks.note("", dated(START), operation=operation, duration_s=0.0)

        assert (observed.clocks.too_large("other"), {*observed.clocks.offsets_s()}) == (False, {"acme"})
        observed.clocks.keep(("other",))
        assert (observed.clocks.too_large("acme"), observed.clocks.offsets_s()) == (False, {})


class TestNow:
    """Zuora's time between its answers."""

    def test_is_continued_by_the_monotonic_clock(self) -> None:
        """A step of the machine's time of day changes the offset at once, and not what is known of Zuora's time."""
        observed = Observed()
        observed.answered(5400)
        before_s = observed.clocks.now_s("acme")
        observed.clock.advance(100)

        assert before_s is not None
        assert observed.clocks.now_s("acme") == before_s + 100
        assert observed.clocks.offsets_s()["acme"] == pytest.approx(5400, abs=0.55)
        assert observed.clocks.now_s("other") is None

    def test_is_not_that_of_one_wrong_answer(self) -> None:
        """The middle one of the last three counts."""
        observed = Observed()
        offsets = []
        for ahead_s in (0, 0, 9e8, -9e8, 0, 0, 70, 80, 90):
            observed.answered(ahead_s)
            offsets.append(round(observed.clocks.offsets_s()["acme"], -1))

        assert offsets == [0, 0, 0, 0, 0, 0, 0, 70, 80]
