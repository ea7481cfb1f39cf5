"""The queries of the dashboards find data in a real Prometheus that scrapes a service and a hub under calls."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import httpx
import pytest
import yaml
from harness.calls import refusal
from harness.chart_queries import Query, dashboard_queries, interpolated
from harness.hub_process import RunningHub, payment_of, running_hub
from harness.otlp_receiver import collecting
from harness.ports import free_port
from harness.requests import decryption_request, payment_method_request, session_request
from harness.stack import LocalStack, running
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

from alerts.rules import rule_files

pytestmark = pytest.mark.timeout(120)
NOTHING_WRONG: Final = "nothing of the kind has happened"
NOT_CONFIGURED: Final = "the service under test has no such thing"
EMPTY: Final = {
    "Overview, Tenants not ready": NOTHING_WRONG,
    "Overview, Instances that refuse money": NOTHING_WRONG,
    "Overview, Certificate": NOT_CONFIGURED,
    "Overview, Keys of token issuers": NOT_CONFIGURED,
    "Overview, Log lines lost": NOT_CONFIGURED,
    "Overview, Log stalled": NOT_CONFIGURED,
    "Overview, Store failures": NOTHING_WRONG,
    "Overview, Configuration, {{result}}, last hour": NOTHING_WRONG,
    "Tenant, Wait for a token": NOTHING_WRONG,
    "Tokens and quota, Wait for a token": NOTHING_WRONG,
    "Tokens and quota, Credentials rejected": NOTHING_WRONG,
    "Tokens and quota, Throttled calls": NOTHING_WRONG,
    "Hub, Gateways not ready": NOTHING_WRONG,
    "Hub, Contract broken": NOTHING_WRONG,
    "Hub, For people": NOTHING_WRONG,
    "Hub, For people, last day": NOTHING_WRONG,
}
"""Queries that find nothing here, by where they stand, and why."""
SINCE_ALWAYS: Final = str(10 * 365 * 86400 * 1000)
"""An interval within which the process of the tests has started."""


@dataclass(frozen=True, slots=True)
class Found:
    """What Prometheus answers."""

    everywhere: dict[str, int]
    """Series by query, with all clusters, namespaces and tenants chosen, and no label `cluster` anywhere."""
    elsewhere: dict[str, dict[str, int]]
    """The same by variable that stands for a value that no series has."""
    exemplars: set[str]
    """Trace ids of the exemplars of durations."""
    traces: set[str]
    """Trace ids that a collector was sent."""


def name_of(query: Query) -> str:
    """Return where a query stands, with its legend where the panel has several."""
    alike = [other for other in dashboard_queries() if other.where == query.where]
    return query.where if len(alike) == 1 else f"{query.where}, {query.legend}"


@asynccontextmanager
async def scraping(targets: Mapping[str, int], folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Run a Prometheus with the chart's rules that scrapes ports of loopback, by job; yield a client of it."""
    program, port = shutil.which("prometheus"), free_port()
    assert program, "prometheus is not on the PATH. Debian: apt-get install prometheus."
    jobs = [
        {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{at}"], "labels": {"namespace": "payments"}}]}
        for job, at in targets.items()
    ]
    often = {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "250ms"}
    config = folder / "prometheus.yml"
    config.write_text(
        yaml.safe_dump({"global": often, "scrape_configs": jobs, "rule_files": [str(file) for file in rule_files()]})
    )
    process = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield client
    finally:
        process.terminate()
        await process.wait()


async def call(stack: LocalStack, hub: RunningHub) -> None:
    """Let calls of every kind succeed, fail, be refused, repeated, replayed, and end in doubt."""
    faults = stack.emulator.faults
    async with grpc.aio.insecure_channel(stack.target) as channel:
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)
        again = session_request()
        for _ in range(2):
            await stub.CreateSession(again, timeout=10)
        await asyncio.gather(*(stub.CreateSession(session_request(), timeout=10) for _ in range(3)))
        await stub.DecryptApplePay(decryption_request(), timeout=10)
        await stub.CreatePaymentMethod(payment_method_request(), timeout=10)
        faults.add("decryption:503")
        await stub.DecryptApplePay(decryption_request(), timeout=10)
        faults.add("decryption:declined")
        await refusal(stub.DecryptApplePay(decryption_request(), timeout=10))
        faults.add("payment_methods:truncated")
        await refusal(stub.CreatePaymentMethod(payment_method_request(), timeout=10))
        unknown = session_request()
        unknown.route.tenant = "unknown"
        await refusal(stub.CreateSession(unknown, timeout=10))
    await hub.endpoint.until_connected()
    await hub.endpoint.send(payment_of())
    await hub.endpoint.send(payment_of("pay-2"), password="wrong")


