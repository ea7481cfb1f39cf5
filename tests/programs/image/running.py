"""The images at work: both as their user with nothing writable and no shell, a real call through both."""

import asyncio
import contextlib
import json
import re
import signal
import subprocess
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import yaml
from harness.requests import session_request
from harness.stack import configuration
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

from programs.image.containers import answer, start

SERVER = "/opt/payorch/bin/payorch-server"
EMULATOR = "/opt/zuora-emulator/bin/zuora-emulator"
_GRPC, _ADMIN, _DIAGNOSTICS = "127.0.0.1:50951", "127.0.0.1:9964", "127.0.0.1:50952"
_EMULATOR_PORT = 9980
_EMULATOR_URL = f"http://127.0.0.1:{_EMULATOR_PORT}"
_TRIES = 40


@contextlib.asynccontextmanager
async def _running(root: Path, folder: Path, *command: str) -> AsyncIterator[subprocess.Popen[str]]:
    """Run a command; it has to end well when it is told to."""
    process = start(root, folder, *command)
    try:
        yield process
    except BaseException:
        process.kill()
        print(process.communicate()[0])
        raise
    process.send_signal(signal.SIGTERM)
    log, _ = await asyncio.to_thread(process.communicate, timeout=30)
    assert process.returncode == 0, log


def _write_configuration(folder: Path) -> None:
    document: dict[str, Any] = configuration(emulator_url=_EMULATOR_URL, folder=folder)
    document["grpc"]["listen"] = _GRPC
    document["admin"]["listen"] = _ADMIN
    document["diagnostics"]["listen"] = _DIAGNOSTICS
    (folder / "payorch.yaml").write_text(yaml.safe_dump(document).replace(str(folder), "/mnt"))


async def _until(root: Path, folder: Path, *command: str) -> str:
    """Run a command until it succeeds; say what it printed."""
    code, output = 1, ""
    for _ in range(_TRIES):
        code, output = await asyncio.to_thread(answer, root, folder, *command)
        if code == 0:
            return output
        await asyncio.sleep(0.25)
    raise AssertionError(f"{command} ended with {code}: {output}")


def _look_at_process(process: subprocess.Popen[str], name: str) -> None:
    status = Path(f"/proc/{process.pid}/status").read_text()

    assert re.search(r"^Uid:\s+10001\s+10001", status, re.MULTILINE), status
    print(f"Memory of the {name}:", *re.findall(r"VmRSS:\s+(.*)", status))


async def look_at_commands(root: Path, folder: Path) -> None:
    """The configuration is checked, and its schema printed."""
    _write_configuration(folder)

    code, output = await asyncio.to_thread(
        answer, root, folder, SERVER, "check-config", "--config", "/mnt/payorch.yaml"
    )
    assert (code, ": OK; " in output) == (0, True), output
    code, output = await asyncio.to_thread(answer, root, folder, SERVER, "config-schema")
    assert (code, json.loads(output)["title"]) == (0, "payorch configuration")


async def look_at_call(root: Path, emulator_root: Path, folder: Path) -> None:
    """A session is created by the service's image at the emulator's image; both end well at SIGTERM."""
    ledger = (EMULATOR, "ledger", "--url", _EMULATOR_URL)
    serve = (EMULATOR, "serve", "--port", str(_EMULATOR_PORT))
    async with _running(emulator_root, folder, *serve) as emulator:
        await _until(emulator_root, folder, *ledger)
        async with _running(root, folder, SERVER, "serve", "--config", "/mnt/payorch.yaml") as service:
            said = await _until(root, folder, SERVER, "healthcheck", "--address", _GRPC)
            assert said == "SERVING\n"
            with urllib.request.urlopen(f"http://{_ADMIN}/readyz") as ready:  # noqa: ASYNC210 - a program for people
                assert json.load(ready)["ready"] is True
            async with grpc.aio.insecure_channel(_GRPC) as channel:
                stub = service_grpc.PaymentOrchestrationServiceStub(channel)
                created = await stub.CreateSession(session_request(), timeout=10)
            assert created.session.token
            _look_at_process(service, "service")
            _look_at_process(emulator, "emulator")
    print("CreateSession succeeded through both images.")
