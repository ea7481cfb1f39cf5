"""Decides which calls are refused while more calls arrive than can be served."""

import json
from collections.abc import Callable
from typing import Any, Final

from grpc._cython import cygrpc  # type: ignore[attr-defined] # the core's counts have no public form in Python

from payorch_server.rpc.backlog import Backlog

# The part of the time that refusals may take. A refusal costs about a tenth of a call, so this refuses twice as many
# calls as the service can serve, and serves four fifths of them; gRPC ends those that it has no time to refuse.
_REFUSING_SHARE: Final = 0.2
_COUNT_EVERY: Final = 16
"""Calls between two readings of the count, while calls arrive often."""
_COUNT_VALID_S: Final = 0.005
"""How long a reading is valid: after it, all the calls that waited may have been served."""


class OpenCalls:
    """The calls of one server that it has received and that have not ended, whether or not they have started."""

    def __init__(self) -> None:
        self._server_id = 0

    def __repr__(self) -> str:
        return f"OpenCalls(server {self._server_id})"

    def of_newest_server(self) -> None:
        """Count the calls of the server that this process created last."""
        page: dict[str, Any] = {}
        while not page.get("end"):
            page = json.loads(cygrpc.channelz_get_servers(self._server_id + 1))
            ids = [int(server["ref"]["serverId"]) for server in page.get("server", ())]
            self._server_id = max([self._server_id, *ids])

    def count(self) -> int:
        """Return how many there are; it takes 0.1 ms. Calls that gRPC itself ends before they start count for ever."""
        counts = json.loads(cygrpc.channelz_get_server(self._server_id))["server"]["data"]
        received, succeeded, failed = (int(counts[name]) for name in ("callsStarted", "callsSucceeded", "callsFailed"))
        return received - succeeded - failed


class OverloadControl:
    """Refuses a part of the calls when calls have waited for their start for too long.

    Calls that start without a pause show that some wait. How many do is looked up only then, because gRPC's count
    keeps calls that gRPC itself has ended: its value at a pause, when none waits, is subtracted.
    """

    def __init__(self, backlog: Backlog, *, max_delay_s: float, count_open: Callable[[], int]) -> None:
        """Start without overload.

        Args:
            backlog: The calls that wait.
            max_delay_s: How long a call may wait for its start.
            count_open: Returns how many calls gRPC has received and not ended.
        """
        self._backlog = backlog
        self._max_delay_s = max_delay_s
        self._count_open = count_open
        self._age_s = 0.0
        self._served = 0
        self._readings = 0
        self._read_at_age_s = 0.0
        self._started = 0
        self._never_ended = 0
        self._is_late = False

    def __repr__(self) -> str:
        return f"OverloadControl({self._started} started, {self._never_ended} never ended, {self._backlog!r})"

    def note_start(self) -> None:
        """Note that a call starts, of whatever method."""
        self._started += 1

    def note_end(self) -> None:
        """Note that a call that started has ended."""
        self._started -= 1

    def refuses_next(self) -> bool:
        """Return whether the call that starts now is to be refused."""
        age_s = self._backlog.age_s
        # 1. A pause: no call but this one waited, whatever the counts say.
        if age_s < self._age_s:
            self._note_pause()
        self._age_s = age_s
        # 2. Each span of the limit, but the first, begins with refusals: those that have waited longest are next.
        spans = age_s / self._max_delay_s
        if spans > 1 and spans % 1 < _REFUSING_SHARE and self._has_waited_too_long(age_s):
            return True
        # 3. Served.
        self._served += 1
        return False

    def _has_waited_too_long(self, age_s: float) -> bool:
        """Return whether more calls wait than are served within the limit."""
        if self._readings % _COUNT_EVERY == 0 or age_s - self._read_at_age_s > _COUNT_VALID_S:
            self._read_at_age_s = age_s
            waiting = self._count_open() - self._started - self._never_ended
            self._is_late = waiting > self._served / age_s * self._max_delay_s
        self._readings += 1
        return self._is_late

    def _note_pause(self) -> None:
        # Calls can only have been ended by gRPC where many waited.
        if self._age_s > self._max_delay_s:
            self._never_ended = self._count_open() - self._started
        self._served = self._readings = 0
