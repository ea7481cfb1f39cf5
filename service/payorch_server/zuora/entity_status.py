"""What this process knows of its tenants' entities: their limits at Zuora, the calls to them, their tokens."""

from collections.abc import Iterator
from dataclasses import dataclass

from payorch_server.zuora.breaker import CircuitBreakers, CircuitState
from payorch_server.zuora.concurrency import ConcurrencyLimiter
from payorch_server.zuora.quota import CONCURRENCY, RATE, LimitReading, Quota
from payorch_server.zuora.tenants import TenantDirectory
from payorch_server.zuora.tokens import TokenCache


@dataclass(frozen=True, slots=True)
class EntityStatus:
    """What is known of a tenant's entity."""

    tenant: str
    entity: str
    """Its name; empty for a tenant without entities."""
    now_s: float
    """When, on the monotonic clock; that of the readings."""
    rate: LimitReading | None
    """None where no fresh answer reported it."""
    concurrency: LimitReading | None
    """None where no fresh answer reported it."""
    max_in_flight: int
    in_flight: int
    waiting: int
    token_age_s: float | None
    """None where there is no token."""
    circuit: CircuitState
    circuit_wait_s: float
    """How long no call may be sent; 0 if one may."""


def entity_statuses(
    tenants: TenantDirectory,
    *,
    quota: Quota,
    in_flight: ConcurrencyLimiter,
    circuits: CircuitBreakers,
    tokens: TokenCache,
    now_s: float,
) -> Iterator[EntityStatus]:
    """Yield the status of each entity of each tenant, in the order of the configuration.

    Args:
        tenants: Those of the policy in force.
        quota: What Zuora's answers reported.
        in_flight: The calls in flight.
        circuits: The circuit breakers.
        tokens: The tokens.
        now_s: On the monotonic clock.
    """
    for tenant, entity, entity_id in tenants.entities():
        key = (tenant, entity_id)
        calls, waiting = in_flight.count(key)
        yield EntityStatus(
            tenant=tenant,
            entity=entity,
            now_s=now_s,
            rate=quota.of(key, RATE, now_s=now_s),
            concurrency=quota.of(key, CONCURRENCY, now_s=now_s),
            max_in_flight=tenants.named(tenant).max_in_flight,
            in_flight=calls,
            waiting=waiting,
            token_age_s=tokens.age_s(tenants.credential(*key)),
            circuit=circuits.state(key),
            circuit_wait_s=circuits.wait_s(key, now_s=now_s),
        )
