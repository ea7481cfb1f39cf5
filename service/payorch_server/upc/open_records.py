"""The requests that this process left in doubt, until it sees that they have ended."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from payorch_server.store.port import Store
from payorch_server.upc.hub_record import RecordUnreadable, decode_hub_record, record_key

_MAX_RECORDS: Final = 10_000
_CHECKED_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class OpenRecord:
    """A request in doubt."""

    gateway: str
    """Name in the settings; may be empty."""
    first_send_s: float
    """Unix time."""


@dataclass(frozen=True, slots=True)
class OpenSummary:
    """The requests in doubt of one gateway."""

    count: int
    oldest_s: float
    """Unix time of the first send of the oldest."""


class OpenRecords:
    """What is in doubt, by key. The newest are forgotten where there are more than ten thousand."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, OpenRecord] = OrderedDict()

    def __repr__(self) -> str:
        return f"OpenRecords({len(self._records)})"

    def add(self, key: str, *, gateway: str, first_send_s: float) -> None:
        """Note that a request is in doubt."""
        self._records[key] = OpenRecord(gateway, first_send_s)
        if len(self._records) > _MAX_RECORDS:
            self._records.popitem()

    def remove(self, key: str) -> None:
        """Note that a request has ended."""
        self._records.pop(key, None)

    def by_gateway(self) -> Mapping[str, OpenSummary]:
        """Return what is in doubt, by gateway."""
        found: dict[str, OpenSummary] = {}
        for record in self._records.values():
            known = found.get(record.gateway, OpenSummary(0, record.first_send_s))
            found[record.gateway] = OpenSummary(known.count + 1, min(known.oldest_s, record.first_send_s))
        return found

    async def forget_ended(self, store: Store) -> None:
        """Forget requests that other replicas have ended, a hundred at most; those after them come next time.

        Raises:
            StoreUnavailable: The rest is checked next time.
        """
        for key in list(self._records)[:_CHECKED_AT_ONCE]:
            stored = await store.get(record_key(key))
            try:
                is_open = stored is not None and decode_hub_record(stored.value).end is None
            except RecordUnreadable:
                is_open = True
            if not is_open:
                self.remove(key)
            elif key in self._records:
                self._records.move_to_end(key)
