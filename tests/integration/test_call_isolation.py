"""However many calls are on their way at once, each carries its own entity, orgs, token and key."""

import asyncio
import dataclasses
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from harness.requests import decryption_request, new_request_id, payment_method_request, session_request
from harness.stack import NARROW_TENANT, SOLO_TENANT, TENANT, LocalStack, running
from hypothesis import given, settings
from hypothesis import strategies as st
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.intents.executor import idempotency_key
from payorch_server.model.identifiers import RequestId
from zuora_emulator import Emulator, Settings, seed
from zuora_emulator.journal import Arrival

TENANTS = (TENANT, NARROW_TENANT, SOLO_TENANT)
NORTH, SOUTH = seed.ORG_NORTH, seed.ORG_SOUTH
BOTH_ENTITIES = (seed.ENTITY_US, seed.ENTITY_EU)
MAKERS = {
    "CreateSession": session_request,
    "DecryptApplePay": decryption_request,
    "CreatePaymentMethod": payment_method_request,
}


@dataclass(frozen=True, slots=True)
class Lane:
    """One of the places that calls go to."""

    to: Mapping[str, Any]
    entity: str | None
    orgs: str | None
    client: str
    token_entities: tuple[str, ...]


def _lane(tenant: str, entity: str, *orgs: str) -> Lane:
    ids = {"us": seed.ENTITY_US, "eu": seed.ENTITY_EU}
    org_ids = [{"north": NORTH, "south": SOUTH}[org] for org in orgs]
    to = {"tenant": tenant, "entity": entity, "orgs": list(orgs), "gateway": f"cards-{entity}"}
    tokens = (ids[entity],) if tenant == "narrow" else BOTH_ENTITIES
    return Lane(to, ids[entity], ",".join(org_ids) or None, seed.CLIENT_A.client_id, tokens)


LANES = {
    **{
        f"{tenant}-{entity}-{'-'.join(orgs)}": _lane(tenant, entity, *orgs)
        for tenant in ("acme", "narrow")
        for entity in ("us", "eu")
        for orgs in ((), ("north",), ("south",), ("south", "north"))
    },
    "solo": Lane({"tenant": "solo", "gateway": "cards"}, None, None, seed.CLIENT_B.client_id, (seed.ENTITY_SINGLE,)),
}
"""Tenants with one token for all entities, with one for each, and without entities; every set of orgs."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a call must look like when it arrives."""

    lane: Lane
    key: str


def misrouted(arrivals: Iterable[Arrival], sent: Mapping[str, Sent]) -> list[str]:
    """Return what is wrong with what arrived: nothing, if each call carries exactly what is its own."""
    arrived = [one for one in arrivals if one.operation != "token"]
    wrong = [f"{track_id}: never arrived" for track_id in sent.keys() - {one.track_id for one in arrived}]
    for one in arrived:
        mine = sent[one.track_id or ""]
        expected = {
            "entity": mine.lane.entity,
            "orgs": mine.lane.orgs,
            "key": mine.key,
            "token's client": mine.lane.client,
            "token's entities": mine.lane.token_entities,
        }
        carried = {
            "entity": one.headers.get("zuora-entity-ids"),
            "orgs": one.headers.get("zuora-org-ids"),
            "key": one.idempotency_key,
            "token's client": one.token_client,
            "token's entities": one.token_entities,
        }
        wrong += [f"{one.track_id}: {name} is of another call" for name in expected if expected[name] != carried[name]]
    return wrong


def over() -> dict[str, Any]:
    """Return a configuration with a rule for each lane, which calls ask for by an attribute."""
    rules = [
        {"name": name, "when": {"attributes": {"lane": name}}, "to": dict(lane.to)} for name, lane in LANES.items()
    ]
    # So many at once wait for longer than half a second on a busy machine.
    patient = {"max_start_delay_s": 10.0}
    return {"routing": rules, "tenants": {name: {"max_in_flight": 10_000} for name in TENANTS}, "grpc": patient}


