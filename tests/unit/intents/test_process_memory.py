import asyncio

import pytest
from harness.clock import FakeClock
from harness.intents import (
    FailingStore,
    Zuora,
    call_context,
    fingerprint,
    intent_executor,
    intent_request,
    memory_store,
    record_of,
)
from harness.keyring import counted_entropy
from harness.routes import route
from payorch_server.intents.executor import IntentExecutor
from payorch_server.intents.intent import IntentRequest
from payorch_server.intents.process_memory import ProcessMemory, SentIntent
from payorch_server.model.errors import CallError, call_error
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.outcome import Advice, Outcome, Reason
from payorch_server.model.route import Route
from payorch_server.store.memory import MemoryStore

EVERYTHING = frozenset({"get", "put_if_absent", "compare_and_set", "compare_and_delete"})
LOST = Reason.UPSTREAM_NO_ANSWER
HOUR_S = 3600.0


class Process:
    """One process over a store that a test breaks and loses."""

    def __init__(self, *answers: Exception | str, acts: bool = False) -> None:
        """Start it.

        Args:
            answers: Of Zuora, in order.
            acts: Whether the store does what it reports as failed.
        """
        self.clock = FakeClock()
        self.zuora = Zuora(list(answers))
        self.inner: MemoryStore = memory_store(self.clock)
        self.broken: frozenset[str] = frozenset()
        """The operations of the store that fail."""
        store = FailingStore(self.inner, fails=self._is_broken, acts=acts)
        self.executor: IntentExecutor = intent_executor(self.clock, store=store)

    def _is_broken(self, operation: str, _key: str) -> bool:
        return operation in self.broken

    def request(self, *, to: Route | CallError | None = None, **operation: object) -> IntentRequest[str]:
        """Make a request for the intent."""
        return intent_request(self.zuora.send, to=to, **operation)

    async def run(self, request: IntentRequest[str]) -> str | CallError:
        """Run a call of the intent; return its value or error."""
        try:
            return (await self.executor.run(request, call_context(self.clock))).value
        except CallError as error:
            return error


def reason_of(end: str | CallError) -> Reason:
    """Return why a call failed."""
    assert isinstance(end, CallError)
    return end.failure.reason


async def lose_record(process: Process, request: IntentRequest[str]) -> None:
    """Delete the record of an intent, as a store that loses it."""
    stored = await process.inner.get(f"intent:{request.key}")
    assert stored is not None
    assert await process.inner.compare_and_delete(f"intent:{request.key}", version=stored.version)


def another_process(process: Process) -> IntentExecutor:
    """Make a process that uses the same store."""
    return intent_executor(process.clock, store=process.inner, entropy=counted_entropy(1000))


class TestLease:
    """A lease that stands only because the store was away keeps nothing away in its own process."""

    @pytest.mark.asyncio
    async def test_is_taken_over_when_the_first_write_timed_out(self) -> None:
        """It happened all the same; the execution ended before any send, so the intent is as new as before."""
        process = Process(call_error(Reason.UPSTREAM_UNREACHABLE, ""), "pm-1", acts=True)
        process.broken = frozenset({"put_if_absent"})
        assert reason_of(await process.run(process.request())) is Reason.STORE_UNAVAILABLE
        process.broken = frozenset()

        unsent = await process.run(process.request())
        settled = await process.run(process.request())

        assert isinstance(unsent, CallError)
        assert (unsent.failure.reason, unsent.verdict.outcome) == (Reason.UPSTREAM_UNREACHABLE, Outcome.NOT_SENT)
        assert settled == "pm-1"

    @pytest.mark.asyncio
    async def test_is_taken_over_when_its_release_failed(self) -> None:
        """Nothing was sent, and the record could not be deleted."""
        process = Process(call_error(Reason.TOKEN_UNAVAILABLE, ""))
        process.broken = frozenset({"compare_and_delete"})
        assert reason_of(await process.run(process.request())) is Reason.TOKEN_UNAVAILABLE
        process.broken = frozenset()

        assert await process.run(process.request()) == "pm-1"
        assert not process.zuora.sent[1][2].doubtful

    @pytest.mark.asyncio
    async def test_keeps_its_doubt_when_the_end_was_not_written(self) -> None:
        """It was executed; the next call learns that from Zuora at once, not after 70 s."""
        process = Process("pm-1", "pm-1")
        process.broken = frozenset({"compare_and_set"})
        assert await process.run(process.request()) == "pm-1"
        process.broken = frozenset()

        assert await process.run(process.request()) == "pm-1"
        assert process.zuora.sent[1][2].doubtful

    @pytest.mark.asyncio
    async def test_counts_as_sent_when_the_call_went_on_unrecorded(self) -> None:
        """A session needs no record: after the first write timed out it was sent."""
        process = Process("s-1", "s-1", acts=True)
        process.broken = frozenset({"put_if_absent"})
        session = process.request(moves_money=False)
        assert await process.run(session) == "s-1"
        process.broken = frozenset()

        assert await process.run(session) == "s-1"
        assert process.zuora.sent[1][2].doubtful


