from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
import pytest_asyncio
from harness.redis_server import RedisServer, Servers, servers
from payorch_server.model.secret import Secret
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.store.redis import RedisStore
from payorch_server.store.settings import StoreSettings

# Long enough for a busy machine; where a test waits for it to pass, it asks for less.
PATIENT_S = 10.0


@pytest.fixture(scope="session")
def shared_server() -> Iterator[RedisServer]:
    """One server for tests that leave it as it is; each uses a prefix of its own."""
    with servers() as made:
        yield made.start("--maxmemory-policy", "noeviction")


@pytest.fixture
def redis_servers() -> Iterator[Servers]:
    """Servers that this test may break."""
    with servers() as made:
        yield made


@dataclass
class Stores:
    """Opens stores that are closed at the end of the test."""

    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def open(self, server: RedisServer, *, password: str = "", **settings: object) -> RedisStore:
        """Open a store on the server, with patience unless told otherwise."""
        patient = {"connect_timeout_s": PATIENT_S, "operation_timeout_s": PATIENT_S, "url": server.url}
        store = RedisStore(
            StoreSettings(kind="redis", **{**patient, **settings}),
            deadlines=Deadlines(SystemClock()),
            password=Secret(password) if password else None,
        )
        self._stack.push_async_callback(store.close)
        return store


@pytest_asyncio.fixture
async def stores() -> AsyncIterator[Stores]:
    """Open stores."""
    async with AsyncExitStack() as stack:
        yield Stores(stack)


def fresh_prefix() -> str:
    """Return a prefix that no other test uses."""
    return f"{uuid4().hex}:"
