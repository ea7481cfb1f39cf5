"""The clocks and the chance that a client uses, in one place so that tests can replace them."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_NS_PER_S: Final = 1e9


@dataclass(frozen=True, slots=True)
class Timing:
    """Where a client gets time and randomness."""

    monotonic_s: Callable[[], float]
    """Seconds of a clock that never goes back."""
    unix_s: Callable[[], float]
    """Seconds since 1970, to compare with what the service names."""
    uniform: Callable[[float, float], float]
    """A random number between two."""
    pause_s: Callable[[float], float] = float
    """How long a wait of so many seconds really takes; a test double makes it none."""


SYSTEM: Final = Timing(
    monotonic_s=lambda: time.monotonic_ns() / _NS_PER_S,
    unix_s=lambda: time.time_ns() / _NS_PER_S,
    uniform=random.uniform,
)
