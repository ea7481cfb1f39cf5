"""Settings of routing rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from payorch_server.runtime import FORBID_EXTRA


@dataclass(frozen=True, slots=True)
class AmountSettings:
    """A range of amounts of one currency: amounts of different currencies do not compare."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    currency: str
    """ISO 4217 code; amounts of other currencies are not in the range."""
    min: str = ""
    """The smallest amount in the range, decimal text in quotes such as "100.00"; empty: no lower limit."""
    max: str = ""
    """The smallest amount beyond the range, decimal text in quotes; empty: no upper limit."""


@dataclass(frozen=True, slots=True)
class ConditionSettings:
    """When a rule matches: every condition that is given must hold."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    rpc: tuple[str, ...] = ()
    """Names of RPCs, such as CreateSession; empty: any."""
    caller: tuple[str, ...] = ()
    """Identities of callers as in the access policy; one that ends in * stands for all that begin so, but never for
    "anonymous"."""
    tenant: tuple[str, ...] = ()
    """Tenant hints; a call without the hint does not match."""
    entity: tuple[str, ...] = ()
    """Entity hints; a call without the hint does not match."""
    orgs: tuple[str, ...] = ()
    """Org hints: every org that the call names must be among these; a call that names none does not match."""
    gateway: tuple[str, ...] = ()
    """Gateway hints; a call without the hint does not match."""
    currency: tuple[str, ...] = ()
    """ISO 4217 codes; a call without a known currency does not match."""
    country: tuple[str, ...] = ()
    """ISO 3166-1 alpha-2 codes; a call without the hint does not match."""
    amount: AmountSettings | None = None
    """A range of amounts; a call without a known amount does not match."""
    account_prefix: tuple[str, ...] = ()
    """How the customer account begins, by id or number as the call names it; a call without account does not match."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Business attributes that must have these values."""


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """Where a matching call goes."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    tenant: str
    """Name of the tenant."""
    gateway: str
    """Name of the tenant's gateway, or zuora_default to let Zuora choose. There is no default: say which."""
    entity: str = ""
    """Name of the entity; required where the tenant has entities, empty otherwise."""
    orgs: tuple[str, ...] = ()
    """Names of the orgs; empty: all orgs of the Zuora user."""


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """One routing rule; the first that matches decides."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    name: str
    """Shown to callers and in traces."""
    to: TargetSettings
    """Where a matching call goes."""
    when: ConditionSettings = ConditionSettings()
    """When it matches; nothing given: always."""
