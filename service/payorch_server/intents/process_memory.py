"""What this process remembers of intents, for where the store cannot say it."""

from dataclasses import dataclass
from typing import Final

from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.route import Route
from payorch_server.runtime.newest import Newest

_MAX_INTENTS: Final = 16_384
"""Some minutes of calls at full load, in a few megabytes; some forty where all of them failed."""


@dataclass(frozen=True, slots=True)
class SentIntent:
    """An intent that may have been sent."""

    route: Route
    opened_at_s: float
    """Unix time, before the first byte was sent."""
    failed_record: bytes = b""
    """Its record, encoded, if it failed for good; empty otherwise."""


class ProcessMemory:
    """The intents that may have been sent, and the executions whose end the store does not show.

    It only ever makes an outcome less certain, a wait shorter, or repeats a failure that callers received, so that it
    may forget the oldest entries.
    """

    def __init__(self, max_intents: int = _MAX_INTENTS) -> None:
        self._sent: Newest[SentIntent] = Newest(max_intents)
        self._ended: Newest[bool] = Newest(max_intents)

    def note_sent(self, key: IdempotencyKey, sent: SentIntent) -> None:
        """Note that an intent is about to be sent, or was; this replaces what was known of it."""
        self._sent.add(key, sent)

    def note_unsent(self, key: IdempotencyKey) -> None:
        """Note that no execution of an intent has sent it."""
        self._sent.remove(key)

    def sent(self, key: IdempotencyKey) -> SentIntent | None:
        """Return what is known of an intent that may have been sent, or None."""
        return self._sent.get(key)

    def opened_at_s(self, key: IdempotencyKey, recorded_s: float) -> float:
        """Return when an intent was opened, Unix time.

        Args:
            key: Of the intent.
            recorded_s: What its record says; another process may have opened it again after the store had lost it.
        """
        sent = self._sent.get(key)
        return min(recorded_s, sent.opened_at_s) if sent else recorded_s

    def note_end(self, owner: str, *, sent: bool) -> None:
        """Note that an execution ended here, although its lease may still stand in the store.

        Args:
            owner: Its random name.
            sent: Whether it may have sent the intent.
        """
        self._ended.add(owner, sent)

    def sent_by(self, owner: str) -> bool | None:
        """Return whether an execution that ended here may have sent its intent; None if it is not known to have."""
        return self._ended.get(owner)
