"""One intent, one idempotency key, one execution.

The first flight of an intent writes a record before it sends; equal calls join the flight or take its recorded end,
other bodies are refused, and a flight whose owner is gone is continued with the same key on the same route. The store
only adds to what the key itself guarantees: losing it costs joins and refusals, never a second execution.
"""

import asyncio
import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import structlog
from opentelemetry import trace

from payorch_server.calls.recording import record_of_execution
from payorch_server.intents.intent import Fingerprint, IntentExecution, IntentResult, require_same_request
from payorch_server.intents.intent_record import resend_before
from payorch_server.intents.intent_spans import IntentSpans, tell_failure
from payorch_server.intents.ledger import IntentClaim, IntentLedger, still_running
from payorch_server.model.call_record import CallRecord
from payorch_server.model.context import CallContext
from payorch_server.model.earlier_sends import EarlierSends
from payorch_server.model.errors import CallError, error_for
from payorch_server.model.identifiers import IdempotencyKey, RequestId
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.model.route import Route
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.port import StoreUnavailable
from payorch_server.telemetry.spans import use_span

T = TypeVar("T")

_LOG: Final = structlog.get_logger("payorch.intents")

_PREFIX: Final = "po1-"
_HEX_DIGITS: Final = 40

EXECUTION_LIMIT_S: Final = 55.0
"""How long a flight may take; below the 60 s after which Zuora gives up a connector call."""
_ANSWER_MARGIN_S: Final = 0.05
# A call that took the recorded end of an intent executed nothing.
_EXECUTED: Final = frozenset({"opened", "taken_over", "unrecorded"})


def idempotency_key(*, namespace: str, rpc: str, request_id: RequestId) -> IdempotencyKey:
    """Return the key under which Zuora executes an intent once.

    Every replica, version and restart must compute the same, so nothing else goes into it: no secret, tenant, URL,
    gateway or counter. Each part is preceded by its length in bytes, four bytes long, most significant first.

    Args:
        namespace: Whose intent it is.
        rpc: Name of the RPC, such as `CreateSession`.
        request_id: The caller's name for the intent.

    Returns:
        `po1-` and the first 40 hexadecimal digits of a SHA-256; 44 characters of Zuora's 255.
    """
    digest = hashlib.sha256()
    for part in (namespace, rpc, request_id):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return IdempotencyKey(_PREFIX + digest.hexdigest()[:_HEX_DIGITS])


@dataclass(slots=True)
class _Execution(Generic[T]):
    fingerprints: Mapping[str, Fingerprint]
    route: Route | CallError
    """The one it is pinned to, as soon as that is known."""
    task: asyncio.Task[IntentResult[T]]
    resend_before: datetime
    """Of the intent, which an earlier flight may have opened."""
    context: CallContext
    """Of the call that departed."""
    started_s: float
    """On the monotonic clock."""
    span: trace.Span
    """Ends with the flight, perhaps long after that of the call which departed."""


ExecutionEnded = Callable[[CallRecord, IdempotencyKey], None]


def _nobody_listens(_record: CallRecord, _key: IdempotencyKey) -> None:
    return


