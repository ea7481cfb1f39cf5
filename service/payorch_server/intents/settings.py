"""Settings of intents."""

from dataclasses import dataclass
from typing import ClassVar

from payorch_server.runtime import FORBID_EXTRA


@dataclass(frozen=True, slots=True)
class KeySettings:
    """A secret key that all replicas share."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    id: str
    """Name of the key in records; never used again for another secret."""
    file: str
    """File that holds at least 32 random bytes, as they are or in any encoding."""


@dataclass(frozen=True, slots=True)
class IntentSettings:
    """How intents are named, and the keys that protect their records."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    namespace: str = "default"
    """Namespace of all callers where there is no access policy. Changing it makes every known request_id a new intent:
    dangerous."""
    keys: tuple[KeySettings, ...] = ()
    """The fleet's secret keys: the current one, then at most one previous. Required with a shared store; empty: a
    random key for this process."""
