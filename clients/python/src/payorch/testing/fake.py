"""An in-process double of the service."""

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, NoReturn, Self

import grpc

from payorch import aio
from payorch.async_sender import AsyncTokenSource
from payorch.channel import SERVICE_CONFIG, ConnectOptions
from payorch.client import RESEND, Client, sender_of
from payorch.errors import ERRORS_URL
from payorch.resend import Resend
from payorch.rpcs import (
    CREATE_PAYMENT_METHOD,
    CREATE_SESSION,
    DECRYPT_APPLE_PAY,
    DIAGNOSTICS,
    EXPLAIN_ROUTE,
    GET_CALL,
    GET_INTENT,
    GET_QUOTA,
    PAYMENTS,
    Rpc,
)
from payorch.sender import TokenSource
from payorch.testing.catalogue import Failure
from payorch.testing.recorded import RecordedCall
from payorch.testing.script import Nothing, Plan, Script
from payorch.timing import SYSTEM
from payorch.v1 import call_pb2

_RPCS: Final[tuple[Rpc[Any, Any], ...]] = (
    CREATE_SESSION,
    DECRYPT_APPLE_PAY,
    CREATE_PAYMENT_METHOD,
    GET_INTENT,
    EXPLAIN_ROUTE,
    GET_CALL,
    GET_QUOTA,
)
_MOST_CALLS: Final = 64
_SERVING: Final = b"\x08\x01"
"""grpc.health.v1.HealthCheckResponse with the status SERVING."""


class _Status(grpc.Status):
    """An error as gRPC sends it."""

    def __init__(self, code: grpc.StatusCode, details: str, trailers: Sequence[tuple[str, str | bytes]]) -> None:
        self.code = code
        self.details = details
        self.trailing_metadata = tuple(trailers)


class FakePayorch:
    """A double of the service: idempotent by request id, able to fail with every reason, and it records calls.

    Use it as a context manager, or call `stop`. All of it may be used while calls are in progress.
    """

    def __init__(self) -> None:
        """Start it on a free port of the loopback address."""
        self._lock = threading.Lock()
        self._script = Script()
        self.calls: list[RecordedCall] = []
        """Every call, in the order in which they were answered."""
        self._server = grpc.server(ThreadPoolExecutor(_MOST_CALLS))
        self._server.add_generic_rpc_handlers(self._handlers())
        self.target = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        """What a client connects to, in plaintext."""
        self._server.start()

    @property
    def executed(self) -> list[RecordedCall]:
        """The calls that were executed, each intent once."""
        return [call for call in self.calls if call.executed]

    def fail_with(
        self,
        reason: str,
        *,
        times: int = 1,
        rpc: str = "",
        violations: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
        zuora_codes: Sequence[str] = (),
        existing: call_pb2.ExistingIds | None = None,
        executed: bool = False,
    ) -> None:
        """Make the next calls fail as the service does.

        Args:
            reason: Name of an ErrorReason without its prefix, such as `PAYMENT_DECLINED`.
            times: How many calls, after those of earlier plans.
            rpc: Only calls of this RPC, such as `CreateSession`; empty: of any.
            violations: Broken rules, as descriptions by field.
            metadata: Of the ErrorInfo.
            retry_after_s: What RetryInfo says; None: what the service says for the reason, if anything.
            zuora_codes: Zuora's codes.
            existing: What exists although the call failed.
            executed: Whether the request is executed all the same, so that a resend finds it done. Only for reasons
                whose outcome is unknown.

        Raises:
            ValueError: There is no such reason, or it contradicts `executed`.
        """
        failure = Failure(
            reason=reason,
            violations=violations or {},
            metadata=metadata or {},
            retry_after_s=retry_after_s,
            zuora_codes=zuora_codes,
            existing=existing,
            executed=executed,
        )
        with self._lock:
            self._script.plan(Plan(rpc, times, failure))

    def fail_without_details(self, code: grpc.StatusCode, *, message: str = "", times: int = 1, rpc: str = "") -> None:
        """Make the next calls fail as with a proxy between client and service: nothing is known of their outcome."""
        with self._lock:
            self._script.plan(Plan(rpc, times, Nothing(code, message)))

    def connect(
        self, *, token: TokenSource | None = None, resend: Resend | None = RESEND, interceptors: Sequence[Any] = ()
    ) -> Client:
        """Return a client of this double; it resends without waiting."""
        return Client(sender_of(self.target, self._chosen(token, resend), token, interceptors))

    def connect_async(
        self,
        *,
        token: AsyncTokenSource | None = None,
        resend: Resend | None = RESEND,
        interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
    ) -> aio.AsyncClient:
        """Return a client for tasks; it resends without waiting."""
        return aio.AsyncClient(aio.sender_of(self.target, self._chosen(token, resend), token, interceptors))

    def stop(self) -> None:
        """End it, and the calls in progress."""
        self._server.stop(None).wait()

    def __enter__(self) -> Self:
        """Return the double."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def _chosen(self, token: object, resend: Resend | None) -> ConnectOptions:
        return ConnectOptions(
            tls=None,
            plaintext=True,
            with_token=token is not None,
            resend=resend,
            errors_url=ERRORS_URL,
            service_config=SERVICE_CONFIG,
            options=(),
            timing=replace(SYSTEM, pause_s=lambda _wait_s: 0.0),
        )

    def _handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        by_service: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = {PAYMENTS: {}, DIAGNOSTICS: {}}
        for rpc in _RPCS:
            by_service[rpc.service][rpc.name] = grpc.unary_unary_rpc_method_handler(
                self._behaviour(rpc), rpc.request.FromString, rpc.answer.SerializeToString
            )
        by_service["grpc.health.v1.Health"] = {
            "Check": grpc.unary_unary_rpc_method_handler(lambda _request, _context: _SERVING),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch),
        }
        return tuple(grpc.method_handlers_generic_handler(name, methods) for name, methods in by_service.items())

    @staticmethod
    def _watch(_request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """Report that the service serves, until the caller leaves or it stops."""
        ended = threading.Event()
        context.add_callback(ended.set)
        yield _SERVING
        ended.wait()

    def _behaviour(self, rpc: Rpc[Any, Any]) -> Callable[[Any, grpc.ServicerContext], Any]:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
            track_id = metadata.get("zuora-track-id") or f"{secrets.token_hex(16)}-{secrets.token_hex(8)}"
            token = metadata.get("authorization", "").removeprefix("Bearer ")
            call = RecordedCall(rpc.name, request, track_id, token, metadata)
            with self._lock:
                result, call = self._script.answer(rpc, call)
                self.calls.append(call)
            context.set_trailing_metadata((("zuora-track-id", track_id),))
            if isinstance(result, Failure):
                _abort(context, result, rpc.name, track_id)
            if isinstance(result, Nothing):
                context.abort(result.code, result.message)
            return result

        return answer


def _abort(context: grpc.ServicerContext, failure: Failure, rpc: str, track_id: str) -> NoReturn:
    status = failure.status(rpc, track_id)
    trailers = (
        ("grpc-status-details-bin", status.SerializeToString()),
        ("payorch-outcome", call_pb2.Outcome.Name(failure.outcome).removeprefix("OUTCOME_")),
        ("payorch-advice", call_pb2.Advice.Name(failure.advice(rpc)).removeprefix("ADVICE_")),
        ("zuora-track-id", track_id),
    )
    context.abort_with_status(_Status(failure.code, status.message, trailers))
