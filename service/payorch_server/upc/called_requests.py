"""What this process knows of requests for which it may have called a gateway, where the store has lost it."""

from dataclasses import dataclass
from typing import Final

from payorch_server.runtime.newest import Newest

_MAX_REQUESTS: Final = 16_384
"""Some hours of payments at full load, in a few megabytes."""


@dataclass(frozen=True, slots=True)
class CalledRequest:
    """A request that may have reached its gateway, or that was refused."""

    gateway: str
    """Name in the settings; may be empty."""
    described_as: str
    """What it calls itself; may be empty."""
    first_send_s: float
    """Unix time."""
    called_until_s: float
    """Unix time: the latest deadline of its calls."""
    refused: bool = False
    """Whether Zuora was given an answer that means Error: nothing may be charged under this id any more."""
    owner: str = ""
    """Random name of the execution whose record had this end; empty where none had."""


class CalledRequests:
    """It only ever makes an answer less certain, so that it may forget the oldest entries."""

    def __init__(self, max_requests: int = _MAX_REQUESTS) -> None:
        self._called: Newest[CalledRequest] = Newest(max_requests)
        self._ended: Newest[bool] = Newest(max_requests)

    def note(self, key: str, called: CalledRequest) -> None:
        """Note that the gateway is about to be called, or what Zuora was answered."""
        self._called.add(key, called)

    def find(self, key: str) -> CalledRequest | None:
        """Return what is known of a request, or None."""
        return self._called.get(key)

    def note_end(self, owner: str, *, called: bool) -> None:
        """Note that an execution ended here although its lease may stand in the store.

        Args:
            owner: Its random name.
            called: Whether it may have called the gateway.
        """
        self._ended.add(owner, called)

    def called_by(self, owner: str) -> bool | None:
        """Return whether an execution that ended here may have called; None if none of that name ended here."""
        return self._ended.get(owner)
