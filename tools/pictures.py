"""Photographs a running service: its log on a terminal, its metrics in Prometheus' page, and a trace in a viewer.

make pictures                                        all of them, in some four minutes
python tools/pictures.py --only trace                one kind
python tools/pictures.py --seconds 30                with a shorter story

Everything runs on loopback. Needs prometheus and chromium of the packages of that name; the viewer is built from the
version that tools/viewer pins.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import grpc
import httpx
import yaml
from harness.chromium import FLAGS, MissingProgramError, chromium_program, program
from harness.ports import free_port
from harness.requests import decryption_request, payment_method_request, session_request
from harness.stack import LocalStack, running
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.telemetry.logging import start_logging
from payorch_server.telemetry.settings import TelemetrySettings
from terminal_picture import page_of_make_run
from zuora_emulator import Emulator, seed

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / "docs" / "pictures"
LOG: Final = ROOT / "build" / "pictures.log"
VIEWER: Final = ROOT / "build" / "tools" / "otel-desktop-viewer"
MAX_BYTES: Final = 200_000
QUERIES: Final = {
    "calls-by-outcome": "sum by (outcome) (rate(payorch_calls_total[30s]))",
    "latency": "histogram_quantile(0.95, sum by (rpc_method, le) (rate(rpc_server_call_duration_seconds_bucket[30s])))",
    "unknown-by-reason": 'sum by (reason) (rate(payorch_executions_total{outcome="UNKNOWN"}[30s]))',
}
# What goes wrong, one after the other: half done, in doubt and settled by retries, in doubt for good,
# refused, slow.
_FAULTS: Final = (
    ("decryption:declined", 40),
    ("sessions:drop_after", 60),
    ("payment_methods:truncated", 40),
    ("decryption:500", 30),
    ("sessions:400", 50),
    ("payment_methods:slow:2", 8),
)
_CALLERS: Final = 4
_PAUSE_S: Final = 0.1


class PictureError(Exception):
    """Something is missing; the text says what."""


@contextlib.asynccontextmanager
async def started(*command: str, ready: str) -> AsyncIterator[None]:
    """Run a server until the end of the block, which begins when its address answers."""
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    try:
        async with asyncio.timeout(30), httpx.AsyncClient() as client:
            while not await _answers(client, ready):
                if process.returncode is not None:
                    raise PictureError(f"{command[0]} ended with status {process.returncode}")
                await asyncio.sleep(0.2)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx.TransportError:
        return False


async def photograph(url: str, name: str, *, height: int) -> None:
    """Write what a browser shows at an address to docs/pictures.

    Raises:
        PictureError: There is no picture, or it is too large for the repository.
    """
    file = FOLDER / f"{name}.png"
    file.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="payorch-pictures-") as profile:
        process = await asyncio.create_subprocess_exec(
            chromium_program(),
            *FLAGS,
            "--virtual-time-budget=15000",
            f"--user-data-dir={profile}",
            f"--window-size=1400,{height}",
            f"--screenshot={file}",
            url,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await process.wait()
    if not file.exists() or file.stat().st_size > MAX_BYTES:
        raise PictureError(f"{file} is {'too large' if file.exists() else 'missing'}")
    print(f"{file.relative_to(ROOT)}: {file.stat().st_size} bytes")


async def photograph_trace() -> None:
    """Make a call whose first attempt fails, and photograph its trace."""
    if not VIEWER.exists():
        raise PictureError(f"{VIEWER.relative_to(ROOT)} is needed: make {VIEWER.relative_to(ROOT)}")
    page, receiver, other = free_port(), free_port(), free_port()
    ports = ("--browser-port", str(page), "--grpc", str(receiver), "--http", str(other))
    url = f"http://127.0.0.1:{page}"
    over = {"telemetry": {"traces": "otlp", "otlp_endpoint": f"http://127.0.0.1:{receiver}"}}
    async with started(str(VIEWER), "--open-browser=false", "--host", "127.0.0.1", *ports, ready=url):
        # The end of the service sends the last spans.
        async with running(over=over) as stack, grpc.aio.insecure_channel(stack.target) as channel:
            stack.emulator.faults.add("decryption:503")
            stub = service_grpc.PaymentOrchestrationServiceStub(channel)
            await stub.CreateSession(session_request(), timeout=10)
            call = stub.DecryptApplePay(decryption_request(), timeout=10)
            track_id = str(dict(await call.initial_metadata())["zuora-track-id"])
            await call
            await stub.CreatePaymentMethod(payment_method_request(), timeout=10)
        await photograph(f"{url}/traces/{track_id.partition('-')[0]}", "trace", height=700)


async def photograph_metrics(seconds: float) -> None:
    """Let calls succeed and fail for a while, and photograph what Prometheus makes of it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    emulator = Emulator()
    with tempfile.TemporaryDirectory(prefix="payorch-prometheus-") as folder:
        async with running(emulator=emulator) as stack:
            config = Path(folder) / "prometheus.yml"
            config.write_text(yaml.safe_dump(_scrapes(stack)))
            where = (f"--config.file={config}", f"--storage.tsdb.path={folder}/data")
            prometheus = program("prometheus", "Debian: apt-get install prometheus")
            async with started(prometheus, *where, f"--web.listen-address=127.0.0.1:{port}", ready=f"{url}/-/ready"):
                await _tell_a_story(stack, seconds)
                for name, query in QUERIES.items():
                    await _must_have_data(url, query)
                    graph = {"g0.expr": query, "g0.tab": "0", "g0.range_input": f"{int(seconds)}s"}
                    await photograph(f"{url}/graph?{urlencode(graph)}", name, height=950)


