"""Settings of intents."""

from dataclasses import dataclass
from typing import ClassVar

from payorch_server.runtime import FORBID_EXTRA
from payorch_server.store.settings import KeySettings


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
