import asyncio
import contextlib
import dataclasses
import json
import math
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn
from uuid import UUID

import pytest
from harness.clock import START, FakeClock
from harness.intents import (
    DAY_S,
    REQUEST_ID,
    FailingStore,
    SendResult,
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
from harness.keyring import keyring
from harness.routes import route
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.intents.executor import EXECUTION_LIMIT_S, IntentExecutor, idempotency_key
from payorch_server.intents.intent import SENSITIVE, IntentResult
from payorch_server.intents.intent_record import IntentRecord, Settlement
from payorch_server.intents.ledger import CLOCK_SKEW_S, LEASE_S
from payorch_server.model.context import CallContext
from payorch_server.model.earlier_sends import EarlierSends
from payorch_server.model.errors import CallError, Failure, InvalidRequestError, UpstreamEvidence, call_error, error_for
from payorch_server.model.identifiers import RequestId
from payorch_server.model.outcome import Advice, Outcome, Reason
from payorch_server.model.route import Route
from payorch_server.model.secret import Secret
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner
from structlog.testing import capture_logs

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "0.1.0" / "idempotency_key.json").read_text())["vectors"]
PARTS = st.text(max_size=12)


def uuid7(moment: datetime) -> RequestId:
    """Make the UUIDv7 of a moment."""
    return RequestId(str(UUID(int=(int(moment.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | 1)))


class TestIdempotencyKey:
    """One intent has one key, for ever."""

    @pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["reason"])
    def test_is_the_published_one(self, vector: dict[str, str]) -> None:
        """The vectors are frozen: a red test here means that the code is wrong, not the file."""
        key = idempotency_key(
            namespace=vector["namespace"], rpc=vector["rpc"], request_id=RequestId(vector["request_id"])
        )

        assert key == vector["idempotency_key"], vector["reason"]

    def test_differs_in_every_vector(self) -> None:
        """The file shows that borders, capitals, RPC and namespace count."""
        keys = {vector["idempotency_key"] for vector in VECTORS}

        assert len(keys) == len(VECTORS) >= 5

    @given(PARTS, PARTS, PARTS)
    def test_fits_what_zuora_takes(self, namespace: str, rpc: str, request_id: str) -> None:
        """44 plain characters of the 255 that Zuora allows."""
        key = idempotency_key(namespace=namespace, rpc=rpc, request_id=RequestId(request_id))

        assert re.fullmatch(r"po1-[0-9a-f]{40}", key)

    @given(st.tuples(PARTS, PARTS, PARTS), st.tuples(PARTS, PARTS, PARTS))
    def test_is_shared_by_equal_triples_alone(self, one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
        """Two intents never share a key."""
        first, second = (
            idempotency_key(namespace=parts[0], rpc=parts[1], request_id=RequestId(parts[2])) for parts in (one, other)
        )

        assert (first == second) == (one == other)


class TestKnowsOf:
    """A check that has not read an intent must not tell NOT_SENT of what this process knows of."""

    @pytest.mark.asyncio
    async def test_counts_an_execution_that_has_sent_nothing_yet(self) -> None:
        """It may be waiting for another replica's execution, which has."""
        clock, zuora = FakeClock(), Zuora()
        executor, request = intent_executor(clock), intent_request(zuora.send)
        known = [executor.knows_of(request.key)]
        call = asyncio.ensure_future(executor.run(request, call_context(clock)))
        await asyncio.sleep(0)
        known.append(executor.knows_of(request.key))
        assert zuora.sent == []

        await call

        assert known == [False, True]
        assert executor.knows_of(request.key), "it was sent"


class TestRun:
    """An intent is opened, joined, replayed, continued or refused."""

    @pytest.mark.asyncio
    async def test_records_before_it_sends(self) -> None:
        """A replica that finds the record later sees that something may have been sent, and where."""
        clock = FakeClock()
        store = memory_store(clock)
        seen: list[IntentRecord | None] = []

        async def send(_route: Route, _call: CallContext, _earlier: EarlierSends) -> SendResult:
            seen.append(await record_of(store, intent_request(send)))
            return "pm-1", upstream_facts()

        ended = await intent_executor(clock, store=store).run(intent_request(send), call_context(clock))

        (before,) = seen
        assert before is not None
        assert (before.route, before.settlement, before.track_ids) == (route(), None, ("track-1",))
        assert before.lease_until_s == clock.now().timestamp() + LEASE_S
        assert (ended.value, ended.replayed, ended.first_sent_at) == ("pm-1", False, START)

    @pytest.mark.asyncio
    async def test_gives_the_flight_its_own_limit(self) -> None:
        """The caller's deadline bounds what the caller waits for, not what the service does."""
        clock, zuora = FakeClock(), Zuora()

        await intent_executor(clock).run(intent_request(zuora.send), call_context(clock, seconds=3))

        ((_, seen, _),) = zuora.sent
        assert seen.deadline_s == clock.monotonic() + EXECUTION_LIMIT_S

    @pytest.mark.asyncio
    async def test_knows_how_long_its_calls_wait(self) -> None:
        """The latest deadline counts, and a call that left counts no more."""
        clock, zuora = FakeClock(), Zuora(gate=asyncio.Event())
        executor = intent_executor(clock)
        calls = [
            asyncio.ensure_future(executor.run(intent_request(zuora.send), call_context(clock, seconds=seconds)))
            for seconds in (3, 20, 8)
        ]
        await zuora.arrived.wait()
        ((_, seen, _),) = zuora.sent
        awaited_s = [seen.awaited_until_s]
        for call in (calls[1], calls[2], calls[0]):
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call
            awaited_s.append(seen.awaited_until_s)

        assert awaited_s == [1020.0, 1008.0, 1003.0, -math.inf]

    @pytest.mark.asyncio
    async def test_starts_again_for_a_call_that_has_the_time(self) -> None:
        """The execution it joined had too little time to send: that was about the calls before it."""
        clock, zuora = FakeClock(), Zuora([call_error(Reason.DEADLINE_TOO_SHORT, "")], gate=asyncio.Event())
        executor = intent_executor(clock)
        hasty, patient = (
            asyncio.ensure_future(executor.run(intent_request(zuora.send), call_context(clock, seconds=seconds)))
            for seconds in (3, 20)
        )
        await zuora.arrived.wait()
        zuora.gate.set()

        with pytest.raises(CallError) as caught:
            await hasty

        assert caught.value.failure.reason is Reason.DEADLINE_TOO_SHORT
        assert (await patient).value == "pm-1"
        assert len(zuora.sent) == 2

    @pytest.mark.asyncio
    async def test_waits_for_another_replica_as_long_as_its_calls_do(self) -> None:
        """No caller is left to receive a later result."""
        clock, polls = FakeClock(), 0
        store = memory_store(clock)
        leased = IntentRecord(fingerprint(), route(), "other", START.timestamp() + LEASE_S, START.timestamp())
        await store_record(store, intent_request(Zuora().send), leased)

        def uniform(_low: float, high: float) -> float:
            nonlocal polls
            polls += 1
            clock.advance(high)
            return 0.0

        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store, uniform=uniform).run(
                intent_request(Zuora().send), call_context(clock, seconds=3)
            )

        assert (caught.value.failure.reason, polls < 15) == (Reason.STILL_RUNNING, True)
        assert clock.monotonic() <= 1003

    @pytest.mark.asyncio
    async def test_lets_equal_calls_join(self) -> None:
        """One send, one value for all."""
        clock, zuora = FakeClock(), Zuora(gate=asyncio.Event())
        one = intent_executor(clock)

        waiting = [asyncio.ensure_future(one.run(intent_request(zuora.send), call_context(clock))) for _ in range(50)]
        await zuora.arrived.wait()
        assert repr(one) == "IntentExecutor(1 in flight)"
        zuora.gate.set()
        values = {ended.value for ended in await asyncio.gather(*waiting)}

        assert (values, len(zuora.sent), repr(one)) == ({"pm-1"}, 1, "IntentExecutor(0 in flight)")

    @pytest.mark.asyncio
    async def test_gives_a_failure_to_those_who_joined(self) -> None:
        """The service sends once; whether to resend is for each caller to decide."""
        clock, zuora = FakeClock(), Zuora([call_error(Reason.UPSTREAM_NO_ANSWER, "")], gate=asyncio.Event())
        one = intent_executor(clock)
        waiting = [asyncio.ensure_future(one.run(intent_request(zuora.send), call_context(clock))) for _ in range(2)]
        await zuora.arrived.wait()
        zuora.gate.set()

        ends = await asyncio.gather(*waiting, return_exceptions=True)

        outcomes = [end.verdict.outcome for end in ends if isinstance(end, CallError)]
        assert ([Outcome.UNKNOWN] * 2, 1) == (outcomes, len(zuora.sent))

    @pytest.mark.asyncio
    async def test_notes_how_a_call_met_its_intent(self) -> None:
        """For logs, metrics and the history of calls, with what Zuora said of the one that executed."""
        clock, zuora = FakeClock(), Zuora(gate=asyncio.Event())
        one = intent_executor(clock)
        first, second, third = (call_context(clock) for _ in range(3))
        waiting = [asyncio.ensure_future(one.run(intent_request(zuora.send), context)) for context in (first, second)]
        await zuora.arrived.wait()
        zuora.gate.set()
        ended = [*await asyncio.gather(*waiting), await one.run(intent_request(zuora.send), third)]

        assert ["opened", "joined", "replayed"] == [context.notes.intent for context in (first, second, third)]
        assert [False, False, True] == [end.replayed for end in ended]
        assert ("z1", UpstreamEvidence(payment_method_id="pm-1")) == (
            first.notes.zuora_request_id,
            first.notes.evidence,
        )
        assert {"record": 0.0} == first.notes.phases_s

    @pytest.mark.asyncio
    @pytest.mark.parametrize(("store_is_gone", "expected"), [(False, "taken_over"), (True, "unrecorded")])
    async def test_notes_a_take_over_and_a_missing_record(self, *, store_is_gone: bool, expected: str) -> None:
        """Such an intent may have been executed before."""
        clock, zuora, context = FakeClock(), Zuora(), call_context(FakeClock())
        inner = memory_store(clock)
        asked = intent_request(zuora.send, moves_money=False)
        await store_record(inner, asked, IntentRecord(fingerprint(), route(), "gone", 0.0, START.timestamp()))

        await intent_executor(clock, store=FailingStore(inner, fails=lambda *_: store_is_gone)).run(asked, context)

        assert context.notes.intent == expected

    @pytest.mark.asyncio
    async def test_reports_executions_alone(self) -> None:
        """What is taken from the record was reported when it was executed."""
        clock, reported = FakeClock(), []

        async def send(_route: Route, _call: CallContext, _earlier: EarlierSends) -> SendResult:
            clock.advance(2)
            return "pm-1", upstream_facts()

        one = IntentExecutor(
            ledger=intent_executor(clock).ledger,
            clock=clock,
            tasks=TaskOwner(),
            deadlines=Deadlines(clock),
            execution_ended=lambda *ended: reported.append(ended),
        )
        for _ in range(2):
            await one.run(intent_request(send), call_context(clock))
        await asyncio.sleep(0)

        ((record, key),) = reported
        assert (record.intent, record.started_at, record.duration_s) == ("opened", START, 2.0)
        assert key == intent_request(send).key

    @pytest.mark.asyncio
    async def test_logs_a_report_that_fails(self) -> None:
        """The caller has its answer all the same."""
        clock, zuora = FakeClock(), Zuora()

        def fail(*_ended: object) -> NoReturn:
            raise ValueError("private")

        executor = IntentExecutor(
            ledger=intent_executor(clock).ledger,
            clock=clock,
            tasks=TaskOwner(),
            deadlines=Deadlines(clock),
            execution_ended=fail,
        )
        with capture_logs() as logs:
            result = await executor.run(intent_request(zuora.send), call_context(clock))
            await asyncio.sleep(0)

        assert result.value
        assert [("execution_not_counted", "ValueError")] == [
            (line["event"], line["type"]) for line in logs if line["log_level"] == "error"
        ]
        assert "private" not in str(logs)

    @pytest.mark.asyncio
    @pytest.mark.parametrize("moment", ["in flight", "settled"])
    async def test_refuses_another_body(self, moment: str) -> None:
        """The fields are named, sensitive ones by a constant; the first intent is not disturbed."""
        clock, zuora = FakeClock(), Zuora(gate=asyncio.Event())
        one = intent_executor(clock)
        first = asyncio.ensure_future(one.run(intent_request(zuora.send), call_context(clock)))
        await zuora.arrived.wait()
        if moment == "settled":
            zuora.gate.set()
            await first
        other = {"k1": fingerprint(sensitive="s2", **{"amount.units": "bb", "account_id": "cc"})}

        with pytest.raises(InvalidRequestError) as caught:
            await one.run(intent_request(zuora.send, fingerprints=other), call_context(clock))

        failed = caught.value.failure
        assert failed.reason is Reason.INTENT_MISMATCH
        assert [(one.field, one.rule) for one in failed.violations] == [
            (SENSITIVE, "intent.same"),
            ("account_id", "intent.same"),
            ("amount.units", "intent.same"),
        ]
        zuora.gate.set()
        assert (await first).value == "pm-1"
        assert len(zuora.sent) == 1

    @pytest.mark.asyncio
    @pytest.mark.parametrize("age_s", [0, 10, DAY_S, 29 * DAY_S])
    async def test_replays_a_recorded_success(self, age_s: float) -> None:
        """For thirty days, on the route it was sent on, with the facts of the answer that was given then."""
        clock, zuora = FakeClock(), Zuora()
        store = memory_store(clock)
        await intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock))
        clock.advance(age_s)
        moved = intent_request(zuora.send, to=route(tenant="other"))

        ended = await intent_executor(clock, store=store).run(moved, call_context(clock, track_id="track-2"))

        assert (ended.value, ended.replayed, ended.route, len(zuora.sent)) == ("pm-1", True, route(), 1)
        assert ended.facts == dataclasses.replace(upstream_facts(), answer_ids=())
        assert ended.first_sent_at == START

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("reason", "text"),
        [
            (Reason.UPSTREAM_REQUEST_REFUSED, "a refusal"),
            (Reason.PAYMENT_DECLINED, "a decline"),
            (Reason.UPSTREAM_INTERNAL, "unknown and recorded"),
            (Reason.PAYMENT_REFUSED_METHOD_CREATED, "half done"),
        ],
    )
    async def test_repeats_a_recorded_failure(self, reason: Reason, text: str) -> None:
        """Resending cannot settle it, so nothing is sent again; codes and ids are told once more."""
        clock = FakeClock()
        store = memory_store(clock)
        evidence = UpstreamEvidence(("53000099",), "pm-1", "p-1")
        zuora = Zuora([error_for(Failure(reason, "said", evidence=evidence, facts=upstream_facts()))])

        for _ in range(3):
            with pytest.raises(CallError) as caught:
                await intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock))

            failed = caught.value.failure
            assert (failed.reason, failed.evidence, failed.facts.zuora_request_id) == (reason, evidence, "z1"), text
        assert len(zuora.sent) == 1

    @pytest.mark.asyncio
    async def test_forgets_what_was_never_sent(self) -> None:
        """The next call is a new beginning: it may even take another route."""
        clock = FakeClock()
        store = memory_store(clock)
        zuora = Zuora([call_error(Reason.UPSTREAM_UNREACHABLE, "")])

        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock))

        assert caught.value.verdict.outcome is Outcome.NOT_SENT
        assert await record_of(store, intent_request(zuora.send)) is None
        ended = await intent_executor(clock, store=store).run(
            intent_request(zuora.send, to=route(tenant="b")), call_context(clock)
        )

        assert ended.route.tenant == "b"

    @pytest.mark.asyncio
    async def test_continues_what_is_unsettled(self) -> None:
        """Same route, the doubt and the ids of earlier answers with it; and the error has the resend limit."""
        clock = FakeClock()
        store = memory_store(clock)
        lost = error_for(Failure(Reason.UPSTREAM_EDGE_FAILED, "", facts=upstream_facts("z9")))
        zuora = Zuora([lost])
        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock))

        assert caught.value.verdict.outcome is Outcome.UNKNOWN
        assert caught.value.failure.resend_before == START + timedelta(hours=23)

        moved = intent_request(zuora.send, to=route(tenant="other"))
        ended = await intent_executor(clock, store=store).run(moved, call_context(clock, track_id="track-2"))

        pinned, _, earlier = zuora.sent[1]
        assert (pinned, earlier.doubtful) == (route(), True)
        assert [Secret(text) in earlier.answer_ids for text in ("z9", "p1", "z1")] == [True, True, False]
        assert ended.route == route()
        record = await record_of(store, moved)
        assert record is not None
        assert (record.takeovers, record.track_ids) == (1, ("track-1", "track-2"))

    @pytest.mark.asyncio
    async def test_does_not_forget_a_doubt(self) -> None:
        """A second flight that sends nothing leaves the record of the first, free for a third."""
        clock = FakeClock()
        store = memory_store(clock)
        zuora = Zuora([call_error(Reason.UPSTREAM_NO_ANSWER, ""), call_error(Reason.TOKEN_UNAVAILABLE, "")])
        for reason in (Reason.UPSTREAM_NO_ANSWER, Reason.EARLIER_ATTEMPT_UNSETTLED):
            with pytest.raises(CallError) as caught:
                await intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock))
            assert (caught.value.failure.reason, caught.value.verdict.outcome) == (reason, Outcome.UNKNOWN)

        record = await record_of(store, intent_request(zuora.send))

        assert record is not None
        assert (record.doubtful, record.lease_until_s, record.settlement) == (True, 0.0, None)

    @pytest.mark.asyncio
    async def test_waits_for_another_replica_and_takes_its_result(self) -> None:
        """The joiner is in another process; it polls until the record is settled."""
        clock, zuora = FakeClock(), Zuora(gate=asyncio.Event())
        store = memory_store(clock)
        leader = asyncio.ensure_future(
            intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock))
        )
        await zuora.arrived.wait()

        joiner = asyncio.ensure_future(
            intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock))
        )
        for _ in range(20):
            await asyncio.sleep(0)
        zuora.gate.set()

        assert (await leader).replayed is False
        assert ((await joiner).value, (await joiner).replayed, len(zuora.sent)) == ("pm-1", True, 1)

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("lease_s", "sent", "reason"),
        [(0.0, 1, "given up"), (1.0, 1, "about to end"), (LEASE_S, 0, "longer than this flight can wait")],
    )
    async def test_takes_over_an_expired_lease(self, lease_s: float, sent: int, reason: str) -> None:
        """The flight whose owner is gone is continued, and never before its lease has ended."""
        clock, zuora = FakeClock(), Zuora()
        store = memory_store(clock)
        lease_until_s = clock.now().timestamp() + lease_s if lease_s else 0.0
        opened_at_s = clock.now().timestamp()
        await store_record(
            store, intent_request(zuora.send), IntentRecord(fingerprint(), route(), "gone", lease_until_s, opened_at_s)
        )

        def uniform(_low: float, high: float) -> float:
            clock.advance(high)
            return 0.0

        one = intent_executor(clock, store=store, uniform=uniform)
        if sent:
            assert (await one.run(intent_request(zuora.send), call_context(clock))).value == "pm-1"
            assert zuora.sent[0][2].doubtful, "its owner may have sent it"
            assert not lease_s or clock.now().timestamp() >= lease_until_s + CLOCK_SKEW_S
        else:
            with pytest.raises(CallError) as caught:
                await one.run(intent_request(zuora.send), call_context(clock))
            assert caught.value.failure.reason is Reason.STILL_RUNNING
            assert caught.value.failure.resend_before == START + timedelta(hours=23)
        assert len(zuora.sent) == sent, reason

    @pytest.mark.asyncio
    async def test_leases_what_it_takes_over(self) -> None:
        """A third replica waits for the second as that one waited for the first."""
        clock, zuora = FakeClock(), Zuora(gate=asyncio.Event())
        store = memory_store(clock)
        await store_record(
            store, intent_request(zuora.send), IntentRecord(fingerprint(), route(), "gone", 0.0, START.timestamp())
        )
        taking = asyncio.ensure_future(
            intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock))
        )
        await zuora.arrived.wait()

        record = await record_of(store, intent_request(zuora.send))

        assert record is not None
        assert record.lease_until_s == clock.now().timestamp() + LEASE_S
        assert LEASE_S > EXECUTION_LIMIT_S
        assert record.owner != "gone", "its end is not taken for that of the execution before"
        zuora.gate.set()
        await taking

    @pytest.mark.asyncio
    async def test_lets_one_of_two_take_over(self) -> None:
        """Both see the expired lease; the store lets one of them write, the other waits for it."""
        clock, zuora = FakeClock(), Zuora()
        store = memory_store(clock)
        await store_record(
            store, intent_request(zuora.send), IntentRecord(fingerprint(), route(), "gone", 0.0, START.timestamp())
        )

        two = [
            intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock)) for _ in range(2)
        ]
        ended = await asyncio.gather(*two)

        assert ({one.value for one in ended}, len(zuora.sent)) == ({"pm-1"}, 1)

    @pytest.mark.asyncio
    async def test_goes_on_where_no_rule_matches_any_more(self) -> None:
        """A policy that moved says nothing about an intent that may have been executed."""
        clock = FakeClock()
        store = memory_store(clock)
        zuora = Zuora([call_error(Reason.UPSTREAM_NO_ANSWER, "")])
        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock))

        assert caught.value.verdict.outcome is Outcome.UNKNOWN
        unrouted = intent_request(zuora.send, to=call_error(Reason.ROUTE_NOT_FOUND, "no rule matches"))

        await intent_executor(clock, store=store).run(unrouted, call_context(clock))

        pinned, _, earlier = zuora.sent[1]
        assert (pinned.tenant, earlier.doubtful) == ("acme", True)

    @pytest.mark.asyncio
    async def test_is_not_opened_where_no_rule_matches(self) -> None:
        """The routing refusal is the answer to a new intent, and nothing is recorded."""
        clock, zuora = FakeClock(), Zuora()
        store = memory_store(clock)
        unrouted = intent_request(zuora.send, to=call_error(Reason.ROUTE_NOT_FOUND, "no rule matches"))

        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(unrouted, call_context(clock))

        assert caught.value.failure.reason is Reason.ROUTE_NOT_FOUND
        assert zuora.sent == []
        assert await intent_executor(clock, store=store).ledger.look_up(unrouted.key) is None

    @pytest.mark.asyncio
    async def test_refuses_to_go_on_where_the_route_is_gone(self) -> None:
        """An opened intent keeps its route."""
        clock = FakeClock()
        store = memory_store(clock)
        zuora = Zuora([call_error(Reason.UPSTREAM_NO_ANSWER, "")])
        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock))

        assert caught.value.verdict.outcome is Outcome.UNKNOWN

        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(
                intent_request(zuora.send, route_exists=lambda _: False), call_context(clock)
            )

        assert caught.value.failure.reason is Reason.ROUTE_GONE
        assert len(zuora.sent) == 1

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("age", "expected", "reason"),
        [
            (timedelta(hours=23), None, "the last moment"),
            (timedelta(hours=23, seconds=1), Reason.INTENT_EXPIRED, "too close to Zuora's 24 hours"),
            (timedelta(days=29), Reason.INTENT_EXPIRED, "the tombstone refuses"),
        ],
    )
    async def test_sends_nothing_after_23_hours(self, age: timedelta, expected: Reason | None, reason: str) -> None:
        """Zuora forgets the key after a day, and then a resend would be a second execution."""
        clock = FakeClock()
        store = memory_store(clock)
        zuora = Zuora([call_error(Reason.UPSTREAM_NO_ANSWER, "")])
        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock))

        assert caught.value.verdict.outcome is Outcome.UNKNOWN
        clock.advance(age.total_seconds())

        (ended,) = await asyncio.gather(
            intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock)),
            return_exceptions=True,
        )

        assert (expected, 1 if expected else 2) == (
            ended.failure.reason if isinstance(ended, CallError) else None,
            len(zuora.sent),
        ), reason

    @pytest.mark.asyncio
    @pytest.mark.parametrize("store_is_gone", [False, True])
    async def test_refuses_an_old_uuid7_without_a_record(self, *, store_is_gone: bool) -> None:
        """Its age is written in it, so no loss of the store can bring it back to life."""
        clock, zuora = FakeClock(), Zuora()
        old = uuid7(START - timedelta(hours=23, seconds=1))
        store = FailingStore(memory_store(clock), fails=lambda _operation, _key: store_is_gone)

        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(
                intent_request(zuora.send, request_id=old, moves_money=False), call_context(clock)
            )

        assert (caught.value.failure.reason, zuora.sent) == (Reason.INTENT_EXPIRED, [])

    @pytest.mark.asyncio
    async def test_refuses_an_old_uuid7_whose_record_cannot_be_read(self) -> None:
        """The store has a record, and fails before it returns it: Zuora may not know the key any more."""
        clock, zuora = FakeClock(), Zuora([call_error(Reason.UPSTREAM_NO_ANSWER, "")])
        inner = memory_store(clock)
        resent = intent_request(zuora.send, request_id=uuid7(START), moves_money=False)
        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=inner).run(resent, call_context(clock))
        assert caught.value.verdict.outcome is Outcome.UNKNOWN
        clock.advance(DAY_S)
        store = FailingStore(inner, fails=lambda operation, _key: operation == "put_if_absent")

        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(resent, call_context(clock))

        assert (caught.value.failure.reason, len(zuora.sent)) == (Reason.INTENT_EXPIRED, 1)

    @pytest.mark.asyncio
    async def test_replays_an_old_uuid7_with_a_record(self) -> None:
        """The record tells what became of it."""
        clock, zuora = FakeClock(), Zuora()
        one = intent_executor(clock)
        fresh = intent_request(zuora.send, request_id=uuid7(START))
        await one.run(fresh, call_context(clock))
        clock.advance(2 * DAY_S)

        assert (await one.run(fresh, call_context(clock))).replayed

    @pytest.mark.asyncio
    @pytest.mark.parametrize(("age_s", "stale"), [(600.0, False), (600.5, True)])
    async def test_does_not_hand_out_a_stale_session(self, age_s: float, *, stale: bool) -> None:
        """A session is for one showing of the payment sheet."""
        clock, zuora = FakeClock(), Zuora()
        one = intent_executor(clock)
        session = intent_request(zuora.send, stale_after_s=600.0)
        await one.run(session, call_context(clock))
        clock.advance(age_s)

        if not stale:
            assert (await one.run(session, call_context(clock))).replayed
            return
        with pytest.raises(CallError) as caught:
            await one.run(session, call_context(clock))

        assert caught.value.verdict.outcome is Outcome.REFUSED

        failed = caught.value.failure
        assert (failed.reason, dict(failed.metadata)) == (Reason.SESSION_STALE, {"maxAgeSeconds": "600"})

    @pytest.mark.asyncio
    async def test_says_when_a_result_cannot_be_unsealed(self) -> None:
        """Both keys of its time are gone, or the store was tampered with: it is known to have ended, not how."""
        clock, zuora = FakeClock(), Zuora()
        store = memory_store(clock)
        both = {"k1": fingerprint("k1"), "k2": fingerprint("k2")}
        await intent_executor(clock, store=store, keys=keyring("k1")).run(
            intent_request(zuora.send), call_context(clock)
        )
        # The fingerprint can still be compared, the seal cannot be opened.
        later = intent_executor(clock, store=store, keys=keyring("k2"))

        with pytest.raises(CallError) as caught:
            await later.run(intent_request(zuora.send, fingerprints=both), call_context(clock))

        assert (caught.value.failure.reason, len(zuora.sent)) == (Reason.INTENT_EXPIRED, 1)
        assert caught.value.failure.evidence.payment_method_id == "pm-1", "what exists is no secret"

    @pytest.mark.asyncio
    async def test_compares_under_the_key_before_the_one_in_use(self) -> None:
        """A rotation in the middle of an intent changes nothing for its caller."""
        clock, zuora = FakeClock(), Zuora()
        store = memory_store(clock)
        await intent_executor(clock, store=store, keys=keyring("k1")).run(
            intent_request(zuora.send), call_context(clock)
        )
        rotated = intent_executor(clock, store=store, keys=keyring("k2", "k1"))
        both = {"k2": fingerprint("k2"), "k1": fingerprint("k1")}

        assert (await rotated.run(intent_request(zuora.send, fingerprints=both), call_context(clock))).value == "pm-1"

    @pytest.mark.asyncio
    async def test_refuses_what_it_cannot_compare(self) -> None:
        """Two rotations later nobody can tell whether the body is the same."""
        clock, zuora = FakeClock(), Zuora()
        one = intent_executor(clock)
        await one.run(intent_request(zuora.send), call_context(clock))

        with pytest.raises(CallError) as caught:
            await one.run(intent_request(zuora.send, fingerprints={"k3": fingerprint("k3")}), call_context(clock))

        assert (caught.value.failure.reason, len(zuora.sent)) == (Reason.INTENT_EXPIRED, 1)
        assert "a key that is not configured" in caught.value.failure.detail

    @pytest.mark.asyncio
    async def test_does_not_guess_at_a_reason_of_a_newer_version(self) -> None:
        """UNKNOWN with the advice to look up; nothing is sent."""
        clock, zuora = FakeClock(), Zuora()
        store = memory_store(clock)
        newer = IntentRecord(fingerprint(), route(), "o", 0.0, START.timestamp(), settlement=Settlement("NEWER"))
        await store_record(store, intent_request(zuora.send), newer)

        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock))

        assert (caught.value.verdict.advice, zuora.sent) == (Advice.LOOK_UP, [])


