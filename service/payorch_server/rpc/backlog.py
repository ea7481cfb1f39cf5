"""For how long calls have waited to start, without a pause.

gRPC queues calls in its core until the event loop has time for them. It does not report how many wait, or since when,
but it starts one of them every few turns of the loop. So a few turns without a start show that none waits, and as long
as there is no such pause, the calls that start may have waited since the last one.

A pause that is detected by mistake only admits a call. No pause is missed while the loop has time.
"""

from collections.abc import Callable
from typing import Final

from payorch_server.runtime.clock import Clock

# A call that waits starts after two or three turns; gRPC's own threads need up to a millisecond to hand it over.
_PAUSE_S: Final = 0.002
_PAUSE_TURNS: Final = 4


class Backlog:
    """Calls of one server that wait for their start."""

    def __init__(
        self,
        *,
        clock: Clock,
        call_later: Callable[[float, Callable[[], None]], object],
        call_soon: Callable[[Callable[[], None]], object],
    ) -> None:
        """Start without one.

        Args:
            clock: The time.
            call_later: Calls back after some seconds.
            call_soon: Calls back in the next turn of the event loop.
        """
        self._clock = clock
        self._call_later = call_later
        self._call_soon = call_soon
        self._starts = 0
        self._starts_seen = 0
        self._turns = 0
        self._watches = False
        self._since_s = 0.0

    def __repr__(self) -> str:
        return f"Backlog({self.age_s:.3f} s)"

    @property
    def age_s(self) -> float:
        """How long calls have started without a pause, in seconds; 0 when none waits."""
        return self._clock.monotonic() - self._since_s if self._watches else 0.0

    def note_start(self) -> None:
        """Note that a call starts."""
        self._starts += 1
        if not self._watches:
            self._watches, self._since_s = True, self._clock.monotonic()
            self._watch()

    def _watch(self) -> None:
        self._starts_seen, self._turns = self._starts, 0
        self._call_later(_PAUSE_S, self._turn)

    def _turn(self) -> None:
        """Look for a pause: time and turns without a start."""
        if self._starts != self._starts_seen:
            self._watch()
        elif self._turns < _PAUSE_TURNS:
            self._turns += 1
            self._call_soon(self._turn)
        else:
            self._watches = False
