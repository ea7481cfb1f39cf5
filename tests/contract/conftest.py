from collections.abc import AsyncIterator

import pytest_asyncio
from contract.zuora_caller import Caller, CallWith, caller_with
from zuora_emulator import Settings


@pytest_asyncio.fixture
async def call_with() -> AsyncIterator[CallWith]:
    """Make callers of emulators with the given switches."""
    callers: list[Caller] = []

    def make(*, jump: bool = True, **switches: object) -> Caller:
        callers.append(caller_with(Settings(**switches), jump=jump))
        return callers[-1]

    yield make
    for caller in callers:
        await caller.http.aclose()


@pytest_asyncio.fixture
async def caller(call_with: CallWith) -> Caller:
    """A caller of an emulator with the usual switches; its clock moves only when told."""
    return call_with()
