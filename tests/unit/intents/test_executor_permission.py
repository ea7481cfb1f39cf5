"""Rights are asked for before anything is told of an intent, and before anything is done about it."""

import asyncio
from typing import Any

import pytest
from harness.clock import FakeClock
from harness.intents import (
    DAY_S,
    FailingStore,
    Zuora,
    call_context,
    fingerprint,
    intent_executor,
    intent_request,
    memory_store,
    record_of,
    store_record,
    upstream_facts,
)
from harness.routes import route
from payorch_server.intents.intent import IntentRequest
from payorch_server.intents.intent_record import IntentRecord
from payorch_server.model.errors import CallError, Failure, UpstreamEvidence, call_error, error_for
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route
from payorch_server.store.port import Store

US = route(entity="us", entity_id="a" * 32)
EU = route(entity="eu", entity_id="b" * 32)
EVIDENCE = UpstreamEvidence(("53000099",), "pm-of-eu", "p-of-eu")


class Rights:
    """The rights of one call: to some routes; keeps what was asked."""

    def __init__(self, *routes: Route) -> None:
        self._routes = routes
        self.asked: list[Route] = []

    def permit(self, place: Route) -> None:
        """Refuse a route that is not granted."""
        self.asked.append(place)
        if place not in self._routes:
            raise call_error(Reason.CALLER_NOT_PERMITTED, "no", right="entity", name=place.entity)


def opened(zuora: Zuora, *granted: Route, to: Route = US, **changes: Any) -> IntentRequest[str]:
    """Make an intent that goes to a route if it is new, of a caller with rights."""
    return intent_request(zuora.send, to=to, permit=Rights(*granted).permit, **changes)


async def record_in_eu(store: Store, clock: FakeClock, zuora: Zuora) -> IntentRecord:
    """Let a caller with every right open the intent in the EU, and return what is recorded of it."""
    one = opened(zuora, EU, to=EU)
    await asyncio.gather(intent_executor(clock, store=store).run(one, call_context(clock)), return_exceptions=True)
    record = await record_of(store, one)
    assert record is not None
    return record


def declined() -> CallError:
    """Make a refusal that names what exists."""
    return error_for(Failure(Reason.PAYMENT_REFUSED_METHOD_CREATED, "half", evidence=EVIDENCE, facts=upstream_facts()))


def lost() -> CallError:
    """Make an end that settles nothing."""
    return error_for(Failure(Reason.UPSTREAM_EDGE_FAILED, "", facts=upstream_facts()))


async def refusal_of(work: Any) -> CallError:
    """Await what must be refused for want of a right, and return the refusal."""
    with pytest.raises(CallError) as caught:
        await work
    assert caught.value.failure.reason is Reason.CALLER_NOT_PERMITTED
    assert caught.value.failure.evidence == UpstreamEvidence()
    return caught.value


ENDS = {
    "a success": ([], 0.0),
    "a refusal that names what exists": ([declined()], 0.0),
    "an end that settles nothing": ([lost()], 0.0),
    "an intent that is too old to be resent": ([lost()], DAY_S),
}


class Gated(FailingStore):
    """A store that answers when the gate is open."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner, fails=lambda _operation, _key: False)
        self.gate = asyncio.Event()
        self.asked = asyncio.Event()
        self.count = 0

    async def _through(self, operation: str, key: str, work: Any) -> Any:
        self.count += 1
        self.asked.set()
        await self.gate.wait()
        return await super()._through(operation, key, work)


class TestRecorded:
    """What the store knows is told to those alone who may use its route."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("end", ENDS)
    async def test_is_not_told_without_the_right(self, end: str) -> None:
        """Replay and take-over are refused; nothing is sent and the record stays as it was."""
        clock, zuora = FakeClock(), Zuora(list(ENDS[end][0]))
        store = memory_store(clock)
        before = await record_in_eu(store, clock, zuora)
        clock.advance(ENDS[end][1])
        mine = opened(zuora, US)

        refusal = await refusal_of(intent_executor(clock, store=store).run(mine, call_context(clock)))

        assert {"right": "entity", "name": "eu"} == dict(refusal.failure.metadata)
        assert before == await record_of(store, mine)
        assert 1 == len(zuora.sent)

    @pytest.mark.asyncio
    async def test_does_not_tell_that_a_body_differs(self) -> None:
        """The names of the fields would tell something of another's request."""
        clock, zuora = FakeClock(), Zuora()
        store = memory_store(clock)
        await record_in_eu(store, clock, zuora)
        other = opened(zuora, US, fingerprints={"k1": fingerprint(account_id="cc")})

        refusal = await refusal_of(intent_executor(clock, store=store).run(other, call_context(clock)))

        assert () == refusal.failure.violations

    @pytest.mark.asyncio
    async def test_does_not_let_wait_for_another_replica(self) -> None:
        """Whoever may not see the end does not learn how long it takes."""
        clock, zuora = FakeClock(), Zuora()
        store, now_s = memory_store(clock), clock.now().timestamp()
        mine = opened(zuora, US)
        await store_record(store, mine, IntentRecord(fingerprint(), EU, "another replica", now_s + 60, now_s))

        await refusal_of(intent_executor(clock, store=store).run(mine, call_context(clock)))

        assert [] == zuora.sent

    @pytest.mark.asyncio
    async def test_is_not_told_where_its_tenant_is_gone(self) -> None:
        """Nor that it is."""
        clock, zuora = FakeClock(), Zuora([lost()])
        store = memory_store(clock)
        await record_in_eu(store, clock, zuora)
        mine = opened(zuora, US, route_exists=lambda _route: False)

        await refusal_of(intent_executor(clock, store=store).run(mine, call_context(clock)))

    @pytest.mark.asyncio
    async def test_is_told_with_the_right_to_its_own_route(self) -> None:
        """Where the call itself would go does not matter any more."""
        clock, zuora = FakeClock(), Zuora()
        store = memory_store(clock)
        await record_in_eu(store, clock, zuora)

        ended = await intent_executor(clock, store=store).run(opened(zuora, EU), call_context(clock))

        assert ("pm-1", EU, True, 1) == (ended.value, ended.route, ended.replayed, len(zuora.sent))


