"""Tables of the calls: by event, and by kind of caller."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from programs.cluster.fleet.load import Call

_TITLES: Final = ("calls", "resent by client", "sent again by caller", "failed", "slowest")
_BETWEEN: Final = "between events"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the fleet, and when, by `perf_counter`."""

    name: str
    began_s: float
    ended_s: float

    def overlaps(self, call: Call) -> bool:
        """Return whether a call was in progress during the event."""
        return call.began_s < self.ended_s and call.ended_s > self.began_s


def by_event(calls: Sequence[Call], events: Sequence[Event], resends: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield a table with a line for each event; a call counts for the first event that it overlaps."""

    def event_of(call: Call) -> str:
        return next((event.name for event in events if event.overlaps(call)), _BETWEEN)

    return _table("event", calls, event_of, [_BETWEEN, *(event.name for event in events)], resends)


def by_kind(calls: Sequence[Call], resends: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield a table with a line for each kind of caller."""
    return _table("caller", calls, lambda call: call.kind, sorted({call.kind for call in calls}), resends)


def _table(
    title: str,
    calls: Sequence[Call],
    name_of: Callable[[Call], str],
    order: Iterable[str],
    resends: Mapping[str, Sequence[str]],
) -> Iterator[str]:
    grouped: dict[str, list[Call]] = {name: [] for name in order}
    for call in calls:
        grouped[name_of(call)].append(call)
    rows = [(title, *_TITLES), *((name, *_cells(members, resends)) for name, members in grouped.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        yield "  ".join(
            (name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)))
        )


def _cells(calls: Sequence[Call], resends: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    slowest_s = max((call.ended_s - call.began_s for call in calls), default=0.0)
    return (
        str(len(calls)),
        str(sum(call.request_id in resends for call in calls)),
        str(sum(call.sends > 1 for call in calls)),
        str(sum(call.effect is None for call in calls)),
        f"{slowest_s:.2f} s",
    )
