"""Scripted misbehaviour: what the next answers of an operation shall be.

As text a fault is `OP:KIND[:ARG]`, for instance `decryption:500`, `token:429:30`, `sessions:slow:2.5`,
`payment_methods_v1:success_false:53000060`, `decryption:drop_after`, `decryption:499_after`, `hub_payment:lost`.
`*` in place of the operation means every operation of the API but `token`, each on its own.
"""

from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from zuora_emulator.declines import DECLINES
from zuora_emulator.digits import whole_number
from zuora_emulator.operations import BY_NAME, HUB_SENDS
from zuora_emulator.suggestions import did_you_mean


class Kind(StrEnum):
    """What goes wrong; the comment says if the call is executed."""

    STATUS = "status"  # no; written as the number itself: 401, 429, 500 and so on
    STATUS_AFTER = "status_after"  # yes; written as 499_after: an edge answers instead of Zuora, with a page
    SUCCESS_FALSE = "success_false"  # no; HTTP 200 with a reason code
    SLOW = "slow"  # yes, answered after that many seconds
    DROP = "drop"  # no; the connection is cut
    DROP_AFTER = "drop_after"  # yes; the connection is cut instead of an answer
    SILENCE = "silence"  # no; the connection stays, and no answer ever comes
    SILENCE_AFTER = "silence_after"  # yes; the same
    HTML = "html"  # no; 502 with an edge's page
    EMPTY = "empty"  # yes; 200 without a body
    TRUNCATED = "truncated"  # yes; the JSON ends in the middle
    NO_ID = "no_id"  # yes; the promised id is missing
    DECLINED = "declined"  # yes; the payment method is created, its payment is declined, also with a kind of decline
    CUT = "cut"  # yes; the body breaks off, written as cut or with the status of an edge as cut:400
    BAD_CODING = "bad_coding"  # yes; says gzip and is plain, also with a status
    TOO_LARGE = "too_large"  # yes; two megabytes, also with a status
    BOMB = "bomb"  # yes; fifty kilobytes that unpack to fifty megabytes, also with a status
    BOM = "bom"  # yes; begins with a byte order mark
    UTF_16 = "utf_16"  # yes; in UTF-16
    LONG_HEADER = "long_header"  # yes; with a header of nine kilobytes
    TWICE = "twice"  # yes; every header that is single comes twice
    CONTRADICTORY = "contradictory"  # yes; the same, with another value
    DECLINED_AS_FAULT = "declined_as_fault"  # no; the payment is declined, in the words of an internal fault
    DRIP = "drip"  # yes; the body comes in small pieces over that many seconds
    STALE = "stale"  # yes; the connection looks usable, but the next call over it is cut and not executed
    # The requests to hubs have these:
    REFUSED = "refused"  # no; the connection to the hub is refused
    LOST = "lost"  # yes; the hub's answer is not read
    DELAYED = "delayed"  # yes; sent after that many seconds
    DUPLICATED = "duplicated"  # yes; sent twice at once, and only the second answer is read


_AFTER = "_after"
ALL_OPERATIONS = "*"
_OF_SECONDS = frozenset({Kind.SLOW, Kind.DELAYED, Kind.DRIP})
_OF_DECLINE = frozenset({Kind.DECLINED, Kind.DECLINED_AS_FAULT})
_WITH_STATUS = frozenset({Kind.CUT, Kind.BAD_CODING, Kind.TOO_LARGE, Kind.BOMB})
_OF_HUB = frozenset({Kind.REFUSED, Kind.LOST, Kind.DELAYED, Kind.DUPLICATED})
_NAMED = frozenset(Kind) - {Kind.STATUS, Kind.STATUS_AFTER} - _OF_HUB


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One misbehaviour of one operation."""

    operation: str
    kind: Kind
    status: int = 0
    """HTTP status, for STATUS and STATUS_AFTER; for damaged bodies 0 or a status in the place of the answer's own."""
    code: int = 0
    """8-digit reason code, for SUCCESS_FALSE."""
    seconds: float = 0
    """Delay for SLOW and DELAYED, length of DRIP; `Retry-After` for STATUS 429 and 503, 0 for the usual one."""
    decline: str = ""
    """Kind of decline, for DECLINED and DECLINED_AS_FAULT; empty for the usual one."""

    def __str__(self) -> str:
        """The text form."""
        match self.kind:
            case Kind.STATUS:
                return f"{self.operation}:{self.status}" + (f":{self.seconds:g}" if self.seconds else "")
            case Kind.STATUS_AFTER:
                return f"{self.operation}:{self.status}{_AFTER}"
            case Kind.SUCCESS_FALSE:
                return f"{self.operation}:{self.kind}:{self.code}"
            case Kind.SLOW | Kind.DELAYED | Kind.DRIP:
                return f"{self.operation}:{self.kind}:{self.seconds:g}"
            case Kind.DECLINED | Kind.DECLINED_AS_FAULT:
                return f"{self.operation}:{self.kind}" + (f":{self.decline}" if self.decline else "")
            case _:
                return f"{self.operation}:{self.kind}" + (f":{self.status}" if self.status else "")


