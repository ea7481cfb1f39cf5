"""Log line and server span of a call say by which rule of which policy it went where."""

from typing import Any

import grpc
import pytest
from harness.calls import refusal
from harness.requests import decryption_request, session_request
from harness.stack import running
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: TID251 - to look at spans
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: TID251
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from structlog.testing import capture_logs

Stub = service_grpc.PaymentOrchestrationServiceStub
OFF = {"tenants": {"acme": {"switched_off": ["DecryptApplePay"]}}}


async def call_and_read(over: dict[str, Any], request: Any) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Make one call; return what its log line and its span say, and the hash of the policy."""
    spans = InMemorySpanExporter()
    with capture_logs() as log:
        async with (
            running(over=over, span_processors=(SimpleSpanProcessor(spans),)) as stack,
            grpc.aio.insecure_channel(stack.target) as channel,
        ):
            rpc = type(request).__name__.removesuffix("Request")
            call = getattr(Stub(channel), rpc)(request, timeout=10)
            await (call if not over and not request.route.tenant else refusal(call))
            policy_hash = stack.application.components.policy.hash
    line = next(one for one in log if one["event"] == "call")
    span = next(one for one in spans.get_finished_spans() if one.name.endswith(f"/{rpc}"))
    return line, dict(span.attributes or {}), policy_hash


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("over", "request_of", "code", "rule", "reason"),
    [
        ({}, session_request, "OK", "dollars-and-yen", "a call that succeeds"),
        (OFF, decryption_request, "UNAVAILABLE", "dollars-and-yen", "one that is refused after it was routed"),
        (
            {"access": {"callers": [{"caller": "anonymous", "namespace": "a", "rpcs": ["*"]}]}},
            session_request,
            "PERMISSION_DENIED",
            "dollars-and-yen",
            "one whose caller may not go there",
        ),
    ],
)
async def test_name_rule_and_policy(over: dict[str, Any], request_of: Any, code: str, rule: str, reason: str) -> None:
    """Whatever became of it."""
    line, attributes, policy_hash = await call_and_read(over, request_of())

    expected = {"tenant": "acme", "entity": "us", "rule": rule, "policy_hash": policy_hash}
    assert (line["code"], {name: line[name] for name in expected}) == (code, expected), reason
    assert {name: attributes[f"payorch.{name}"] for name in expected} == expected, reason


@pytest.mark.asyncio
async def test_say_nothing_where_there_is_no_route() -> None:
    """An empty rule would look like one."""
    request: service_pb2.CreateSessionRequest = session_request()
    request.route.tenant = "nowhere"

    line, attributes, _ = await call_and_read({}, request)

    assert (line["reason"], "rule" in line, "payorch.rule" in attributes) == ("ROUTE_HINT_UNKNOWN", False, False)
