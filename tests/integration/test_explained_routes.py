"""What explains a route, what decides it and what arrives at Zuora are one and the same."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from google.protobuf import json_format  # noqa: TID251 - the command reads and prints this form
from harness.stack import LocalStack, running
from hypothesis import HealthCheck, given, settings
from integration.routed_calls import CALLER_HEADER, OVER, call_of, questions
from payorch import CallError
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import diagnostics_service_pb2_grpc as diagnostics_grpc
from payorch.v1 import error_reason_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server import cli
from payorch_server.commands.route_cases import FilePolicy
from payorch_server.config import load_document
from payorch_server.rpc.diagnostics import encode_explanation
from zuora_emulator.journal import Arrival

T = TypeVar("T")
Question = diagnostics_pb2.ExplainRouteRequest
Answer = diagnostics_pb2.ExplainRouteResponse
ROUTE_HEADERS = ("zuora-entity-ids", "zuora-org-ids", "zuora-version")
GATEWAY_MEMBERS = ("paymentGateway", "gateway_id", "authGateway")
OPERATOR = ((CALLER_HEADER, "operator"),)


@dataclass(frozen=True, slots=True, repr=False)
class World:
    """A running stack, its policy as a file, and the loop in which it runs."""

    runner: asyncio.Runner
    stack: LocalStack
    operator: Any
    caller: Any
    policy: FilePolicy

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Let the stack and the work run until the work is done."""
        return self.runner.run(work)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Start one stack for all calls."""
    with asyncio.Runner() as runner:
        exits = AsyncExitStack()
        stack = runner.run(exits.enter_async_context(running(over=OVER)))
        channels = [
            runner.run(exits.enter_async_context(_channel(target)))
            for target in (stack.diagnostics_target, stack.target)
        ]
        operator = diagnostics_grpc.DiagnosticsServiceStub(channels[0])
        caller = service_grpc.PaymentOrchestrationServiceStub(channels[1])
        policy = FilePolicy(load_document(stack.folder / "payorch.yaml"))
        yield World(runner, stack, operator, caller, policy)
        runner.run(exits.aclose())


def _channel(target: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(target)


async def explained_by(world: World, question: Question) -> Answer:
    """Ask the service."""
    answer: Answer = await world.operator.ExplainRoute(question, metadata=OPERATOR, timeout=15)
    return answer


async def outcome_of(world: World, question: Question) -> CallError | None:
    """Make the call in question; return how it failed."""
    rpc, request = call_of(question)
    identity = question.caller.removeprefix("mesh:")
    try:
        await getattr(world.caller, rpc)(request, metadata=((CALLER_HEADER, identity),), timeout=15)
    except grpc.RpcError as error:
        return CallError.from_rpc_error(error)
    return None


def seen(arrival: Arrival) -> tuple[dict[str, str], str]:
    """Return what the route decides of a call, as it arrived."""
    headers = {name: arrival.headers[name] for name in ROUTE_HEADERS if name in arrival.headers}
    return headers, next((arrival.body[name] for name in GATEWAY_MEMBERS if arrival.body.get(name)), "")


def printed(world: World, question: Question, *, request: Path, capsys: pytest.CaptureFixture[str]) -> Answer:
    """Ask the command, with a file of its own."""
    request.write_text(json_format.MessageToJson(question))
    config = str(world.stack.folder / "payorch.yaml")
    capsys.readouterr()
    assert cli.main(["routes", "explain", "--json", "--config", config, "--request", str(request)]) == 0
    return json_format.Parse(capsys.readouterr().out, Answer())


class TestExplanations:
    """An explanation is a promise."""

    @pytest.mark.timeout(600)
    @settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
    @given(question=questions())
    def test_agree_with_the_command_and_with_what_arrives(
        self, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], question: Question
    ) -> None:
        """The file's answer, the command's, the service's and the emulator's journal: 1,000 calls, one by one."""
        world.stack.emulator.journal.clear()

        explained = world.run(explained_by(world, question))
        failed = world.run(outcome_of(world, question))

        assert encode_explanation(world.policy.explain(question)) == explained
        assert printed(world, question, request=tmp_path / "call.json", capsys=capsys) == explained
        arrivals = [one for one in world.stack.emulator.journal.entries if one.operation != "token"]
        if explained.HasField("refusal"):
            assert failed is not None
            told = error_reason_pb2.ErrorReason.Name(explained.refusal.error_reason).removeprefix("ERROR_REASON_")
            assert (failed.reason, failed.metadata, arrivals) == (told, dict(explained.refusal.metadata), [])
        else:
            expected = (dict(explained.headers), explained.gateway_sent)
            assert arrivals
            assert [seen(one) for one in arrivals] == [expected] * len(arrivals)
            assert {one.token_client for one in arrivals} == {_client_of(world, explained)}


def _client_of(world: World, explained: Answer) -> str:
    return world.stack.application.settings.document.tenants[explained.route_taken.tenant].client_id