class FaultSyntaxError(ValueError):
    """The text is no fault; the message is a sentence for people."""


def parse_faults(text: str) -> tuple[Fault, ...]:
    """Read the text form, in which the operation may be `*`.

    Raises:
        FaultSyntaxError: as `parse_fault`.
    """
    operation, _, rest = text.strip().partition(":")
    if operation != ALL_OPERATIONS:
        return (parse_fault(text),)
    return tuple(parse_fault(f"{name}:{rest}") for name in BY_NAME if name != "token")


def parse_fault(text: str) -> Fault:
    """Read the text form `OP:KIND[:ARG]`.

    Raises:
        FaultSyntaxError: the operation or kind is unknown, or the argument is missing, superfluous or no number.
    """
    operation, _, rest = text.strip().partition(":")
    kind, _, argument = rest.partition(":")
    if operation in HUB_SENDS:
        return _hub_fault(operation, kind, argument)
    if operation not in BY_NAME:
        known = (*BY_NAME, *HUB_SENDS)
        near = did_you_mean(operation, known)
        raise FaultSyntaxError(f"{operation!r} is no operation; there are {', '.join(known)}{near}")
    if (status := whole_number(kind)) is not None:
        return _status_fault(operation, status, argument)
    late = kind.removesuffix(_AFTER)
    if late != kind and (status := whole_number(late)) is not None:
        return _late_status_fault(operation, status, argument)
    if kind not in _NAMED:
        kinds = ", ".join(sorted(_NAMED))
        raise FaultSyntaxError(
            f"{kind!r} is no kind of fault; there are {kinds}, and any HTTP status from 400 to 599, "
            f"alone or followed by {_AFTER}{did_you_mean(kind, _NAMED)}"
        )
    return _named_fault(operation, Kind(kind), argument)


def _hub_fault(operation: str, kind: str, argument: str) -> Fault:
    if kind not in _OF_HUB:
        known = ", ".join(sorted(_OF_HUB))
        near = did_you_mean(kind, _OF_HUB)
        raise FaultSyntaxError(f"{kind!r} is no fault of a request to a hub; there are {known}{near}")
    return _named_fault(operation, Kind(kind), argument)


def _check_status(status: int) -> None:
    if not 400 <= status <= 599:
        raise FaultSyntaxError(f"{status} is no error status; use one from 400 to 599.")


def _late_status_fault(operation: str, status: int, argument: str) -> Fault:
    _check_status(status)
    if argument:
        raise FaultSyntaxError(f"{status}{_AFTER} takes no argument; {argument!r} is too much.")
    return Fault(operation=operation, kind=Kind.STATUS_AFTER, status=status)


def _status_fault(operation: str, status: int, argument: str) -> Fault:
    _check_status(status)
    if argument and status not in {429, 503}:
        raise FaultSyntaxError(f"Only 429 and 503 take an argument, the seconds of Retry-After; {status} does not.")
    seconds = _seconds(argument) if argument else 0
    if seconds != int(seconds):
        raise FaultSyntaxError(f"Retry-After has whole seconds; {argument!r} has not.")
    return Fault(operation=operation, kind=Kind.STATUS, status=status, seconds=seconds)


