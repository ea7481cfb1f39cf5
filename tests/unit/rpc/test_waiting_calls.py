from collections.abc import Callable

from harness.clock import FakeClock
from payorch_server.rpc.waiting_calls import MAX_WAITING, WaitingCalls
from payorch_server.runtime.lifecycle import ignore

LOOK_S = 0.02
TICK_S = 0.01
QUIET_TICKS = 20


class Core:
    """gRPC's core: calls that it has received and that have not ended."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.open = 0
        self.ticks: list[Callable[[], None]] = []
        self.waiting = WaitingCalls(
            clock=self.clock,
            count_open=lambda: self.open,
            call_later=lambda _seconds, tick: self.ticks.append(tick),
        )

    def have_time(self, *, late_s: float = 0.0) -> None:
        """Let the event loop run for a tick that comes as late as that."""
        self.clock.advance(TICK_S + late_s)
        for tick in self.ticks[-1:]:
            self.ticks.clear()
            tick()

    def receive(self, calls: int) -> None:
        """Receive calls."""
        self.open += calls

    def give_up(self, calls: int) -> None:
        """Have callers leave before their calls start."""
        self.open -= calls

    def serve(self) -> float:
        """Start and end the call that has waited longest; return how long it has waited."""
        waited_s = self.waiting.start()
        self.waiting.end()
        self.open -= 1
        return waited_s


class TestWaitingCalls:
    """The time of arrival of a call is between two looks at the counts."""

    def test_a_call_that_starts_at_once_has_not_waited(self) -> None:
        """However long the service was idle before."""
        core = Core()
        core.receive(1)
        assert 0.0 == core.serve()

        core.clock.advance(3600)
        core.receive(1)

        assert 0.0 == core.serve()

    def test_a_call_has_waited_since_the_first_look_that_counted_it(self) -> None:
        """Those behind it arrived later, and no earlier look counted them."""
        core = Core()
        core.receive(3)
        core.serve()
        core.clock.advance(0.3)
        core.receive(1)
        assert 0.3 == round(core.serve(), 3)
        assert 0.3 == round(core.serve(), 3)

        core.clock.advance(0.2)

        assert 0.2 == round(core.serve(), 3)

    def test_calls_that_left_are_not_waited_for(self) -> None:
        """A call that took the place of one whose caller left has not waited since that one came."""
        core = Core()
        core.receive(101)
        core.serve()
        core.give_up(100)
        core.clock.advance(1.0)
        core.receive(1)
        core.serve()

        core.clock.advance(LOOK_S)
        core.receive(2)
        core.serve()

        assert 0.0 == round(core.serve(), 3)

    def test_counts_what_has_not_started(self) -> None:
        """A call in progress does not wait."""
        core = Core()
        core.receive(5)
        core.waiting.start()

        assert 4 == core.waiting.count()

    def test_that_grpc_ended_are_no_longer_waited_for(self) -> None:
        """Its counts still have them, which shows as soon as the loop has time and no call starts."""
        core = Core()
        core.receive(1001)
        core.serve()
        for _ in range(QUIET_TICKS):
            assert 1000 == core.waiting.count()
            core.have_time()
        assert 0 == core.waiting.count()

        core.receive(1)
        core.serve()
        core.clock.advance(1.0)
        core.receive(1)

        assert 0.0 == core.serve()

    def test_that_a_busy_loop_has_not_started_still_wait(self) -> None:
        """Late ticks show that the loop has no time."""
        core = Core()
        core.receive(11)
        core.serve()

        for _ in range(QUIET_TICKS * 2):
            core.have_time(late_s=0.02)

        assert 10 == core.waiting.count()

    def test_are_never_more_than_grpc_keeps(self) -> None:
        """It ends all others."""
        core = Core()
        core.receive(MAX_WAITING + 501)
        core.serve()
        assert MAX_WAITING == core.waiting.count()

        core.give_up(MAX_WAITING)

        assert 0 == core.waiting.count()

    def test_are_never_fewer_than_none(self) -> None:
        """What was wrongly taken for ended by gRPC is corrected once it has really ended."""
        core = Core()
        core.receive(11)
        core.serve()
        for _ in range(QUIET_TICKS):
            core.have_time()
        for _ in range(10):
            core.serve()
        assert 0 == core.waiting.count()

        core.receive(5)

        assert 5 == core.waiting.count()

    def test_looks_seldom(self) -> None:
        """A look costs as much as half a refusal."""
        looks, clock = [], FakeClock()
        waiting = WaitingCalls(clock=clock, count_open=lambda: looks.append(clock.monotonic()) or 0, call_later=ignore)

        for _ in range(1000):
            waiting.start()
            waiting.end()
            clock.advance(LOOK_S / 100)

        assert 10 == len(looks)
