"""The outermost interceptor: decides the outcome of a call, once.

Status code, details, trailers, span and log line all follow from that decision. No exception gets past it: grpc.aio
would send its text to the caller.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import structlog
from grpc_status import rpc_status
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from payorch_server.calls.recording import CallRecord, log_fields, record_of_call
from payorch_server.model.call_notes import CallNotes
from payorch_server.model.caller import UNIDENTIFIED
from payorch_server.model.context import CallContext
from payorch_server.model.earlier_sends import error_given_notes
from payorch_server.model.errors import CallError, call_error
from payorch_server.model.identifiers import TrackId
from payorch_server.model.operation import ROUTED_RPCS
from payorch_server.model.outcome import Reason
from payorch_server.rpc.current import ActiveCall, current_caller, set_active_call
from payorch_server.rpc.interceptors._unary import Behaviour, Continuation, behaviour_of, is_ours, with_behaviour
from payorch_server.rpc.interceptors.early_metadata import EarlyMetadata
from payorch_server.rpc.settings import GrpcSettings
from payorch_server.rpc.status import code_of, status_of, trailers_of
from payorch_server.rpc.track_ids import TRACK_ID_KEY, link_track_id, recorded_track_ids, track_id_of
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner, ignore
from payorch_server.store.keyring import Keyring
from payorch_server.telemetry.logging import where
from payorch_server.telemetry.spans import caller_baggage, caller_context
from payorch_server.usecases.policy import LivePolicy

_LOG: Final = structlog.get_logger("payorch.rpc")
# gRPC's own list of codes that are faults of the server, not of the request.
_SERVER_FAULTS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that is not closed yet."""

    method: str
    span: trace.Span
    track_id: TrackId
    """As it is shown and recorded."""
    given_track_id: TrackId = field(repr=False)
    """As the caller gave it, and gets it back."""
    problem: CallError | None
    """Why the call is refused before its message is received."""
    started_s: float
    notes: CallNotes


