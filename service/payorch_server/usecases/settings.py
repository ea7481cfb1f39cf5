"""Settings of the use cases."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from payorch_server.runtime import FORBID_EXTRA
from payorch_server.runtime.ranges import Switch, seconds


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Payment sessions."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    max_age_s: Annotated[float, seconds(0, 82_800)] = 600.0
    """How old a session may be to be returned again for its request_id."""


@dataclass(frozen=True, slots=True)
class PaymentMethodSettings:
    """Payment methods."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    allow_unrecorded: Switch = False
    """Whether payment methods are created also while the store cannot be reached, as long as no money moves. A lost
    answer is then to be looked up: a resend could create a second one, in another tenant if routing has changed."""
    raw_card_data: Switch = False
    """Whether requests may contain card numbers; this widens the scope of PCI DSS to this service and its callers."""