class TestOwnership:
    """A flight belongs to the service, not to whoever started it."""

    @pytest.mark.asyncio
    async def test_outlives_the_caller_that_started_it(self) -> None:
        """The leader is cancelled; its joiner gets the result, and so does the resend."""
        clock, zuora = FakeClock(), Zuora(gate=asyncio.Event())
        one = intent_executor(clock)
        leader = asyncio.ensure_future(one.run(intent_request(zuora.send), call_context(clock)))
        await zuora.arrived.wait()
        joiner = asyncio.ensure_future(one.run(intent_request(zuora.send), call_context(clock)))
        await asyncio.sleep(0)

        leader.cancel()
        await asyncio.gather(leader, return_exceptions=True)
        zuora.gate.set()

        assert leader.cancelled()
        assert (await joiner).value == "pm-1"
        assert (await one.run(intent_request(zuora.send), call_context(clock))).replayed
        assert len(zuora.sent) == 1

    @pytest.mark.asyncio
    async def test_logs_an_execution_that_was_cut(self) -> None:
        """The process ends before Zuora has answered: its outcome is unknown."""
        clock, zuora, tasks = FakeClock(), Zuora(gate=asyncio.Event()), TaskOwner()
        leader = asyncio.ensure_future(
            intent_executor(clock, tasks=tasks).run(intent_request(zuora.send), call_context(clock))
        )
        await zuora.arrived.wait()

        with capture_logs() as logs:
            await tasks.close()
            await asyncio.gather(leader, return_exceptions=True)

        (line,) = logs
        assert ("execution_cut", "error") == (line["event"], line["log_level"])
        assert ("DecryptApplePay", "UNKNOWN", "track-1") == (line["rpc"], line["outcome"], line["track_id"])

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("answer", "outcome", "reason"),
        [("pm-1", "SUCCEEDED", None), (call_error(Reason.PAYMENT_DECLINED, "no"), "REFUSED", "PAYMENT_DECLINED")],
    )
    async def test_logs_an_end_that_its_caller_did_not_wait_for(
        self, answer: Exception | str, outcome: str, reason: str | None
    ) -> None:
        """The call's own line says UNKNOWN, and would have the last word."""
        clock, zuora = FakeClock(), Zuora([answer], gate=asyncio.Event())
        one = intent_executor(clock)

        with capture_logs() as logs:
            with pytest.raises(CallError):
                await one.run(intent_request(zuora.send), call_context(clock, seconds=0))
            before = [*logs]
            zuora.gate.set()
            assert await one.wait_for_executions(timeout_s=5) == 0

        (line,) = logs
        assert before == []
        assert ("execution", "DecryptApplePay", "track-1") == (line["event"], line["rpc"], line["track_id"])
        assert (outcome, reason) == (line["outcome"], line.get("reason"))

    @pytest.mark.asyncio
    @pytest.mark.parametrize("seconds", [10.0, 0.0], ids=["cancelled", "deadline"])
    async def test_logs_an_end_once_where_one_of_its_callers_waited(self, seconds: float) -> None:
        """Its line cannot show what became of the call that left."""
        clock, zuora = FakeClock(), Zuora(gate=asyncio.Event())
        one = intent_executor(clock)

        with capture_logs() as logs:
            waiting = asyncio.ensure_future(one.run(intent_request(zuora.send), call_context(clock)))
            await zuora.arrived.wait()
            leaving = [
                asyncio.ensure_future(one.run(intent_request(zuora.send), call_context(clock, seconds=seconds)))
                for _ in range(2)
            ]
            await asyncio.sleep(0)
            for call in leaving:
                call.cancel()
            await asyncio.gather(*leaving, return_exceptions=True)
            zuora.gate.set()
            await waiting

        assert ["execution"] == [line["event"] for line in logs]

    @pytest.mark.asyncio
    async def test_logs_an_end_that_came_in_the_moment_its_caller_left(self) -> None:
        """The call is cancelled when its result is there already, and does not see it."""
        clock, zuora = FakeClock(), Zuora(gate=asyncio.Event())
        one = intent_executor(clock)

        with capture_logs() as logs:
            leaving = asyncio.ensure_future(one.run(intent_request(zuora.send), call_context(clock)))
            await zuora.arrived.wait()
            (execution,) = one._executions.values()
            execution.task.add_done_callback(lambda _task: leaving.cancel())
            zuora.gate.set()
            await asyncio.gather(leaving, return_exceptions=True)

        assert leaving.cancelled()
        assert [("execution", "SUCCEEDED")] == [(line["event"], line["outcome"]) for line in logs]

    @pytest.mark.asyncio
    async def test_logs_no_end_that_a_call_shows(self) -> None:
        """A refused call has one line, which is its own; so has one that no route was found for."""
        clock, zuora = FakeClock(), Zuora([call_error(Reason.PAYMENT_DECLINED, "no")])
        unroutable = intent_request(
            zuora.send, request_id=RequestId("order-2-attempt-1"), to=call_error(Reason.ROUTE_NOT_FOUND, "none")
        )

        with capture_logs() as logs:
            for request in (intent_request(zuora.send), unroutable):
                with pytest.raises(CallError):
                    await intent_executor(clock).run(request, call_context(clock))
            await asyncio.sleep(0)

        assert logs == []

    @pytest.mark.asyncio
    async def test_lets_a_waiter_leave_at_its_own_deadline(self) -> None:
        """UNKNOWN with the advice to resend until the intent's own limit; the flight goes on."""
        clock, zuora = FakeClock(), Zuora(gate=asyncio.Event())
        one = intent_executor(clock)

        with pytest.raises(CallError) as caught:
            await one.run(intent_request(zuora.send), call_context(clock, seconds=0))

        assert caught.value.verdict.outcome is Outcome.UNKNOWN

        failed = caught.value.failure
        assert (failed.reason, failed.resend_before) == (Reason.STILL_RUNNING, START + timedelta(hours=23))
        zuora.gate.set()
        assert await one.wait_for_executions(timeout_s=5) == 0
        assert (await one.run(intent_request(zuora.send), call_context(clock))).replayed

    @pytest.mark.asyncio
    async def test_tells_the_limit_of_the_intent_it_took_over(self) -> None:
        """The 23 hours run from the first send, not from this flight's."""
        clock, zuora = FakeClock(), Zuora(gate=asyncio.Event())
        store = memory_store(clock)
        await store_record(
            store, intent_request(zuora.send), IntentRecord(fingerprint(), route(), "gone", 0.0, START.timestamp())
        )
        clock.advance(3600)

        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock, seconds=0))

        assert caught.value.verdict.outcome is Outcome.UNKNOWN
        assert caught.value.failure.resend_before == START + timedelta(hours=23)
        zuora.gate.set()

    @pytest.mark.asyncio
    async def test_counts_flights_that_do_not_end(self) -> None:
        """A drain that runs out of time says how many it cuts."""
        clock, zuora = FakeClock(), Zuora(gate=asyncio.Event())
        one = intent_executor(clock)
        with pytest.raises(CallError) as caught:
            await one.run(intent_request(zuora.send), call_context(clock, seconds=0))

        assert caught.value.verdict.outcome is Outcome.UNKNOWN

        left = await one.wait_for_executions(timeout_s=0)

        assert left == 1
        zuora.gate.set()
        assert await one.wait_for_executions(timeout_s=5) == 0

    @pytest.mark.asyncio
    async def test_a_defect_in_a_flight_leaves_the_record_to_be_taken_over(self) -> None:
        """Nobody knows what was sent, so the lease runs out and the same key settles it."""
        clock = FakeClock()
        store = memory_store(clock)
        zuora = Zuora([RuntimeError("a defect")])
        with pytest.raises(RuntimeError):
            await intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock))
        clock.advance(LEASE_S + CLOCK_SKEW_S)

        ended = await intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock))

        assert ended.value == "pm-1"
        assert zuora.sent[1][2].doubtful


