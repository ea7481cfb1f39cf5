"""Each gate of `make check` is shown a planted violation: a gate that cannot fail is none."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from architecture.source_files import CLIENT, EMULATOR, ROOT, SERVICE

BIN = Path(sys.executable).parent


def ruff(code: str, file: str) -> subprocess.CompletedProcess[str]:
    """Lint a text as if it were a file of the repository."""
    command = [str(BIN / "ruff"), "check", "--no-cache", "--select", "TID", "--stdin-filename", str(ROOT / file), "-"]
    return subprocess.run(command, input=code, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603


class TestBannedNames:
    """What only one place may use, no other place can use."""

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("import os\nos.environ['A']\n", "the environment"),
            ("from os import environ\n", "the environment by another name"),
            ("import os\nos.getenv('A')\n", "the environment by a third"),
            ("from opentelemetry.sdk.trace import TracerProvider\n", "the SDK of telemetry"),
            ("import time\ntime.time()\n", "the wall clock"),
            ("from time import monotonic\n", "the other clock"),
            ("import datetime\ndatetime.datetime.now()\n", "the time of day"),
            ("import asyncio\nasyncio.create_task(x)\n", "a task without an owner"),
            ("from payorch_server.model.secret import reveal\n", "the value of a secret"),
            ("from payorch_server.model import secret\nsecret.reveal(x)\n", "the same by its module"),
            ("from google.protobuf import json_format\n", "a printer of everything"),
            ("from google.protobuf import text_format\n", "another printer of everything"),
            ("from . import model\n", "a relative import"),
        ],
    )
    def test_are_caught(self, code: str, reason: str) -> None:
        """The linter names the rule."""
        found = ruff(code, "service/payorch_server/usecases/planted.py")

        assert (found.returncode, "TID" in found.stdout) == (1, True), reason

    def test_leave_honest_code_alone(self) -> None:
        """The check above fails for its reason and for no other."""
        assert ruff("import os\n\nos.sep\n", "service/payorch_server/usecases/planted.py").returncode == 0


PLANTED = {
    "model/money.py": ("import grpc", "gRPC and our messages come in through rpc/ only"),
    "intents/executor.py": ("import httpx", "HTTP goes out of zuora/ only"),
    "runtime/http_listener.py": ("import aiohttp", "HTTP goes out of zuora/ only"),
    "applepay/members.py": ("import structlog", "Pre-flight checks are pure and model is plain"),
    "runtime/clock.py": ("import payorch_server.model.secret", "Calls flow downwards"),
    "zuora/messages.py": ("import zuora_emulator", "The server knows nothing of the emulator"),
    "config/hub_document.py": (
        "import payorch_server.zuora.settings",
        "The hub's process and document have no tenants",
    ),
    "intents/claim.py": ("import payorch_server.zuora.retry", "Intents know nothing of Zuora's API"),
}
UPWARDS = {
    "commands/channel.py": "cli",
    "app/admin.py": "commands.trace",
    "config/strict_yaml.py": "app.admin",
    "rpc/identity.py": "config.document",
    "usecases/settings.py": "rpc.status",
    "intents/token_guard.py": "usecases.policy",
    "routing/conditions.py": "intents.intent",
    "zuora/quota.py": "routing.table",
    "calls/metrics.py": "zuora.retry",
    "store/memory.py": "calls.history",
    "telemetry/scrubber.py": "access.callers",
    "access/callers.py": "applepay.token",
    "model/money.py": "store.port",
    "runtime/watch.py": "model.secret",
}
"""An import against the flow, or beside it, for every layer."""


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts in a copy of the packages."""
    return subprocess.run(  # noqa: S603 - our own tool
        [str(BIN / "lint-imports"), "--no-cache", "--config", "pyproject.toml"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PATH": os.defpath, "PYTHONPATH": str(folder)},
    )


class TestLayers:
    """An import against the flow ends the check."""

    @pytest.mark.timeout(60)
    def test_are_watched(self, tmp_path: Path) -> None:
        """One violation of each contract is planted in a copy, and each contract is broken."""
        for package in (SERVICE, CLIENT, EMULATOR):
            shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", tmp_path)
        for file, (line, _) in PLANTED.items():
            path = tmp_path / SERVICE.name / file
            path.write_text(f"{line}\n{path.read_text()}")
        (tmp_path / "zuora_emulator" / "planted.py").write_text("import payorch_server\n")

        done = lint_imports(tmp_path)

        contracts = {contract for _, contract in PLANTED.values()}
        contracts.add("The client and the emulator know nothing of the server")
        broken = {contract for contract in contracts if f"{contract} BROKEN" in done.stdout}
        assert (done.returncode, broken) == (1, contracts), done.stdout

    @pytest.mark.timeout(60)
    def test_are_watched_between_any_two(self, tmp_path: Path) -> None:
        """In every layer one import is planted that goes up or sideways, and each is named."""
        for package in (SERVICE, CLIENT, EMULATOR):
            shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", tmp_path)
        for file, module in UPWARDS.items():
            path = tmp_path / SERVICE.name / file
            path.write_text(f"import payorch_server.{module}\n{path.read_text()}")

        found = lint_imports(tmp_path).stdout

        importers = {file: f"payorch_server.{file.removesuffix('.py').replace('/', '.')}" for file in UPWARDS}
        missed = [
            file for file, module in UPWARDS.items() if f"{importers[file]} -> payorch_server.{module}" not in found
        ]
        assert missed == []


class TestWheels:
    """A wheel owns its own package and nothing else."""

    @pytest.mark.timeout(60)
    @pytest.mark.parametrize(
        ("folder", "package"), [(".", "payorch_server"), ("clients/python", "payorch")], ids=["server", "client"]
    )
    def test_hold_one_package(self, tmp_path: Path, folder: str, package: str) -> None:
        """No tests, no emulator, no google/ or buf/ of others; and nothing of the package is missing."""
        subprocess.run(  # noqa: S603 - our own tool
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
            check=True,
            capture_output=True,
            cwd=ROOT / folder,
        )

        (wheel,) = tmp_path.glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
        code = {name for name in names if ".dist-info/" not in name}
        source = SERVICE if package == "payorch_server" else CLIENT
        expected = {
            str(path.relative_to(source.parent))
            for path in source.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert {name.partition("/")[0] for name in code} == {package}
        assert code == expected
        assert f"{package}/py.typed" in code
