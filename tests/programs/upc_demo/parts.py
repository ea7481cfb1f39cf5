"""The processes of the demonstration: the gateway, the hub and its store, each of which can be broken."""

import asyncio
import json
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import yaml
from harness.keyring import new_key_file
from harness.ports import free_port
from harness.redis_server import RedisServer

ROOT: Final = Path(__file__).resolve().parents[3]
COMMAND: Final = str(Path(sys.executable).with_name("payorch-server"))
EXAMPLE: Final = ROOT / "clients" / "python" / "examples" / "gateway" / "gateway.py"
USER: Final = "zuora"
_READY_S: Final = 60.0


class PluginProcess:
    """The example gateway in Python; its ledger is a file, as a provider's would be a bank's."""

    def __init__(self, folder: Path) -> None:
        self.ledger = folder / "gateway.sqlite"
        self.address = f"127.0.0.1:{free_port()}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and come back when it accepts connections."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, str(EXAMPLE), self.address, str(self.ledger)
        )
        host, port = self.address.split(":")
        async with asyncio.timeout(_READY_S):
            while not await _accepts(host, int(port)):
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """End it as a crash does."""
        await _kill(self._process)

    async def until_charged(self, charges: int) -> None:
        """Come back when money has moved so many times."""
        async with asyncio.timeout(_READY_S):
            while len(self.charges()) < charges:
                await asyncio.sleep(0.02)

    def charges(self) -> list[tuple[str, Decimal]]:
        """Return key and amount of each movement of money, in order."""
        query = "SELECT key, moved FROM calls WHERE CAST(moved AS REAL) != 0 ORDER BY rowid"
        with closing(sqlite3.connect(self.ledger)) as ledger:
            return [(str(key), Decimal(moved).quantize(Decimal(1))) for key, moved in ledger.execute(query)]


class HubProcess:
    """`payorch-server upc serve` with a configuration of its own."""

    def __init__(self, folder: Path, redis: RedisServer, plugin: PluginProcess, *, password: str) -> None:
        self.port = free_port()
        self.file = folder / "hub.yaml"
        self.url = f"http://127.0.0.1:{self.port}/upc/main"
        (folder / "password").write_text(password + "\n")
        (folder / "key").write_text(new_key_file())
        self.file.write_text(yaml.safe_dump(_configuration(folder, self.port, redis.url, plugin.address)))
        self.lines: list[str] = []
        """What it wrote to its log."""
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def init_store(self, option: str) -> str:
        """Declare the store complete; return what the command says."""
        process = await asyncio.create_subprocess_exec(
            COMMAND, "upc", "init-store", option, "--config", str(self.file), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"init-store ended with {process.returncode}")
        return said.decode().strip()

    async def start(self) -> None:
        """Start it, and come back when its gateway has described itself."""
        already = len(self.lines)
        self._process = await asyncio.create_subprocess_exec(
            COMMAND, "upc", "serve", "--config", str(self.file), stderr=asyncio.subprocess.PIPE
        )
        self._reading = asyncio.ensure_future(self._read(self._process.stderr))
        await self._until(lambda: any('"upc_gateway_state"' in line for line in self.lines[already:]))

    async def kill(self) -> None:
        """End it as a crash does."""
        await _kill(self._process)

    def calls(self) -> list[dict[str, Any]]:
        """Return the log records of requests so far."""
        events = [json.loads(line) for line in self.lines if line.startswith("{")]
        return [event for event in events if event.get("event") == "upc_call"]

    async def spans(self, trace_id: str) -> list[str]:
        """Return the lines of the spans of a trace, as the hub's console shows them a second later."""

        def found() -> list[str]:
            return [line for line in self.lines if trace_id in line and not line.startswith("{")]

        await self._until(lambda: bool(found()))
        return found()

    async def _read(self, stream: asyncio.StreamReader | None) -> None:
        while stream and (line := await stream.readline()):
            self.lines.append(line.decode().rstrip())

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(_READY_S):
            while not condition():
                if self._process is None or self._process.returncode is not None:
                    raise RuntimeError("The hub has ended:\n" + "\n".join(self.lines[-5:]))
                await asyncio.sleep(0.02)


def _configuration(folder: Path, port: int, redis: str, plugin: str) -> dict[str, Any]:
    password = str(folder / "password")
    return {
        "upc": {
            "listen": f"127.0.0.1:{port}",
            "hubs": {
                "main": {
                    # The emulator's tenant, and that of Zuora's page of examples.
                    "tenants": ["10001", "12368"],
                    "credentials": [{"user": USER, "password_file": password}],
                }
            },
            "gateways": {
                "amazon": {
                    "hub": "main",
                    "names": ["UPC_Token", "UPCTokenGateway1621965929867"],
                    "types": ["AmazonPay__c_10001", "AmazonPay__c_12368"],
                    "target": plugin,
                }
            },
        },
        "admin": {"listen": "127.0.0.1:0"},
        "telemetry": {"traces": "console"},
        "store": {"kind": "redis", "url": redis},
        "keys": [{"id": "first", "file": str(folder / "key")}],
    }


async def send_with_curl(url: str, body: bytes, *, password: str) -> str:
    """Send a body as an operator would try it out; return status and answer."""
    curl = shutil.which("curl")
    if curl is None:
        raise RuntimeError("The demonstration needs curl, and there is none here.")
    process = await asyncio.create_subprocess_exec(
        curl, "--silent", "--user", f"{USER}:{password}", "--header", "Content-Type: application/json",
        "--data-binary", "@-", "--write-out", "\n%{http_code}", url,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate(body)
    answer, _, status = said.decode().rpartition("\n")
    return f"{status} {answer}"


async def _kill(process: asyncio.subprocess.Process | None) -> None:
    if process is not None and process.returncode is None:
        process.kill()
        await process.wait()


async def _accepts(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True
