"""The table that dashboards and alerts are checked against says what a running service exposes."""

import grpc
import httpx
import pytest
from harness.calls import refusal
from harness.requests import decryption_request, payment_method_request, session_request
from harness.stack import running
from metric_names import SERIES, VALUES
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

# The library's own; dashboards ask for none of it.
FOREIGN = {"target_info"}
# What needs more than a few calls that go well.
RARE = {
    "payorch_certificate_expiry_seconds": "a listener with TLS",
    "payorch_configuration_reloads_total": "a changed file",
    "payorch_replays_total": "a replay",
    "payorch_issuer_key_age_seconds": "an issuer whose keys are fetched",
    "payorch_issuer_keys_usable": "an issuer whose keys are fetched",
    "payorch_log_lost_total": "a process that writes a log",
    "payorch_log_stalled": "a process that writes a log",
    "payorch_spans_dropped_total": "a collector that is gone",
    "payorch_store_failures_total": "a store that is gone",
    "payorch_token_wait_duration_seconds": "a call before the first token",
    "payorch_upstream_queue_duration_seconds": "more calls than may be in flight",
    "payorch_upstream_retries_total": "a call that failed",
}
OF_THE_HUB = "payorch_upc_"
"""How the names of the hub's own series begin; a test of the hub looks at them."""


async def exposed() -> list[Sample]:
    """Return what a service exposes after some calls, one of which is in doubt."""
    async with running() as stack, grpc.aio.insecure_channel(stack.target) as channel, httpx.AsyncClient() as client:
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)
        await stub.CreateSession(session_request(), timeout=10)
        await stub.DecryptApplePay(decryption_request(), timeout=10)
        await stub.CreatePaymentMethod(payment_method_request(), timeout=10)
        stack.emulator.faults.add("payment_methods:truncated")
        error = await refusal(stub.CreatePaymentMethod(payment_method_request(), timeout=10))
        assert error.reason == "UPSTREAM_ANSWER_UNREADABLE"
        text = (await client.get(f"{stack.admin_url}/metrics")).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return [one for one in samples if one.name not in FOREIGN and not one.name.endswith("_created")]


@pytest.mark.asyncio
async def test_table_is_what_a_running_service_exposes() -> None:
    """No series that the table does not know, no label that it does not have, and none missing."""
    samples = await exposed()
    found = {
        name: {
            label for one in samples if one.name == name for label in one.labels if not label.startswith("otel_scope_")
        }
        for name in {one.name for one in samples}
    }

    assert set() == set(found) - set(SERIES)
    assert {} == {name: labels - SERIES[name] for name, labels in found.items() if labels - SERIES[name]}
    missing = {
        name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        for name in SERIES - found.keys()
        if not name.startswith(OF_THE_HUB)
    }
    assert set(RARE) >= missing


@pytest.mark.asyncio
async def test_values_are_those_of_the_table() -> None:
    """An alert that compares with another word is silent for ever, or never."""
    samples = await exposed()

    fixed = [(one, label, known) for one in samples for label, known in VALUES.get(one.name, {}).items()]
    assert {"payorch_token_fetches_total", "payorch_executions_total"} <= {one.name for one, _, _ in fixed}
    assert [] == [(one.name, label, one.labels[label]) for one, label, known in fixed if one.labels[label] not in known]
