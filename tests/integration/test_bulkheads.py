"""A tenant whose Zuora accepts and never answers costs the others nothing, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from harness.controlled_emulator import wait_until
from harness.requests import payment_method_request, session_request
from harness.stack import LocalStack, configuration, running
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from zuora_emulator import Emulator, serving
from zuora_emulator.settings import Settings

ENTITIES = {f"e{number}": f"{'a' * 30}{number:02x}" for number in range(15)}
MAX_IN_FLIGHT = 20
STUCK = len(ENTITIES) * MAX_IN_FLIGHT
HEALTHY_CALLS, AT_ONCE = 30, 10


def black_tenant(url: str, folder: Any) -> dict[str, Any]:
    """Make a tenant with many entities."""
    return configuration(emulator_url=url, folder=folder)["tenants"]["acme"] | {
        "entities": ENTITIES,
        "max_in_flight": MAX_IN_FLIGHT,
        "max_queue_s": 55.0,
    }


@asynccontextmanager
async def beside_a_black_hole(folder: Any, *, shared_origin: bool) -> AsyncIterator[tuple[LocalStack, Emulator]]:
    """Run the service with a tenant whose payment methods are never answered, on the origin of `acme` or another."""
    healthy, other = (Emulator(settings=Settings(concurrency_limit=None)) for _ in range(2))
    async with serving(healthy) as healthy_url, serving(other) as other_url:
        black = healthy if shared_origin else other
        black.faults.add("payment_methods:silence", times="always")
        rules = [
            {
                "name": f"black-{entity}",
                "when": {"tenant": ["black"], "entity": [entity]},
                "to": {"tenant": "black", "entity": entity, "gateway": "zuora_default"},
            }
            for entity in ENTITIES
        ]
        url = healthy_url if shared_origin else other_url
        over = {
            # The machine of a test may be slow; how long a call may wait for its start is another test's.
            "grpc": {"max_start_delay_s": 10.0},
            "tenants": {"acme": {"base_url": healthy_url}, "black": black_tenant(url, folder)},
            "routing": rules + configuration(emulator_url=healthy_url, folder=folder)["routing"],
        }
        async with running(over=over, tenants=("acme", "black")) as stack:
            yield stack, healthy


def black_call(stub: Any, number: int) -> Any:
    """Call an entity of the tenant that is never answered."""
    request = payment_method_request()
    request.route.tenant, request.route.entity = "black", f"e{number}"
    return stub.CreatePaymentMethod(request, timeout=100)


@pytest.mark.asyncio
@pytest.mark.parametrize("shared_origin", [False, True], ids=["another_origin", "the_same_origin"])
async def test_calls_beside_a_tenant_that_is_never_answered_succeed(tmp_path: Any, *, shared_origin: bool) -> None:
    """Every slot of fifteen entities is taken and more calls wait; the healthy tenant's need new connections."""
    async with (
        beside_a_black_hole(tmp_path, shared_origin=shared_origin) as (stack, healthy),
        grpc.aio.insecure_channel(stack.target) as channel,
    ):
        stub, in_flight = service_grpc.PaymentOrchestrationServiceStub(channel), stack.application.components.in_flight
        stuck: list[Any] = []
        # One for each entity at a time: a burst would be refused for the wait before its start.
        for _ in range(MAX_IN_FLIGHT + 1):
            stuck.extend(black_call(stub, number) for number in range(len(ENTITIES)))
            await wait_until(lambda: len(stuck) == sum(calls["black"] for calls in in_flight.by_tenant()))
        assert (STUCK, len(ENTITIES)) == tuple(calls["black"] for calls in in_flight.by_tenant())

        answers: list[Any] = []
        for _ in range(HEALTHY_CALLS // AT_ONCE):
            calls = [stub.CreateSession(session_request(), timeout=15) for _ in range(AT_ONCE)]
            answers += await asyncio.gather(*calls)

        assert HEALTHY_CALLS == sum(bool(answer.session.token) for answer in answers)
        assert {1} == {answer.call.attempt_count for answer in answers}
        assert HEALTHY_CALLS == healthy.journal.count("sessions")
        assert (STUCK, 0) == (in_flight.by_tenant()[0]["black"], sum(call.done() for call in stuck))
        for call in stuck:
            call.cancel()
