"""Routes, and the hints of callers about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

ZUORA_DEFAULT: Final = "zuora_default"
"""The gateway name that lets Zuora choose."""


@dataclass(frozen=True, slots=True)
class RouteHints:
    """What the caller knows about where a call should go; empty means no hint."""

    tenant: str = ""
    entity: str = ""
    orgs: tuple[str, ...] = ()
    gateway: str = ""
    country: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A payment gateway instance in Zuora: sessions want its id, decryption its name."""

    name: str
    """Name in the policy; ZUORA_DEFAULT when Zuora chooses, and then the other two are empty."""
    id: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a call goes, and by which rule."""

    tenant: str
    host: str
    """Host of the Zuora environment, with a port where it is not the usual one."""
    entity: str
    """Name in the policy; empty for a tenant with a single entity."""
    entity_id: str
    orgs: tuple[str, ...]
    org_ids: tuple[str, ...]
    gateway: Gateway
    rule: str
    policy_hash: str
    client_id: str = ""
    """OAuth client whose tenant it is: the same name and host under another client may be another tenant."""

    @property
    def place(self) -> tuple[str, ...]:
        """What must be equal for two calls to meet the same records at Zuora: tenant, entity and orgs."""
        return (self.tenant, self.host, self.client_id, self.entity_id, *self.org_ids)