class TestJoined:
    """A flight of this process is joined by those alone who may use its route."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        "other", [{}, {"fingerprints": {"k1": fingerprint(account_id="cc")}}], ids=["equal", "other"]
    )
    async def test_is_not_without_the_right(self, other: dict[str, Any]) -> None:
        """Refused at once, whatever the body; the flight is not disturbed."""
        clock, zuora = FakeClock(), Zuora(gate=asyncio.Event())
        one = intent_executor(clock)
        first = asyncio.ensure_future(one.run(opened(zuora, EU, to=EU), call_context(clock)))
        await zuora.arrived.wait()

        refusal = await refusal_of(one.run(opened(zuora, US, **other), call_context(clock)))

        assert (False, ()) == (first.done(), refusal.failure.violations)
        assert zuora.gate is not None
        zuora.gate.set()
        assert "pm-1" == (await first).value
        assert 1 == len(zuora.sent)

    @pytest.mark.asyncio
    async def test_ends_well_although_whoever_departed_had_not_the_right(self) -> None:
        """The flight was refused, and the caller who joined it flies again: each hears what is due to it."""
        clock, zuora = FakeClock(), Zuora()
        inner = memory_store(clock)
        await record_in_eu(inner, clock, zuora)
        store = Gated(inner)
        one = intent_executor(clock, store=store)
        departing = asyncio.ensure_future(one.run(opened(zuora, US), call_context(clock)))
        await store.asked.wait()
        joining = asyncio.ensure_future(one.run(opened(zuora, US, EU), call_context(clock)))
        await asyncio.sleep(0)

        store.gate.set()

        await refusal_of(departing)
        assert ("pm-1", EU, True) == ((await joining).value, (await joining).route, (await joining).replayed)
        assert (1, "IntentExecutor(0 in flight)") == (len(zuora.sent), repr(one))

    @pytest.mark.asyncio
    @pytest.mark.parametrize("end", ENDS)
    @pytest.mark.parametrize("departing", [(US, EU), (US,)], ids=["who may", "who may not"])
    async def test_tells_nothing_of_a_route_that_was_known_later(self, end: str, departing: tuple[Route, ...]) -> None:
        """When it was joined nobody knew where the intent had gone; its end, good or bad, says so."""
        clock, zuora = FakeClock(), Zuora(list(ENDS[end][0]))
        inner = memory_store(clock)
        await record_in_eu(inner, clock, zuora)
        clock.advance(ENDS[end][1])
        store = Gated(inner)
        one, rights = intent_executor(clock, store=store), Rights(US)
        first = asyncio.ensure_future(one.run(opened(zuora, *departing), call_context(clock)))
        await store.asked.wait()
        joining = asyncio.ensure_future(
            one.run(intent_request(zuora.send, to=US, permit=rights.permit), call_context(clock))
        )
        await asyncio.sleep(0)

        store.gate.set()

        await refusal_of(joining)
        await asyncio.gather(first, return_exceptions=True)
        assert [US, EU] == rights.asked, "each place is asked for once"

    @pytest.mark.asyncio
    async def test_is_not_a_flight_that_was_refused_this_very_moment(self) -> None:
        """Between its end and the end's becoming known nobody may wait for it: that would be for ever."""
        clock, zuora = FakeClock(), Zuora()
        store = memory_store(clock)
        await record_in_eu(store, clock, zuora)
        one = intent_executor(clock, store=store)
        late: list[asyncio.Future[Any]] = []

        def refused(place: Route) -> None:
            late.append(asyncio.ensure_future(one.run(opened(zuora, US, EU), call_context(clock))))
            Rights(US).permit(place)

        await refusal_of(one.run(intent_request(zuora.send, to=US, permit=refused), call_context(clock)))

        assert ["pm-1"] == [(await ended).value for ended in late]

    @pytest.mark.asyncio
    async def test_of_a_crowd_without_the_right_nobody_asks_twice(self) -> None:
        """Who is refused with the flight is refused by it: a crowd costs one look into the store."""
        clock, zuora = FakeClock(), Zuora()
        inner = memory_store(clock)
        await record_in_eu(inner, clock, zuora)
        store = Gated(inner)
        one = intent_executor(clock, store=store)
        crowd = [asyncio.ensure_future(one.run(opened(zuora, US), call_context(clock))) for _ in range(50)]
        await store.asked.wait()

        store.gate.set()

        for refused in crowd:
            await refusal_of(refused)
        assert 1 == store.count
