"""What an intent with a one-time token does when the store fails at the guard, or gave the token to another."""

import dataclasses
from typing import Any

import pytest
from harness.clock import FakeClock
from harness.intents import FixedFingerprints, ScriptedOperation
from harness.routes import context, route
from payorch_server.intents.executor import IntentExecutor
from payorch_server.intents.intent import Fingerprint, IntentRequest, IntentResult
from payorch_server.intents.intent_record import IntentRecord, decode_record, encode_record
from payorch_server.intents.ledger import IntentLedger
from payorch_server.model.attempt import UpstreamFacts
from payorch_server.model.context import CallContext
from payorch_server.model.earlier_sends import EarlierSends
from payorch_server.model.errors import CallError, UpstreamEvidence, call_error
from payorch_server.model.identifiers import IdempotencyKey, RequestId
from payorch_server.model.outcome import Advice, Reason
from payorch_server.model.route import Route
from payorch_server.model.secret import Secret
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.keyring import Keyring
from payorch_server.store.memory import MemoryStore
from payorch_server.store.port import StoredValue, StoreUnavailable

KEY = IdempotencyKey("po1-" + "0" * 40)
FINGERPRINT = Fingerprint("k", {}, "")
PINNED, MOVED = route(), route(tenant="elsewhere")


class _Store(MemoryStore):
    """Fails at the token index, if told to."""

    token_fails = False

    async def put_if_absent(self, key: str, value: bytes, *, ttl_s: float, version: int = 1) -> StoredValue | None:
        if self.token_fails and key.startswith("token:"):
            raise StoreUnavailable("down")
        return await super().put_if_absent(key, value, ttl_s=ttl_s, version=version)


class _Sent(list[tuple[Route, bool]]):
    """Notes the route of each send, and whether an earlier one was known to be in doubt."""

    async def send(self, pinned: Route, _context: CallContext, earlier: EarlierSends) -> tuple[str, UpstreamFacts]:
        self.append((pinned, earlier.doubtful))
        return "done", UpstreamFacts()


def _opening(sent: _Sent, **operation: Any) -> IntentRequest[str]:
    members = {"moves_money": False, "guarded_token": "t", "ids_of": lambda _: UpstreamEvidence()} | operation
    return IntentRequest(
        key=KEY,
        rpc="DecryptApplePay",
        request_id=RequestId("order-0000000001"),
        fingerprints=FixedFingerprints({"k": FINGERPRINT}),
        route=MOVED,
        operation=ScriptedOperation(sent.send, **members),
    )


async def _abandoned(store: MemoryStore, clock: FakeClock) -> None:
    """Record an intent whose owner is gone in the middle of its flight."""
    record = IntentRecord(
        fingerprint=FINGERPRINT, route=PINNED, owner="gone", lease_until_s=0.0, opened_at_s=clock.now().timestamp()
    )
    await store.put_if_absent(f"intent:{KEY}", encode_record(record), ttl_s=1000.0)


async def _run(store: MemoryStore, clock: FakeClock, opening: IntentRequest[str]) -> IntentResult[str]:
    ledger = IntentLedger(
        store=store,
        keyring=Keyring([("k", Secret(bytes(32)))], entropy=bytes),
        clock=clock,
        uniform=lambda low, _high: low,
        entropy=bytes,
    )
    executor = IntentExecutor(ledger=ledger, clock=clock, tasks=TaskOwner(), deadlines=Deadlines(clock))
    return await executor.run(opening, context())


