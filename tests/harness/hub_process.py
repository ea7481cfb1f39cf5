"""The hub with its real listeners, plug-in and files: in this process, or as a process of its own."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from opentelemetry.sdk.trace import SpanProcessor  # noqa: TID251 - to look at spans
from payorch_server.app.hub_start import HubApplication, HubOptions, start_hub_process
from payorch_server.config.hub_loading import load_hub

from harness.hub_configuration import PASSWORD, changed, hub_configuration
from harness.plugin import Plugin, RunningPlugin, running_plugin
from harness.service_process import COMMAND
from harness.upc_bodies import Members, example

USER = "zuora"
GATEWAY_NAME = str(example("Payment")["paymentGatewayName"])
TYPE = str(example("Payment")["paymentMethod"]["type"])
TENANT = str(example("Payment")["tenantId"])


def payment_of(id_: str = "pay-1", *, token: str = "") -> Members:
    """Return a payment as Zuora sends it.

    Args:
        id_: Zuora's id of it.
        token: Chooses what the plug-in does.
    """
    members = example("Payment")
    members["payment"]["id"] = id_
    if token:
        members["paymentMethod"]["upcTokenData"]["token"] = token
    return members


def write_hub(folder: Path, target: str, over: Mapping[str, Any] | None = None) -> Path:
    """Write the configuration of a hub with one gateway into a folder.

    Args:
        folder: Gets the password too.
        target: gRPC target of the gateway.
        over: Values at dotted paths.
    """
    gateway = {"hub": "acme", "names": [GATEWAY_NAME], "types": [TYPE], "target": target}
    changes = {"upc.gateways": {"acme": gateway}, "upc.hubs.acme.tenants": [TENANT]}
    file = folder / "hub.yaml"
    file.write_text(yaml.safe_dump(changed(changed(hub_configuration(folder), changes), dict(over or {}))))
    return file


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a hub listens."""

    upc_port: int
    admin_port: int

    async def send(
        self, members: Members, *, password: str = PASSWORD, hub: str = "acme", scheme: str = "http"
    ) -> httpx.Response:
        """Send a request as Zuora does."""
        async with httpx.AsyncClient(verify=False, timeout=60.0) as client:  # noqa: S501 - its own authority is tested elsewhere
            url = f"{scheme}://127.0.0.1:{self.upc_port}/upc/{hub}"
            return await client.post(url, json=members, auth=(USER, password))

    async def probe(self, page: str = "readyz") -> httpx.Response:
        """Ask the admin listener."""
        async with httpx.AsyncClient() as client:
            return await client.get(f"http://127.0.0.1:{self.admin_port}/{page}")

    async def until_connected(self) -> dict[str, Any]:
        """Wait until the gateway has described itself and the epoch is seen; return the readiness."""
        async with asyncio.timeout(15):
            while True:
                state = (await self.probe()).json()
                if state["epoch"]["declared"] and set(state["gateways"].values()) == {"READY"}:
                    return dict(state)
                await asyncio.sleep(0.02)


@dataclass(frozen=True, slots=True)
class RunningHub:
    """A hub in this process, and its plug-in."""

    application: HubApplication
    plugin: RunningPlugin
    endpoint: Endpoint
    file: Path

    def change(self, changes: dict[str, Any]) -> None:
        """Replace the configuration file by one with other values at dotted paths."""
        replacement = self.file.with_name("replacement")
        replacement.write_text(yaml.safe_dump(changed(yaml.safe_load(self.file.read_text()), changes)))
        replacement.replace(self.file)


@asynccontextmanager
async def running_hub(
    folder: Path,
    *,
    over: Mapping[str, Any] | None = None,
    span_processors: Sequence[SpanProcessor] = (),
    watched: bool = False,
    plugin: Plugin | None = None,
) -> AsyncIterator[RunningHub]:
    """Run a hub and its plug-in in this process.

    Args:
        folder: For its files.
        over: Settings over the good ones, at dotted paths.
        span_processors: Receivers of its spans.
        watched: Whether it reloads its files when they change.
        plugin: What is plugged in; one that approves everything unless given.
    """
    async with running_plugin(plugin) as running, AsyncExitStack() as stack:
        file = write_hub(folder, running.target, over)
        application = await start_hub_process(
            load_hub(file),
            stack=stack,
            files=[file] if watched else (),
            options=HubOptions(span_processors=span_processors),
        )
        endpoint = Endpoint(application.upc_port, application.admin_port)
        yield RunningHub(application, running, endpoint, file)


async def start_hub_command(
    file: Path, *, command: Sequence[str] = (COMMAND,)
) -> tuple[asyncio.subprocess.Process, Endpoint]:
    """Start `payorch-server upc serve`; return it and where it listens. Its log comes through its standard error.

    Args:
        file: Its configuration.
        command: What is started with the arguments of `payorch-server`.
    """
    process = await asyncio.create_subprocess_exec(
        *command, "upc", "serve", "--config", str(file),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    while line := await process.stderr.readline():
        found = re.search(rb'"upc_port":(\d+),"admin_port":(\d+)', line)
        if found:
            return process, Endpoint(int(found[1]), int(found[2]))
    raise AssertionError("The hub ended before it listened.")
