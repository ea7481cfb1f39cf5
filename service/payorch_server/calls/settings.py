"""Settings of the call history and of verbose logging."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from payorch_server.runtime import FORBID_EXTRA
from payorch_server.runtime.ranges import Switch, count, seconds


@dataclass(frozen=True, slots=True)
class CallHistorySettings:
    """Records of ended calls, found by Track-Id or request_id. No record holds a value of a request."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    max_in_memory: Annotated[int, count(1, 1_000_000, "Track-Ids")] = 2000
    """Track-Ids that this process remembers; the oldest is forgotten first."""
    in_store: Switch | None = None
    """Whether records go to the store too, where every replica finds them; one or two operations for each call. Absent:
    if the store is shared."""
    keep_s: Annotated[float, seconds(60, 2_592_000)] = 86_400.0
    """How long the store keeps them."""


@dataclass(frozen=True, slots=True)
class VerboseSettings:
    """Calls whose requests and responses are written to the log, redacted, whatever the level."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    callers: tuple[str, ...] = ()
    """Identities, exactly."""
    track_id_prefixes: tuple[str, ...] = ()
    """What the Zuora-Track-Id begins with."""