class TestLostRecord:
    """An intent that this process sent keeps its doubt and its route when the store loses the record."""

    @pytest.mark.asyncio
    async def test_leaves_the_intent_in_doubt_on_its_route(self) -> None:
        """Routing has moved: neither another tenant nor NOT_SENT may follow."""
        process = Process(call_error(LOST, ""), call_error(Reason.TOKEN_UNAVAILABLE, ""), "pm-1")
        assert reason_of(await process.run(process.request())) is LOST
        moved = process.request(to=route(tenant="other"))
        await lose_record(process, moved)

        unsettled = await process.run(moved)
        settled = await process.run(moved)

        assert (reason_of(unsettled), settled) == (Reason.EARLIER_ATTEMPT_UNSETTLED, "pm-1")
        assert [pinned.tenant for pinned, _, _ in process.zuora.sent] == ["acme"] * 3

    @pytest.mark.asyncio
    async def test_keeps_the_age_of_the_intent(self) -> None:
        """Zuora forgets the key a day after the first send, whenever the record was lost."""
        process = Process(call_error(LOST, ""), call_error(LOST, ""))
        await process.run(process.request())
        process.clock.advance(20 * 3600)
        await lose_record(process, process.request())
        assert reason_of(await process.run(process.request())) is LOST
        process.clock.advance(4 * 3600)

        assert reason_of(await process.run(process.request())) is Reason.INTENT_EXPIRED
        assert len(process.zuora.sent) == 2

    @pytest.mark.asyncio
    async def test_stays_as_old_as_it_is_when_another_process_recorded_it_as_new(self) -> None:
        """Zuora forgets the key a day after the first send, whatever the record says."""
        process, other = Process(call_error(LOST, ""), "pm-1"), Process(call_error(LOST, ""))
        request = process.request()
        await process.run(request)
        await lose_record(process, request)
        process.clock.advance(10 * HOUR_S)
        other.clock.advance(10 * HOUR_S)
        await other.run(other.request())
        stored = await other.inner.get(f"intent:{request.key}")
        assert stored is not None
        await process.inner.put_if_absent(f"intent:{request.key}", stored.value, ttl_s=10 * HOUR_S * 3)
        process.clock.advance(15 * HOUR_S)

        assert reason_of(await process.run(request)) is Reason.INTENT_EXPIRED
        assert len(process.zuora.sent) == 1

    @pytest.mark.asyncio
    async def test_does_not_follow_a_record_to_another_tenant(self) -> None:
        """Another process has opened the intent again where the rules lead by now; both may have been executed."""
        process = Process(call_error(LOST, ""))
        await process.run(process.request())
        moved = process.request(to=route(tenant="other"))
        await lose_record(process, moved)
        elsewhere = Zuora([call_error(LOST, "")])
        with pytest.raises(CallError):
            await intent_executor(process.clock, store=process.inner).run(
                intent_request(elsewhere.send, to=route(tenant="other")), call_context(process.clock)
            )

        end = await process.run(moved)

        assert isinstance(end, CallError)
        assert (end.failure.reason, end.verdict.advice) == (Reason.INTENT_NOT_RECORDED, Advice.LOOK_UP)
        assert len(process.zuora.sent) == 1

    @pytest.mark.asyncio
    async def test_does_not_need_a_rule_that_matches(self) -> None:
        """The rule is gone, the tenant is not."""
        process = Process(call_error(LOST, ""), "pm-1")
        await process.run(process.request())
        refused = process.request(to=call_error(Reason.ROUTE_NOT_FOUND, "no rule matches"))
        await lose_record(process, refused)

        assert await process.run(refused) == "pm-1"

    @pytest.mark.asyncio
    async def test_is_not_continued_where_its_tenant_is_gone(self) -> None:
        """Nothing else may be called for it."""
        process = Process(call_error(LOST, ""))
        await process.run(process.request())
        gone = process.request(route_exists=lambda _route: False)
        await lose_record(process, gone)

        assert reason_of(await process.run(gone)) is Reason.ROUTE_GONE
        assert len(process.zuora.sent) == 1

    @pytest.mark.asyncio
    async def test_is_not_shown_to_who_may_not_use_its_route(self) -> None:
        """The caller has the right to the new route alone."""
        process = Process(call_error(LOST, ""))
        await process.run(process.request())

        def permit(asked: Route) -> None:
            if asked.tenant == "acme":
                raise call_error(Reason.CALLER_NOT_PERMITTED, "acme")

        moved = process.request(to=route(tenant="other"), permit=permit)
        await lose_record(process, moved)

        assert reason_of(await process.run(moved)) is Reason.CALLER_NOT_PERMITTED
        assert len(process.zuora.sent) == 1

    @pytest.mark.asyncio
    async def test_is_a_new_beginning_for_what_was_never_sent(self) -> None:
        """The record was deleted because nothing was sent, not lost."""
        process = Process(call_error(Reason.UPSTREAM_UNREACHABLE, ""))
        await process.run(process.request())

        assert await process.run(process.request(to=route(tenant="other"))) == "pm-1"
        assert not process.zuora.sent[1][2].doubtful


