from typing import Any

import pytest
from harness.routes import context
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.calls.settings import VerboseSettings
from payorch_server.rpc.current import ActiveCall, set_active_call
from payorch_server.rpc.interceptors.payloads import PayloadInterceptor
from payorch_server.telemetry.settings import TelemetrySettings
from payorch_server.usecases.policy import Policy
from structlog.testing import capture_logs


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("level", "verbose", "expected", "reason"),
    [
        ("info", {}, [], "as a rule nothing is written"),
        ("debug", {}, ["request", "response"], "everything, where an operator turned the level up"),
        ("warning", {"callers": ("test",)}, ["request", "response"], "one caller, whatever the level"),
        ("info", {"callers": ("tes", "test2")}, [], "others"),
        ("error", {"track_id_prefixes": ("x-", "track-")}, ["request", "response"], "calls of one Track-Id or many"),
        ("info", {"track_id_prefixes": ("rack",)}, [], "the beginning counts"),
    ],
)
async def test_writes_payloads_of_calls_that_are_looked_at(
    level: Any, verbose: dict[str, tuple[str, ...]], expected: list[str], reason: str
) -> None:
    """Redacted, before and after the call."""
    policy = Policy(None, None, VerboseSettings(**verbose))  # type: ignore[arg-type] # nothing else is asked
    set_active_call(ActiveCall(context(track_id="track-1"), policy))

    async def answer(_request: Any, _context: Any) -> Any:
        return service_pb2.GetIntentResponse()

    with capture_logs() as log:
        shown = PayloadInterceptor(TelemetrySettings(log_level=level)).around(answer, "method")
        await shown(service_pb2.GetIntentRequest(request_id="r" * 16), None)

    assert expected == [line["event"] for line in log], reason
