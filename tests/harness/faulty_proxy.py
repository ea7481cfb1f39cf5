"""A TCP proxy that spoils what passes through it, in ways that can be changed while connections are open."""

import asyncio
import contextlib
import enum
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from harness.raw_server import listening

_PART: Final = 65_536
_DRIP_BYTES: Final = 16
_DRIP_S: Final = 0.02
_LINGER_OFF: Final = struct.pack("ii", 1, 0)


class Damage(enum.Enum):
    """What becomes of the bytes."""

    NONE = "none"
    RESET = "reset"
    """Every connection is reset, and every new one at once."""
    HALVE_REQUESTS = "halve-requests"
    """Half of what the client sends arrives, then the connection ends."""
    HALVE_ANSWERS = "halve-answers"
    """What the client sends arrives whole; half of what comes back does, then the connection ends."""
    DRIP = "drip"
    """Answers come in pieces of a few bytes."""
    STALL = "stall"
    """Nothing passes; what was sent meanwhile arrives when the damage ends."""


class FaultyProxy:
    """Connects its clients with a port of loopback."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        """Where it listens."""
        self.target_port = target_port
        """Where new connections lead."""
        self.damage = Damage.NONE
        self._passes = asyncio.Event()
        self._passes.set()
        self._open: set[asyncio.StreamWriter] = set()

    def spoil(self, damage: Damage) -> None:
        """Spoil what passes from now on."""
        self.damage = damage
        if damage is Damage.STALL:
            self._passes.clear()
        else:
            self._passes.set()
        if damage is Damage.RESET:
            self.cut()

    def redirect(self, target_port: int) -> None:
        """Lead new connections elsewhere, and reset those that are open."""
        self.target_port = target_port
        self.cut()

    def cut(self) -> None:
        """Reset every connection."""
        for writer in tuple(self._open):
            _reset(writer)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until either side ends it."""
        if self.damage is Damage.RESET:
            _reset(writer)
            return
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            _reset(writer)
            return
        self._open |= {writer, up_writer}
        passing = [
            asyncio.ensure_future(self._pass_on(reader, up_writer, is_answer=False)),
            asyncio.ensure_future(self._pass_on(up_reader, writer, is_answer=True)),
        ]
        try:
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in passing:
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)
            self._open -= {writer, up_writer}
            up_writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        halves = Damage.HALVE_ANSWERS if is_answer else Damage.HALVE_REQUESTS
        with contextlib.suppress(OSError):
            while part := await reader.read(_PART):
                await self._passes.wait()
                if self.damage is halves:
                    writer.write(part[: len(part) // 2])
                    await writer.drain()
                    return
                if self.damage is Damage.DRIP and is_answer:
                    await self._drip(writer, part)
                else:
                    writer.write(part)
                    await writer.drain()

    async def _drip(self, writer: asyncio.StreamWriter, part: bytes) -> None:
        for begin in range(0, len(part), _DRIP_BYTES):
            writer.write(part[begin : begin + _DRIP_BYTES])
            await writer.drain()
            if self.damage is Damage.DRIP:
                await asyncio.sleep(_DRIP_S)


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # it is closed already
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)
    writer.transport.abort()


@asynccontextmanager
async def faulty_proxy(target_port: int) -> AsyncIterator[FaultyProxy]:
    """Run a proxy that spoils nothing yet."""
    proxy = FaultyProxy(target_port)
    async with listening(proxy.serve, backlog=1024) as proxy.port:
        yield proxy
