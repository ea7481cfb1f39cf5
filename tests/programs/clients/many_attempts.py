"""The service, allowed as many attempts as an error can name; the retry policy allows fewer."""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from payorch_server import config
from payorch_server.app import start as app
from payorch_server.telemetry.logging import start_logging

from programs.clients.upstream import ATTEMPTS


async def serve(settings: config.Settings) -> None:
    """Serve until the process is killed."""
    async with AsyncExitStack() as stack:
        await app.start(settings, stack=stack, options=app.StartOptions(max_attempts=ATTEMPTS))
        await asyncio.Event().wait()


if __name__ == "__main__":
    loaded = config.load(Path(sys.argv[1]))
    start_logging(loaded.document.telemetry)
    asyncio.run(serve(loaded))
