"""Two hubs restarted in turn under Zuora's payments: no answer means Error, and no payment moves money twice."""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import httpx
from harness.authority import Authority
from harness.hub_configuration import PASSWORD
from harness.hub_process import USER, Endpoint, start_hub_command, write_hub
from harness.keyring import new_key_file
from harness.plugin import Behaviour, Plugin, running_plugin
from harness.ports import free_port
from harness.redis_server import servers
from harness.service_process import COMMAND
from harness.zuora_load import ZuoraLoad
from payorch_server.cli import main as payorch_server

_SIZE: Final = 2
_DRAIN_WAIT_S: Final = 2.0
_LOOK_S: Final = 0.2
"""How often the balancer in front asks for readiness; less than the hubs' drain_wait_s, as in Kubernetes."""
_STEADY_S: Final = 3.0
_GATEWAY_S: Final = 0.3
"""How long the gateway takes, so that each restart meets calls that have moved money and are not answered."""


@dataclass(slots=True)
class Member:
    """One hub, which can be ended and started again on its ports."""

    file: Path
    command: Sequence[str]
    """What is started with the arguments of `payorch-server`."""
    is_listed: bool = False
    """Whether the balancer sends requests to it."""
    process: asyncio.subprocess.Process = field(init=False)
    endpoint: Endpoint = field(init=False)
    _log: asyncio.Future[bytes] = field(init=False)
    logs: list[bytes] = field(default_factory=list)
    """What its ended processes wrote once they listened, each in one piece."""

    async def end(self, number: signal.Signals) -> int:
        """Send the signal and return the exit status."""
        self.process.send_signal(number)
        self.logs.append(await self._log)
        return await self.process.wait()

    async def start(self) -> None:
        """Start a process, and come back when it listens."""
        self.process, self.endpoint = await start_hub_command(self.file, command=self.command)
        assert self.process.stderr is not None
        self._log = asyncio.ensure_future(self.process.stderr.read())

    async def begin(self) -> None:
        """Start it again, and come back when the balancer lists it."""
        await self.start()
        async with asyncio.timeout(30):
            while not self.is_listed:
                await asyncio.sleep(_LOOK_S)


@asynccontextmanager
async def fleet(
    target: str, *, store_url: str = "", commands: Sequence[Sequence[str]] = ((COMMAND,),) * _SIZE
) -> AsyncIterator[Sequence[Member]]:
    """Start the hubs on one Redis, which is declared new; those that run at the end are killed.

    Args:
        target: gRPC target of the gateway.
        store_url: Where Redis is; one of their own unless given.
        commands: What each hub is started with.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="payorch-rolling-hub-")))
        store_url = store_url or stack.enter_context(servers()).start("--maxmemory-policy", "noeviction").url
        certificate, key = Authority().issue("hub.example.com").write(folder, "hub")
        (folder / "key").write_text(new_key_file())
        members: list[Member] = []
        try:
            for command in commands:
                port, admin_port = free_port(), free_port()
                own = folder / str(port)
                own.mkdir()
                over: dict[str, Any] = {
                    "upc.listen": f"127.0.0.1:{port}",
                    "upc.tls": {"certificate_file": certificate, "key_file": key},
                    "upc.drain_wait_s": _DRAIN_WAIT_S,
                    "upc.accept_memory_store": False,
                    "admin.listen": f"127.0.0.1:{admin_port}",
                    "store": {"kind": "redis", "url": store_url},
                    "keys": [{"id": "k1", "file": str(folder / "key")}],
                }
                file = write_hub(own, target, over)
                if not members:
                    declare = ["upc", "init-store", "--first-start", "--config", str(file)]
                    assert await asyncio.to_thread(payorch_server, declare) == 0
                members.append(Member(file, command))
                await members[-1].start()
            yield members
        finally:
            for member in members:
                if member.process.returncode is None:
                    await member.end(signal.SIGKILL)


async def balance(members: Sequence[Member]) -> None:
    """Keep the list of hubs that take requests, as late as something in front of them learns of it."""
    async with httpx.AsyncClient(timeout=1.0) as client:
        while True:
            for member in members:
                is_ready = False
                with suppress(httpx.HTTPError):
                    url = f"http://127.0.0.1:{member.endpoint.admin_port}/readyz"
                    is_ready = (await client.get(url)).status_code == 200
                member.is_listed = is_ready
            await asyncio.sleep(_LOOK_S)


async def roll(*, payments_per_s: float, restarts: int) -> tuple[ZuoraLoad, Counter[str]]:
    """Restart hubs in turn under load; return the load, and how often money moved by key."""
    plugin = Plugin()
    plugin.default = Behaviour(delay_s=_GATEWAY_S)
    async with running_plugin(plugin) as running, fleet(running.target) as members:
        load = ZuoraLoad(
            addresses=lambda: [("127.0.0.1", member.endpoint.upc_port) for member in members if member.is_listed],
            path="/upc/acme",
            user=USER,
            password=PASSWORD,
            payments_per_s=payments_per_s,
        )
        balancing, stop = asyncio.ensure_future(balance(members)), asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                while not all(member.is_listed for member in members):
                    await asyncio.sleep(_LOOK_S)
                tasks.create_task(load.run(stop))
                await _window("steady", load, None)
                for number in range(restarts):
                    await _window(f"restart {number + 1}", load, members[number % len(members)])
                stop.set()
        finally:
            balancing.cancel()
    return load, Counter(effect.key for effect in plugin.effects)


async def _window(name: str, load: ZuoraLoad, member: Member | None) -> None:
    began_s, before, sends = perf_counter(), Counter(load.answers), len(load.latencies_s)
    if member is None:
        await asyncio.sleep(_STEADY_S)
    else:
        if status := await member.end(signal.SIGTERM):
            raise AssertionError(f"The hub ended with status {status}.")
        await member.begin()
    taken_s = sorted(load.latencies_s[sends:]) or [0.0]
    ends = ", ".join(f"{count} {answer}" for answer, count in sorted((load.answers - before).items()))
    slowest_ms = taken_s[len(taken_s) * 99 // 100] * 1e3
    print(f"{name:10} {perf_counter() - began_s:5.1f} s, p99 {slowest_ms:5.0f} ms: {ends}", flush=True)


def main() -> int:
    """Run; return 0 if no answer meant Error and each payment moved money once."""
    parser = argparse.ArgumentParser(prog="python -m programs.rolling.hub", description=__doc__)
    parser.add_argument("--rate", type=float, default=30.0, help="payments per second (default %(default)s)")
    parser.add_argument("--restarts", type=int, default=4, help="in all (default %(default)s)")
    options = parser.parse_args()
    load, effects = asyncio.run(roll(payments_per_s=options.rate, restarts=options.restarts))
    print(
        f"{len(load.started)} payments, {sum(load.answers.values())} sends, {len(load.approved)} approved, "
        f"{len(load.errors)} answers that mean Error, {effects.total()} effects"
    )
    problems = load.problems(effects)
    for problem in problems:
        print(f"rolling: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
