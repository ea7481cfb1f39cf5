import gc
import os
import signal
from contextlib import AsyncExitStack
from typing import Any, Final

import pytest
from payorch_server.app.process import serve_until_signal

# Only a second signal needs the log's writers.
_NO_STREAMS: Final[Any] = None


class _Process:
    """A process that is asked to end as soon as it has started."""

    frozen = 0

    async def start(self, _stack: AsyncExitStack) -> "_Process":
        """Ask for the end."""
        os.kill(os.getpid(), signal.SIGTERM)
        return self

    async def drain(self) -> None:
        """Count what the garbage collector skips."""
        self.frozen = gc.get_freeze_count()


@pytest.mark.asyncio
async def test_collections_skip_what_exists_at_the_start() -> None:
    """A full collection over it would hold up every call for a tenth of a second."""
    process = _Process()
    before = len(gc.get_objects())
    # As the command line does: no collection is worth its time before the service listens.
    gc.disable()
    try:
        await serve_until_signal(process.start, streams=_NO_STREAMS)
        is_collecting = gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()

    assert is_collecting
    assert process.frozen > before * 0.9
