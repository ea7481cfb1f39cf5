"""An event loop whose time jumps to the next timer instead of passing."""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any


class _Jump(selectors.BaseSelector):
    """Never waits: with nothing to do, time is what moves."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        self._inner = selectors.SelectSelector()
        self._advance = advance

    def select(self, timeout: float | None = None) -> list[Any]:
        """Move the clock to the next timer; nothing in a simulation reads a socket."""
        if timeout is None:
            raise RuntimeError("The simulation is stuck: no timer is set and nothing is ready.")
        self._advance(timeout)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Register the loop's own pipe."""
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Forget it."""
        return self._inner.unregister(fileobj)

    def get_map(self) -> Any:
        """Return what is registered."""
        return self._inner.get_map()

    def close(self) -> None:
        """Close the inner selector."""
        self._inner.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at 0 s."""

    def __init__(self) -> None:
        self.now_s = 0.0
        super().__init__(_Jump(self._advance))
        # After a year of virtual time the next timer may be nearer than a float can move the clock.
        self._clock_resolution = 1e-6

    def _advance(self, by_s: float) -> None:
        self.now_s += max(by_s, 0.0)

    def time(self) -> float:
        """Return the virtual time."""
        return self.now_s
