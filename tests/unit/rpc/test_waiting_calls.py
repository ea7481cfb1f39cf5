from harness.clock import FakeClock
from payorch_server.rpc.waiting_calls import WaitingCalls

LOOK_S = 0.02


class Core:
    """gRPC's core: calls that it has received and that have not ended."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.open = 0
        self.waiting = WaitingCalls(clock=self.clock, count_open=lambda: self.open)

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

    def test_looks_seldom(self) -> None:
        """A look costs as much as half a refusal."""
        looks, clock = [], FakeClock()
        waiting = WaitingCalls(clock=clock, count_open=lambda: looks.append(clock.monotonic()) or 0)

        for _ in range(1000):
            waiting.start()
            waiting.end()
            clock.advance(LOOK_S / 100)

        assert 10 == len(looks)