class BoundaryInterceptor(grpc.aio.ServerInterceptor):
    """Opens and closes each of our calls to one server.

    Servers need one each: it keeps the handlers of the methods that were called, and would serve those of the other.
    """

    def __init__(
        self,
        *,
        settings: GrpcSettings,
        policy: LivePolicy,
        keyring: Keyring,
        tracer: trace.Tracer,
        clock: Clock,
        tasks: TaskOwner,
        deadlines: Deadlines,
        baggage: Sequence[str] = (),
        ended: Callable[[CallRecord], None] = ignore,
    ) -> None:
        self._baggage = baggage
        self._settings = settings
        self._policy = policy
        self._keyring = keyring
        self._tracer = tracer
        self._clock = clock
        self._tasks = tasks
        self._deadlines = deadlines
        self._ended = ended
        # Only existing methods are added, so no caller can make it grow.
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        self._unknown: grpc.RpcMethodHandler[Any, Any] = grpc.stream_unary_rpc_method_handler(
            self._with_boundary("unknown", _unknown_method)
        )

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Wrap our handlers, and respond to methods that do not exist.

        A method's handler never changes, so the chain of interceptors below is built once for each.
        """
        # 1. A method that was called before.
        method = handler_call_details.method
        if method in self._wrapped:
            return self._wrapped[method]
        # 2. A method that does not exist.
        handler = await continuation(handler_call_details)
        if handler is None:
            return self._unknown
        # 3. Health and reflection pass through unchanged.
        behaviour = behaviour_of(handler)
        if not is_ours(method) or behaviour is None:
            return handler
        # 4. The first call of one of our methods.
        self._wrapped[method] = with_behaviour(handler, self._with_boundary(method[1:], behaviour))
        return self._wrapped[method]

    def _with_boundary(self, method: str, behaviour: Behaviour) -> Behaviour:
        async def with_boundary(request: Any, context: Any) -> Any:
            call = self._open(method, context)
            token = otel_context.attach(trace.set_span_in_context(call.span))
            early_metadata = EarlyMetadata(
                context, ((TRACK_ID_KEY, call.given_track_id),), self._tasks, self._deadlines
            )
            try:
                response = await self._serve(call, behaviour, request, context)
            # 1. An expected error: its status goes to the caller.
            except CallError as raised:
                error = error_given_notes(raised, call.notes)
                self._close(call, error)
                await early_metadata.finish()
                await self._abort(context, error, call.given_track_id)
            # 2. The caller is no longer waiting: no response is possible.
            except asyncio.CancelledError:
                self._close(call, call_error(Reason.CALLER_LEFT, "cancelled by the caller or by its deadline"))
                raise
            # 3. A defect: the caller gets INTERNAL without the exception's text.
            except Exception as unexpected:  # noqa: BLE001 - the one place that no exception may pass
                defect = call_error(Reason.INTERNAL, f"unexpected {type(unexpected).__name__}")
                self._close(call, defect, unexpected)
                await early_metadata.finish()
                await self._abort(context, defect, call.given_track_id)
            # 4. Success.
            else:
                self._close(call, None)
                await early_metadata.finish()
                context.set_trailing_metadata(((TRACK_ID_KEY, call.given_track_id),))
                return response
            finally:
                early_metadata.cancel()
                otel_context.detach(token)

        return with_boundary

    def _open(self, method: str, context: Any) -> _Call:
        started_s = self._clock.monotonic()
        metadata = context.invocation_metadata() or ()
        span = self._tracer.start_span(
            method,
            context=caller_context(metadata),
            kind=SpanKind.SERVER,
            attributes={"rpc.system.name": "grpc", "rpc.method": method},
        )
        given_track_id, problem = track_id_of(metadata, span)
        track_id = recorded_track_ids(given_track_id, self._keyring)[0]
        span.set_attribute("zuora.track_id", track_id)
        for name, value in caller_baggage(metadata, allowed=self._baggage).items():
            span.set_attribute(f"baggage.{name}", value)
        link_track_id(span, track_id, self._tracer)
        trace_id = span.get_span_context().trace_id
        notes = CallNotes(trace_id=f"{trace_id:032x}" if trace_id else "", sent_before=_is_retry(method, metadata))
        return _Call(method, span, track_id, given_track_id, problem, started_s, notes)

    async def _serve(self, call: _Call, behaviour: Behaviour, request: Any, context: Any) -> Any:
        call_context = CallContext(
            call.track_id,
            self._deadline_s(context, call.started_s),
            UNIDENTIFIED,
            call.notes,
            given_track_id=call.given_track_id,
        )
        # From here to its end the call sees one policy, even if another is loaded meanwhile.
        set_active_call(ActiveCall(call_context, self._policy.current))
        if call.problem:
            raise call.problem
        return await behaviour(request, context)

    def _deadline_s(self, context: Any, started_s: float) -> float:
        remaining_s = context.time_remaining()
        allowed_s = self._settings.default_deadline_s if remaining_s is None else remaining_s
        return started_s + min(allowed_s, self._settings.max_deadline_s)

    @staticmethod
    async def _abort(context: Any, error: CallError, track_id: TrackId) -> None:
        status = rpc_status.to_status(status_of(error, track_id=track_id))
        trailers = ((TRACK_ID_KEY, track_id), *trailers_of(error), *(status.trailing_metadata or ()))
        await context.abort(status.code, status.details, trailers)

    def _close(self, call: _Call, error: CallError | None, unexpected: Exception | None = None) -> None:
        """End the span and write the log line of a call; their failure does not change the response."""
        try:
            self._finish_telemetry(call, error, unexpected)
        except Exception as defect:  # noqa: BLE001 - the response is decided
            _LOG.error("call_not_logged", type=type(defect).__name__, where=where(defect))

    def _finish_telemetry(self, call: _Call, error: CallError | None, unexpected: Exception | None) -> None:
        code = grpc.StatusCode.OK if error is None else code_of(error)
        record = record_of_call(
            error,
            method=call.method,
            code=code.name,
            track_id=call.track_id,
            caller=current_caller(),
            notes=call.notes,
            ended_at=self._clock.now(),
            duration_s=self._clock.monotonic() - call.started_s,
        )
        _end_span(call.span, record, is_server_fault=code in _SERVER_FAULTS)
        fields = log_fields(record)
        if unexpected is None:
            _LOG.info("call", **fields)
        else:
            # The exception's text could contain secrets; its type and location cannot.
            _LOG.error("call_crashed", **fields, type=type(unexpected).__name__, where=where(unexpected))
        self._ended(record)


def _is_retry(method: str, metadata: Iterable[tuple[str, str | bytes]]) -> bool:
    """Return whether gRPC itself sent a call of a routed RPC before: its metadata counts the attempts.

    Source: gRPC proposal A6, "Client Retries".
    """
    if method.rpartition("/")[2] not in ROUTED_RPCS:
        return False
    return any(name == "grpc-previous-rpc-attempts" and value != "0" for name, value in metadata)


def _end_span(span: trace.Span, record: CallRecord, *, is_server_fault: bool) -> None:
    names = record.route
    span.set_attribute("rpc.response.status_code", record.code)
    if names.tenant:
        route = {"tenant": names.tenant, "entity": names.entity, "rule": names.rule, "policy_hash": names.policy_hash}
        span.set_attributes({f"payorch.{name}": value for name, value in route.items()})
    if record.reason:
        verdict = {"payorch.outcome": record.outcome, "payorch.advice": record.advice}
        span.set_attributes({"error.type": record.reason, **verdict})
        # Only names that the service defines, no text of others.
        span.add_event("payorch.error", {"payorch.reason": record.reason, **verdict})
        if is_server_fault:
            span.set_status(Status(StatusCode.ERROR, record.reason))
    span.end()


async def _unknown_method(_request: Any, _context: Any) -> None:
    raise call_error(Reason.METHOD_UNKNOWN, "no such method")
