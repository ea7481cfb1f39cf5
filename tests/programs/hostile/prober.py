"""The prober: a process of its own that asks for the health as callers do, and for livez and readyz as a kubelet does.

Each probe is a JSON line on standard output. Moments are those of the machine's monotonic clock, which processes share.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Final

import grpc
import msgspec
from grpc_health.v1 import health_pb2, health_pb2_grpc

LATEST_S: Final = 10.0
"""A probe that takes longer has failed, and counts as long."""
_PAUSE_S: Final = 0.4
_URGENT: Final = -10


class Probe(msgspec.Struct, frozen=True):
    """One look at the service."""

    kind: str
    """health over a connection that is kept, new caller over a fresh one, livez or readyz."""
    began_s: float
    seconds: float
    problem: str = ""
    """Empty: the answer was the right one."""


def _channel(port: int) -> grpc.aio.Channel:
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_reconnect_backoff_ms", 500))
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)


async def _new_caller(port: int) -> str:
    async with _channel(port) as channel:
        return await _health(channel)


async def _health(channel: grpc.aio.Channel) -> str:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=LATEST_S)
    name: str = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return "" if name == "SERVING" else name


async def _http(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: payorch\r\nconnection: close\r\n\r\n".encode())
        status = (await reader.readline()).split()[1:2]
    finally:
        writer.close()
    return "" if status == [b"200"] else f"HTTP status {b''.join(status).decode() or 'none'}"


async def _probe_for_ever(kind: str, look: Callable[[], Awaitable[str]]) -> None:
    while True:
        began_s, problem = perf_counter(), ""
        try:
            async with asyncio.timeout(LATEST_S):
                problem = await look()
        except TimeoutError:
            problem = "no answer"
        except grpc.aio.AioRpcError as error:
            problem = f"{error.code().name} {error.details()}"
        except OSError as error:
            problem = error.strerror or "no connection"
        seconds = LATEST_S if problem else perf_counter() - began_s
        sys.stdout.buffer.write(msgspec.json.encode(Probe(kind, began_s, seconds, problem)) + b"\n")
        sys.stdout.buffer.flush()
        await asyncio.sleep(_PAUSE_S)


async def _run(grpc_port: int, admin_port: int) -> None:
    async with _channel(grpc_port) as channel, asyncio.TaskGroup() as probes:
        probes.create_task(_probe_for_ever("health", lambda: _health(channel)))
        probes.create_task(_probe_for_ever("new caller", lambda: _new_caller(grpc_port)))
        probes.create_task(_probe_for_ever("livez", lambda: _http(admin_port, "/livez")))
        probes.create_task(_probe_for_ever("readyz", lambda: _http(admin_port, "/readyz")))


if __name__ == "__main__":
    # What is measured is the service, not the wait of this process for a busy machine.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _URGENT)
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        asyncio.run(_run(int(sys.argv[1]), int(sys.argv[2])))
