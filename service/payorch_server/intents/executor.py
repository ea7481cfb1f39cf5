"""The executor of intents: one intent, one idempotency key, one execution.

The first execution of an intent writes a record before it sends; equal calls join it or receive its recorded end, other
bodies are refused, and an execution whose owner is gone is continued with the same key on the same route. The store
only adds to what the key itself guarantees: losing it costs joins and refusals, never a second execution at Zuora.
"""

import asyncio
import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import structlog
from opentelemetry import trace

from payorch_server.calls.recording import CallRecord, log_fields, record_of_execution
from payorch_server.intents.claim import IntentClaim
from payorch_server.intents.intent import IntentRequest, IntentResult, require_same_request, still_running
from payorch_server.intents.intent_record import resend_before, sent_intent
from payorch_server.intents.intent_spans import IntentSpans
from payorch_server.intents.ledger import IntentLedger
from payorch_server.model.context import CallContext, WaitingCalls
from payorch_server.model.earlier_sends import error_given_notes
from payorch_server.model.errors import CallError, call_error
from payorch_server.model.identifiers import IdempotencyKey, RequestId
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner, ignore
from payorch_server.store.port import StoreUnavailable
from payorch_server.telemetry.logging import where
from payorch_server.telemetry.spans import record_failure, use_span

T = TypeVar("T")

_LOG: Final = structlog.get_logger("payorch.intents")

_PREFIX: Final = "po1-"
_HEX_DIGITS: Final = 40

EXECUTION_LIMIT_S: Final = 55.0
"""How long an execution may take; below the 60 s after which Zuora gives up a connector call."""
_ANSWER_MARGIN_S: Final = 0.05
# A call that received the recorded end of an intent executed nothing.
_EXECUTED: Final = frozenset({"opened", "taken_over", "unrecorded"})
# Ends of an execution that are about the calls before this one: about their rights, and about their deadlines.
_OF_EARLIER_CALLS: Final = frozenset({Reason.CALLER_NOT_PERMITTED, Reason.DEADLINE_TOO_SHORT})


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
    """An execution under way; calls of the same intent join it."""

    request: IntentRequest[T]
    """Of the call that started it."""
    context: CallContext
    """Of the same call."""
    route: Route | CallError
    """The one it is pinned to, as soon as that is known."""
    resend_before: datetime
    """Of the intent, which an earlier execution may have opened."""
    started_s: float
    """On the monotonic clock."""
    span: trace.Span
    """Ends with the execution, perhaps long after the call that started it."""
    waiting: WaitingCalls = dataclasses.field(default_factory=WaitingCalls)
    """The call that started it and those that joined, as long as they wait."""
    is_lookup_needed: bool = False
    """Whether a call that leaves must look up the outcome: it is unrecorded, and a resend could take another route."""
    was_left: bool = False
    """Whether a call has left without knowing its end, so that no line of a call shows that end."""
    unlogged: CallRecord | None = None
    """Its record, from its end until a line shows it."""
    task: asyncio.Task[IntentResult[T]] = dataclasses.field(init=False)

    def leave(self) -> None:
        """Note that a call leaves without knowing the end; log the end if it has come this very moment."""
        self.was_left = True
        self.log_end()

    def log_end(self) -> None:
        """Log the end that a call which has left could not show, once."""
        if self.was_left and self.unlogged:
            _LOG.info("execution", **log_fields(self.unlogged))
            self.unlogged = None

    def permit(self, pinned: Route) -> None:
        """Refuse the caller that started it on the route that its intent is pinned to.

        The route is noted first: calls that join must have the right to it too, whatever becomes of this execution.
        """
        self.route = pinned
        self.request.operation.permit(pinned)


ExecutionEnded = Callable[[CallRecord, IdempotencyKey], None]


