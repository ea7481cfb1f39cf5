"""What executions of the hub share: its parts, its limits, and what is reported of a request."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from payorch_server.runtime.clock import Clock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.keyring import Keyring
from payorch_server.store.port import Store
from payorch_server.upc.answers import Situation
from payorch_server.upc.gateway_port import GatewayDirectory

REQUEST_LIMIT_S: Final = 45.0
"""From the first byte of a request to its answer. Below the service's own 55 s, because Zuora calls the hub inside the
creation of a payment method; Zuora itself waits for 60 s."""
CALL_MARGIN_S: Final = 1.0
"""What remains of the limit for recording the end and for the way back."""
MIN_CALL_S: Final = 1.0
"""A call with less time than this is not begun."""
MIN_IDEMPOTENT_FOR: Final = timedelta(hours=72)
"""A gateway that remembers its keys for less is never called twice under one."""


@dataclass(slots=True)
class HubCallNotes:
    """What is reported of one request beside its answer; filled while it is answered."""

    key: str = ""
    gateway: str = ""
    """Name in the settings."""
    attempt: int = 0
    """Executions of the request so far, this one included."""
    in_doubt: bool = False
    """Whether an earlier send may have reached the gateway."""
    replayed: bool = False
    """Whether the answer is a recorded one."""
    joined: bool = False
    """Whether another send of the same request was being executed in this process."""


class HubObserver(Protocol):
    """Receives what is measured and alarmed."""

    def needs_people(self, situation: Situation, *, key: str, operation: str, gateway: str) -> None:
        """A request cannot be settled by any resend."""
        ...

    def plugin_called(self, *, gateway: str, method: str, result: str, duration_s: float) -> None:
        """A gateway was called."""
        ...

    def opened(self, key: str, *, gateway: str, first_send_s: float) -> None:
        """A request is in doubt, since a Unix time."""
        ...

    def settled(self, key: str) -> None:
        """A request has ended for good."""
        ...


@dataclass(frozen=True, slots=True)
class HubParts:
    """What a hub is made of."""

    store: Store
    keyring: Keyring
    directory: GatewayDirectory
    clock: Clock
    uniform: Callable[[float, float], float]
    """Returns a random number between two."""
    entropy: Callable[[int], bytes]
    """Returns so many random bytes."""
    tasks: TaskOwner
    deadlines: Deadlines
    keep_s: float
    """How long results and ids are kept."""
    observer: HubObserver
