"""The server of the tests that is served by hand."""

import asyncio
import gc
import socket
import warnings

import pytest
from harness.raw_server import listening


@pytest.mark.parametrize("turns", range(6))
def test_leaves_no_connection_however_late_it_comes(turns: int) -> None:
    """Accepted by the kernel, by the loop, or being served when the server ends."""

    async def leave_early() -> socket.socket:
        async with listening(_read_on) as port:
            client = socket.create_connection(("127.0.0.1", port))
            for _ in range(turns):
                await asyncio.sleep(0)
        return client

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with asyncio.Runner() as runner:
            client = runner.run(leave_early())
        gc.collect()
    client.close()

    assert [str(warning.message) for warning in seen] == []


async def _read_on(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()
