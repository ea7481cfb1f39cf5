"""One real call of each RPC through the public client, shown from both ends."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from textwrap import indent
from typing import Any

import grpc
import structlog
from google.protobuf.message import Message
from harness.requests import decryption_request, payment_method_request, session_request
from harness.stack import LocalStack, running
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: TID251 - to look at spans
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: TID251
from payorch import CallError, redacted
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.telemetry.logging import start_logging
from payorch_server.telemetry.settings import TelemetrySettings
from zuora_emulator import Emulator, FaultSyntaxError, parse_fault

from programs.waterfall import waterfall

_READY_TIMEOUT_S = 10.0
_EXPECTED = {"token": 1, "sessions": 1, "decryption": 1, "payment_methods": 1}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; exit status 0 only if everything happened exactly once."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--fault", help="OPERATION:KIND, such as decryption:500, token:401 or sessions:drop")
    fault = parser.parse_args(arguments).fault
    emulator = Emulator()
    if fault:
        try:
            emulator.faults.add(parse_fault(fault), times="always")
        except FaultSyntaxError as error:
            print(f"FAULT={fault}: {error}", file=sys.stderr)
            return 2
    start_logging(TelemetrySettings(log_level="error", log_format="console"))
    # What the service audits is told in the answers already.
    structlog.configure(processors=[drop_all_but_errors, *structlog.get_config()["processors"]])
    return asyncio.run(_demonstrate(emulator))


def drop_all_but_errors(_logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Drop every log line that is no error."""
    if method != "error":
        raise structlog.DropEvent
    return event


async def _demonstrate(emulator: Emulator) -> int:
    spans = InMemorySpanExporter()
    async with (
        running(emulator=emulator, tenants=("acme",), span_processors=(SimpleSpanProcessor(spans),)) as stack,
        grpc.aio.insecure_channel(stack.target) as channel,
    ):
        print(f"service on {stack.target}, emulator on {stack.emulator_url}")
        await _wait_until_tried(stack)
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)
        calls = (
            ("CreateSession", stub.CreateSession, session_request()),
            ("DecryptApplePay", stub.DecryptApplePay, decryption_request()),
            ("CreatePaymentMethod", stub.CreatePaymentMethod, payment_method_request()),
        )
        succeeded = [await _show_call(name, method, request, spans) for name, method, request in calls]
    return 0 if _show_ledger(emulator) and all(succeeded) else 1


async def _wait_until_tried(stack: LocalStack) -> None:
    """Wait for the first token, or for its refusal."""
    async with asyncio.timeout(_READY_TIMEOUT_S):
        while not stack.application.components.health.ready and not stack.emulator.journal.count("token"):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)


async def _show_call(name: str, method: Any, request: Message, spans: InMemorySpanExporter) -> bool:
    print(f"\n=== {name}\n--- request\n{indent(redacted(request), '  ')}")
    call = method(request, timeout=10)
    try:
        answer = await call
    except grpc.RpcError as error:
        _show_error(CallError.from_rpc_error(error))
        succeeded = False
    else:
        print(f"--- answer\n{indent(redacted(answer), '  ')}")
        succeeded = True
    metadata: dict[str, Any] = dict(await call.trailing_metadata())
    track_id = str(metadata.get("zuora-track-id", ""))
    print(f"--- Zuora-Track-Id {track_id}\n--- its trace")
    for line in waterfall(spans.get_finished_spans(), trace_id=track_id.partition("-")[0]):
        print(line)
    return succeeded


def _show_error(error: CallError) -> None:
    print(f"--- error\n{error.code.name}: {error.message}")
    print(f"  reason   {error.reason}")
    print(f"  outcome  {call_pb2.Outcome.Name(error.outcome)}")
    print(f"  advice   {call_pb2.Advice.Name(error.advice)}")
    for violation in error.violations:
        print(f"  {violation.field}: {violation.description}")
    if error.call_outcome:
        for attempt in error.call_outcome.attempts:
            print(f"  attempt  {attempt.ordinal}: status {attempt.http_status or 'none'} {attempt.zuora_request_id}")


def _show_ledger(emulator: Emulator) -> bool:
    print("\n=== the emulator's ledger: what was really executed")
    for entry in emulator.ledger.entries:
        amount = f"{entry.amount} {entry.currency}" if entry.amount is not None else ""
        effects = " ".join(f"{name}={value}" for name, value in entry.effects.items())
        print(f"  {entry.operation:<16} {amount:<12} {entry.track_id or ''} {effects}")
    counts = {operation: emulator.ledger.count(operation) for operation in _EXPECTED}
    payments = sum("payment_id" in entry.effects for entry in emulator.ledger.entries)
    calls = sum(count for operation, count in counts.items() if operation != "token")
    print(f"  {calls} calls, {counts['token']} token, {payments} payment")
    return counts == _EXPECTED and payments == 1


if __name__ == "__main__":
    sys.exit(main())
