from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from local.stack import running

from doors.calls import Front
from doors.envoy import door_to


@pytest_asyncio.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    """Start emulator, service and Envoy."""
    async with running() as stack, door_to(stack.target, tmp_path) as door:
        yield Front(stack, door)