class TestStoreFailures:
    """The store only adds to what the key guarantees."""

    @pytest.mark.asyncio
    async def test_change_nothing_where_no_rule_matches(self) -> None:
        """An intent without a route is not sent, recorded or not."""
        clock, zuora = FakeClock(), Zuora()
        store = FailingStore(memory_store(clock), fails=lambda _operation, _key: True)
        unrouted = intent_request(
            zuora.send, moves_money=False, to=call_error(Reason.ROUTE_NOT_FOUND, "no rule matches")
        )

        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(unrouted, call_context(clock))

        assert (caught.value.failure.reason, zuora.sent) == (Reason.ROUTE_NOT_FOUND, [])

    @pytest.mark.asyncio
    @pytest.mark.parametrize("acts", [False, True])
    async def test_sends_no_money_unrecorded(self, *, acts: bool) -> None:
        """Refused before sending."""
        clock, zuora = FakeClock(), Zuora()
        store = FailingStore(memory_store(clock), fails=lambda operation, _key: operation == "put_if_absent", acts=acts)

        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock))

        assert (caught.value.failure.reason, zuora.sent) == (Reason.STORE_UNAVAILABLE, [])

    @pytest.mark.asyncio
    async def test_sends_the_others_unrecorded(self) -> None:
        """A session costs nothing. Its end is not recorded either: there is no record that it could end."""
        clock, zuora, asked = FakeClock(), Zuora(), []

        def fails(operation: str, _key: str) -> bool:
            asked.append(operation)
            return True

        store = FailingStore(memory_store(clock), fails=fails)
        session = intent_request(zuora.send, moves_money=False, guarded_token="t")

        ended = await intent_executor(clock, store=store).run(session, call_context(clock))

        assert (ended.value, asked) == ("pm-1", ["put_if_absent"])

    @pytest.mark.asyncio
    async def test_takes_an_unrecorded_call_for_a_resend(self) -> None:
        """A refusal of it says nothing of a send that the store would have known of."""
        clock, zuora = FakeClock(), Zuora()
        store = FailingStore(memory_store(clock), fails=lambda _operation, _key: True)

        await intent_executor(clock, store=store).run(
            intent_request(zuora.send, moves_money=False), call_context(clock)
        )

        assert zuora.sent[0][2].doubtful

    @pytest.mark.asyncio
    async def test_tells_the_result_that_it_could_not_record(self) -> None:
        """The next flight settles it again with the same key."""
        clock, zuora = FakeClock(), Zuora()
        inner = memory_store(clock)
        store = FailingStore(inner, fails=lambda operation, _key: operation == "compare_and_set")

        ended = await intent_executor(clock, store=store).run(intent_request(zuora.send), call_context(clock))

        assert ended.value == "pm-1"
        clock.advance(LEASE_S + CLOCK_SKEW_S)
        assert (
            await intent_executor(clock, store=inner).run(intent_request(zuora.send), call_context(clock))
        ).value == "pm-1"
        assert zuora.sent[1][2].doubtful

    @pytest.mark.asyncio
    async def test_keeps_the_pinned_route_when_the_guard_cannot_be_asked(self) -> None:
        """The route moved since, and the store fails between the take-over and the claim of the token."""
        clock = FakeClock()
        inner = memory_store(clock)
        zuora = Zuora([call_error(Reason.UPSTREAM_NO_ANSWER, "")])
        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=inner).run(
                intent_request(zuora.send, moves_money=False), call_context(clock)
            )

        assert caught.value.verdict.outcome is Outcome.UNKNOWN
        store = FailingStore(inner, fails=lambda _operation, key: key.startswith("token:"))
        moved = intent_request(zuora.send, moves_money=False, guarded_token="t", to=route(tenant="other"))

        await intent_executor(clock, store=store).run(moved, call_context(clock))

        pinned, _, earlier = zuora.sent[1]
        assert (pinned.tenant, earlier.doubtful) == ("acme", True)

    @pytest.mark.asyncio
    async def test_lets_go_of_money_when_the_guard_cannot_be_asked(self) -> None:
        """Refused before sending, and the resend need not wait for a lease that nobody holds."""
        clock, zuora = FakeClock(), Zuora()
        inner = memory_store(clock)
        store = FailingStore(inner, fails=lambda _operation, key: key.startswith("token:"))
        paid = intent_request(zuora.send, guarded_token="t")

        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(paid, call_context(clock))

        assert caught.value.failure.reason is Reason.STORE_UNAVAILABLE
        assert await record_of(inner, paid) is None
        assert (await intent_executor(clock, store=inner).run(paid, call_context(clock))).value == "pm-1"

    @pytest.mark.asyncio
    async def test_refuses_a_used_token_when_its_own_record_cannot_be_deleted(self) -> None:
        """The token was found to belong to another intent: no failure after that makes it free."""
        clock, zuora = FakeClock(), Zuora()
        inner = memory_store(clock)
        await intent_executor(clock, store=inner).run(
            intent_request(zuora.send, guarded_token="t"), call_context(clock)
        )
        store = FailingStore(inner, fails=lambda operation, _key: operation == "compare_and_delete")
        other = intent_request(
            zuora.send, request_id=RequestId("another-intent-01"), guarded_token="t", moves_money=False
        )

        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(other, call_context(clock))

        assert (caught.value.failure.reason, len(zuora.sent)) == (Reason.APPLE_PAY_TOKEN_REUSED, 1)


