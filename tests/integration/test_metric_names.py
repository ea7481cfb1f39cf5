"""The table that dashboards and alerts are checked against says what a running service exposes."""

import grpc
import httpx
import pytest
from local.requests import decryption_request, payment_method_request, session_request
from local.stack import running
from metric_names import SERIES
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from prometheus_client.parser import text_string_to_metric_families

# The library's own; dashboards ask for none of it.
FOREIGN = {"target_info"}
# What needs more than a few calls that go well.
RARE = {
    "payorch_certificate_expiry_seconds": "a listener with TLS",
    "payorch_configuration_reloads_total": "a changed file",
    "payorch_echo_differing_total": "a replay",
    "payorch_quota_exhaustion_seconds": "a pace that uses a limit up",
    "payorch_spans_dropped_total": "a collector that is gone",
    "payorch_store_failures_total": "a store that is gone",
    "payorch_token_wait_duration_seconds": "a call before the first token",
    "payorch_upstream_queue_duration_seconds": "more calls than may be in flight",
    "payorch_upstream_retries_total": "a call that failed",
}


async def exposed() -> dict[str, set[str]]:
    """Return the series of a service after some calls, each with its labels."""
    async with running() as stack, grpc.aio.insecure_channel(stack.target) as channel, httpx.AsyncClient() as client:
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)
        await stub.CreateSession(session_request(), timeout=10)
        await stub.DecryptApplePay(decryption_request(), timeout=10)
        await stub.CreatePaymentMethod(payment_method_request(), timeout=10)
        text = (await client.get(f"{stack.admin_url}/metrics")).text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name not in FOREIGN and not sample.name.endswith("_created"):
                labels = {label for label in sample.labels if not label.startswith("otel_scope_")}
                found.setdefault(sample.name, set()).update(labels)
    return found


@pytest.mark.asyncio
async def test_table_is_what_a_running_service_exposes() -> None:
    """No series that the table does not know, no label that it does not have, and none missing."""
    found = await exposed()

    assert set() == set(found) - set(SERIES)
    assert {} == {name: labels - SERIES[name] for name, labels in found.items() if labels - SERIES[name]}
    missing = {
        name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in SERIES - found.keys()
    }
    assert set(RARE) >= missing
