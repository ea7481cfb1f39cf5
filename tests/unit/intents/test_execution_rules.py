"""What an execution owes to money and to the calls that wait for it, whichever of them stay."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from harness.clock import FakeClock
from harness.intents import Zuora, call_context, intent_executor, intent_request, memory_store, record_of
from opentelemetry import trace
from payorch_server.intents.intent import IntentResult
from payorch_server.intents.intent_spans import IntentSpans
from payorch_server.model.errors import CallError, call_error
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.outcome import Reason
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.keyring import Keyring
from payorch_server.store.memory import MemoryStore
from payorch_server.store.port import StoredValue, StoreUnavailable

T = TypeVar("T")

_TURNS = 50


class SlowStore:
    """A store whose writes wait: each is done when a test acknowledges it, or fails when it refuses it."""

    def __init__(self, inner: MemoryStore) -> None:
        self.inner = inner
        self.waiting: list[tuple[str, asyncio.Future[bool]]] = []

    warning = ""

    def end(self, name: str, *, fails: bool = False) -> None:
        """End the write that waits."""
        ((waits, write),) = self.waiting
        assert name == waits
        self.waiting.clear()
        write.set_result(fails)

    async def get(self, key: str) -> StoredValue | None:
        """Return what is there, at once."""
        return await self.inner.get(key)

    async def put_if_absent(self, key: str, value: bytes, *, ttl_s: float, version: int = 1) -> StoredValue | None:
        """Store, when it is acknowledged."""
        return await self._write("put", lambda: self.inner.put_if_absent(key, value, ttl_s=ttl_s, version=version))

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl_s: float) -> bool:
        """Replace, when it is acknowledged."""
        return await self._write("set", lambda: self.inner.compare_and_set(key, value, version=version, ttl_s=ttl_s))

    async def compare_and_delete(self, key: str, *, version: int) -> bool:
        """Delete, when it is acknowledged."""
        return await self._write("delete", lambda: self.inner.compare_and_delete(key, version=version))

    async def check(self) -> None:
        """Nothing to check."""

    async def close(self) -> None:
        """Nothing to close."""

    async def _write(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        write = asyncio.get_running_loop().create_future()
        self.waiting.append((name, write))
        if await write:
            raise StoreUnavailable(name)
        return await work()


async def settle() -> None:
    """Run everything that can run now."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


class Bench:
    """An executor over a slow store, and calls of one intent."""

    def __init__(self, *answers: Exception | str) -> None:
        self.clock = FakeClock()
        self.store = SlowStore(memory_store(self.clock))
        self.zuora = Zuora(list(answers))
        self.tasks = TaskOwner()
        self.executor = intent_executor(self.clock, store=self.store, tasks=self.tasks)
        self.request = intent_request(self.zuora.send)

    async def call(self) -> "asyncio.Task[IntentResult[str]]":
        """Make a call and run until it waits."""
        call = asyncio.ensure_future(self.executor.run(self.request, call_context(self.clock)))
        await settle()
        return call


def end_of(call: "asyncio.Task[IntentResult[str]]") -> object:
    """Return what a call ended with."""
    assert call.done()
    if call.cancelled():
        return "cancelled"
    error = call.exception()
    if isinstance(error, CallError):
        return error.failure.reason
    return error or call.result().value


@pytest.mark.asyncio
class TestRecord:
    """It is acknowledged before the first byte, and settled before any answer."""

    async def test_is_acknowledged_before_anything_is_sent(self) -> None:
        """A write that is under way is no record."""
        bench = Bench()
        call = await bench.call()
        sent_before = len(bench.zuora.sent)

        bench.store.end("put")
        await settle()

        assert (sent_before, len(bench.zuora.sent)) == (0, 1)
        bench.store.end("set")
        assert (await call).value == "pm-1"

    async def test_that_is_refused_lets_nothing_be_sent(self) -> None:
        """The money stays where it is."""
        bench = Bench()
        call = await bench.call()

        bench.store.end("put", fails=True)
        await settle()

        assert (end_of(call), bench.zuora.sent) == (Reason.STORE_UNAVAILABLE, [])

    @pytest.mark.parametrize("fails", [False, True])
    @pytest.mark.parametrize(
        ("answer", "end"),
        [
            ("pm-1", "pm-1"),
            (call_error(Reason.PAYMENT_DECLINED, "declined"), Reason.PAYMENT_DECLINED),
            (call_error(Reason.UPSTREAM_NO_ANSWER, "lost"), Reason.UPSTREAM_NO_ANSWER),
        ],
    )
    async def test_is_settled_before_any_call_is_answered(
        self, answer: CallError | str, end: object, *, fails: bool
    ) -> None:
        """Or the write has failed: then the answer is the same."""
        bench = Bench(answer)
        first, joined = await bench.call(), await bench.call()
        bench.store.end("put")
        await settle()
        answered_before = [first.done(), joined.done()]

        bench.store.end("set", fails=fails)
        await settle()

        assert (answered_before, [end_of(first), end_of(joined)]) == ([False, False], [end, end])