class TestGuardedToken:
    """A one-time token belongs to one intent, through whichever RPC it came."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("first", "free", "text"),
        [
            (None, False, "done"),
            (Reason.UPSTREAM_NO_ANSWER, False, "unknown"),
            (Reason.UPSTREAM_INTERNAL, False, "unknown and recorded"),
            (Reason.PAYMENT_REFUSED_METHOD_CREATED, False, "half done"),
            (Reason.PAYMENT_DECLINED, False, "the gateway saw it"),
            (Reason.UPSTREAM_REQUEST_REFUSED, True, "refused before the gateway"),
            (Reason.UPSTREAM_UNREACHABLE, True, "never sent"),
        ],
    )
    async def test_is_free_again_only_if_no_gateway_saw_it(
        self, first: Reason | None, *, free: bool, text: str
    ) -> None:
        """The second intent comes from another process."""
        clock = FakeClock()
        store = memory_store(clock)
        zuora = Zuora([call_error(first, "")] if first else ["pm-1"])
        await asyncio.gather(
            intent_executor(clock, store=store).run(intent_request(zuora.send, guarded_token="t"), call_context(clock)),
            return_exceptions=True,
        )
        assert free is (await store.get("token:t") is None), text
        other = intent_request(zuora.send, request_id=RequestId("another-intent-01"), guarded_token="t")

        (ended,) = await asyncio.gather(
            intent_executor(clock, store=store).run(other, call_context(clock)), return_exceptions=True
        )

        if free:
            assert isinstance(ended, IntentResult), text
        else:
            assert isinstance(ended, CallError), text
            assert ended.failure.reason is Reason.APPLE_PAY_TOKEN_REUSED
            assert await record_of(store, other) is None, "the refused intent leaves nothing behind"

    @pytest.mark.asyncio
    async def test_is_the_intents_own_on_a_resend(self) -> None:
        """The same intent may send it again."""
        clock = FakeClock()
        store = memory_store(clock)
        zuora = Zuora([call_error(Reason.UPSTREAM_NO_ANSWER, "")])
        paid = intent_request(zuora.send, guarded_token="t")
        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(paid, call_context(clock))

        assert caught.value.verdict.outcome is Outcome.UNKNOWN
        assert (await intent_executor(clock, store=store).run(paid, call_context(clock))).value == "pm-1"


class TestLookUp:
    """What the service itself knows of an intent."""

    @pytest.mark.parametrize(
        ("request_id", "expected", "reason"),
        [
            (REQUEST_ID, START + timedelta(hours=23), "sent now at the earliest"),
            (uuid7(START - timedelta(hours=1)), START + timedelta(hours=22), "its UUIDv7 is an hour old"),
            (uuid7(START + timedelta(hours=1)), START + timedelta(hours=23), "its UUIDv7 is from the future"),
        ],
    )
    def test_tells_until_when_a_new_intent_may_be_resent(
        self, request_id: RequestId, expected: datetime, reason: str
    ) -> None:
        """An earlier send may have gone unrecorded, but not before the request id was made."""
        records = intent_executor(FakeClock()).ledger

        assert records.resend_before_if_new(intent_request(Zuora().send, request_id=request_id)) == expected, reason

    @pytest.mark.asyncio
    async def test_tells_absent_flying_and_settled_apart(self) -> None:
        """Without sending anything."""
        clock, zuora = FakeClock(), Zuora(gate=asyncio.Event())
        one = intent_executor(clock)
        paid = intent_request(zuora.send)
        assert await one.ledger.look_up(paid.key) is None

        flight = asyncio.ensure_future(one.run(paid, call_context(clock)))
        await zuora.arrived.wait()
        flying = await one.ledger.look_up(paid.key)
        zuora.gate.set()
        await flight
        settled = await one.ledger.look_up(paid.key)

        assert flying is not None
        assert settled is not None
        assert (one.ledger.is_in_flight(flying), one.ledger.is_in_flight(settled)) == (True, False)
        assert settled.settlement is not None
        assert settled.settlement.payment_method_id == "pm-1"

    @pytest.mark.asyncio
    async def test_says_when_the_store_is_gone(self) -> None:
        """NOT_FOUND would be a lie."""
        store = FailingStore(memory_store(FakeClock()), fails=lambda _operation, _key: True)

        with pytest.raises(CallError) as caught:
            await intent_executor(FakeClock(), store=store).ledger.look_up(intent_request(Zuora().send).key)

        assert caught.value.failure.reason is Reason.STORE_UNAVAILABLE
