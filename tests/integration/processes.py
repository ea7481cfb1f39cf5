"""The real process, started and found."""

import asyncio
import re
import sys
from pathlib import Path

import yaml
from local.stack import configuration

COMMAND = str(Path(sys.executable).with_name("payorch-server"))


def write_configuration(folder: Path, url: str) -> Path:
    """Write a configuration for an emulator."""
    file = folder / "payorch.yaml"
    file.write_text(yaml.safe_dump(configuration(emulator_url=url, folder=folder)))
    return file


async def started(file: Path) -> asyncio.subprocess.Process:
    """Start the service; read its standard error, or it will stop writing."""
    return await asyncio.create_subprocess_exec(COMMAND, "serve", "--config", str(file), stderr=asyncio.subprocess.PIPE)


async def port_of(process: asyncio.subprocess.Process) -> int:
    """Wait until the service listens."""
    assert process.stderr is not None
    while line := await process.stderr.readline():
        found = re.search(rb'"grpc_port":(\d+)', line)
        if found:
            return int(found.group(1))
    raise AssertionError("The service ended before it listened.")