@pytest.mark.asyncio
class TestTokenGuard:
    """The guard adds to what the key guarantees, and takes nothing from it."""

    async def test_keeps_route_and_doubt_when_the_store_fails(self) -> None:
        """The key must go where it went before, and what came of it stays in doubt."""
        clock, sent = FakeClock(), _Sent()
        store = _Store(clock=clock, max_entries=10)
        await _abandoned(store, clock)
        store.token_fails = True

        await _run(store, clock, _opening(sent))

        assert [(PINNED, True)] == sent

    async def test_keeps_the_doubt_of_money_when_the_store_fails(self) -> None:
        """The payment is not sent again, and an earlier execution may have made it."""
        clock, sent = FakeClock(), _Sent()
        store = _Store(clock=clock, max_entries=10)
        await _abandoned(store, clock)
        store.token_fails = True

        with pytest.raises(CallError) as caught:
            await _run(store, clock, _opening(sent, moves_money=True))

        failure = caught.value.failure
        assert (failure.reason, failure.metadata["lastReason"]) == (
            Reason.EARLIER_ATTEMPT_UNSETTLED,
            Reason.STORE_UNAVAILABLE.name,
        )
        assert [] == sent

    async def test_lets_an_intent_go_on_that_may_have_used_its_token(self) -> None:
        """Only Zuora can tell what became of it; telling its caller to fix the request would be wrong."""
        clock, sent = FakeClock(), _Sent()
        store = _Store(clock=clock, max_entries=10)
        await _abandoned(store, clock)
        await store.put_if_absent("token:t", b"intent:another", ttl_s=1000.0)
        await store.put_if_absent("intent:another", (await _stored(store)).value, ttl_s=1000.0)

        await _run(store, clock, _opening(sent))

        assert [(PINNED, True)] == sent

    async def test_does_not_send_money_whose_token_another_intent_owns(self) -> None:
        """The execution that is gone may have paid before the store lost that, and no resend can show it."""
        clock, sent = FakeClock(), _Sent()
        store = _Store(clock=clock, max_entries=10)
        await _abandoned(store, clock)
        await store.put_if_absent("token:t", b"intent:another", ttl_s=1000.0)
        await store.put_if_absent("intent:another", (await _stored(store)).value, ttl_s=1000.0)

        with pytest.raises(CallError) as caught:
            await _run(store, clock, _opening(sent, moves_money=True))

        failure = caught.value.failure
        assert (failure.reason, failure.metadata["lastReason"]) == (
            Reason.INTENT_NOT_RECORDED,
            Reason.APPLE_PAY_TOKEN_REUSED.name,
        )
        assert [] == sent
        assert 0.0 == decode_record((await _stored(store)).value).lease_until_s, "a resend need not wait"

    async def test_leaves_nothing_behind_when_money_may_not_move(self) -> None:
        """The next call need not wait for a lease that nobody holds."""
        clock, sent = FakeClock(), _Sent()
        store = _Store(clock=clock, max_entries=10)
        store.token_fails = True

        with pytest.raises(CallError) as caught:
            await _run(store, clock, _opening(sent, moves_money=True))

        assert (Reason.STORE_UNAVAILABLE, "down") == (caught.value.failure.reason, caught.value.failure.detail)
        assert [] == sent
        assert await store.get(f"intent:{KEY}") is None


@pytest.mark.asyncio
class TestRelease:
    """An execution that sent nothing forgets the intent, if it is still its own."""

    @pytest.mark.parametrize("loses", [True, False])
    async def test_leaves_an_intent_in_doubt_that_is_not_its_own_any_more(self, *, loses: bool) -> None:
        """A replica whose clock is ahead takes it over early, and may have sent it; it needs the token too."""
        clock = FakeClock()
        store = _Store(clock=clock, max_entries=10)

        async def send(_pinned: Route, _context: CallContext, _earlier: EarlierSends) -> tuple[str, UpstreamFacts]:
            there = await _stored(store)
            if loses:
                assert await store.compare_and_set(f"intent:{KEY}", there.value, version=there.version, ttl_s=1000.0)
            raise call_error(Reason.OVERLOADED, "")

        operation = ScriptedOperation(send, moves_money=True, guarded_token="t", ids_of=lambda _: UpstreamEvidence())

        with pytest.raises(CallError) as caught:
            await _run(store, clock, dataclasses.replace(_opening(_Sent()), operation=operation))

        expected = Reason.EARLIER_ATTEMPT_UNSETTLED if loses else Reason.OVERLOADED
        assert expected is caught.value.failure.reason
        assert loses is (await store.get("token:t") is not None)


async def _stored(store: MemoryStore) -> StoredValue:
    there = await store.get(f"intent:{KEY}")
    assert there is not None
    return there


@pytest.mark.asyncio
class TestFail:
    """A failed execution ends with what its reason means for a caller of its RPC."""

    @pytest.mark.parametrize(
        ("rpc", "advice"), [("CreateSession", Advice.USE_NEW_REQUEST_ID), ("DecryptApplePay", Advice.LOOK_UP)]
    )
    async def test_advises_what_helps_with_the_rpc(self, rpc: str, advice: Advice) -> None:
        """No operation of Zuora's reads sessions, so there is nothing to look up."""
        clock = FakeClock()

        async def send(_pinned: Route, _context: CallContext, _earlier: EarlierSends) -> tuple[str, UpstreamFacts]:
            raise call_error(Reason.UPSTREAM_INTERNAL, "")

        opening = dataclasses.replace(_opening(_Sent()), rpc=rpc, operation=ScriptedOperation(send, moves_money=False))
        with pytest.raises(CallError) as caught:
            await _run(_Store(clock=clock, max_entries=10), clock, opening)

        assert advice is caught.value.verdict.advice
