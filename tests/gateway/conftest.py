from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from harness.stack import running

from gateway.calls import Front
from gateway.envoy import envoy_before


@pytest_asyncio.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    """Start emulator, service and Envoy."""
    async with running() as stack, envoy_before(stack.target, tmp_path) as envoy:
        yield Front(stack, envoy)
