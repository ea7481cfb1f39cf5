"""Who calls, and what that caller may do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

ANY: Final = "*"
"""In a right: all, also those that are added later."""

# Source: SPIFFE, "The SPIFFE Identity and Verifiable Identity Document", section 2 (read 2026-11-25).
_TRUST_DOMAIN: Final = "[a-z0-9._-]{1,255}"
_SEGMENT: Final = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+"
_SPIFFE_ID: Final = re.compile(rf"spiffe://{_TRUST_DOMAIN}(?:/{_SEGMENT})*")


def is_spiffe_id(identity: str) -> bool:
    """Return whether an identity with the scheme spiffe is well-formed.

    An id whose path has dot segments, empty or encoded ones could be read as another: a prefix of the access policy
    would match what a verifier elsewhere resolves to a path outside of it.
    """
    return _SPIFFE_ID.fullmatch(identity) is not None


def has_spiffe_scheme(identity: str) -> bool:
    """Return whether an identity claims to be a SPIFFE id, in whatever case."""
    return identity[:7].lower() == "spiffe:"


@dataclass(frozen=True, slots=True)
class TenantRights:
    """What a caller may name within a tenant; nothing else."""

    entities: frozenset[str] = frozenset()
    """Names; a tenant with a single entity needs none."""
    orgs: frozenset[str] = frozenset()
    """Names; a call that goes to all orgs of the Zuora user needs ANY, a tenant without Multi-Org needs none."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a caller may do; nothing else."""

    rpcs: frozenset[str] = frozenset()
    """Names such as `CreateSession`."""
    tenants: Mapping[str, TenantRights] = field(default_factory=dict)
    """By name; ANY stands for those that are not named."""
    move_money: bool = False
    raw_card_data: bool = False
    """Whether card numbers of this caller may pass, where the service lets any pass at all."""
    diagnostics: bool = False
    """Whether the caller may use the service's diagnostics."""
    diagnostics_namespaces: frozenset[str] = frozenset()
    """Whose calls it may ask about beside those of its own namespace; ANY stands for all."""


EVERYTHING: Final = Rights(
    rpcs=frozenset({ANY}),
    tenants={ANY: TenantRights(frozenset({ANY}), frozenset({ANY}))},
    move_money=True,
    raw_card_data=True,
    diagnostics=True,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """An identified caller."""

    identity: str
    """Such as `spiffe://example.org/ns/shop/sa/checkout`; ANONYMOUS when no credential identifies it."""
    namespace: str
    """Whose intents it names. Several callers may share one."""
    rights: Rights = field(default_factory=Rights)


ANONYMOUS: Final = "anonymous"
UNIDENTIFIED: Final = Caller(ANONYMOUS, "")
"""A caller before it is identified; it may do nothing."""
