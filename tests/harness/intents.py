"""Intents over a memory store, with a clock and a randomness that the test sets."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from payorch_server.intents.executor import IntentExecutor, idempotency_key
from payorch_server.intents.intent import Fingerprint, IntentOperation, IntentRequest, RequestFingerprints, differences
from payorch_server.intents.intent_record import IntentRecord, decode_record, encode_record
from payorch_server.intents.ledger import IntentLedger
from payorch_server.model.attempt import UpstreamFacts, ZuoraReply
from payorch_server.model.context import CallContext
from payorch_server.model.earlier_sends import EarlierSends
from payorch_server.model.errors import CallError, UpstreamEvidence
from payorch_server.model.identifiers import RequestId
from payorch_server.model.route import Route
from payorch_server.model.secret import Secret
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.keyring import Keyring
from payorch_server.store.memory import MemoryStore
from payorch_server.store.port import Store, StoredValue, StoreUnavailable

from harness.clock import FakeClock
from harness.keyring import counted_entropy, keyring
from harness.routes import context, route

REQUEST_ID = RequestId("order-4711-attempt-1")
DAY_S = 86_400.0
SendResult = tuple[str, UpstreamFacts]


def at_most(_low: float, high: float) -> float:
    """Draw the upper end."""
    return high


def memory_store(clock: FakeClock) -> MemoryStore:
    """Make a memory store."""
    return MemoryStore(clock=clock, max_entries=1000)


def intent_executor(
    clock: FakeClock,
    *,
    store: Store | None = None,
    keys: Keyring | None = None,
    uniform: Callable[[float, float], float] = lambda _low, _high: 0.0,
    tasks: TaskOwner | None = None,
    entropy: Callable[[int], bytes] | None = None,
) -> IntentExecutor:
    """Make the executor of one process."""
    ledger = IntentLedger(
        store=store or memory_store(clock),
        keyring=keys or keyring(),
        clock=clock,
        uniform=uniform,
        entropy=entropy or counted_entropy(),
    )
    return IntentExecutor(ledger=ledger, clock=clock, tasks=tasks or TaskOwner(), deadlines=Deadlines(clock))


def fingerprint(key_id: str = "k1", sensitive: str = "s1", **plain: str) -> Fingerprint:
    """Make a fingerprint by hand."""
    return Fingerprint(key_id, plain or {"amount.units": "aa"}, sensitive)


class FixedFingerprints(RequestFingerprints):
    """Fingerprints made by hand, under several keys, the one in use first."""

    def __init__(self, by_key: Mapping[str, Fingerprint]) -> None:
        self._by_key = by_key

    @property
    def written(self) -> Fingerprint:
        """The first."""
        return next(iter(self._by_key.values()))

    def differences(self, recorded: Fingerprint) -> tuple[str, ...] | None:
        """Compare under the key of the recorded one."""
        own = self._by_key.get(recorded.key_id)
        return differences(recorded, own) if own else None


def upstream_facts(request_id: str = "z1", *, track_id: str = "track-1") -> UpstreamFacts:
    """Make the facts of an answer of Zuora."""
    return UpstreamFacts(
        zuora_request_id=request_id,
        zuora_process_id="p1",
        echoed_track_id=track_id,
        answer_ids=(Secret(request_id), Secret("p1")),
    )


@dataclass(slots=True)
class Zuora:
    """Answers `IntentOperation.send` in place of Zuora: keeps what was sent, and gives the next answer of a script."""

    answers: list[Exception | str] = field(default_factory=list)
    gate: asyncio.Event | None = None
    """What an answer waits for; None: nothing."""
    sent: list[tuple[Route, CallContext, EarlierSends]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, pinned: Route, call: CallContext, earlier: EarlierSends) -> SendResult:
        """Answer one execution."""
        self.sent.append((pinned, call, earlier))
        self.arrived.set()
        if self.gate is not None:
            await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else "pm-1"
        if isinstance(answer, Exception):
            raise answer
        return answer, upstream_facts()


class ScriptedOperation(IntentOperation[str]):
    """An operation that moves money, its result the id of a payment method; a test supplies its parts."""

    def __init__(
        self,
        send: Callable[[Route, CallContext, EarlierSends], Awaitable[SendResult]],
        *,
        permit: Callable[[Route], None] = lambda _route: None,
        route_exists: Callable[[Route], bool] = lambda _route: True,
        ids_of: Callable[[str], UpstreamEvidence] = lambda value: UpstreamEvidence(payment_method_id=value),
        moves_money: bool = True,
        needs_record: bool | None = None,
        is_disposable: bool = False,
        guarded_token: str = "",
        stale_after_s: float | None = None,
        zuora_now_s: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.result_type = str
        self.moves_money = moves_money
        self.needs_record = moves_money if needs_record is None else needs_record
        self.is_disposable = is_disposable
        self.guarded_token = guarded_token
        self.stale_after_s = stale_after_s
        self._send = send
        self._permit = permit
        self._route_exists = route_exists
        self._ids_of = ids_of
        self._zuora_now_s = zuora_now_s

    def permit(self, route: Route) -> None:
        """Ask the test."""
        self._permit(route)

    def route_exists(self, route: Route) -> bool:
        """Ask the test."""
        return self._route_exists(route)

    def zuora_now_s(self, _route: Route) -> float | None:
        """Ask the test."""
        return self._zuora_now_s()

    async def send(self, route: Route, context: CallContext, earlier: EarlierSends) -> ZuoraReply:
        """Wrap what the test answers."""
        value, facts = await self._send(route, context, earlier)
        return ZuoraReply(200, {"value": value}, facts)

    def parse(self, reply: ZuoraReply) -> str:
        """Unwrap it."""
        return str(reply.payload["value"])

    def ids_of(self, value: str) -> UpstreamEvidence:
        """Ask the test."""
        return self._ids_of(value)


def intent_request(
    send: Callable[[Route, CallContext, EarlierSends], Awaitable[SendResult]],
    *,
    request_id: RequestId = REQUEST_ID,
    fingerprints: Mapping[str, Fingerprint] | None = None,
    to: Route | CallError | None = None,
    **operation: Any,
) -> IntentRequest[str]:
    """Make a request for an intent of DecryptApplePay.

    Args:
        send: Answers one execution.
        request_id: Of the intent.
        fingerprints: Of the request, by key id.
        to: Where it goes if it is new; None: the usual route.
        operation: Parts of the ScriptedOperation.
    """
    return IntentRequest(
        key=idempotency_key(namespace="default", rpc="DecryptApplePay", request_id=request_id),
        rpc="DecryptApplePay",
        request_id=request_id,
        fingerprints=FixedFingerprints(fingerprints or {"k1": fingerprint()}),
        route=to or route(),
        operation=ScriptedOperation(send, **operation),
    )


def key_of(one: IntentRequest[Any]) -> str:
    """Return where the record of an intent is stored."""
    return f"intent:{one.key}"


async def record_of(store: Store, one: IntentRequest[Any]) -> IntentRecord | None:
    """Return the record of an intent."""
    stored = await store.get(key_of(one))
    return decode_record(stored.value) if stored else None


async def store_record(store: Store, one: IntentRequest[Any], record: IntentRecord) -> None:
    """Store a record as another process would have."""
    assert await store.put_if_absent(key_of(one), encode_record(record), ttl_s=30 * DAY_S) is None


def call_context(clock: FakeClock, *, seconds: float = 20.0, track_id: str = "track-1") -> CallContext:
    """Make a context with so many seconds left."""
    return context(deadline_s=clock.monotonic() + seconds, track_id=track_id)


class FailingStore:
    """A store that fails at the n-th operation of a kind, after doing it or instead."""

    def __init__(self, inner: Store, *, fails: Callable[[str, str], bool], acts: bool = False) -> None:
        """Wrap a store.

        Args:
            inner: The store.
            fails: Decides by operation and key whether the operation fails.
            acts: Whether a failing operation is carried out all the same.
        """
        self._inner = inner
        self._fails = fails
        self._acts = acts

    async def get(self, key: str) -> StoredValue | None:
        """Return what is there."""
        return await self._through("get", key, self._inner.get(key))

    async def put_if_absent(self, key: str, value: bytes, *, ttl_s: float, version: int = 1) -> StoredValue | None:
        """Store, or return what is there."""
        work = self._inner.put_if_absent(key, value, ttl_s=ttl_s, version=version)
        return await self._through("put_if_absent", key, work)

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl_s: float) -> bool:
        """Store if the version is there."""
        work = self._inner.compare_and_set(key, value, version=version, ttl_s=ttl_s)
        return await self._through("compare_and_set", key, work)

    async def compare_and_delete(self, key: str, *, version: int) -> bool:
        """Delete if the version is there."""
        return await self._through("compare_and_delete", key, self._inner.compare_and_delete(key, version=version))

    warning = ""

    async def check(self) -> None:
        """Say nothing."""

    async def close(self) -> None:
        """Close nothing."""

    async def _through(self, operation: str, key: str, work: Any) -> Any:
        failed = self._fails(operation, key)
        if failed and not self._acts:
            work.close()
        else:
            result = await work
        if failed:
            raise StoreUnavailable(operation)
        return result
