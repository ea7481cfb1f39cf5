"""Calls through the gateway as its users make them: JSON over HTTP, and programs of the command line."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import generate
from google.protobuf.json_format import MessageToDict  # noqa: TID251 - requests in the JSON that callers would write
from google.protobuf.message import Message
from harness.stack import LocalStack

from gateway.envoy import Envoy

SERVICE: Final = "payorch.v1.PaymentOrchestrationService"
IMAGE: Final = "build/clients/payorch.binpb"
_JSON: Final = {"content-type": "application/json"}
_PROGRAM_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Front:
    """A service with Envoy before it."""

    stack: LocalStack
    envoy: Envoy

    async def post(self, method: str, body: Any, headers: Mapping[str, str] | None = None) -> "Answer":
        """Post JSON, or bytes as they are, to a method."""
        return await post(f"http://{self.envoy.address}/{SERVICE}/{method}", body, headers)

    @property
    def executed(self) -> list[tuple[str, str]]:
        """What the emulator executed, with its Track-Ids."""
        entries = self.stack.emulator.ledger.entries
        return [(one.operation, str(one.track_id)) for one in entries if one.operation != "token"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.text)

    def detail(self, name: str) -> dict[str, Any]:
        """Return the one detail of a type."""
        (found,) = [one for one in self.json["details"] if one["@type"] == f"type.googleapis.com/{name}"]
        return dict(found)


async def post(url: str, body: Any, headers: Mapping[str, str] | None = None, ssl: Any = None) -> Answer:
    """Post JSON, or bytes as they are, to an address."""
    data = body if isinstance(body, bytes | AsyncIterable) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=data, headers={**_JSON, **(headers or {})}, ssl=ssl or False) as answer,
    ):
        return Answer(answer.status, answer.headers.copy(), await answer.text())


def as_json(message: Message) -> dict[str, Any]:
    """Return a request as its JSON."""
    return dict(MessageToDict(message))


async def run(*command: str | Path, given: str = "") -> tuple[int, str, str]:
    """Run a program in the project's folder with its tools on the PATH; return status, output and errors."""
    tools = (Path(sys.executable).parent, generate.ROOT / "build/tools")
    path = os.pathsep.join([*map(str, tools), os.defpath, os.environ["PATH"]])  # noqa: TID251 - of the tools
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, cwd=generate.ROOT, env={"PATH": path, "HOME": str(Path.home())}, stdin=pipe, stdout=pipe, stderr=pipe
    )
    async with asyncio.timeout(_PROGRAM_S):
        output, errors = await process.communicate(given.encode())
    return process.returncode or 0, output.decode(), errors.decode()
