from dataclasses import dataclass
from typing import ClassVar, Literal

from payorch_server.runtime.strict import FORBID_EXTRA


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where intents are recorded."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    kind: Literal["memory", "redis"] = "memory"
    """This process, or Redis for a fleet."""
    password_file: str = ""
    """File with the password."""
    max_entries: int = 1_000_000
    """Bound of the memory store."""
