from dataclasses import dataclass

from payorch_server.rpc.overload import OverloadControl

LIMIT_S = 0.5
STEP_S = 0.0025
"""Between two starts: 400 calls a second."""
SERVED_IN_LIMIT = 200


@dataclass(slots=True)
class _Backlog:
    """A backlog whose age a test sets."""

    age_s: float = 0.0


class Service:
    """Calls that start one after the other while others wait."""

    def __init__(self, *, waiting: int) -> None:
        self.waiting = waiting
        self.lost = 0
        """Calls that gRPC has ended and still counts."""
        self.backlog = _Backlog()
        self.control = OverloadControl(  # type: ignore[arg-type] # of a backlog only its age is read
            self.backlog, max_delay_s=LIMIT_S, count_open=lambda: self.waiting + self.lost + 1
        )

    def start(self) -> bool:
        """Start and end a call; return whether it is refused."""
        self.control.note_start()
        refused = self.control.refuses_next()
        self.control.note_end()
        return refused

    def serve(self, *, seconds: float) -> list[bool]:
        """Start calls for some seconds without a pause; return which are refused."""
        refused = []
        for _ in range(round(seconds / STEP_S)):
            self.backlog.age_s += STEP_S
            refused.append(self.start())
        return refused

    def pause(self) -> None:
        """Have all that wait served, and start a call after that."""
        waiting, self.waiting, self.backlog.age_s = self.waiting, 0, 0.0
        assert not self.start()
        self.waiting = waiting


class TestRefusesNext:
    """Calls are refused when they have waited for too long, and then for a fifth of the time."""

    def test_refuses_none_before_the_limit(self) -> None:
        """However many wait."""
        assert not any(Service(waiting=5000).serve(seconds=LIMIT_S - 0.01))

    def test_refuses_a_fifth_of_the_time_beyond_it(self) -> None:
        """Under a load that does not end."""
        service = Service(waiting=5000)
        service.serve(seconds=LIMIT_S)

        refused = service.serve(seconds=10.0)

        assert 0.19 < sum(refused) / len(refused) < 0.21

    def test_refuses_none_where_few_wait(self) -> None:
        """64 callers keep a service busy without a pause, and each of their calls waits for a moment."""
        assert not any(Service(waiting=SERVED_IN_LIMIT - 20).serve(seconds=60.0))

    def test_refuses_none_that_comes_when_all_have_been_served(self) -> None:
        """A few moments later, although a pause has not been seen yet."""
        service = Service(waiting=5000)
        service.serve(seconds=LIMIT_S + STEP_S)
        assert service.start()

        service.waiting = 0
        service.backlog.age_s += 0.01

        assert not service.start()

    def test_refuses_none_after_a_pause(self) -> None:
        """No call waits any more."""
        service = Service(waiting=5000)
        service.serve(seconds=LIMIT_S + 0.05)
        service.pause()

        assert not any(service.serve(seconds=LIMIT_S - 0.01))

    def test_does_not_count_what_grpc_has_ended(self) -> None:
        """It counts as open for ever; what is open at a pause does not wait."""
        service = Service(waiting=5000)
        service.serve(seconds=5.0)
        service.lost = 100_000
        service.pause()
        service.waiting = 10

        assert not any(service.serve(seconds=60.0))
