"""The emulator in a thread of its own, because the SDK is synchronous, and the SDK's client of it."""

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import pytest
import zuora_sdk
from zuora_emulator import Emulator, ManualClock, Settings, seed, serving
from zuora_sdk.zuora_client import ZuoraClient


@dataclass(frozen=True, slots=True)
class Sdk:
    """Zuora's client, and the emulator it calls."""

    client: Any
    emulator: Emulator
    clock: ManualClock

    @property
    def methods(self) -> Any:
        """The SDK's operations on payment methods, sessions among them."""
        return zuora_sdk.PaymentMethodsApi(self.client.api_client)

    @property
    def payments(self) -> Any:
        """The SDK's operations on payments."""
        return zuora_sdk.PaymentsApi(self.client.api_client)

    @property
    def refunds(self) -> Any:
        """The SDK's operations on refunds."""
        return zuora_sdk.RefundsApi(self.client.api_client)


class SdkWith(Protocol):
    """Makes a client of an emulator with the given switches."""

    def __call__(self, **switches: object) -> Sdk:
        """Make one."""
        ...


@contextmanager
def _served(emulator: Emulator) -> Iterator[str]:
    """Serve in a thread until the block ends."""
    urls: list[str] = []
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    listening = threading.Event()

    async def serve() -> None:
        done = asyncio.Event()
        async with serving(emulator) as url:
            urls.append(url)
            loops.append((asyncio.get_running_loop(), done))
            listening.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="emulator")
    thread.start()
    try:
        listening.wait()
        yield urls[0]
    finally:
        for loop, done in loops:
            loop.call_soon_threadsafe(done.set)
        thread.join()


@pytest.fixture
def sdk_with(request: pytest.FixtureRequest) -> SdkWith:
    """Make clients with a token, in the US entity, of emulators with the given switches."""

    def make(**switches: object) -> Sdk:
        clock = ManualClock()
        emulator = Emulator(clock=clock, rng=random.Random(7), settings=Settings(**switches))  # noqa: S311 - a test
        served = _served(emulator)
        url = served.__enter__()
        request.addfinalizer(lambda: served.__exit__(None, None, None))
        configuration = zuora_sdk.Configuration(host=url)
        client = ZuoraClient(seed.CLIENT_A.client_id, seed.CLIENT_A.client_secret, None, configuration)
        request.addfinalizer(client.api_client.rest_client.pool_manager.clear)
        client.refresh_token()
        client.set_entity_id(seed.ENTITY_US)
        return Sdk(client, emulator, clock)

    return make


@pytest.fixture
def sdk(sdk_with: SdkWith) -> Sdk:
    """A client of an emulator with the usual switches."""
    return sdk_with()
