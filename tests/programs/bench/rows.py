"""The rows of a run: which processes each needs, how they are started, and at which levels it is measured."""

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from harness.authority import Authority
from harness.redis_server import servers

from programs.bench.children import Child, child, collector, role
from programs.bench.emulator import emulator
from programs.bench.figures import (
    AGAINST,
    AIOHTTP,
    BRIDGE,
    DOWN,
    ECHO,
    EMULATOR,
    GO,
    HTTPX,
    HUB,
    NAIVE,
    NODE,
    REDIS,
    REFUSING,
    RULES,
    SERVICE,
    SLOW,
    TLS,
    UNEXPORTED,
)
from programs.bench.hub import hub
from programs.bench.levels import CROWDED, EVERY_RPC, FLOOR, HUB_LEVELS, QUIET_AND_BUSY, VARIANT, Level
from programs.bench.measure import Row
from programs.bench.peers.commands import MissingToolError, go_command, node_command
from programs.bench.service import Variant, service
from programs.bench.workload import SESSIONS_PATH

NAMES: Final = (
    SERVICE,
    UNEXPORTED,
    ECHO,
    HTTPX,
    AIOHTTP,
    NAIVE,
    NODE,
    GO,
    REDIS,
    TLS,
    RULES,
    DOWN,
    SLOW,
    REFUSING,
    HUB,
    BRIDGE,
    EMULATOR,
)
"""All rows, but that of another checkout."""


@dataclass(frozen=True)
class Rows:
    """Starts rows; each is idle while another is measured."""

    stack: ExitStack
    """Ends the processes."""
    upstream: str
    """Scheme, host and port of the stub."""
    against: Path | None
    """Root of another checkout."""
    go: str
    """The go command; empty: the one on the PATH."""

    def start(self, names: Sequence[str]) -> tuple[Sequence[Row], Mapping[str, str]]:
        """Start rows, and return them beside those that cannot be built here, with the reason.

        Raises:
            BenchError: A process does not start.
        """
        makers: Mapping[str, Callable[[], Row]] = {
            SERVICE: lambda: self._service(SERVICE, Variant(collector=self._healthy), (*EVERY_RPC, CROWDED)),
            AGAINST: lambda: self._service(AGAINST, Variant(collector=self._healthy), EVERY_RPC, code=self.against),
            UNEXPORTED: lambda: self._service(UNEXPORTED, Variant(), QUIET_AND_BUSY),
            REDIS: lambda: self._service(REDIS, Variant(collector=self._healthy, redis_url=self._redis), VARIANT),
            TLS: self._tls,
            RULES: lambda: self._service(RULES, Variant(collector=self._healthy, many_rules=True), VARIANT),
            **{mode: self._failing_collector(mode) for mode in (DOWN, SLOW, REFUSING)},
            ECHO: lambda: self._server(ECHO, role(ECHO), FLOOR),
            HTTPX: lambda: self._client(HTTPX),
            AIOHTTP: lambda: self._client(AIOHTTP),
            NAIVE: lambda: self._server(
                NAIVE, role("peers.naive", self.upstream, self._healthy), (*EVERY_RPC, CROWDED)
            ),
            NODE: lambda: self._server(NODE, node_command(self.upstream, self._healthy), EVERY_RPC, compiles=True),
            GO: lambda: self._server(GO, go_command(self.upstream, self._healthy, go=self.go), EVERY_RPC),
            HUB: self._hub,
            BRIDGE: self._bridge,
            EMULATOR: self._emulator,
        }
        rows: list[Row] = []
        missing: dict[str, str] = {}
        for name in names:
            print(f"bench: starting {name}", file=sys.stderr)
            try:
                rows.append(makers[name]())
            except MissingToolError as error:
                missing[name] = str(error)
                print(f"bench: NO ROW {name}: {error}.", file=sys.stderr)
        return rows, missing

    def _service(
        self, name: str, variant: Variant, levels: Sequence[Level], *, code: Path | None = None, ca_file: str = ""
    ) -> Row:
        context = service(name, variant, upstream=self.upstream, folder=self._folder(), code=code)
        process, addresses = self.stack.enter_context(context)
        return Row(name, self._load, process, addresses.grpc, levels, ca_file)

    def _tls(self) -> Row:
        authority, folder = Authority(), self._folder()
        ca_file = folder / "ca.pem"
        ca_file.write_bytes(authority.certificate)
        certificate = authority.issue("127.0.0.1").write(folder, "service")
        variant = Variant(collector=self._healthy, certificate=certificate)
        return self._service(TLS, variant, VARIANT, ca_file=str(ca_file))

    def _failing_collector(self, mode: str) -> Callable[[], Row]:
        def make() -> Row:
            return self._service(mode, Variant(collector=self.stack.enter_context(collector(mode))), QUIET_AND_BUSY)

        return make

    def _server(
        self, name: str, command: Sequence[str | Path], levels: Sequence[Level], *, compiles: bool = False
    ) -> Row:
        process = self.stack.enter_context(child(name, command))
        target = f"127.0.0.1:{int(process.line())}"
        return Row(name, self._load, process, target, levels, compiles=compiles)

    def _client(self, name: str) -> Row:
        client = self._started("direct", name)
        return Row(name, client, client, self.upstream + SESSIONS_PATH, FLOOR)

    def _hub(self) -> Row:
        process, url = self.stack.enter_context(hub(HUB, plugin=self._gateway, folder=self._folder()))
        return Row(HUB, self._zuora, process, url, HUB_LEVELS)

    def _bridge(self) -> Row:
        bridge = self._started(BRIDGE, self._gateway)
        return Row(BRIDGE, self._zuora, bridge, f"http://127.0.0.1:{int(bridge.line())}/", HUB_LEVELS)

    def _emulator(self) -> Row:
        process, url = self.stack.enter_context(emulator(EMULATOR))
        return Row(EMULATOR, self._started("emulator_load"), process, url, VARIANT)

    @cached_property
    def _load(self) -> Child:
        return self._started("load")

    @cached_property
    def _zuora(self) -> Child:
        return self._started("zuora_load")

    @cached_property
    def _gateway(self) -> str:
        return f"127.0.0.1:{int(self._started('plugged_in').line())}"

    @cached_property
    def _healthy(self) -> str:
        return self.stack.enter_context(collector("healthy"))

    @cached_property
    def _redis(self) -> str:
        return self.stack.enter_context(servers()).start().url

    def _folder(self) -> Path:
        return Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="payorch-bench-")))

    def _started(self, name: str, *arguments: str) -> Child:
        return self.stack.enter_context(child(" ".join((name, *arguments)), role(name, *arguments)))
