"""A Redis primary with a replica, which can replace it."""

import asyncio
import re
from collections.abc import Sequence
from typing import Final

from harness.faulty_proxy import FaultyProxy
from harness.redis_server import RedisServer, Servers

_OPTIONS: Final = (
    *("--maxmemory-policy", "noeviction"),
    # As docs/recovery.md advises.
    *("--appendonly", "yes"),
    *("--repl-diskless-sync-delay", "0"),
)
_POLL_S: Final = 0.05
_SYNC_TIMEOUT_S: Final = 20.0


class StorePair:
    """The primary, its replica, and the proxies through which it is reached."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self.primary = servers.start(*_OPTIONS)
        self._replica = self._replica_of(self.primary)
        self.proxies: list[FaultyProxy] = []
        """They follow the primary through failovers."""

    async def until_synced(self) -> None:
        """Return once the replica follows the primary."""
        async with asyncio.timeout(_SYNC_TIMEOUT_S):
            while not await asyncio.to_thread(self._is_synced):
                await asyncio.sleep(_POLL_S)

    async def fail_over(self, *, frozen: bool) -> None:
        """Replace the primary by its replica, and start a new replica.

        Args:
            frozen: Whether the primary stops answering at first; otherwise it dies.
        """
        old, new = self.primary, self._replica
        if frozen:
            old.pause()
        else:
            await asyncio.to_thread(old.kill)
        await asyncio.to_thread(new.promote)
        self.primary = new
        for proxy in self.proxies:
            proxy.redirect(new.port)
        await asyncio.to_thread(old.remove)
        self._replica = await asyncio.to_thread(self._replica_of, new)

    def _replica_of(self, primary: RedisServer) -> RedisServer:
        return self._servers.start(*_OPTIONS, "--replicaof", "127.0.0.1", str(primary.port))

    def _is_synced(self) -> bool:
        state = self._replica.command("INFO", "replication")
        return re.search(r"master_link_status:up", state) is not None


def store_urls(pair: StorePair, proxies: Sequence[FaultyProxy]) -> Sequence[str]:
    """Return the URLs of the store through some proxies, which follow the primary from now on."""
    pair.proxies += proxies
    return [f"redis://127.0.0.1:{proxy.port}/0" for proxy in proxies]