class IntentExecutor:
    """The executions of this process, over the recorded intents in the store."""

    def __init__(
        self,
        *,
        ledger: IntentLedger,
        clock: Clock,
        tasks: TaskOwner,
        deadlines: Deadlines,
        tracer: trace.Tracer | None = None,
        execution_ended: ExecutionEnded = ignore,
    ) -> None:
        self.ledger = ledger
        """What the store knows of intents."""
        self.spans = IntentSpans(tracer or trace.NoOpTracer(), ledger.keyring)
        """Makes their spans."""
        self._clock = clock
        self._tasks = tasks
        self._deadlines = deadlines
        self._execution_ended = execution_ended
        self._executions: dict[str, _Execution[Any]] = {}

    def __repr__(self) -> str:
        return f"IntentExecutor({len(self._executions)} in flight)"

    @property
    def in_flight(self) -> int:
        """How many intents are being executed."""
        return len(self._executions)

    def knows_of(self, key: IdempotencyKey) -> bool:
        """Return whether this process knows of an execution that may have sent the intent, be it another process's."""
        return key in self._executions or self.ledger.memory.sent(key) is not None

    async def run(self, request: IntentRequest[T], context: CallContext) -> IntentResult[T]:
        """Execute the intent, join its execution, or return its recorded end.

        An execution belongs to the service: once something may have been sent, it continues when its callers leave.

        Raises:
            CallError: With any outcome.
        """
        self.spans.mark(request.key)
        while True:
            execution = self._executions.get(request.key)
            # 1. The first call of the intent in this process starts an execution and waits for it.
            if execution is None:
                return await self._wait_for(self._start(request, context), context)
            # 2. Every further call joins it, if it may and its request is the same.
            context.notes.intent_read = execution.context.notes.intent_read
            _require_route(request, execution)
            require_same_request(execution.request.fingerprints.written, request)
            context.notes.intent = "joined"
            try:
                result = await self._join(execution, request, context)
            except CallError as error:
                context.notes.intent_read = execution.context.notes.intent_read
                # The intent's own route may be known by now, and the error reveals something about it.
                _require_route(request, execution)
                if error.failure.reason not in _OF_EARLIER_CALLS:
                    raise
                # 3. The call that started it lacked the right to that route, or the time to send; this one has it.
                self._forget(request.key, execution)
            else:
                request.operation.permit(result.route)
                return result

    async def wait_for_executions(self, *, timeout_s: float) -> int:
        """Wait until no intent is being executed; return how many are when time is up."""
        tasks = [execution.task for execution in self._executions.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)
        return len(self._executions)

    async def _join(self, execution: _Execution[T], request: IntentRequest[T], context: CallContext) -> IntentResult[T]:
        span = self.spans.start_join(request.key, execution.span)
        try:
            return await self._wait_for(execution, context)
        except CallError as error:
            record_failure(span, error)
            raise
        finally:
            span.end()

    async def _wait_for(self, execution: _Execution[T], context: CallContext) -> IntentResult[T]:
        wait_s = context.deadline_s - self._clock.monotonic() - _ANSWER_MARGIN_S
        try:
            with execution.waiting.include(context.deadline_s):
                return await self._deadlines.result_of(execution.task, within_s=wait_s)
        except asyncio.CancelledError:
            execution.leave()
            raise
        except TimeoutError as error:
            execution.leave()
            detail = f"not settled within {wait_s:.2f} s"
            if execution.is_lookup_needed:
                raise call_error(Reason.INTENT_NOT_RECORDED, detail, lastReason=Reason.STILL_RUNNING.name) from error
            raise still_running(detail, execution.resend_before) from error

    def _start(self, request: IntentRequest[T], context: CallContext) -> _Execution[T]:
        span = self.spans.start_execution(request.key)
        until = self.ledger.resend_before_if_new(request)
        execution = _Execution(request, context, request.route, until, self._clock.monotonic(), span)
        with use_span(span):
            execution.task = self._tasks.start(self._execute(execution), name=request.rpc)
        self._executions[request.key] = execution
        execution.task.add_done_callback(lambda task: self._on_done(execution, task))
        return execution

    async def _execute(self, execution: _Execution[T]) -> IntentResult[T]:
        """Permit, claim, send, parse, settle: the way of every execution."""
        operation = execution.request.operation
        deadline_s = self._clock.monotonic() + EXECUTION_LIMIT_S
        context = dataclasses.replace(execution.context, deadline_s=deadline_s, waiting=execution.waiting)
        # 1. Permit and claim: the right to a pinned route is checked before anything is revealed of the intent.
        claim = await self._claim(execution, context)
        if isinstance(claim, IntentResult):
            return claim
        # 2. A one-time token belongs to one intent.
        await claim.guard_token()
        self.ledger.memory.note_sent(execution.request.key, sent_intent(claim.record))
        # 3. Send under the intent's one key, and parse the answer.
        try:
            reply = await operation.send(claim.record.route, context, claim.earlier_sends)
            value = operation.parse(reply)
        # 4. Settle: record how it ended, then answer every waiting call.
        except CallError as error:
            raise await claim.fail(error) from error
        # Noted here for the execution's own record; calls that joined note it for theirs.
        context.notes.note_success(reply.facts, operation.ids_of(value))
        return await claim.settle(value, reply.facts)

    async def _claim(self, execution: _Execution[T], context: CallContext) -> IntentClaim[T] | IntentResult[T]:
        started_s = self._clock.monotonic()
        try:
            claim = await self.ledger.claim_or_replay(execution.request, context, permit=execution.permit)
        except StoreUnavailable as error:
            claim = self.ledger.claim_unrecorded(execution.request, context, error, permit=execution.permit)
        context.notes.add_phase("record", self._clock.monotonic() - started_s)
        context.notes.intent = _disposition(claim)
        if isinstance(claim, IntentClaim):
            execution.route, execution.resend_before = claim.record.route, resend_before(claim.record)
            execution.is_lookup_needed = claim.version is None and not execution.request.operation.is_disposable
        return claim

    def _forget(self, key: IdempotencyKey, execution: _Execution[Any]) -> None:
        """End the joining of an execution; the one that followed it may be under way already."""
        if self._executions.get(key) is execution:
            del self._executions[key]

    def _on_done(self, execution: _Execution[Any], task: asyncio.Task[IntentResult[Any]]) -> None:
        """Record how an execution ended, and log it if a call has left: no line of a call shows it then."""
        self._forget(execution.request.key, execution)
        self.spans.end_execution(execution.span, task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        record = self._record_of(execution, error)
        if record.intent in _EXECUTED:
            self._report(record, execution.request.key)
        # 1. The process ends, or a defect: an error, whether or not a call waits.
        if task.cancelled():
            _LOG.error("execution_cut", **log_fields(record))
        elif error is not None and not isinstance(error, CallError):
            # Its own text could hold what must not be shown.
            _LOG.error("execution_crashed", **log_fields(record), type=type(error).__name__, where=where(error))
        # 2. An end that was foreseen, which the calls that wait show in their own lines.
        else:
            execution.unlogged = record
            execution.log_end()

    def _record_of(self, execution: _Execution[Any], error: BaseException | None) -> CallRecord:
        return record_of_execution(
            error_given_notes(error, execution.context.notes) if isinstance(error, CallError) else error,
            rpc=execution.request.rpc,
            context=execution.context,
            ended_at=self._clock.now(),
            duration_s=self._clock.monotonic() - execution.started_s,
        )

    def _report(self, record: CallRecord, key: IdempotencyKey) -> None:
        try:
            self._execution_ended(record, key)
        except Exception as defect:  # noqa: BLE001 - a failing listener must not cost a caller the answer
            _LOG.error("execution_not_counted", rpc=record.rpc, type=type(defect).__name__, where=where(defect))


def _disposition(claim: IntentClaim[Any] | IntentResult[Any]) -> str:
    """Name how a call met its intent."""
    if isinstance(claim, IntentResult):
        return "replayed"
    if claim.version is None:
        return "unrecorded"
    return "taken_over" if claim.record.takeovers else "opened"


def _require_route(request: IntentRequest[Any], execution: _Execution[Any]) -> None:
    """Refuse a caller that may not use the route of an execution, if it is known."""
    if isinstance(execution.route, Route):
        request.operation.permit(execution.route)
