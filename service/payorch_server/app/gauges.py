"""Gauges of a running service, read whenever its metrics are scraped."""

from collections.abc import Mapping

from opentelemetry.metrics import Meter, Observation

from payorch_server.access.fetched_keys import FetchedKeys
from payorch_server.app.components import Components
from payorch_server.app.process import publish_certificate, publish_streams
from payorch_server.rpc.interceptors.admission import AdmissionInterceptor
from payorch_server.telemetry.instruments import observe


def publish(components: Components, admission: AdmissionInterceptor, *, version: str) -> None:
    """Register the gauges of a service, and the counter of lost call records."""
    meter = components.resources.telemetry.meter
    observe(
        meter,
        "payorch.calls.in_progress",
        lambda: [Observation(admission.in_progress)],
        unit="{call}",
        description="Calls of ours that are being served.",
    )
    observe(
        meter,
        "payorch.calls.backlog_age",
        lambda: [Observation(admission.backlog_age_s)],
        unit="s",
        description="How long calls have waited for their start without a pause; 0 when none waits.",
    )
    observe(
        meter,
        "payorch.intents.in_flight",
        lambda: [Observation(components.executor.in_flight)],
        unit="{intent}",
        description="Executions of intents under way, waited for or not.",
    )
    observe(
        meter,
        "payorch.policy.info",
        lambda: [Observation(1, {"policy_hash": components.policy.hash, "version": version})],
        unit="1",
        description="The policy in force, and the version of the service.",
    )
    meter.create_observable_counter(
        "payorch.call_records.lost",
        callbacks=[lambda _options: [Observation(components.call_history.lost)]],
        unit="{record}",
        description="Records of ended calls that did not reach the store.",
    )
    _publish_readiness(meter, components)
    publish_streams(meter, components.resources.streams)
    _publish_certificate(meter, components)
    _publish_upstream(meter, components)
    _publish_clocks(meter, components)


def _publish_readiness(meter: Meter, components: Components) -> None:
    _publish_issuer_keys(meter, components.issuer_keys)
    observe(
        meter,
        "payorch.tenant.ready",
        lambda: _by_tenant({name: float(ready) for name, ready in components.health.states.items()}),
        unit="1",
        description="1 where the tenant's credentials work.",
    )
    observe(
        meter,
        "payorch.money.accepted",
        lambda: [Observation(int(components.money.ready))],
        unit="1",
        description="1 where calls that move money are sent, as of the last check of what they need.",
    )


def _publish_certificate(meter: Meter, components: Components) -> None:
    credentials = components.credentials
    if credentials is not None:
        publish_certificate(meter, lambda: credentials.certificate.expires_at)


def _publish_issuer_keys(meter: Meter, keys: FetchedKeys) -> None:
    observe(
        meter,
        "payorch.issuer.key_age",
        lambda: [Observation(age_s, {"issuer": name}) for name, age_s in keys.ages_s().items() if age_s is not None],
        unit="s",
        description="How long ago the keys of an issuer of tokens were fetched.",
    )
    observe(
        meter,
        "payorch.issuer.keys_usable",
        lambda: [Observation(int(usable), {"issuer": name}) for name, usable in keys.usable().items()],
        unit="1",
        description="1 where tokens of the issuer can be checked, 0 where its keys are missing or too old.",
    )


def _publish_upstream(meter: Meter, components: Components) -> None:
    # A reload replaces components.zuora, so each callback reads the attribute.
    for name, read, unit, description in (
        (
            "payorch.upstream.retry_budget",
            lambda: _by_tenant(components.zuora.budgets()),
            "1",
            "What is left of the allowance for retries.",
        ),
        (
            "payorch.upstream.in_flight",
            lambda: _by_tenant(_of_all(components, components.in_flight.by_tenant()[0])),
            "{call}",
            "Calls at Zuora.",
        ),
        (
            "payorch.upstream.waiting",
            lambda: _by_tenant(_of_all(components, components.in_flight.by_tenant()[1])),
            "{call}",
            "Calls that wait for their turn.",
        ),
        ("payorch.token.age", lambda: _by_tenant(components.zuora.token_ages_s()), "s", "How old the token in use is."),
    ):
        observe(meter, name, read, unit=unit, description=description)
    observe(
        meter,
        "payorch.upstream.circuit",
        lambda: _circuits(components),
        unit="1",
        description="0 where calls are sent, 2 where Zuora has stopped answering, 1 while a call tries.",
    )
    observe(
        meter,
        "payorch.quota.left",
        lambda: _by_limit(components.quota.left(now_s=components.resources.clock.monotonic())),
        unit="{request}",
        description="What is left of Zuora's limits, as reported in its answers.",
    )


def _publish_clocks(meter: Meter, components: Components) -> None:
    observe(
        meter,
        "payorch.clock.offset",
        lambda: _by_tenant(components.clocks.offsets_s()),
        unit="s",
        description="How far Zuora's clock is ahead of this machine's.",
    )


def _of_all(components: Components, calls: Mapping[str, int]) -> Mapping[str, float]:
    """Return a number for every tenant: a missing series could mean zero or no data."""
    return {tenant: calls.get(tenant, 0) for tenant in components.health.states}


def _by_tenant(values: Mapping[str, float]) -> list[Observation]:
    return [Observation(value, {"tenant": tenant}) for tenant, value in values.items()]


def _circuits(components: Components) -> list[Observation]:
    return [
        Observation(status.circuit.value, {"tenant": status.tenant, "entity": status.entity})
        for status in components.entity_statuses()
    ]


def _by_limit(values: Mapping[tuple[str, str], float]) -> list[Observation]:
    return [Observation(value, {"tenant": tenant, "limit": limit}) for (tenant, limit), value in values.items()]
