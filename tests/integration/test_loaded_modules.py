"""What a command loads: modules that it does not need cost its start, and the memory of a service at rest."""

import asyncio
import signal
import sys
from pathlib import Path

import grpc
import pytest
from harness.requests import session_request
from harness.service_process import grpc_port, write_configuration
from harness.stack import merged
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from zuora_emulator import Emulator, serving

RUN = """
import atexit, pathlib, sys
modules = pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: modules.write_text("\\n".join(sys.modules)))
from payorch_server.cli import main
sys.exit(main())
"""
"""Runs a command, and writes the names of the modules that it loaded into a file."""
OF_OPTIONS = {
    "cryptography.x509": "TLS",
    "jwt": "tokens of callers",
    "opentelemetry.exporter.otlp": "a collector",
    "opentelemetry.proto": "a collector",
    "requests": "a collector over HTTP",
    "redis": "a shared store",
    "protovalidate": "a request that breaks rules",
    "payorch_server.upc": "another command",
    "aiohttp.web": "an application of aiohttp",
}
"""Packages that a service loads for an option of its configuration or for a request, or not at all."""
OF_SERVING = {"aiohttp", "httpx", "msgspec", "pydantic", "structlog", "opentelemetry", "cryptography", "yaml"}


class TestServe:
    """`serve`."""

    @pytest.mark.asyncio
    async def test_loads_nothing_for_options_that_are_not_used(self, tmp_path: Path) -> None:
        """Ready, and with a call served, in the plainest configuration."""
        async with serving(Emulator()) as url:
            loaded = await modules_of_a_service(write_configuration(tmp_path, url), tmp_path / "modules")

        assert OF_OPTIONS.keys() & loaded == set()
        assert {name for name in loaded if name.startswith("payorch_server.commands.")} == {
            "payorch_server.commands.certification_options",
            "payorch_server.commands.common_options",
            "payorch_server.commands.operator_options",
        }

    @pytest.mark.asyncio
    async def test_loads_exporters_for_a_collector(self, tmp_path: Path) -> None:
        """What the list above names is loaded where it is used."""
        telemetry = {"telemetry": {"traces": "otlp", "otlp_endpoint": "http://127.0.0.1:9"}}
        async with serving(Emulator()) as url:
            file = write_configuration(tmp_path, url, merged({}, telemetry))
            loaded = await modules_of_a_service(file, tmp_path / "modules")

        assert {"opentelemetry.exporter.otlp", "opentelemetry.proto"} <= loaded


async def modules_of_a_service(file: Path, modules: Path) -> set[str]:
    """Start a service, make one call, end it; return the names of the modules that were loaded."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, str(modules), "serve", "--config", str(file),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with grpc.aio.insecure_channel(f"127.0.0.1:{await grpc_port(process)}") as channel:
        await service_grpc.PaymentOrchestrationServiceStub(channel).CreateSession(session_request(), timeout=10)
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    return names_in(modules)


def names_in(modules: Path) -> set[str]:
    """Return the names that RUN has written."""
    return set(modules.read_text().split())


class TestHealthChecks:
    """`healthcheck` and `upc healthcheck`, which run every few seconds beside every service."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("command", "also"),
        [(["healthcheck"], {"grpc"}), (["upc", "healthcheck", "--plaintext"], {"http.client"})],
        ids=["of the service", "of the hub"],
    )
    async def test_load_their_client_alone(self, command: list[str], also: set[str], tmp_path: Path) -> None:
        """And nothing that serves, reads a configuration or records a call."""
        modules = tmp_path / "modules"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", RUN, str(modules), *command, "--address", "127.0.0.1:9",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await process.communicate()
        loaded = names_in(modules)

        assert also <= loaded
        assert loaded & OF_SERVING == set()
        assert {name for name in loaded if name.startswith("payorch_server.")} <= {
            "payorch_server.cli",
            "payorch_server.commands",
            "payorch_server.commands.certification_options",
            "payorch_server.commands.common_options",
            "payorch_server.commands.operator_options",
            "payorch_server.commands.channel",
            "payorch_server.commands.hub_health",
            "payorch_server.model",
            "payorch_server.runtime",
            "payorch_server.runtime.core_dumps",
            "payorch_server.runtime.interpreter_defaults",
            "payorch_server.runtime.listen_address",
        }