async def ask(client: httpx.AsyncClient, variables: Mapping[str, str]) -> dict[str, int]:
    """Return how many series each query finds."""
    found = {}
    for query in dashboard_queries():
        answer = await client.get(
            "/api/v1/query",
            params={"query": interpolated(query.expression, {"__interval_ms": SINCE_ALWAYS, **variables})},
        )
        assert answer.is_success, (query.where, answer.text)
        found[name_of(query)] = len(answer.json()["data"]["result"])
    return found


async def until_found(client: httpx.AsyncClient, variables: Mapping[str, str]) -> dict[str, int]:
    """Ask until only those find nothing that are expected to, or for a minute."""
    found: dict[str, int] = {}
    try:
        async with asyncio.timeout(60):
            while not found or {name for name, series in found.items() if not series} - set(EMPTY):
                await asyncio.sleep(0.5)
                try:
                    found = await ask(client, variables)
                except httpx.TransportError:
                    continue
    except TimeoutError:
        pass
    return found


async def collected(folder: Path) -> Found:
    """Run everything, and ask."""
    everything = {"cluster": ".*", "namespace": ".*", "job": "(payorch|payorch-upc)", "tenant": ".*"}
    everything["hub_job"] = everything["job"]
    async with collecting() as collector:
        telemetry = {"traces": "otlp", "otlp_endpoint": collector.grpc_url}
        over: dict[str, Any] = {"telemetry": telemetry, "tenants": {"acme": {"max_in_flight": 1}}}
        async with running(over=over) as stack, running_hub(folder) as hub:
            ports = {"payorch": stack.application.admin_port, "payorch-upc": hub.endpoint.admin_port}
            async with scraping(ports, folder) as client:
                await call(stack, hub)
                everywhere = await until_found(client, everything)
                elsewhere = {
                    name: await ask(client, everything | dict.fromkeys((name, f"hub_{name}"), "elsewhere"))
                    for name in ("cluster", "namespace", "job")
                }
                query = {"query": "rpc_server_call_duration_seconds_bucket", "start": "0", "end": "9999999999"}
                answer = (await client.get("/api/v1/query_exemplars", params=query)).json()
    exemplars = {point["labels"]["trace_id"] for series in answer["data"] for point in series["exemplars"]}
    return Found(everywhere, elsewhere, exemplars, {span.trace_id for span in collector.spans})


@pytest.fixture(scope="module")
def found() -> Found:
    """Return what is found, once for all tests."""
    with tempfile.TemporaryDirectory(prefix="payorch-dashboards-") as folder:
        return asyncio.run(collected(Path(folder)))


class TestQueries:
    """A panel that is empty for no reason hides what it is for."""

    def test_find_data(self, found: Found) -> None:
        """All but those whose subject has not happened."""
        assert set(EMPTY) == {name for name, series in found.everywhere.items() if not series}

    @pytest.mark.parametrize("variable", ["cluster", "namespace", "job"])
    def test_find_nothing_elsewhere(self, found: Found, variable: str) -> None:
        """Where another cluster, namespace or job is chosen, every panel is empty."""
        assert {} == {name: series for name, series in found.elsewhere[variable].items() if series}


def test_exemplars_lead_to_traces_that_were_sent(found: Found) -> None:
    """Prometheus stores them, and the collector knows them."""
    assert found.exemplars
    assert found.exemplars <= found.traces
