"""The prober's process, and the worst it has seen in a stretch of time."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Final

import msgspec

from programs.hostile.prober import LATEST_S, Probe

KINDS: Final = ("health", "new caller", "livez", "readyz")
_LOOK_S: Final = 0.05


class Probes:
    """What a prober has said so far."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        """Read the lines of a prober in a thread."""
        self._process = process
        self._seen: list[Probe] = []
        threading.Thread(target=self._read, name="probes", daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._seen.append(msgspec.json.decode(line, type=Probe))

    async def until_over(self, moment_s: float) -> None:
        """Come back when every probe that began before a moment has ended, or can end no more."""
        try:
            async with asyncio.timeout(2 * LATEST_S):
                while not all(any(p.kind == kind and p.began_s >= moment_s for p in self._seen) for kind in KINDS):
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            return

    async def until_well(self) -> None:
        """Come back when a probe of each kind that began from now on had the right answer, or none can any more.

        After a start of the service, a connection that is kept is down until its client dials again.
        """
        began_s = perf_counter()
        try:
            async with asyncio.timeout(2 * LATEST_S):
                while {p.kind for p in self._seen if p.began_s >= began_s and not p.problem} != set(KINDS):
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            return

    def worst(self, kind: str, begin_s: float, end_s: float) -> Probe:
        """Return the slowest probe of a kind that began in a stretch; one that never came back is the slowest."""
        seen = [probe for probe in self._seen if probe.kind == kind and begin_s <= probe.began_s <= end_s]
        return max(seen, key=lambda probe: probe.seconds, default=Probe(kind, begin_s, LATEST_S, "no probe ended"))


@contextmanager
def probing(grpc_port: int, admin_port: int) -> Iterator[Probes]:
    """Probe a service until the context ends."""
    command = [sys.executable, "-m", "programs.hostile.prober", str(grpc_port), str(admin_port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - our own
    try:
        yield Probes(process)
    finally:
        process.kill()
        process.wait()