class IntentExecutor:
    """The intents in flight in this process, over the recorded ones in the store."""

    def __init__(
        self,
        *,
        records: IntentLedger,
        clock: Clock,
        tasks: TaskOwner,
        tracer: trace.Tracer | None = None,
        execution_ended: ExecutionEnded = _nobody_listens,
    ) -> None:
        self.records = records
        """What the store knows of them."""
        self.spans = IntentSpans(tracer or trace.NoOpTracer(), records.keyring)
        """What spans say of them."""
        self._clock = clock
        self._tasks = tasks
        self._flight_ended = execution_ended
        self._flights: dict[str, _Execution[Any]] = {}

    def __repr__(self) -> str:
        return f"Intents({len(self._flights)} in flight)"

    @property
    def in_flight(self) -> int:
        """How many intents are in flight."""
        return len(self._flights)

    async def run(self, opening: IntentExecution[T], context: CallContext) -> IntentResult[T]:
        """Execute the intent, join its flight, or return its recorded end.

        The flight belongs to the service: it goes on when this caller leaves.

        Raises:
            CallError: Any of its kinds.
        """
        self.spans.mark(opening.key)
        while True:
            flying = self._flights.get(opening.key)
            if flying is None:
                return await self._end_of(self._start(opening, context), context)
            _permit(opening, flying)
            require_same_request(flying.fingerprints, opening)
            context.notes.intent = "joined"
            try:
                ended = await self._join(flying, opening, context)
            except CallError as error:
                # The intent's own route may have become known meanwhile, and the end tells something of it.
                _permit(opening, flying)
                if error.failure.reason is not Reason.CALLER_NOT_PERMITTED:
                    raise
                # Whoever departed had not the right to that route. That says nothing of who joined.
                self._forget(opening.key, flying)
            else:
                opening.permit(ended.route)
                return ended

    async def _join(self, flying: _Execution[T], opening: IntentExecution[T], context: CallContext) -> IntentResult[T]:
        span = self.spans.joined(opening.key, flying.span)
        try:
            return await self._end_of(flying, context)
        except CallError as error:
            tell_failure(span, error)
            raise
        finally:
            span.end()

    async def _end_of(self, flying: _Execution[T], context: CallContext) -> IntentResult[T]:
        wait_s = context.deadline_s - self._clock.monotonic() - _ANSWER_MARGIN_S
        try:
            async with asyncio.timeout(max(wait_s, 0.0)):
                return await asyncio.shield(flying.task)
        except TimeoutError as error:
            raise still_running(f"not settled within {wait_s:.2f} s", flying.resend_before) from error

    async def wait_for_executions(self, *, timeout_s: float) -> int:
        """Wait until no intent is in flight; return how many are left when time is up."""
        tasks = [flying.task for flying in self._flights.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)
        return len(self._flights)

    def _start(self, opening: IntentExecution[T], context: CallContext) -> _Execution[T]:
        span = self.spans.flight(opening.key)
        with use_span(span):
            task = self._tasks.start(self._execute(opening, context), name=opening.rpc)
        until, started_s = self.records.resend_before_if_new(opening), self._clock.monotonic()
        flying = _Execution(opening.fingerprints, opening.route, task, until, context, started_s, span)
        self._flights[opening.key] = flying
        flying.task.add_done_callback(lambda ended: self._on_done(opening, flying, ended))
        return flying

    def _forget(self, key: IdempotencyKey, flying: _Execution[Any]) -> None:
        """Let nobody join a flight any more; the one that followed it may fly already."""
        if self._flights.get(key) is flying:
            del self._flights[key]

    def _on_done(
        self, opening: IntentExecution[Any], flying: _Execution[Any], ended: asyncio.Task[IntentResult[Any]]
    ) -> None:
        """Tell how a flight ended: its caller may have left long ago."""
        self._forget(opening.key, flying)
        self.spans.arrived(flying.span, ended)
        error = asyncio.CancelledError() if ended.cancelled() else ended.exception()
        if flying.context.notes.intent in _EXECUTED:
            self._tell(opening, flying, error)
        if isinstance(error, CallError):
            _LOG.info("flight failed", rpc=opening.rpc, reason=error.failure.reason.name, detail=error.failure.detail)
        elif ended.cancelled():
            _LOG.error("flight was cut", rpc=opening.rpc)
        elif error is not None:
            # Its own text could hold what must not be shown.
            _LOG.error("flight failed in a way nobody foresaw", rpc=opening.rpc, type=type(error).__name__)

    def _tell(self, opening: IntentExecution[Any], flying: _Execution[Any], error: BaseException | None) -> None:
        duration_s = self._clock.monotonic() - flying.started_s
        record = record_of_execution(
            error, rpc=opening.rpc, context=flying.context, ended_at=self._clock.now(), duration_s=duration_s
        )
        # Whoever listens must not cost a caller the answer.
        with contextlib.suppress(Exception):
            self._flight_ended(record, opening.key)

    async def _execute(self, opening: IntentExecution[T], context: CallContext) -> IntentResult[T]:
        context = dataclasses.replace(context, deadline_s=self._clock.monotonic() + EXECUTION_LIMIT_S)
        flying = self._flights[opening.key]

        def permit(pinned: Route) -> None:
            # Noted first: whoever joined is asked for the right to the same route, whatever becomes of this flight.
            flying.route = pinned
            opening.permit(pinned)

        started_s = self._clock.monotonic()
        try:
            held = await self.records.hold(dataclasses.replace(opening, permit=permit), context)
        except StoreUnavailable as error:
            held = self.records.unrecorded(opening, context, error)
        context.notes.add_phase("record", self._clock.monotonic() - started_s)
        context.notes.intent = _disposition(held)
        if isinstance(held, IntentResult):
            return held
        flying.route, flying.resend_before = held.record.route, resend_before(held.record)
        await self.records.guard_token(opening, held)
        return await self._send(opening, context, held)

    async def _send(self, opening: IntentExecution[T], context: CallContext, held: IntentClaim) -> IntentResult[T]:
        record = held.record
        earlier = EarlierSends(record.doubtful, frozenset(record.answer_ids))
        try:
            value, facts = await opening.send(record.route, context, earlier)
        except CallError as error:
            told = error_for(dataclasses.replace(error.failure, resend_before=resend_before(record)))
            if record.doubtful and told.verdict.outcome is Outcome.NOT_SENT:
                # This flight sent nothing, which says nothing of those before it.
                unsettled = dataclasses.replace(told.failure, reason=Reason.EARLIER_ATTEMPT_UNSETTLED, violations=())
                told = error_for(unsettled)
            await self.records.failed(opening, held, told)
            raise told from error
        context.notes.note_success(facts, opening.ids_of(value))
        return await self.records.succeeded(opening, held, value, facts)


def _disposition(held: IntentClaim | IntentResult[Any]) -> str:
    """Name how a call met its intent."""
    if isinstance(held, IntentResult):
        return "replayed"
    if held.version is None:
        return "unrecorded"
    return "taken_over" if held.record.takeovers else "opened"


def _permit(opening: IntentExecution[Any], flying: _Execution[Any]) -> None:
    """Refuse a caller that may not use the route of a flight, if it is known."""
    if isinstance(flying.route, Route):
        opening.permit(flying.route)