class TestFailedIntent:
    """An intent that failed for good is not sent again by a process that knows it, whatever the store does."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("broken", [EVERYTHING, frozenset({"put_if_absent"})])
    async def test_is_not_sent_without_its_record(self, broken: frozenset[str]) -> None:
        """Zuora does not store a passing refusal: a second send would be executed."""
        process = Process(call_error(Reason.UPSTREAM_LOCKED, ""), "pm-2")
        request = process.request(moves_money=False)
        assert reason_of(await process.run(request)) is Reason.UPSTREAM_LOCKED
        process.broken = broken

        assert reason_of(await process.run(request)) is Reason.UPSTREAM_LOCKED
        assert len(process.zuora.sent) == 1

    @pytest.mark.asyncio
    async def test_is_known_to_a_process_that_read_its_record(self) -> None:
        """Another process had sent it."""
        process = Process()
        other = Zuora([call_error(Reason.UPSTREAM_LOCKED, "")])
        with pytest.raises(CallError):
            await another_process(process).run(
                intent_request(other.send, moves_money=False), call_context(process.clock)
            )
        request = process.request(moves_money=False)
        await process.run(request)
        process.broken = EVERYTHING

        assert reason_of(await process.run(request)) is Reason.UPSTREAM_LOCKED
        assert process.zuora.sent == []

    @pytest.mark.asyncio
    async def test_is_not_sent_again_after_it_was_refused_unrecorded(self) -> None:
        """Its caller was told the refusal; the store is back, and has nothing of it."""
        process = Process(call_error(Reason.UPSTREAM_LOCKED, ""), "pm-2")
        request = process.request(moves_money=False)
        process.broken = EVERYTHING
        assert reason_of(await process.run(request)) is Reason.UPSTREAM_LOCKED
        process.broken = frozenset()

        assert reason_of(await process.run(request)) is Reason.UPSTREAM_LOCKED
        assert len(process.zuora.sent) == 1

    @pytest.mark.asyncio
    async def test_is_not_sent_again_after_its_end_was_not_written(self) -> None:
        """Its caller was told the refusal; the record still shows the execution under way."""
        process = Process(call_error(Reason.UPSTREAM_LOCKED, ""), "pm-2")
        process.broken = frozenset({"compare_and_set"})
        assert reason_of(await process.run(process.request())) is Reason.UPSTREAM_LOCKED
        process.broken = frozenset()

        assert reason_of(await process.run(process.request())) is Reason.UPSTREAM_LOCKED
        assert len(process.zuora.sent) == 1

    @pytest.mark.asyncio
    async def test_is_shown_to_who_may_see_it_alone(self) -> None:
        """Neither to a caller without the right to its route, nor as the end of another request."""
        process = Process(call_error(Reason.UPSTREAM_LOCKED, ""))
        await process.run(process.request(moves_money=False))
        process.broken = EVERYTHING

        def permit(_route: Route) -> None:
            raise call_error(Reason.CALLER_NOT_PERMITTED, "acme")

        foreign = await process.run(process.request(moves_money=False, permit=permit))
        changed = await process.run(
            intent_request(process.zuora.send, fingerprints={"k1": fingerprint(sensitive="s2")}, moves_money=False)
        )

        assert (reason_of(foreign), reason_of(changed)) == (Reason.CALLER_NOT_PERMITTED, Reason.INTENT_MISMATCH)
        assert len(process.zuora.sent) == 1

    @pytest.mark.asyncio
    async def test_is_forgotten_when_its_record_says_otherwise(self) -> None:
        """The store lost the refusal, and another process executed the intent."""
        process = Process(call_error(Reason.UPSTREAM_LOCKED, ""), "pm-2")
        request = process.request(moves_money=False)
        await process.run(request)
        await lose_record(process, request)
        await another_process(process).run(intent_request(Zuora().send, moves_money=False), call_context(process.clock))
        assert await process.run(request) == "pm-1"
        process.broken = EVERYTHING

        assert await process.run(request) == "pm-2"

    @pytest.mark.asyncio
    async def test_is_forgotten_when_another_process_sends_it_again(self) -> None:
        """The store lost the refusal; what the other execution does is not known."""
        process, other = Process(call_error(Reason.UPSTREAM_LOCKED, ""), "pm-2"), Zuora(gate=asyncio.Event())
        request = process.request(moves_money=False)
        await process.run(request)
        await lose_record(process, request)
        elsewhere = asyncio.ensure_future(
            another_process(process).run(intent_request(other.send, moves_money=False), call_context(process.clock))
        )
        await other.arrived.wait()
        call = call_context(process.clock, seconds=0.0)
        with pytest.raises(CallError) as caught:
            await process.executor.run(request, call)
        assert caught.value.failure.reason is Reason.STILL_RUNNING
        process.broken = EVERYTHING

        assert await process.run(request) == "pm-2"
        elsewhere.cancel()


class TestUnrecordedIntent:
    """While the store is away, calls that need a record are refused; unrecorded ones in doubt advise a look-up."""

    @pytest.mark.asyncio
    async def test_is_refused_where_it_needs_a_record(self) -> None:
        """A payment method without a payment, too: a resend could create it in another tenant."""
        process = Process()
        process.broken = EVERYTHING

        end = await process.run(process.request(moves_money=False, needs_record=True))

        assert isinstance(end, CallError)
        assert (end.failure.reason, end.verdict.outcome) == (Reason.STORE_UNAVAILABLE, Outcome.NOT_SENT)
        assert process.zuora.sent == []

    @pytest.mark.asyncio
    @pytest.mark.parametrize("last", [LOST, Reason.UPSTREAM_EDGE_FAILED, Reason.TOKEN_UNAVAILABLE])
    async def test_is_to_be_looked_up(self, last: Reason) -> None:
        """No record is written afterwards either: the resend could take another route by then."""
        process = Process(call_error(last, ""))
        process.broken = EVERYTHING
        request = process.request(moves_money=False)

        end = await process.run(request)

        assert isinstance(end, CallError)
        assert (end.failure.reason, end.verdict.advice) == (Reason.INTENT_NOT_RECORDED, Advice.LOOK_UP)
        assert end.failure.metadata == {"lastReason": last.name}
        assert end.failure.resend_before is None
        assert await record_of(process.inner, request) is None

    @pytest.mark.asyncio
    async def test_is_to_be_looked_up_by_a_call_that_leaves(self) -> None:
        """Its resend could meet another process."""
        process = Process()
        process.zuora.gate = asyncio.Event()
        process.broken = EVERYTHING

        call = asyncio.ensure_future(
            process.executor.run(process.request(moves_money=False), call_context(process.clock, seconds=0.06))
        )
        await process.zuora.arrived.wait()
        process.clock.advance(0.06)

        with pytest.raises(CallError) as caught:
            await call

        assert caught.value.failure.reason is Reason.INTENT_NOT_RECORDED
        process.zuora.gate.set()

    @pytest.mark.asyncio
    async def test_is_resent_where_a_second_one_does_no_harm(self) -> None:
        """A session that is not used costs nothing."""
        process = Process(call_error(LOST, ""))
        process.broken = EVERYTHING

        end = await process.run(process.request(moves_money=False, is_disposable=True))

        assert reason_of(end) is LOST


class TestProcessMemory:
    """It is bounded, and keeps the newest."""

    def test_forgets_the_oldest(self) -> None:
        """What is noted again is new."""
        memory = ProcessMemory(max_intents=2)
        for key in ("a", "b", "a", "c"):
            memory.note_sent(IdempotencyKey(key), SentIntent(route(), 0.0))
            memory.note_end(key, sent=True)

        assert [memory.sent(IdempotencyKey(key)) is not None for key in "abc"] == [True, False, True]
        assert [memory.sent_by(key) for key in "abc"] == [True, None, True]
