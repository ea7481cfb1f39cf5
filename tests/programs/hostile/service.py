"""The service under attack, as its pod runs it: a process with a memory limit whose streams are read from pipes."""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from harness.keyring import new_key_file
from harness.ports import free_port
from harness.service_process import COMMAND
from harness.stack import configuration, merged
from zuora_emulator import seed

from programs.hostile.log_reader import LogReader
from programs.hostile.memory_limit import Group
from programs.hostile.upstreams import Ports

LIMIT_BYTES: Final = 512 * 2**20
"""The chart's limit of memory."""
ENTITIES_OF_BLACK_HOLE: Final = 15
DRAIN_GRACE_S: Final = 10.0
_START_S: Final = 30.0
_END_S: Final = 20.0
_LOOK_S: Final = 0.05
_PRIORITY: Final = -5
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class AttackError(Exception):
    """An attack that proves nothing, for a reason that a sentence can give."""


class Service:
    """A process that can be started again after it has died."""

    def __init__(self, folder: Path, *, file: Path, group: Group | None) -> None:
        """Prepare; `start` starts it."""
        self.log = LogReader(folder / "stderr")
        self.output = LogReader(folder / "stdout")
        self.grpc_port = self.admin_port = 0
        self.file = file
        """Its configuration."""
        self.group = group
        """What limits its memory."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def audit(self) -> LogReader:
        """Where the audit's lines come."""
        return self.output

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def death(self) -> str:
        """How its process ended, in a sentence; empty while it runs."""
        if self._process is None or self._process.poll() is None:
            return ""
        killed = f" The kernel has killed {self.group.kills} for memory." if self.group and self.group.kills else ""
        return f"The service ended with status {self._process.returncode}.{killed}"

    async def start(self) -> None:
        """Start it and come back when it listens.

        Raises:
            AttackError: It does not.
        """
        self.log.forget()
        _allow_core_dumps()
        command = [COMMAND, "serve", "--config", str(self.file)]
        stdout, stderr = self.output.writer(), self.log.writer()
        try:
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own command, once in a scenario
                self.group.command(*command) if self.group else command, stdout=stdout, stderr=stderr
            )
        finally:
            os.close(stdout)
            os.close(stderr)
        # Its share of the machine, as a pod has one by its request: what else runs here is no attack.
        with contextlib.suppress(OSError):  # only root may
            os.setpriority(os.PRIO_PROCESS, self.pid, _PRIORITY)
        try:
            async with asyncio.timeout(_START_S):
                while (listening := self.log.event("listening")) is None and self.alive:
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            listening = None
        if listening is None:
            raise AttackError(f"The service does not listen. {self.death} {self.log.foreign_lines}")
        self.grpc_port, self.admin_port = int(str(listening["grpc_port"])), int(str(listening["admin_port"]))

    async def end(self, number: signal.Signals = signal.SIGTERM, *, within_s: float = _END_S) -> None:
        """End it, by force if the signal does not."""
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            await asyncio.to_thread(self._process.wait, within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    def pin(self, *cores: int) -> None:
        """Let all its threads run on some cores alone."""
        for thread in Path(f"/proc/{self.pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)

    @property
    def limits(self) -> str:
        """What the kernel lets it have, as `/proc` says it."""
        return Path(f"/proc/{self.pid}/limits").read_text()

    @property
    def waited_s(self) -> float:
        """How long its main thread has been ready to run and had no core, so far; 0 where the kernel does not say."""
        try:
            return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError):
            return 0.0

    @property
    def cpu_s(self) -> float:
        """User and system time of all its threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _allow_core_dumps() -> None:
    """Let the service write its memory at a crash, as a node may that was set up without care."""
    with contextlib.suppress(ValueError, OSError):  # a lower limit that is not ours to raise
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def write_configuration(folder: Path, *, emulator_url: str, redis_url: str, ports: Ports) -> Path:
    """Write the service's configuration: the emulator's tenants, and one for each odd upstream."""
    (folder / "key").write_text(new_key_file())
    base = configuration(emulator_url=emulator_url, folder=folder)
    odd = {name: _tenant(folder, port) for name, port in ports.items()}
    odd["black_hole"]["entities"] = {f"e{number}": _entity(number) for number in range(ENTITIES_OF_BLACK_HOLE)}
    odd["quick"]["max_in_flight"] = 1000
    rules = [rule for name, tenant in odd.items() for rule in _rules(name, tenant)]
    over = {
        # Ports that stay, so that the prober finds a service that was started again.
        "grpc": {"listen": f"127.0.0.1:{free_port()}", "drain_wait_s": 0.0, "drain_grace_s": DRAIN_GRACE_S},
        "admin": {"listen": f"127.0.0.1:{free_port()}"},
        "accept_memory_store": False,
        "store": {"kind": "redis", "url": redis_url},
        "intents": {"keys": [{"id": "k1", "file": str(folder / "key")}]},
        "tenants": odd,
        "routing": [*rules, *base["routing"]],
    }
    file = folder / "payorch.yaml"
    file.write_text(yaml.safe_dump(merged(base, over)))
    return file


def _rules(name: str, tenant: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a rule for each of a tenant's entities, or one."""
    target = {"tenant": name, "gateway": "cards"}
    for entity in tenant.get("entities", ()):
        when = {"tenant": [name], "entity": [entity]}
        yield {"name": f"{name}-{entity}", "when": when, "to": target | {"entity": entity}}
    if "entities" not in tenant:
        yield {"name": name, "when": {"tenant": [name]}, "to": target}


def _tenant(folder: Path, port: int) -> dict[str, Any]:
    return {
        "base_url": f"http://127.0.0.1:{port}",
        "client_id": seed.CLIENT_B.client_id,
        "client_secret_file": str(folder / seed.CLIENT_B.client_id),
        "gateways": {"cards": {"id": seed.GATEWAY_SINGLE.id, "label": seed.GATEWAY_SINGLE.name}},
    }


def _entity(number: int) -> str:
    return f"55555555-5555-4555-8555-{number:012}"
