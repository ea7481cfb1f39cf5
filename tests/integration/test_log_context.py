"""Every line about a call names the call, whichever task writes it: looked up in the log of a running service."""

import ast
import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import grpc
import payorch_server
import pytest
from harness.controlled_emulator import frozen_emulator, wait_until
from harness.hub_configuration import changed
from harness.hub_process import payment_of, running_hub
from harness.log_files import logging_to_files
from harness.plugin import Behaviour
from harness.requests import decryption_request, session_request
from harness.stack import LocalStack, running
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.rpc import payment_orchestration, validation
from payorch_server.rpc.interceptors import boundary, payloads
from payorch_server.store.port import StoreUnavailable
from payorch_server.telemetry.settings import TelemetrySettings
from payorch_server.upc.hub_execution import HubExecution
from payorch_server.usecases.create_session import SessionCreation
from zuora_emulator.clock import ManualClock

LONG_S = 20.0
SERVICE = Path(payorch_server.__file__).parent
WHO = {"track_id", "request_id", "trace_id", "caller", "namespace"}
ROUTED = WHO | {"tenant"}
ABOUT_CALLS: Mapping[str, set[str]] = {
    "access": ROUTED,
    "call": ROUTED,
    "call_crashed": WHO,
    "call_not_logged": ROUTED,
    "call_not_recorded": ROUTED,
    "checks_disagree": WHO,
    "execution": ROUTED,
    "execution_crashed": ROUTED,
    "execution_cut": ROUTED,
    "execution_end_not_recorded": ROUTED,
    "execution_not_counted": ROUTED,
    "intent_not_recorded": ROUTED,
    "payload_not_logged": WHO,
    "request": WHO,
    "response": ROUTED,
    "token_not_guarded": ROUTED,
}
"""Lines about a call or an execution, and what names it. Each is provoked below."""
ABOUT_REQUESTS = {
    "unexpected_error",
    "upc_call",
    "upc_call_not_logged",
    "upc_contract_broken",
    "upc_end_not_recorded",
    "upc_execution_failed",
    "upc_gateway_no_outcome",
    "upc_lease_not_released",
    "upc_needs_people",
    "upc_record_unreadable",
    "upc_request_failed",
    "upc_store_unavailable",
}
"""Lines about a request of Zuora's to the hub: what names it is bound for all of them in one place."""
ABOUT_THE_PROCESS = {
    "circuit_closed": "of a tenant's entity, and of all calls to it",
    "circuit_opened": "the same",
    "calls_refused": "sums up calls of which nothing was read",
    "http_accept_failed": "there is no connection",
    "issuer_keys_fetched": "of an issuer, and of all calls that wait for its keys",
    "issuer_keys_not_fetched": "the same",
    "unsettled_not_noted": "of several intents, by a task that all calls share",
    "upc_gateway_state": "of a gateway, and of all calls to it",
}
"""Lines below the edge of the service that are about no single call, and why."""
EDGE = ("access", "calls", "intents", "rpc", "runtime", "store", "upc", "usecases", "zuora")


