from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from payorch_server.runtime.strict import FORBID_EXTRA


@dataclass(frozen=True, slots=True)
class TenantRightsSettings:
    """What a caller may name within a tenant."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    entities: tuple[str, ...] = ()
    """Names of entities, or "*" for all; a tenant with a single entity needs none."""
    orgs: tuple[str, ...] = ()
    """Names of orgs, or "*" for all. A call that names no org goes to all of them and needs "*"; a tenant without
    Multi-Org needs none."""


@dataclass(frozen=True, slots=True)
class CallerSettings:
    """A caller, or all whose identities begin alike, and what they may do: nothing that is not listed."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    caller: str
    """An identity, such as spiffe://example.org/ns/shop/sa/checkout, dns:checkout.shop or jwt:checkout; one that ends
    in * stands for all that begin so; "anonymous" for callers whom nobody vouches for. An exact entry wins over a
    prefix, a longer prefix over a shorter one."""
    namespace: str
    """Whose intents it names; part of every idempotency key. Callers that share one see each other's intents. Changing
    it makes every known request_id new, so a running service refuses the change."""
    rpcs: tuple[str, ...] = ()
    """Names of RPCs, such as CreateSession, or "*" for all."""
    tenants: Mapping[str, TenantRightsSettings] = field(default_factory=dict)
    """Names of tenants, or "*" for those that are not named."""
    move_money: bool = False
    """Whether it may pay invoices."""
    raw_card_data: bool = False
    """Whether it may send card numbers, where payment_methods.raw_card_data lets any pass."""
    diagnostics: bool = False
    """Whether it may use the diagnostics listener, for its own namespace."""


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """The access policy: who may do what. Whoever is not listed may do nothing."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    callers: tuple[CallerSettings, ...]
    """The callers that are known."""
    anonymous_may_move_money: bool = False
    """Whether the caller "anonymous" may have move_money: anybody who reaches the port could then take payments."""
