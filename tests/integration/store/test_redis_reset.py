"""Connections that are reset while they wait for their next use, on both event loops that the service may have."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop
from harness.faulty_proxy import faulty_proxy
from harness.redis_server import RedisServer
from integration.store.conftest import PATIENT_S, fresh_prefix
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.store.port import StoreUnavailable
from payorch_server.store.redis import RedisStore, _ProbedConnection
from payorch_server.store.settings import StoreSettings

CONNECTIONS = 5


async def use_after_reset(server: RedisServer) -> list[object]:
    """Open several connections, have all of them reset, and use as many again; return what the operations return."""
    async with faulty_proxy(server.port) as proxy:
        settings = StoreSettings(
            kind="redis",
            url=f"redis://127.0.0.1:{proxy.port}/0",
            prefix=fresh_prefix(),
            connect_timeout_s=PATIENT_S,
            operation_timeout_s=PATIENT_S,
        )
        store = RedisStore(settings, deadlines=Deadlines(SystemClock()))
        await use_at_once(store)
        idle = [connection._writer for connection in store._pool._available_connections]  # type: ignore[attr-defined]
        proxy.cut()
        while not all(writer.is_closing() for writer in idle):
            await asyncio.sleep(0.001)
        try:
            return await use_at_once(store)
        finally:
            await store.close()


async def use_at_once(store: RedisStore) -> list[object]:
    """Use several connections; return the values or errors."""
    return await asyncio.gather(*(store.get("k") for _ in range(CONNECTIONS)), return_exceptions=True)


LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])


class TestResetConnections:
    """A failover or a proxy's restart resets every connection of the pool."""

    @LOOPS
    def test_are_replaced(self, new_loop: Callable[[], asyncio.AbstractEventLoop], shared_server: RedisServer) -> None:
        """Nothing was sent over them, so no operation fails."""
        with asyncio.Runner(loop_factory=new_loop) as runner:
            assert [None] * CONNECTIONS == runner.run(use_after_reset(shared_server))

    @LOOPS
    def test_are_errors_of_the_store_if_they_are_noticed_too_late(
        self,
        new_loop: Callable[[], asyncio.AbstractEventLoop],
        shared_server: RedisServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Each costs one operation, whatever the loop raises for it."""

        async def notice_nothing(_connection: _ProbedConnection) -> bool:
            return False

        monkeypatch.setattr(_ProbedConnection, "can_read", notice_nothing)
        with asyncio.Runner(loop_factory=new_loop) as runner:
            failed = [result for result in runner.run(use_after_reset(shared_server)) if result is not None]
        assert {StoreUnavailable} == {type(error) for error in failed}
