"""The largest errors there can be still arrive, with their CallOutcome."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.rpc import status_pb2
from harness.calls import refusal
from harness.controlled_emulator import DECRYPTION, answer_path_with
from harness.keyring import KEYRING
from harness.requests import decryption_request
from harness.stack import running
from opentelemetry.trace import NoOpTracer
from payorch import CallError
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.access.callers import access_table
from payorch_server.model.attempt import Attempt, UpstreamFacts
from payorch_server.model.errors import Failure, UpstreamEvidence, Violation, error_for
from payorch_server.model.outcome import VERDICTS, Outcome, Reason
from payorch_server.rpc.health import Health
from payorch_server.rpc.identity import IdentityResolver
from payorch_server.rpc.interceptors.authn import AuthnInterceptor
from payorch_server.rpc.interceptors.authz import AuthzInterceptor
from payorch_server.rpc.interceptors.boundary import BoundaryInterceptor
from payorch_server.rpc.server import build_server
from payorch_server.rpc.settings import GrpcSettings, IdentitySettings
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.usecases.policy import LivePolicy, Policy
from zuora_emulator import Emulator

MAX_STATUS_BYTES = 3 * 1024
MAX_TRAILER_BYTES = 4 * 1024
MAX_WIRE_BYTES = 5 * 1024  # with the status as Base64; gRPC and proxies begin to refuse at 8 KiB
HEADER_OVERHEAD = 32  # RFC 9113 counts as many beside name and value of each header
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LONG = "\U0001f4b3\u00e9" * 300
LONGEST_CODE, LONGEST_ID = "c" * 40, "i" * 64
TRACK_ID = (("zuora-track-id", "~" * 64),)


async def assert_small(call: Any) -> CallError:
    """Await a call that fails, and measure what came."""
    error = await refusal(call)
    trailers = list(await call.trailing_metadata())
    pairs = [*trailers, ("grpc-status", "13"), ("grpc-message", await call.details())]
    packed = dict(trailers)["grpc-status-details-bin"]
    assert len(packed) <= MAX_STATUS_BYTES
    assert sum(len(key) + len(value) + HEADER_OVERHEAD for key, value in pairs) <= MAX_TRAILER_BYTES
    assert sum(len(key) + _wire_bytes(key, value) + HEADER_OVERHEAD for key, value in pairs) <= MAX_WIRE_BYTES
    assert error.call_outcome is not None
    assert dict(trailers)["payorch-outcome"] == call_pb2.Outcome.Name(error.outcome).removeprefix("OUTCOME_")
    assert [one.TypeName() for one in status_pb2.Status.FromString(packed).details][:2] == [
        "google.rpc.ErrorInfo",
        "payorch.v1.CallOutcome",
    ]
    return error


def _wire_bytes(key: str, value: str | bytes) -> int:
    # Binary values travel as Base64 where a peer does not announce otherwise.
    return (len(value) + 2) // 3 * 4 if key.endswith("-bin") else len(value)


class _Failing(service_grpc.PaymentOrchestrationServiceServicer):
    """A service that fails with what it is told."""

    def __init__(self) -> None:
        self.failed = Failure(Reason.INTERNAL, "")

    async def GetIntent(self, _request: Any, _context: Any) -> Any:  # noqa: N802 - generated name
        raise error_for(self.failed)


@pytest_asyncio.fixture
async def failing() -> AsyncIterator[tuple[_Failing, Callable[[], Any]]]:
    """Serve errors through our own boundary, and call."""
    servicer = _Failing()
    settings = GrpcSettings()
    policy = LivePolicy(Policy(access_table(None, namespace="n"), None))  # type: ignore[arg-type] # nothing is dispatched
    boundary = BoundaryInterceptor(
        settings=settings,
        policy=policy,
        keyring=KEYRING,
        tracer=NoOpTracer(),
        clock=SystemClock(),
        tasks=TaskOwner(),
        deadlines=Deadlines(SystemClock()),
    )
    authn = AuthnInterceptor(identities=IdentityResolver(IdentitySettings(), None), clock=SystemClock())
    health = Health(())
    await health.start()
    server = build_server(
        settings=settings,
        servicer=servicer,  # type: ignore[arg-type] # any servicer of this service
        interceptors=(
            boundary,
            authn,
            AuthzInterceptor(),
        ),
        health=health,
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    request = service_pb2.GetIntentRequest(request_id="x" * 16, operation=service_pb2.OPERATION_CREATE_SESSION)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)
        yield servicer, lambda: stub.GetIntent(request, metadata=TRACK_ID, timeout=10)
    await server.stop(None)


@pytest.mark.asyncio
@pytest.mark.parametrize("violations", [0, 1, 1000])
async def test_the_worst_error_of_every_reason_arrives(
    failing: tuple[_Failing, Callable[[], Any]], violations: int
) -> None:
    """Every text, id and list as long as it can be, five attempts and more, all at once."""
    servicer, call = failing
    attempts = tuple(Attempt(2**31 - 1, 599, LONGEST_ID, NOON, 1e6 - 1e-9, Outcome.UNKNOWN) for _ in range(5))
    for reason in Reason:
        servicer.failed = Failure(
            reason,
            LONG,
            violations=(Violation(LONG, LONG, LONG),) * violations,
            metadata={"rule": LONG, "hint": LONG},
            evidence=UpstreamEvidence((LONGEST_CODE,) * 50, LONGEST_ID, LONGEST_ID, 86_400.0),
            facts=UpstreamFacts(attempts, LONGEST_ID, LONGEST_ID, LONGEST_ID),
            resend_before=NOON.replace(microsecond=999_999),
        )

        error = await assert_small(call())

        assert reason.name == error.reason
        assert f"OUTCOME_{VERDICTS[reason].outcome.name}" == call_pb2.Outcome.Name(error.outcome)
        assert error.call_outcome is not None
        assert 5 == len(error.call_outcome.attempts)
        assert "~" * 64 == error.call_outcome.track_id
        assert bool(violations) == bool(error.violations)


@pytest.mark.asyncio
async def test_every_field_wrong_still_tells_its_outcome() -> None:
    """As many violations as fit are named, the rest is counted."""
    token = {f"unknown{n}": "x" * 100 for n in range(50)} | {"version": 5, "data": 5, "signature": 5, "header": {}}
    request = service_pb2.DecryptApplePayRequest(
        request_id="\u00e9" * 200,
        token_json=json.dumps(token).encode(),
        merchant_id="m" * 300,
        account_id="a" * 70,
    )
    holder = request.card_holder
    for field in holder.DESCRIPTOR.fields:
        setattr(holder, field.name, "x" * 5000)
    request.profile.SetInParent()
    request.pay_invoice.SetInParent()
    request.expected_amount.units, request.expected_amount.nanos = -1, 5
    request.route.orgs.extend(["o" * 500] * 50)
    request.route.attributes.update({f"{'k' * 300}{n}": "v" * 500 for n in range(60)})
    request.route.tenant = request.route.entity = request.route.gateway = request.route.country = "z" * 500
    unknown = b"\xa0\x06\x01"  # field 100
    async with running(tenants=("acme",)) as stack, grpc.aio.insecure_channel(stack.target) as channel:
        method = channel.unary_unary(
            "/payorch.v1.PaymentOrchestrationService/DecryptApplePay",
            request_serializer=lambda one: one.SerializeToString() + unknown,
            response_deserializer=bytes,
        )

        error = await assert_small(method(request, metadata=TRACK_ID, timeout=10))

    assert ("REQUEST_INVALID", call_pb2.OUTCOME_NOT_SENT) == (error.reason, error.outcome)
    assert error.violations
    assert int(error.metadata["violationsOmitted"]) > 0


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [200, 429, 500])
async def test_the_longest_answer_of_zuora_still_tells_its_outcome(status: int) -> None:
    """Three attempts where a retry is allowed; codes, ids and texts beyond every measure."""
    reasons = [{"code": "5" * 400, "message": "m" * 5000}, {"code": 53000070, "message": LONG}] * 30
    body = {"success": False, "processId": "p" * 5000, "reasons": reasons, "paymentId": "9" * 3000}
    headers = {"zuora-request-id": "r" * 7000, "retry-after": "0"}
    emulator = Emulator()
    answer_path_with(emulator, DECRYPTION, lambda: (status, body, headers))
    async with (
        running(emulator=emulator, tenants=("acme",)) as stack,
        grpc.aio.insecure_channel(stack.target) as channel,
    ):
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)

        error = await assert_small(stub.DecryptApplePay(decryption_request(), metadata=TRACK_ID, timeout=15))

    assert error.call_outcome is not None
    assert 10 == len(error.call_outcome.zuora_codes)
    assert "[masked]" == error.call_outcome.existing.payment_id
