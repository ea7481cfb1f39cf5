"""Envoy with the published configuration, in front of a service on a free port."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import generate

ENVOY: Final = generate.ROOT / "build/gateway/envoy/_bin/envoy"
CONFIGURATION: Final = generate.ROOT / "clients/envoy/envoy.yaml"
_ADMIN, _LISTENER, _SERVICE = "port_value: 9901}", "port_value: 8080}", "port_value: 50051}"
_START_S: Final = 15.0
_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Envoy:
    """A running Envoy."""

    address: str
    """Host and port of its listener."""
    admin_url: str
    log: Path
    """Its access log and its own log."""

    async def counter(self, name: str) -> int:
        """Return a counter of Envoy's by its full name."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.admin_url}/stats?format=json") as answer:
            stats = (await answer.json())["stats"]
        return int(next(one["value"] for one in stats if one.get("name") == name))


def _unchanged(text: str) -> str:
    return text


@asynccontextmanager
async def envoy_before(target: str, folder: Path, change: Callable[[str], str] = _unchanged) -> AsyncIterator[Envoy]:
    """Start Envoy in front of a service, and end it.

    Args:
        target: Host and port of the service.
        folder: Takes the configuration and the log.
        change: What else is different in the configuration.
    """
    text = change(CONFIGURATION.read_text())
    port = target.rpartition(":")[2]
    for old, new in ((_ADMIN, "port_value: 0}"), (_LISTENER, "port_value: 0}"), (_SERVICE, f"port_value: {port}}}")):
        assert 1 == text.count(old)
        text = text.replace(old, new)
    file, admin, log = folder / "envoy.yaml", folder / "admin-address", folder / "envoy.log"
    file.write_text(text)
    # Tests run several at once.
    command = ("-c", file, "--admin-address-path", admin, "--use-dynamic-base-id", "--concurrency", "1")
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(ENVOY, *command, cwd=generate.ROOT, stdout=output, stderr=output)
    try:
        async with asyncio.timeout(_START_S):
            envoy = await _listening(process, admin, log)
        yield envoy
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listening(process: asyncio.subprocess.Process, admin: Path, log: Path) -> Envoy:
    """Wait until Envoy lets calls through: the service has passed its first health check then."""
    while process.returncode is None:
        if address := _written(admin):
            async with aiohttp.ClientSession(f"http://{address}") as session:
                async with session.get("/ready") as answer:
                    ready = answer.status == 200
                async with session.get("/listeners?format=json") as answer:
                    found: dict[str, Any] = json.loads(await answer.text())
            if ready:
                place = found["listener_statuses"][0]["local_address"]["socket_address"]
                return Envoy(f"{place['address']}:{place['port_value']}", f"http://{address}", log)
        await asyncio.sleep(_POLL_S)
    raise AssertionError(f"Envoy ended with status {process.returncode}:\n{_written(log)[-2000:]}")


def _written(file: Path) -> str:
    return file.read_text() if file.exists() else ""
