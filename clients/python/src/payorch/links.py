"""The channel of a client, replaced by a new one once its certificates have been renewed."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from payorch.timing import Timing
from payorch.tls import Tls

Channel = TypeVar("Channel")
_LOG: Final = logging.getLogger("payorch")
_CHECK_EVERY_S: Final = 10.0


@dataclass(slots=True)
class Link(Generic[Channel]):
    """A channel, and how many calls use it."""

    channel: Channel
    calls: int = 0
    seen_ready: bool = False
    """Whether it was connected, and no call has failed since in a way that only a lost connection explains."""


class Links(Generic[Channel]):
    """Gives each call a channel that shows the current certificates. For many threads."""

    def __init__(self, make: Callable[[Tls | None], Channel], tls: Tls | None, timing: Timing) -> None:
        """Make the first channel, which connects with the first call.

        Args:
            make: Makes a channel with what is trusted and shown.
            tls: None: without TLS.
            timing: Decides when the files are looked at again.
        """
        self._make = make
        self._tls = tls
        self._timing = timing
        self._lock = threading.Lock()
        self._looked_at_s = timing.monotonic_s()
        self._current: Link[Channel] = Link(make(tls))
        self._left: list[Link[Channel]] = []

    def take(self) -> Link[Channel]:
        """Return the link for a call, which gives it back when it ends."""
        with self._lock:
            self._renew()
            self._current.calls += 1
            return self._current

    def give_back(self, link: Link[Channel]) -> list[Channel]:
        """Note the end of a call; return the channels that nothing uses any more, to be closed."""
        with self._lock:
            link.calls -= 1
            done = [left for left in self._left if not left.calls]
            self._left = [left for left in self._left if left.calls]
        return [left.channel for left in done]

    def all(self) -> list[Channel]:
        """Return every channel, to be closed."""
        with self._lock:
            return [link.channel for link in (self._current, *self._left)]

    def _renew(self) -> None:
        """Read the files again if the last look at them is long ago; what cannot be read changes nothing."""
        now_s = self._timing.monotonic_s()
        if self._tls is None or now_s < self._looked_at_s + _CHECK_EVERY_S:
            return
        self._looked_at_s = now_s
        try:
            renewed = self._tls.reread()
        except (OSError, ValueError) as error:
            _LOG.warning("the certificates are not renewed: %s", error)
            return
        if renewed is not self._tls:
            self._left.append(self._current)
            self._tls, self._current = renewed, Link(self._make(renewed))
