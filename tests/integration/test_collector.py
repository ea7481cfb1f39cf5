"""Headers and certificates towards a collector, as a collector receives them."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from harness.authority import Authority
from harness.hub_configuration import hub_configuration
from harness.mounted_files import MountedFiles
from harness.otlp_receiver import Collector, collecting
from harness.requests import session_request
from harness.stack import LocalStack, running
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.app.hub_start import start_hub_process
from payorch_server.config.hub_loading import load_hub

BOTH_PROTOCOLS = pytest.mark.parametrize("protocol", ["otlp", "otlp_http"])
LIMIT_S = 15


def telemetry(collector: Collector, protocol: str, mounted: MountedFiles) -> dict[str, Any]:
    """Return settings for traces and metrics with headers, and the authority among the mounted files."""
    return {
        "traces": protocol,
        "otlp_endpoint": collector.grpc_url if protocol == "otlp" else collector.http_url,
        "otlp_metrics": True,
        "otlp_headers_file": mounted / "headers",
        "otlp_ca_file": mounted / "ca.crt",
    }


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await asyncio.sleep(0.02)


def keys(collector: Collector, signal: str) -> list[str | None]:
    """Return the API keys of all exports of a signal."""
    return [headers.get("api-key") for headers in collector.headers[signal]]


def lost(stack: LocalStack) -> float:
    """Read how many spans could not be exported."""
    text = stack.application.components.resources.telemetry.exposition("text/plain")[0].decode()
    (line,) = (line for line in text.splitlines() if 'reason="export_failed"' in line)
    return float(line.rpartition(" ")[2])


@BOTH_PROTOCOLS
@pytest.mark.asyncio
async def test_a_collector_is_sent_the_headers_of_the_file(protocol: str, tmp_path: Path) -> None:
    """With spans and with metrics, over TLS with a private authority; once the file is replaced, the new ones."""
    authority = Authority()
    mounted = MountedFiles(tmp_path / "mounted", {"headers": "Api-Key: first\n", "ca.crt": authority.certificate})
    async with collecting(certificate=authority.issue("127.0.0.1")) as collector:
        over = {"telemetry": telemetry(collector, protocol, mounted)}
        async with (
            running(tenants=("acme",), over=over, watched=True) as stack,
            grpc.aio.insecure_channel(stack.target) as channel,
        ):
            stub = service_grpc.PaymentOrchestrationServiceStub(channel)
            components = stack.application.components
            await until(lambda: components.health.ready)
            await stub.CreateSession(session_request(), timeout=10)
            await until(lambda: bool(collector.headers["traces"]))
            before = set(keys(collector, "traces"))
            in_use = components.resources.telemetry._collector
            first = in_use._headers

            mounted.update({"headers": "Api-Key: second\nx-tenant: payments\n"})
            await until(lambda: in_use._headers != first)
            await stub.CreateSession(session_request(), timeout=10)

        assert ({"first"}, "second", ["second"]) == (before, keys(collector, "traces")[-1], keys(collector, "metrics"))
        assert collector.headers["traces"][-1]["x-tenant"] == "payments"


@BOTH_PROTOCOLS
@pytest.mark.asyncio
async def test_a_hub_sends_the_headers_of_the_file(protocol: str, tmp_path: Path) -> None:
    """As the service does."""
    authority = Authority()
    mounted = MountedFiles(tmp_path / "mounted", {"headers": "api-key: first", "ca.crt": authority.certificate})
    async with collecting(certificate=authority.issue("127.0.0.1")) as collector:
        file = tmp_path / "hub.yaml"
        content = hub_configuration(tmp_path) | {"telemetry": telemetry(collector, protocol, mounted)}
        file.write_text(yaml.safe_dump(content))
        async with AsyncExitStack() as stack:
            hub = await start_hub_process(load_hub(file), stack=stack, files=(file,))
            hub.components.telemetry.tracer.start_span("before").end()
            await until(lambda: bool(collector.headers["traces"]))

            mounted.update({"headers": "api-key: second"})
            await hub.reloader.reload()
            hub.components.telemetry.tracer.start_span("after").end()

        assert (["first", "second"], ["second"]) == (keys(collector, "traces"), keys(collector, "metrics"))


@BOTH_PROTOCOLS
@pytest.mark.asyncio
async def test_another_authority_is_not_trusted(protocol: str, tmp_path: Path) -> None:
    """The collector is sent nothing, and the spans are counted as lost; calls are answered."""
    mounted = MountedFiles(tmp_path / "mounted", {"headers": "api-key: first", "ca.crt": Authority("b").certificate})
    async with collecting(certificate=Authority("a").issue("127.0.0.1")) as collector:
        over = {"telemetry": telemetry(collector, protocol, mounted)}
        async with (
            running(tenants=("acme",), over=over) as stack,
            grpc.aio.insecure_channel(stack.target) as channel,
        ):
            stub = service_grpc.PaymentOrchestrationServiceStub(channel)
            await until(lambda: stack.application.components.health.ready)
            await stub.CreateSession(session_request(), timeout=10)
            await until(lambda: lost(stack) > 0)

        assert {"traces": [], "metrics": []} == collector.headers
