"""Connections over TLS that begin at the same time, to a service of its own: the others are plaintext."""

import asyncio
import contextlib
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

import yaml
from harness.authority import Authority
from harness.stack import merged

from programs.hostile.arena import Arena
from programs.hostile.figures import Figure, at_least, at_most
from programs.hostile.scenario import Scenario
from programs.hostile.service import Service

_HOST: Final = "127.0.0.1"
_CLIENTS: Final = 24
_IDLE_PER_S: Final = 50
_IDLE_S: Final = 1.0
_ATTACK_S: Final = 20.0
_MIN_HANDSHAKES: Final = 100
_PROTOCOL: Final = "h2"


async def side_by_side(arena: Arena) -> Sequence[Figure]:
    """Connect again and again with many clients at once, and leave handshakes unfinished meanwhile."""
    with tempfile.TemporaryDirectory(prefix="payorch-hostile-") as name:
        service, trust = _over_tls(arena, Path(name))
        await service.start()
        ends_s = perf_counter() + _ATTACK_S
        try:
            loops = [_connect(service, trust, ends_s) for _ in range(_CLIENTS)]
            *handshakes, _ = await asyncio.gather(*loops, _leave_unfinished(service, ends_s))
            deaths, detail = int(not service.alive), service.death
        finally:
            await service.end()
    return (
        Figure("handshakes", sum(handshakes), at_least(_MIN_HANDSHAKES)),
        Figure("deaths of a service with TLS", deaths, at_most(0), detail=detail),
    )


def _over_tls(arena: Arena, folder: Path) -> tuple[Service, ssl.SSLContext]:
    """Return a service like the attacked one, but with TLS on ports of its own, and what trusts it."""
    authority = Authority()
    certificate, key = authority.issue(_HOST).write(folder, "server")
    listen = f"{_HOST}:0"
    over = {
        "grpc": {"listen": listen, "tls": {"certificate_file": certificate, "key_file": key}},
        "admin": {"listen": listen},
    }
    file = folder / "payorch.yaml"
    file.write_text(yaml.safe_dump(merged(yaml.safe_load(arena.service.file.read_text()), over)))
    trust = ssl.create_default_context(cadata=authority.certificate.decode())
    trust.set_alpn_protocols([_PROTOCOL])
    return Service(folder, file=file, group=arena.service.group), trust


async def _connect(service: Service, trust: ssl.SSLContext, ends_s: float) -> int:
    """Connect and hang up; return how often a handshake succeeded."""
    handshakes = 0
    while service.alive and perf_counter() < ends_s:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(_HOST, service.grpc_port, ssl=trust)
            handshakes += 1
            writer.transport.abort()
    return handshakes


async def _leave_unfinished(service: Service, ends_s: float) -> int:
    """Open connections that begin no handshake, and close each a while later."""
    opened: list[tuple[float, asyncio.StreamWriter]] = []
    while service.alive and perf_counter() < ends_s:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(_HOST, service.grpc_port)
            opened.append((perf_counter() + _IDLE_S, writer))
        while opened and opened[0][0] < perf_counter():
            opened.pop(0)[1].transport.abort()
        await asyncio.sleep(1 / _IDLE_PER_S)
    for _, writer in opened:
        writer.transport.abort()
    return len(opened)


SCENARIOS: Final = (
    Scenario("side-by-side", "Clients that connect over TLS at the same time do not end a service.", side_by_side),
)
