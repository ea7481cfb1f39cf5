from collections.abc import Iterator

import pytest
from harness.redis_server import RedisServer, servers

from canary.watch import STORE_PASSWORD


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A server that wants the password."""
    with servers() as made:
        yield made.start("--maxmemory-policy", "noeviction", "--requirepass", STORE_PASSWORD)
