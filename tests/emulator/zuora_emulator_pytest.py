"""Fixtures for pytest, which finds them by itself where the package is installed.

    def test_pays_once(zuora_emulator, zuora_emulator_url):
        zuora_emulator.faults.add("decryption:drop_after")
        pay(zuora_emulator_url)
        assert zuora_emulator.ledger.count("decryption") == 1

The emulator is imported only when a test asks for it; so this module is not part of its package, which imports it.
"""

import asyncio
import random
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from zuora_emulator import Emulator

_START_S = 30


@pytest.fixture
def zuora_emulator_options() -> dict[str, Any]:
    """Arguments of `Emulator`; override this fixture to have other switches, fixtures or a clock that runs."""
    return {}


@pytest.fixture
def zuora_emulator(zuora_emulator_options: dict[str, Any]) -> "Emulator":
    """An emulator of its own for each test: its ids are the same in every run, and its clock stands still."""
    from zuora_emulator import Emulator, StoppedClock  # noqa: PLC0415 - not before a test asks for it
    from zuora_emulator.clock import USUAL_START  # noqa: PLC0415 - the same

    usual: dict[str, Any] = {"clock": StoppedClock(USUAL_START), "rng": random.Random(0)}  # noqa: S311 - ids guard nothing
    return Emulator(**usual | zuora_emulator_options)


@pytest.fixture
def zuora_emulator_url(zuora_emulator: "Emulator") -> Iterator[str]:
    """The address of `zuora_emulator`, served on loopback from a thread of its own until the test ends."""
    started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(target=_serve, args=(zuora_emulator, started), name="zuora-emulator", daemon=True)
    thread.start()
    base_url, loop, stopped = started.result(_START_S)
    yield base_url
    loop.call_soon_threadsafe(stopped.set)
    thread.join()


def _serve(emulator: "Emulator", started: "Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]]") -> None:
    from zuora_emulator import serving  # noqa: PLC0415 - not before a test asks for it

    async def serve() -> None:
        stopped = asyncio.Event()
        async with serving(emulator) as base_url:
            started.set_result((base_url, asyncio.get_running_loop(), stopped))
            await stopped.wait()

    try:
        asyncio.run(serve())
    except OSError as problem:  # it cannot listen
        started.set_exception(problem)
