"""At which levels of load a row is measured."""

from collections.abc import Sequence
from typing import Final, NamedTuple

CREATE_SESSION: Final = "CreateSession"
DECRYPT_APPLE_PAY: Final = "DecryptApplePay"
CREATE_PAYMENT_METHOD: Final = "CreatePaymentMethod"
HUB_PAYMENT: Final = "hub's payment"
"""What Zuora asks of the hub, and no RPC of ours."""
BUSY: Final = 32
"""Calls in flight that keep one process busy; most goals are for so many."""


class Level(NamedTuple):
    """One kind of call, and how many of them are in flight."""

    rpc: str
    in_flight: int


_SESSIONS: Final = tuple(Level(CREATE_SESSION, in_flight) for in_flight in (1, BUSY, 256))
# In the order in which they are measured: what is compared is near in time.
EVERY_RPC: Final[Sequence[Level]] = (
    Level(CREATE_SESSION, 1),
    *(Level(rpc, BUSY) for rpc in (CREATE_SESSION, DECRYPT_APPLE_PAY, CREATE_PAYMENT_METHOD)),
    Level(CREATE_SESSION, 256),
)
CROWDED: Final = Level(CREATE_SESSION, 1_000)
FLOOR: Final[Sequence[Level]] = (*_SESSIONS, CROWDED)
VARIANT: Final[Sequence[Level]] = (Level(CREATE_SESSION, BUSY),)
QUIET_AND_BUSY: Final[Sequence[Level]] = (Level(CREATE_SESSION, 1), *VARIANT)
HUB_LEVELS: Final[Sequence[Level]] = tuple(Level(HUB_PAYMENT, in_flight) for in_flight in (1, BUSY, 256))