@pytest.mark.asyncio
class TestCallsThatLeave:
    """They take nothing with them."""

    @pytest.mark.parametrize("moment", ["before it runs", "recording", "sending", "settling"])
    async def test_do_not_stop_the_execution(self, moment: str) -> None:
        """Wherever it is, it is executed once, settled, and replayed."""
        bench = Bench()
        bench.zuora.gate = asyncio.Event()
        first = asyncio.ensure_future(bench.executor.run(bench.request, call_context(bench.clock)))
        await asyncio.sleep(0)
        if moment == "before it runs":
            first.cancel()
        await settle()
        for reached, go_on in (
            ("recording", lambda: bench.store.end("put")),
            ("sending", bench.zuora.gate.set),
            ("settling", lambda: bench.store.end("set")),
        ):
            if moment == reached:
                first.cancel()
                await settle()
            go_on()
            await settle()

        record = await record_of(bench.store.inner, bench.request)
        assert record is not None
        assert record.settlement is not None
        assert (end_of(first), len(bench.zuora.sent)) == ("cancelled", 1)
        again = await bench.call()
        bench.store.end("put")
        assert (await again).replayed

    async def test_are_not_what_a_drain_counts(self) -> None:
        """It counts executions, and waits for them."""
        bench = Bench()
        call = await bench.call()
        call.cancel()
        await settle()

        left = await bench.executor.wait_for_executions(timeout_s=0)
        draining = asyncio.ensure_future(bench.executor.wait_for_executions(timeout_s=60))
        await settle()
        waits = not draining.done()
        bench.store.end("put")
        await settle()
        bench.store.end("set")

        assert (left, waits, await draining) == (1, True, 0)


class FailingSpans(IntentSpans):
    """Spans that cannot be ended."""

    @staticmethod
    def end_execution(*_ended: Any) -> None:
        """Fail."""
        raise ValueError


@pytest.mark.asyncio
class TestDefects:
    """Every call that waits learns of its end, and nothing is claimed that is not known."""

    async def test_wake_every_call(self) -> None:
        """Their boundary answers UNKNOWN; the record stays open, for the next call to settle."""
        bench = Bench(RuntimeError("a defect"))
        calls = [await bench.call() for _ in range(3)]

        bench.store.end("put")
        await settle()

        record = await record_of(bench.store.inner, bench.request)
        assert record is not None
        assert record.settlement is None
        assert [RuntimeError] * 3 == [type(end_of(call)) for call in calls]
        assert bench.executor.in_flight == 0

    async def test_at_the_end_of_an_execution_keep_no_call_waiting(self) -> None:
        """What was recorded is answered, and the intent is not held any longer."""
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        bench = Bench()
        bench.executor.spans = FailingSpans(bench.executor.spans._tracer, bench.executor.ledger.keyring)
        calls = [await bench.call() for _ in range(2)]
        bench.store.end("put")
        await settle()

        bench.store.end("set")
        await settle()

        assert (["pm-1", "pm-1"], 0) == ([end_of(call) for call in calls], bench.executor.in_flight)

    async def test_of_a_process_that_ends_wake_every_call(self) -> None:
        """Also where the execution had not begun yet."""
        bench = Bench()
        calls = [asyncio.ensure_future(bench.executor.run(bench.request, call_context(bench.clock))) for _ in range(2)]
        await asyncio.sleep(0)

        await bench.tasks.close()
        await settle()

        assert (["cancelled", "cancelled"], 0, []) == (
            [end_of(call) for call in calls],
            bench.executor.in_flight,
            bench.zuora.sent,
        )


class NotedSpans(IntentSpans):
    """Notes which intents have spans."""

    def __init__(self, spans: IntentSpans, keyring: Keyring) -> None:
        super().__init__(spans._tracer, keyring)
        self.noted: list[tuple[str, str]] = []

    def mark(self, key: IdempotencyKey) -> None:
        """Note the span of a call."""
        self.noted.append(("call", key))

    def start_execution(self, key: IdempotencyKey) -> trace.Span:
        """Note the span of an execution."""
        self.noted.append(("executed", key))
        return super().start_execution(key)

    def start_join(self, key: IdempotencyKey, execution: trace.Span) -> trace.Span:
        """Note the span of a call that joins it."""
        self.noted.append(("joined", key))
        return super().start_join(key, execution)


@pytest.mark.asyncio
class TestSpans:
    """What happened to an intent is found by its hash."""

    async def test_name_the_intent_of_each_call_and_execution(self) -> None:
        """Of the call that executes it and of the one that joins."""
        bench = Bench()
        spans = NotedSpans(bench.executor.spans, bench.executor.ledger.keyring)
        bench.executor.spans = spans

        calls = [await bench.call() for _ in range(2)]
        for write in ("put", "set"):
            bench.store.end(write)
            await settle()

        key = bench.request.key
        assert ["pm-1", "pm-1"] == [end_of(call) for call in calls]
        assert {("call", key), ("executed", key), ("joined", key)} == set(spans.noted)


@pytest.mark.asyncio
class TestCost:
    """What an execution takes of the event loop."""

    async def test_is_one_task_and_no_timer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """And one future for each call that waits; the process has one timer for all deadlines."""
        bench, loop, made = Bench(), asyncio.get_running_loop(), Counter[str]()
        bench.executor._deadlines.call_after(15.0, lambda: None)
        calls = [bench.executor.run(bench.request, call_context(bench.clock)) for _ in range(3)]
        callers = [asyncio.ensure_future(call) for call in calls]
        for name in ("create_task", "call_at", "create_future"):
            monkeypatch.setattr(loop, name, _counted(getattr(loop, name), made, name))

        await settle()
        bench.store.end("put")
        await settle()
        bench.store.end("set")
        await settle()

        writes = 2
        assert {"create_task": 1, "create_future": len(callers) + writes} == made
        assert ["pm-1"] * 3 == [end_of(caller) for caller in callers]


def _counted(make: Callable[..., Any], made: Counter[str], name: str) -> Callable[..., Any]:
    def counted(*arguments: Any, **named: Any) -> Any:
        made[name] += 1
        return make(*arguments, **named)

    return counted
