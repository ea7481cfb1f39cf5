from dataclasses import dataclass, field
from typing import ClassVar

from payorch_server.calls.settings import CallRecordSettings
from payorch_server.runtime.strict import FORBID_EXTRA


@dataclass(frozen=True, slots=True)
class KeySettings:
    """A secret key that all replicas share."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    id: str
    """Name of the key in records; never used again for another secret."""
    file: str
    """File that holds at least 32 random bytes, as they are or in any encoding."""


@dataclass(frozen=True, slots=True)
class OrchestrationSettings:
    """Rules of the use cases."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    namespace: str = "default"
    """Whose intents all calls name where there is no access policy. Changing it makes every known request_id new:
    dangerous."""
    keys: tuple[KeySettings, ...] = ()
    """The fleet's secret keys, the one in use first, then at most one generation before it. Required with a shared
    store; empty: a random key for this process."""
    session_max_age_s: float = 600.0
    """How old a session may be to be handed out again for its request_id."""
    call_records: CallRecordSettings = field(default_factory=CallRecordSettings)
    """How long ended calls are remembered."""
    raw_card_data: bool = False
    """Whether card numbers may pass through; this widens the scope of PCI DSS to this service and its callers."""