def logged_events() -> Iterator[tuple[str, str]]:
    """Yield file and event of every log call in the packages that serve calls."""
    for package in EDGE:
        for path in sorted((SERVICE / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and _is_log(node.func):
                    yield path.name, ast.unparse(node.args[0])


def _is_log(function: ast.expr) -> bool:
    """Return whether a function is that of a logger, be it chosen by an expression."""
    return any(isinstance(part, ast.Name) and part.id in {"_LOG", "_AUDIT"} for part in ast.walk(function)) and not (
        isinstance(function, ast.Attribute) and function.attr == "get_logger"
    )


def test_every_line_is_about_a_call_or_has_a_reason_not_to_be() -> None:
    """A line that is added has to be classified, and then provoked."""
    # The payloads' two events are in a variable.
    found = {event.strip("'") for _, event in logged_events()} - {"event"} | {"request", "response"}

    assert {*ABOUT_CALLS, *ABOUT_REQUESTS, *ABOUT_THE_PROCESS} == found


class Calls:
    """Calls that are remembered by their Track-Ids."""

    def __init__(self, stack: LocalStack, channel: grpc.aio.Channel, clock: ManualClock) -> None:
        self.stack = stack
        self.clock = clock
        """Of Zuora; it stands still."""
        self.request_ids: dict[str, str] = {}
        self._stub: Any = service_grpc.PaymentOrchestrationServiceStub(channel)

    def session(self, track_id: str) -> Any:
        """Create a session."""
        return self._call(self._stub.CreateSession, session_request(), track_id)

    async def leave(self, track_id: str) -> None:
        """Create a session that Zuora takes long for, and leave."""
        self.stack.emulator.faults.add("sessions:slow:30")
        call = self.session(track_id)
        executions = self.stack.application.components.executor._executions
        await wait_until(lambda: len(executions) == 1)
        call.cancel()
        await wait_until(lambda: all(execution.was_left for execution in executions.values()))

    def payment(self, track_id: str) -> Any:
        """Store a payment method with an Apple Pay token."""
        request = decryption_request()
        request.ClearField("expected_amount")
        request.no_charge.SetInParent()
        return self._call(self._stub.DecryptApplePay, request, track_id)

    def _call(self, method: Any, request: Any, track_id: str) -> Any:
        self.request_ids[track_id] = request.request_id
        return method(request, timeout=LONG_S, metadata=(("zuora-track-id", track_id),))


def fail(*_arguments: object, **_named: object) -> NoReturn:
    """Have a defect."""
    raise ValueError("private")


async def unavailable(*_arguments: object, **_named: object) -> NoReturn:
    """Be a store that is away."""
    raise StoreUnavailable("cannot be reached")


@asynccontextmanager
async def calling() -> AsyncIterator[Calls]:
    """Start a service that logs everything."""
    over = {
        "telemetry": {"log_level": "debug"},
        "call_history": {"in_store": True},
        "payment_methods": {"allow_unrecorded": True},
    }
    emulator, clock = frozen_emulator()
    async with running(emulator=emulator, over=over) as stack, grpc.aio.insecure_channel(stack.target) as channel:
        yield Calls(stack, channel, clock)


async def provoke_defects(calls: Calls) -> None:
    """Have each part that a call meets fail once."""
    components = calls.stack.application.components
    for owner, name, track_id in (
        (payment_orchestration, "create_session", "call-crashes"),
        (boundary, "record_of_call", "call-is-not-logged"),
        (payloads, "redacted", "payload-is-not-logged"),
        (SessionCreation, "parse", "execution-crashes"),
        (components.calls, "count_execution", "execution-is-not-counted"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, fail)
            await asyncio.gather(calls.session(track_id), return_exceptions=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "walk_of", lambda _descriptor: lambda _request, _leaves: False)
        await calls.session("checks-disagree")


async def provoke_store(calls: Calls) -> None:
    """Have each operation of the store fail once."""
    components = calls.stack.application.components
    store, guard = components.resources.store, components.executor.ledger._guard
    for owner, name, track_id in (
        (store, "put_if_absent", "intent-is-not-recorded"),
        (store, "compare_and_set", "end-is-not-recorded"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, unavailable)
            await calls.session(track_id)
            await wait_until(lambda: components.call_history.lost > 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "claim", unavailable)
        await calls.payment("token-is-not-guarded")


async def provoke_ends(calls: Calls) -> None:
    """Leave two executions, of which one may end."""
    await calls.leave("its-caller-left")
    await calls.clock.until_somebody_sleeps()
    calls.clock.advance(timedelta(minutes=1))
    executor = calls.stack.application.components.executor
    assert await executor.wait_for_executions(timeout_s=LONG_S) == 0
    await calls.leave("it-was-cut")


@pytest.mark.asyncio
async def test_every_line_about_a_call_names_it() -> None:
    """By the ids that its caller has, by its trace, its caller and where it went."""
    with logging_to_files(TelemetrySettings(log_level="debug")) as files:
        async with calling() as calls:
            await calls.session("is-served")
            await provoke_defects(calls)
            await provoke_store(calls)
            await provoke_ends(calls)
        lines = [json.loads(line) for stream in files.read() for line in stream.splitlines()]

    about = [line for line in lines if line["event"] in ABOUT_CALLS]
    lacking = [(line["event"], ABOUT_CALLS[line["event"]] - line.keys()) for line in about]
    assert {*ABOUT_CALLS} == {line["event"] for line in about}
    assert [] == [missing for missing in lacking if missing[1]]
    # And it is its own call: nothing was taken over from another.
    assert [] == [line for line in about if calls.request_ids[line["track_id"]] != line["request_id"]]
    assert all(re.fullmatch("[0-9a-f]{32}", line["trace_id"]) for line in about)
    traces = {(line["track_id"], line["trace_id"]) for line in about}
    assert len(calls.request_ids) == len(traces)


@pytest.mark.asyncio
async def test_every_line_about_a_request_to_the_hub_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether its execution writes the line, the task of the connection, or the end of a task."""
    with logging_to_files(TelemetrySettings()) as files:
        async with running_hub(tmp_path) as hub:
            await hub.endpoint.until_connected()
            hub.plugin.plugin.behaviours["odd"] = Behaviour(code="x" * 21)
            hub.plugin.plugin.behaviours["lost"] = Behaviour(error_after=grpc.StatusCode.UNAVAILABLE)
            await hub.endpoint.send(payment_of("pay-1", token="odd"))
            await hub.endpoint.send(changed(payment_of("pay-1", token="odd"), {"payment.amount": "7"}))
            await hub.endpoint.send(payment_of("pay-2", token="lost"))
            monkeypatch.setattr(HubExecution, "_claim", fail)
            await hub.endpoint.send(payment_of("pay-3"))
        lines = [json.loads(line) for line in files.read()[0].splitlines()]

    about = [line for line in lines if line["event"] in ABOUT_REQUESTS]
    provoked = {"upc_contract_broken", "upc_needs_people", "upc_gateway_no_outcome", "upc_execution_failed", "upc_call"}
    names = {"hub", "operation", "tenant_id", "id", "key", "trace_id", "caller"}
    assert provoked == {line["event"] for line in about}
    assert [] == [(line["event"], names - line.keys()) for line in about if not names <= line.keys()]
    assert 4 == len({(line["id"], line["trace_id"]) for line in about})
