"""Two services on one Redis, each of which can be ended and started again on its port."""

import asyncio
import json
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from harness.keyring import new_key_file
from harness.ports import free_port
from harness.redis_server import servers
from harness.service_process import grpc_port, start_service, write_configuration

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
    process: asyncio.subprocess.Process
    log: asyncio.Future[bytes]

    async def end(self, number: signal.Signals) -> int:
        """Send the signal and return the exit status."""
        self.process.send_signal(number)
        await self.log
        return await self.process.wait()

    async def begin(self) -> None:
        """Start it anew on its port, and come back when it is ready and clients have found it.

        In Kubernetes the latter is what a Deployment's minReadySeconds leaves time for.
        """
        self.process, self.log = await _started(self.file)
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
            for port, admin_port in ((free_port(), free_port()) for _ in range(_SIZE)):
                own = folder / str(port)
                own.mkdir()
                over = {
                    "grpc": {"listen": f"127.0.0.1:{port}", "drain_wait_s": _DRAIN_WAIT_S},
                    "admin": {"listen": f"127.0.0.1:{admin_port}"},
                    "accept_memory_store": False,
                    "store": {"kind": "redis", "url": redis.url},
                    "intents": {"keys": [{"id": "k1", "file": str(folder / "key")}]},
                }
                file = write_configuration(own, zuora_url, over)
                members.append(Member(file, port, admin_port, *await _started(file)))
                await members[-1].until_ready()
            yield members
        finally:
            for member in members:
                if member.process.returncode is None:
                    await member.end(signal.SIGKILL)


async def _started(file: Path) -> tuple[asyncio.subprocess.Process, asyncio.Future[bytes]]:
    process = await start_service(file)
    await grpc_port(process)
    assert process.stderr is not None
    return process, asyncio.ensure_future(process.stderr.read())


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
