"""How long calls have waited when they start.

gRPC queues calls in its core until the event loop has time for them, and keeps no time of arrival. It does count the
calls that it has received and those that have ended, so a look at the counts shows how many wait. A call that starts
after all of them was not there at that look; one that starts earlier has waited at least since then.

Calls that gRPC ends because too many wait are received and never counted as ended. So the difference is corrected
whenever the truth shows: there are never fewer than none waiting, never more than gRPC keeps, and none while the event
loop has time and no call starts.
"""

import json
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from grpc._cython import cygrpc  # type: ignore[attr-defined] # the core's counts have no public form in Python

from payorch_server.runtime.clock import Clock

# A look costs about 0.1 ms.
_LOOK_EVERY_S: Final = 0.02
_MAX_LOOKS: Final = 1000
# A tick on time without a start since the last one speaks for nothing that waits, one with a start half as much against
# it. A fifth of a second of the first must come together: a core that receives a flood is slow to hand over calls.
_TICK_S: Final = 0.01
_QUIET_SCORE: Final = 40
MAX_WAITING: Final = 3000
"""How many calls gRPC keeps waiting; it ends further ones without details."""


class OpenCalls:
    """The calls of one server, by the counts of gRPC's core."""

    def __init__(self) -> None:
        self._server_id = 0

    def __repr__(self) -> str:
        return f"OpenCalls(server {self._server_id})"

    def of_newest_server(self) -> None:
        """Count the calls of the server that this process has made last."""
        page: dict[str, Any] = {}
        while not page.get("end"):
            page = json.loads(cygrpc.channelz_get_servers(self._server_id + 1))
            ids = [int(server["ref"]["serverId"]) for server in page.get("server", ())]
            self._server_id = max([self._server_id, *ids])

    def count(self) -> int:
        """Return how many calls the server has received that have not ended, whether or not they have started."""
        counts = json.loads(cygrpc.channelz_get_server(self._server_id))["server"]["data"]
        received, succeeded, failed = (int(counts[name]) for name in ("callsStarted", "callsSucceeded", "callsFailed"))
        return received - succeeded - failed


class WaitingCalls:
    """The calls that wait in gRPC's core, and how long those have waited that start."""

    def __init__(
        self, *, clock: Clock, count_open: Callable[[], int], call_later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        """Make one for a server.

        Args:
            clock: The time.
            count_open: Returns how many calls the server has received that have not ended.
            call_later: Calls back after some seconds, when the event loop has time.
        """
        self._clock = clock
        self._count_open = count_open
        self._call_later = call_later
        self._started = 0
        self._ended = 0
        self._never_ended = 0
        self._ticks = False
        self._due_s = 0.0
        self._started_before_tick = 0
        self._quiet_score = 0
        # Each look: when, and which number the last call that waited then will have when it starts. Both ascend.
        self._looks: deque[tuple[float, int]] = deque(maxlen=_MAX_LOOKS)
        self._next_look_s = 0.0

    def __repr__(self) -> str:
        return f"WaitingCalls({self._started} started, {self._ended} ended, {len(self._looks)} looks)"

    def count(self) -> int:
        """Return how many calls wait now."""
        not_started = max(self._count_open() - (self._started - self._ended), 0)
        self._never_ended = min(max(self._never_ended, not_started - MAX_WAITING), not_started)
        return not_started - self._never_ended

    def start(self) -> float:
        """Note that a call starts; return how long it has waited at least, in seconds."""
        self._started += 1
        now_s = self._clock.monotonic()
        while self._looks and self._looks[0][1] < self._started:
            self._looks.popleft()
        waited_s = now_s - self._looks[0][0] if self._looks else 0.0
        if now_s >= self._next_look_s:
            is_many = self._look(now_s) > MAX_WAITING / 2
            # The last calls that gRPC has ended are not missed by much where it is about to end some.
            self._next_look_s = now_s + (_LOOK_EVERY_S / 10 if is_many else _LOOK_EVERY_S)
        if not self._ticks:
            self._ticks, self._quiet_score = True, 0
            self._schedule(now_s)
        return waited_s

    def end(self) -> None:
        """Note that a call that started has ended."""
        self._ended += 1

    def tick(self) -> None:
        """Find out whether any call waits: a loop that is on time would have started it."""
        now_s = self._clock.monotonic()
        is_quiet = self._started == self._started_before_tick and now_s - self._due_s < _TICK_S
        self._quiet_score = max(self._quiet_score + (2 if is_quiet else -1), 0)
        if self._quiet_score >= _QUIET_SCORE:
            self._never_ended += self.count()
            self._looks.clear()
            self._ticks = False
        else:
            self._schedule(now_s)

    def _schedule(self, now_s: float) -> None:
        self._due_s, self._started_before_tick = now_s + _TICK_S, self._started
        self._call_later(_TICK_S, self.tick)

    def _look(self, now_s: float) -> int:
        waiting = self.count()
        last = self._started + waiting
        # Calls that ended while they waited never start, so the later numbers of earlier looks were too high.
        since_s = now_s
        while self._looks and self._looks[-1][1] >= last:
            since_s, _ = self._looks.pop()
        if last > self._started:
            self._looks.append((since_s, last))
        return waiting
