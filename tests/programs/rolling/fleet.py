"""Two services on one Redis, each of which can be ended and started again on its port."""

import asyncio
import json
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from harness.keyring import new_key_file
from harness.ports import free_port
from harness.redis_server import servers
from harness.service_process import COMMAND, grpc_port, start_service, write_configuration
from harness.stack import merged

SERVICE: Final = "payorch.v1.PaymentOrchestrationService"
# Clients learn of NOT_SERVING at once; this leaves time for those on a busy machine.
_DRAIN_WAIT_S: Final = 1.0
_SIZE: Final = 2
_READY_S: Final = 20.0
_FOUND_S: Final = 20.0
_LOOK_S: Final = 0.05


@dataclass(slots=True)
class Member:
    """One service."""

    file: Path
    port: int
    admin_port: int
    command: Sequence[str] = (COMMAND,)
    """What is started with the arguments of `payorch-server`."""
    audit: int = asyncio.subprocess.DEVNULL
    """Where the standard output of its processes goes."""
    logs: list[bytes] = field(default_factory=list)
    """What its ended processes wrote once they listened, each in one piece."""
    process: asyncio.subprocess.Process = field(init=False)
    _log: asyncio.Future[bytes] = field(init=False)

    async def end(self, number: signal.Signals) -> int:
        """Send the signal and return the exit status."""
        self.process.send_signal(number)
        self.logs.append(await self._log)
        return await self.process.wait()

    async def start(self) -> None:
        """Start a process on its port, and come back when it listens."""
        self.process = await start_service(self.file, audit=self.audit, command=self.command)
        await grpc_port(self.process)
        assert self.process.stderr is not None
        self._log = asyncio.ensure_future(self.process.stderr.read())

    async def begin(self) -> None:
        """Start it again on its port, and come back when it is ready and clients have found it.

        In Kubernetes the latter is what a Deployment's minReadySeconds leaves time for.
        """
        await self.start()
        await self.until_ready()
        async with asyncio.timeout(_FOUND_S), aiohttp.ClientSession() as session:
            while not await self._called(session):
                await asyncio.sleep(_LOOK_S)

    async def _called(self, session: aiohttp.ClientSession) -> bool:
        async with session.get(f"http://127.0.0.1:{self.admin_port}/metrics") as answer:
            return "rpc_server_call_duration_seconds_count{" in await answer.text()

    async def until_ready(self) -> None:
        """Come back when it says that it serves."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            request = health_pb2.HealthCheckRequest(service=SERVICE)
            stub: Any = health_pb2_grpc.HealthStub(channel)
            async with asyncio.timeout(_READY_S):
                async for answer in stub.Watch(request, wait_for_ready=True):
                    if answer.status == health_pb2.HealthCheckResponse.SERVING:
                        return


@asynccontextmanager
async def fleet(zuora_url: str) -> AsyncIterator[Sequence[Member]]:
    """Start the services; those that run at the end are killed."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="payorch-rolling-")))
        redis = stack.enter_context(servers()).start("--maxmemory-policy", "noeviction")
        (folder / "key").write_text(new_key_file())
        members: list[Member] = []
        try:
            for _ in range(_SIZE):
                members.append(new_member(folder, zuora_url, redis.url))
                await members[-1].start()
                await members[-1].until_ready()
            yield members
        finally:
            for member in members:
                if member.process.returncode is None:
                    await member.end(signal.SIGKILL)


def new_member(folder: Path, zuora_url: str, store_url: str, over: Mapping[str, Any] | None = None) -> Member:
    """Return a service that is not started yet.

    Args:
        folder: Holds the file `key` of the fleet, and gets a folder with the configuration.
        zuora_url: Where its tenants are.
        store_url: Where its Redis is.
        over: Settings over those of a member of a fleet.
    """
    port, admin_port = free_port(), free_port()
    own = folder / str(port)
    own.mkdir()
    settings = {
        "grpc": {"listen": f"127.0.0.1:{port}", "drain_wait_s": _DRAIN_WAIT_S},
        "admin": {"listen": f"127.0.0.1:{admin_port}"},
        "accept_memory_store": False,
        "store": {"kind": "redis", "url": store_url},
        "intents": {"keys": [{"id": "k1", "file": str(folder / "key")}]},
    }
    return Member(write_configuration(own, zuora_url, merged(settings, over or {})), port, admin_port)


def channel_to(members: Sequence[Member], *, watching: bool) -> grpc.aio.Channel:
    """Return a channel that spreads calls over the services and retries none of them.

    Args:
        members: The services.
        watching: Whether it leaves a service that says NOT_SERVING.
    """
    policy: dict[str, object] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if watching:
        policy["healthCheckConfig"] = {"serviceName": SERVICE}
    return grpc.aio.insecure_channel(
        "ipv4:" + ",".join(f"127.0.0.1:{member.port}" for member in members),
        options=(
            ("grpc.service_config", json.dumps(policy)),
            ("grpc.enable_retries", 0),
            ("grpc.max_reconnect_backoff_ms", 1000),
        ),
    )
