from collections.abc import Callable

import pytest
from harness.clock import FakeClock
from payorch_server.rpc.backlog import Backlog

PAUSE_S = 0.002
TURNS = 4


class Loop:
    """An event loop whose turns a test makes."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.soon: list[Callable[[], None]] = []
        self.backlog = Backlog(clock=self.clock, call_later=self._call_later, call_soon=self.soon.append)

    def _call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        self.timers.append((self.clock.monotonic() + seconds, callback))

    def turn(self, *, seconds: float = 0.0, starts: int = 0) -> None:
        """Make one turn that takes so long and starts so many calls."""
        self.clock.advance(seconds)
        due = [timer for timer in self.timers if timer[0] <= self.clock.monotonic()]
        self.timers = [timer for timer in self.timers if timer not in due]
        ready, self.soon[:] = [*self.soon, *(callback for _, callback in due)], []
        for _ in range(starts):
            self.backlog.note_start()
        for callback in ready:
            callback()

    def idle(self) -> None:
        """Let some time and turns pass without a start."""
        for _ in range(TURNS + 2):
            self.turn(seconds=PAUSE_S)


class TestAge:
    """Calls have waited at most since the last pause."""

    def test_is_nothing_before_the_first_call(self) -> None:
        """However long the service has been idle."""
        loop = Loop()
        loop.clock.advance(3600)

        assert loop.backlog.age_s == 0.0

    def test_grows_as_long_as_calls_start_without_a_pause(self) -> None:
        """One in each turn, as gRPC starts those that wait."""
        loop = Loop()
        for _ in range(101):
            loop.turn(seconds=0.005, starts=1)

        assert loop.backlog.age_s == pytest.approx(0.5)

    @pytest.mark.parametrize("length_s", [0.0001, 0.005, 0.05])
    def test_grows_where_every_third_turn_starts_a_call(self, length_s: float) -> None:
        """Other callbacks of the loop come in between, however long their turns are."""
        loop = Loop()
        loop.turn(starts=1)
        for number in range(1, 3001):
            loop.turn(seconds=length_s, starts=number % 3 == 0)

        assert loop.backlog.age_s == pytest.approx(3000 * length_s)

    def test_ends_with_a_pause(self) -> None:
        """A few turns without a start show that no call waits."""
        loop = Loop()
        for _ in range(100):
            loop.turn(seconds=0.005, starts=1)

        loop.idle()

        assert (loop.backlog.age_s, loop.timers, loop.soon) == (0.0, [], [])

    def test_begins_anew_after_a_pause(self) -> None:
        """What waited before it has started."""
        loop = Loop()
        for _ in range(100):
            loop.turn(seconds=0.005, starts=1)
        loop.idle()
        loop.clock.advance(3600)

        loop.turn(starts=1)
        loop.turn(seconds=0.001, starts=1)

        assert loop.backlog.age_s == pytest.approx(0.001)

    def test_does_not_grow_under_a_load_that_leaves_pauses(self) -> None:
        """A call every 10 ms, each served in 3 ms: after an hour none has waited."""
        loop = Loop()
        for _ in range(1000):
            loop.turn(seconds=0.001, starts=1)
            for _ in range(9):
                loop.turn(seconds=0.001)

        assert loop.backlog.age_s < 0.05

    def test_is_one_of_a_loop_that_is_blocked(self) -> None:
        """A single long turn is no pause: calls may have come meanwhile."""
        loop = Loop()
        loop.turn(starts=1)

        loop.turn(seconds=0.7, starts=1)

        assert loop.backlog.age_s == pytest.approx(0.7)