def _named_fault(operation: str, kind: Kind, argument: str) -> Fault:
    if kind in _OF_SECONDS:
        return Fault(operation=operation, kind=kind, seconds=_seconds(argument))
    if kind in _OF_DECLINE and argument:
        if argument not in DECLINES:
            near = did_you_mean(argument, DECLINES)
            raise FaultSyntaxError(f"{argument!r} is no kind of decline; there are {', '.join(DECLINES)}{near}")
        return Fault(operation=operation, kind=kind, decline=argument)
    if kind in _WITH_STATUS and (status := whole_number(argument)) is not None:
        return Fault(operation=operation, kind=kind, status=_any_status(status))
    if kind is Kind.SUCCESS_FALSE:
        if not (len(argument) == 8 and argument.isascii() and argument.isdigit()):
            raise FaultSyntaxError(
                f"success_false takes an 8-digit reason code, for instance 53000060; not {argument!r}."
            )
        return Fault(operation=operation, kind=kind, code=int(argument))
    if argument:
        raise FaultSyntaxError(f"{kind} takes no argument; {argument!r} is too much.")
    return Fault(operation=operation, kind=kind)


def _any_status(status: int) -> int:
    if not 200 <= status <= 599:
        raise FaultSyntaxError(f"{status} is no status of an answer; use one from 200 to 599.")
    return status


_LONGEST_SECONDS = 86_400


def _seconds(argument: str) -> float:
    try:
        seconds = float(argument)
    except ValueError:
        raise FaultSyntaxError(f"{argument!r} is no number of seconds.") from None
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise FaultSyntaxError(f"{argument!r} seconds are not between 0 and a day.")
    return seconds


Times = int | Literal["always"]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A fault in its queue."""

    fault: Fault
    times: Times
    until: datetime | None

    def as_json(self) -> dict[str, str | int]:
        shown: dict[str, str | int] = {"fault": str(self.fault), "times": self.times}
        return shown | ({"until": self.until.isoformat()} if self.until else {})


class Faults:
    """A queue of faults per operation; a fault for ever stays at the head of its queue."""

    def __init__(self) -> None:
        self.queues: dict[str, deque[_Waiting]] = {}

    def add(self, fault: Fault | str, *, times: Times = 1, until: datetime | None = None) -> None:
        """Put a fault behind those that wait already.

        Args:
            fault: the fault, or its text form, which may be for `*`.
            times: how many arrivals it meets, at least 1, or `"always"`.
            until: when it ends by the emulator's clock, whatever is left of it; None: never.
        """
        if times != "always" and times < 1:
            raise FaultSyntaxError(f"A fault meets at least one call, not {times}.")
        for each in parse_faults(fault) if isinstance(fault, str) else (fault,):
            self.queues.setdefault(each.operation, deque()).append(_Waiting(each, times, until))

    def take(self, operation: str, now: datetime) -> Fault | None:
        """Return the fault for a call that has just arrived, and use it up."""
        queue = self.queues.get(operation)
        while queue and (until := queue[0].until) is not None and until <= now:
            queue.popleft()
        if not queue:
            return None
        first = queue[0]
        if first.times == "always":
            return first.fault
        if first.times == 1:
            queue.popleft()
        else:
            queue[0] = replace(first, times=first.times - 1)
        return first.fault

    def waiting(self) -> list[dict[str, str | int]]:
        """What is still to come, in text form."""
        return [each.as_json() for queue in self.queues.values() for each in queue]

    def remove(self, fault: str) -> None:
        """Forget a fault by its text form, however often it was added.

        Raises:
            FaultSyntaxError: as `parse_fault`.
        """
        for each in parse_faults(fault):
            queue = self.queues.get(each.operation, deque())
            self.queues[each.operation] = deque(waiting for waiting in queue if waiting.fault != each)

    def clear(self, operation: str | None = None) -> None:
        """Forget the faults of one operation, or all."""
        if operation is None:
            self.queues.clear()
        else:
            self.queues.pop(operation, None)
