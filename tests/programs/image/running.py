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
import httpx
import yaml
from harness.requests import session_request
from harness.stack import configuration
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from zuora_emulator import seed

from programs.image.containers import answer, start

SERVER = "/opt/payorch/bin/payorch-server"
EMULATOR = "/opt/zuora-emulator/bin/zuora-emulator"
_GRPC, _ADMIN, _DIAGNOSTICS = "127.0.0.1:50951", "127.0.0.1:9964", "127.0.0.1:50952"
_EMULATOR_PORT = 9980
_EMULATOR_URL = f"http://127.0.0.1:{_EMULATOR_PORT}"
_TRIES = 40
_GRACE_OF_DOCKER_S = 10
"""How long `docker stop` waits between SIGTERM and SIGKILL."""


@contextlib.asynccontextmanager
async def _running(
    root: Path, folder: Path, *command: str, within_s: float = 30
) -> AsyncIterator[subprocess.Popen[str]]:
    """Run a command; it has to end well in that time after SIGTERM."""
    process = start(root, folder, *command)
    try:
        yield process
    except BaseException:
        process.kill()
        print(process.communicate()[0])
        raise
    process.send_signal(signal.SIGTERM)
    log, _ = await asyncio.to_thread(process.communicate, timeout=within_s)
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


async def look_at_emulator(root: Path, folder: Path) -> None:
    """The emulator's image serves a world that is mounted, its page and its health, and ends in time at SIGTERM."""
    code, world = await asyncio.to_thread(answer, root, folder, EMULATOR, "fixtures")
    assert code == 0, world
    (folder / "mine.yaml").write_text(world.replace(seed.INVOICE_US.number, "INV-MOUNTED"))
    serve = ("serve", "--host", "0.0.0.0", "--port", str(_EMULATOR_PORT))  # noqa: S104 - as the image does
    given = ("--fixtures", "/mnt/mine.yaml", "--seed", "7", "--fault", "sessions:silence")
    async with (
        _running(root, folder, EMULATOR, *serve, *given, within_s=_GRACE_OF_DOCKER_S) as process,
        httpx.AsyncClient(base_url=_EMULATOR_URL, trust_env=False) as http,
    ):
        await _until(root, folder, EMULATOR, "ledger", "--url", _EMULATOR_URL)
        _look_at_process(process, "emulator with a mounted world")
        health = await http.get("/_emulator/health")
        assert (health.status_code, health.headers["zuora-emulator"]) == (200, "not-zuora"), health.text
        page = await http.get("/", headers={"accept": "text/html"})
        assert "This is not Zuora." in page.text, page.text
        numbers = [invoice["number"] for invoice in (await http.get("/_emulator/invoices")).json()["invoices"]]
        assert "INV-MOUNTED" in numbers, numbers
        # A call without an answer and a connection that stays open must not keep it from ending.
        waiting = asyncio.create_task(http.post("/web-payments/sessions", json={}))  # noqa: TID251 - ended below
        while not (await http.get("/_emulator/journal")).json()["entries"]:
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        (ended,) = await asyncio.gather(waiting, return_exceptions=True)
        assert isinstance(ended, httpx.TransportError), ended
    print("The emulator's image served a mounted world, and ended with a call in progress.")