def _scrapes(stack: LocalStack) -> dict[str, Any]:
    targets = [{"targets": [stack.admin_url.removeprefix("http://")]}]
    job = {"job_name": "payorch", "scrape_interval": "2s", "static_configs": targets}
    return {"scrape_configs": [job], "rule_files": [str(ROOT / "helm/payorch/alerts/*.yaml")]}


async def _must_have_data(url: str, query: str) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/api/v1/query", params={"query": query})
    if not answer.json()["data"]["result"]:
        raise PictureError(f"Prometheus has nothing for: {query}")


async def _tell_a_story(stack: LocalStack, seconds: float) -> None:
    """Call until the time is over, while one thing after the other goes wrong."""
    rng = random.Random(1)  # noqa: S311 - it mixes calls
    try:
        async with asyncio.timeout(seconds), grpc.aio.insecure_channel(stack.target) as channel:
            stub = service_grpc.PaymentOrchestrationServiceStub(channel)
            async with asyncio.TaskGroup() as group:
                for _ in range(_CALLERS):
                    group.create_task(_call_on(stub, rng))
                group.create_task(_make_trouble(stack.emulator, seconds))
    except TimeoutError:
        return


async def _call_on(stub: Any, rng: random.Random) -> None:
    makers = (
        (stub.CreateSession, session_request),
        (stub.DecryptApplePay, _large_payment),
        (stub.CreatePaymentMethod, payment_method_request),
    )
    while True:
        method, request = rng.choice(makers)
        # How it ends is what the pictures are to show.
        await asyncio.gather(method(request(), timeout=10), return_exceptions=True)
        await asyncio.sleep(rng.expovariate(1 / _PAUSE_S))


def _large_payment() -> Any:
    """Pay a little of an invoice that is not paid soon."""
    request = decryption_request()
    request.pay_invoice.invoice = seed.INVOICE_US_LARGE.number
    return request


async def _make_trouble(emulator: Emulator, seconds: float) -> None:
    while True:
        for fault, times in _FAULTS:
            await asyncio.sleep(seconds / 12)
            emulator.faults.add(fault, times=times)


async def photograph_all(only: str, seconds: float) -> None:
    """Take the pictures that are asked for."""
    FOLDER.mkdir(exist_ok=True)
    if only in {"all", "run"}:
        with tempfile.TemporaryDirectory(prefix="payorch-run-") as folder:
            await photograph((await page_of_make_run(Path(folder))).as_uri(), "run", height=350)
    if only in {"all", "trace"}:
        await photograph_trace()
    if only in {"all", "metrics"}:
        await photograph_metrics(seconds)


def main() -> None:
    """Take them, or say what is missing."""
    parser = argparse.ArgumentParser(prog="make pictures", description=__doc__)
    parser.add_argument("--only", choices=("all", "run", "trace", "metrics"), default="all")
    parser.add_argument("--seconds", type=float, default=180)
    arguments = parser.parse_args()
    try:
        # The audit cannot be silenced, and thousands of its lines would bury what this program says.
        with LOG.open("w") as log, contextlib.redirect_stderr(log):
            with contextlib.redirect_stdout(log):
                start_logging(TelemetrySettings(log_format="json"))
            asyncio.run(photograph_all(arguments.only, arguments.seconds))
    except (PictureError, MissingProgramError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