async def rush(stack: LocalStack, calls: list[tuple[str, str]]) -> Mapping[str, Sent]:
    """Make all calls at once; return what is expected to arrive, by Track-Id."""
    sent: dict[str, Sent] = {}
    async with grpc.aio.insecure_channel(stack.target) as channel:
        stub, running_calls = service_grpc.PaymentOrchestrationServiceStub(channel), []
        for number, (rpc, lane) in enumerate(calls):
            request: Any = MAKERS[rpc](new_request_id())  # type: ignore[operator] # each takes the request id
            request.route.attributes["lane"] = lane
            track_id = f"call-{number}"
            key = idempotency_key(namespace="default", rpc=rpc, request_id=RequestId(request.request_id))
            sent[track_id] = Sent(LANES[lane], key)
            running_calls.append(getattr(stub, rpc)(request, metadata=(("zuora-track-id", track_id),), timeout=50))
        # How they end is of no interest here: most of the emulator's accounts are in another entity.
        _ = await asyncio.gather(*(call.code() for call in running_calls))
    return sent


async def journal_of(calls: list[tuple[str, str]]) -> tuple[list[Arrival], Mapping[str, Sent]]:
    """Return what arrived of calls that were made at once, with cold tokens, and what was expected to."""
    emulator = Emulator(settings=Settings(concurrency_limit=None))
    async with running(emulator=emulator, tenants=TENANTS, over=over()) as stack:
        sent = await rush(stack, calls)
    return emulator.journal.entries, sent


MIXED = [(rpc, lane) for lane in LANES for rpc in MAKERS]


class TestCalls:
    """Nothing of one call gets into another."""

    @pytest.mark.timeout(300)
    @settings(max_examples=4, deadline=None)
    @given(st.lists(st.sampled_from(MIXED), min_size=200, max_size=300))
    def test_carry_exactly_what_is_their_own(self, calls: list[tuple[str, str]]) -> None:
        """Hundreds at once, over tenants, entities, orgs, both scopes of tokens and all operations."""
        arrivals, sent = asyncio.run(journal_of(calls))

        assert misrouted(arrivals, sent) == []


class TestTheCheck:
    """It can fail."""

    @pytest.mark.timeout(120)
    @pytest.mark.parametrize(
        ("exchanged", "told"),
        [
            ("zuora-entity-ids", "entity"),
            ("zuora-org-ids", "orgs"),
            ("idempotency-key", "key"),
            ("token_client", "token's client"),
            ("token_entities", "token's entities"),
        ],
    )
    def test_finds_two_calls_that_exchange_anything(self, exchanged: str, told: str) -> None:
        """Which is what a shared variable would do."""
        arrivals, sent = asyncio.run(journal_of(MIXED))
        one, other = _unlike([arrival for arrival in arrivals if arrival.operation != "token"], exchanged)

        swapped = [_exchanged(arrival, one, other, exchanged) for arrival in arrivals]

        assert misrouted(arrivals, sent) == []
        assert sorted(misrouted(swapped, sent)) == sorted(
            f"{arrival.track_id}: {told} is of another call" for arrival in (one, other)
        )

    def test_finds_a_call_that_is_lost(self) -> None:
        """Nothing wrong in an empty journal would be no proof."""
        sent = {"call-0": Sent(LANES["solo"], "key")}

        assert misrouted([], sent) == ["call-0: never arrived"]


def _value(arrival: Arrival, name: str) -> Any:
    return getattr(arrival, name) if name.startswith("token_") else arrival.headers.get(name)


def _unlike(arrivals: list[Arrival], name: str) -> tuple[Arrival, Arrival]:
    shuffled = random.Random(1).sample(arrivals, len(arrivals))  # noqa: S311 - a test that can be repeated
    first = next(one for one in shuffled if _value(one, name))
    return first, next(one for one in shuffled if _value(one, name) not in {None, _value(first, name)})


def _exchanged(arrival: Arrival, one: Arrival, other: Arrival, name: str) -> Arrival:
    if arrival not in (one, other):
        return arrival
    value = _value(other if arrival is one else one, name)
    if name.startswith("token_"):
        return dataclasses.replace(arrival, **{name: value})
    return dataclasses.replace(arrival, headers=arrival.headers | {name: value})
