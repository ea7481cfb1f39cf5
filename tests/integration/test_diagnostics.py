"""The listener for operators."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.type import money_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from harness.calls import refusal
from harness.stack import LocalStack, running
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import diagnostics_service_pb2_grpc as diagnostics_grpc
from payorch.v1 import error_reason_pb2, routing_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from zuora_emulator import seed

Stub = diagnostics_grpc.DiagnosticsServiceStub
SESSION = service_pb2.OPERATION_CREATE_SESSION
METHOD = service_pb2.OPERATION_CREATE_PAYMENT_METHOD


@pytest_asyncio.fixture
async def operator(stack: LocalStack) -> AsyncIterator[Stub]:
    """A connection to the listener for operators."""
    async with grpc.aio.insecure_channel(stack.diagnostics_target) as channel:
        yield Stub(channel)


def question(operation: Any = SESSION, **members: Any) -> diagnostics_pb2.ExplainRouteRequest:
    """Make a request."""
    return diagnostics_pb2.ExplainRouteRequest(operation=operation, **members)


@pytest.mark.asyncio
async def test_an_explanation_names_rule_headers_and_what_was_tried(operator: Stub) -> None:
    """And nothing is sent."""
    euro = money_pb2.Money(currency_code="EUR", units=1)

    answer = await operator.ExplainRoute(question(amount=euro), timeout=10)

    assert (answer.matched_rule, answer.route_taken.entity, answer.gateway_sent) == ("euro", "eu", seed.GATEWAY_EU.id)
    assert dict(answer.headers) == {"zuora-entity-ids": seed.ENTITY_EU}
    assert [(one.rule, one.condition, one.expected, one.actual) for one in answer.rejected_rules] == [
        ("solo", "tenant", "solo", "nothing"),
        ("europe", "entity", "eu", "nothing"),
    ]
    assert not answer.HasField("refusal")


@pytest.mark.asyncio
async def test_a_refusal_is_part_of_the_answer(operator: Stub) -> None:
    """With the metadata of the real one."""
    answer = await operator.ExplainRoute(question(route=routing_pb2.RouteHints(tenant="nowhere")), timeout=10)

    assert answer.refusal.error_reason == error_reason_pb2.ERROR_REASON_ROUTE_HINT_UNKNOWN
    assert (dict(answer.refusal.metadata), list(answer.refusal.field_paths)) == (
        {"hint": "route.tenant"},
        ["route.tenant"],
    )
    assert not answer.HasField("route_taken")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("members", "field", "reason"),
    [
        ({"operation": 0}, "operation", "no operation"),
        ({"operation": METHOD, "amount": money_pb2.Money(currency_code="EUR", units=1)}, "amount", "it has none"),
        ({"currency_code": "EUR"}, "currency_code", "a session's is that of its amount"),
        ({"method": "sepa_debit"}, "method", "a session creates none"),
        ({"operation": METHOD, "method": "paypal"}, "method", "no operation creates it"),
        ({"amount": money_pb2.Money(currency_code="XXX", units=1)}, "amount.currency_code", "no currency"),
    ],
)
async def test_a_call_that_cannot_be_is_refused(
    operator: Stub, members: dict[str, Any], field: str, reason: str
) -> None:
    """An explanation of it would be about nothing."""
    error = await refusal(operator.ExplainRoute(question(**members), timeout=10))

    assert (error.reason, [one.field for one in error.violations]) == ("REQUEST_INVALID", [field]), reason


@pytest.mark.asyncio
async def test_each_listener_serves_its_own(stack: LocalStack, operator: Stub, channel: grpc.aio.Channel) -> None:
    """Those who may call the one need not reach the other, also once its methods were called."""
    await operator.ExplainRoute(question(), timeout=10)
    error = await refusal(Stub(channel).ExplainRoute(question(), timeout=10))

    assert error.reason == "METHOD_UNKNOWN"
    assert await _listed(stack.target) == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "payorch.v1.PaymentOrchestrationService",
    ]
    assert await _listed(stack.diagnostics_target) == [
        "grpc.reflection.v1alpha.ServerReflection",
        "payorch.v1.DiagnosticsService",
    ]


async def _listed(target: str) -> list[str]:
    async with grpc.aio.insecure_channel(target) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[no-untyped-call] # as generated
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        async for answer in stub.ServerReflectionInfo(iter([request])):
            return sorted(one.name for one in answer.list_services_response.service)
    return []


def access(*callers: dict[str, Any]) -> dict[str, Any]:
    """Make an access policy; nobody who is not anonymous can call here."""
    return {"access": {"callers": list(callers)}}


OPERATOR = {"caller": "anonymous", "namespace": "shop", "diagnostics": True}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("callers", "asked_for", "right", "reason"),
    [
        ([{**OPERATOR, "diagnostics": False, "rpcs": ["*"]}], "", "diagnostics", "the right to call is another one"),
        ([OPERATOR, {"caller": "mesh:till", "namespace": "till"}], "mesh:till", "namespace", "another namespace"),
    ],
)
async def test_diagnostics_need_a_right(callers: list[dict[str, Any]], asked_for: str, right: str, reason: str) -> None:
    """For the caller's own namespace alone."""
    mesh = {"identity": {"mesh": {"peers": ["127.0.0.1/32"], "header": "x-caller", "format": "identity"}}}
    over = access(*callers) | mesh
    async with running(over=over) as stack, grpc.aio.insecure_channel(stack.diagnostics_target) as channel:
        error = await refusal(Stub(channel).ExplainRoute(question(caller=asked_for), timeout=10))

    assert (error.reason, error.metadata["right"]) == ("CALLER_NOT_PERMITTED", right), reason


@pytest.mark.asyncio
async def test_another_callers_call_is_explained_within_the_namespace() -> None:
    """The operator needs no right to do it itself; the other's rights are looked at."""
    mesh = {"identity": {"mesh": {"peers": ["127.0.0.1/32"], "header": "x-caller", "format": "identity"}}}
    till = {"caller": "mesh:till", "namespace": "shop", "rpcs": ["CreateSession"], "tenants": {"solo": {}}}
    over = access(OPERATOR, till) | mesh
    async with running(over=over) as stack, grpc.aio.insecure_channel(stack.diagnostics_target) as channel:
        dollars = money_pb2.Money(currency_code="USD", units=1)
        answer = await Stub(channel).ExplainRoute(question(caller="mesh:till", amount=dollars), timeout=10)

    assert answer.matched_rule == "dollars-and-yen"
    assert answer.refusal.error_reason == error_reason_pb2.ERROR_REASON_CALLER_NOT_PERMITTED
    assert dict(answer.refusal.metadata) == {"right": "tenant", "name": "acme"}


@pytest.mark.asyncio
async def test_the_listener_is_off_unless_it_is_named() -> None:
    """A port that nobody asked for is one too many."""
    async with running(over={"diagnostics": {"listen": ""}}) as stack:
        assert stack.application.diagnostics_port == 0
