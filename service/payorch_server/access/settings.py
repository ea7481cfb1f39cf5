from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from payorch_server.runtime import FORBID_EXTRA
from payorch_server.runtime.ranges import Switch


@dataclass(frozen=True, slots=True)
class TenantRightsSettings:
    """What a caller may name within a tenant."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    entities: tuple[str, ...] = ()
    """Names of entities, or "*" for all; a tenant with a single entity needs none."""
    orgs: tuple[str, ...] = ()
    """Names of orgs, or "*" for all. A call without an org goes to all of them and needs "*"; a tenant without
    Multi-Org needs none."""


@dataclass(frozen=True, slots=True)
class CallerSettings:
    """A caller, or all callers with a common prefix, and their rights: whatever is not listed is denied."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    caller: str
    """An identity, such as spiffe://example.org/ns/shop/sa/checkout, dns:checkout.shop or jwt:checkout; a * at its end
    makes it a prefix; "anonymous" for callers that are not authenticated. An exact entry has precedence over a prefix,
    a longer prefix over a shorter one."""
    namespace: str
    """The namespace of its intents, part of every idempotency key. Callers that share one see each other's intents.
    Changing it makes every known request_id a new intent, so a running service rejects the change."""
    rpcs: tuple[str, ...] = ()
    """Names of RPCs, such as CreateSession, or "*" for all."""
    tenants: Mapping[str, TenantRightsSettings] = field(default_factory=dict)
    """Names of tenants, or "*" for those that are not listed."""
    move_money: Switch = False
    """Whether it may pay invoices."""
    raw_card_data: Switch = False
    """Whether it may send card numbers, if payment_methods.raw_card_data is true."""
    diagnostics: Switch = False
    """Whether it may use the diagnostics listener, for its own namespace."""
    diagnostics_namespaces: tuple[str, ...] = ()
    """Namespaces that it may ask the diagnostics listener about beside its own, or "*" for all."""


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """The access policy: who may do what. Callers that are not listed may do nothing."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    callers: tuple[CallerSettings, ...]
    """The callers."""
    anonymous_may_move_money: Switch = False
    """Whether the caller "anonymous" may have move_money: any client that reaches the port could then take payments."""
