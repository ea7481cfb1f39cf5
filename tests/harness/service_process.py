"""The service as a process of its own."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import yaml
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

from harness.stack import configuration, merged

COMMAND = str(Path(sys.executable).with_name("payorch-server"))


def write_configuration(folder: Path, emulator_url: str, over: Mapping[str, Any] | None = None) -> Path:
    """Write a configuration file for the emulator's tenants into the folder."""
    file = folder / "payorch.yaml"
    file.write_text(yaml.safe_dump(merged(configuration(emulator_url=emulator_url, folder=folder), over or {})))
    return file


async def start_service(
    file: Path, *, audit: int = asyncio.subprocess.DEVNULL, command: Sequence[str] = (COMMAND,)
) -> asyncio.subprocess.Process:
    """Start the service; its log comes through the pipe of its standard error.

    Args:
        file: Its configuration.
        audit: Where its standard output goes.
        command: What is started with the arguments of `payorch-server`.
    """
    return await asyncio.create_subprocess_exec(
        *command, "serve", "--config", str(file), stdout=audit, stderr=asyncio.subprocess.PIPE
    )


async def grpc_port(process: asyncio.subprocess.Process) -> int:
    """Read the log until the service says where it listens."""
    assert process.stderr is not None
    while line := await process.stderr.readline():
        found = re.search(rb'"grpc_port":(\d+)', line)
        if found:
            return int(found.group(1))
    raise AssertionError("The service ended before it listened.")


@asynccontextmanager
async def service_processes(
    file: Path, count: int
) -> AsyncIterator[list[service_grpc.PaymentOrchestrationServiceStub]]:
    """Run some services with one configuration, ended by force if they do not end by themselves; yield their stubs."""
    processes = [await start_service(file) for _ in range(count)]
    async with AsyncExitStack() as stack:
        drains: list[asyncio.Task[bytes]] = []
        try:
            stubs = []
            for process in processes:
                target = f"127.0.0.1:{await grpc_port(process)}"
                assert process.stderr is not None
                drains.append(asyncio.ensure_future(process.stderr.read()))
                channel = await stack.enter_async_context(grpc.aio.insecure_channel(target))
                stubs.append(service_grpc.PaymentOrchestrationServiceStub(channel))
            yield stubs
        finally:
            for process in processes:
                if process.returncode is None:
                    os.kill(process.pid, signal.SIGKILL)
                await process.wait()
            await asyncio.gather(*drains)
