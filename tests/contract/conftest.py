from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from contract.scripted_hub import HubbedCaller, HubbedWith, ScriptedHub, listening, way_to
from contract.zuora_caller import Caller, CallWith, caller_with
from zuora_emulator import Settings, UpcConfiguration, seed


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


@pytest_asyncio.fixture(params=["in process", "over a socket"])
async def hubbed_with(request: pytest.FixtureRequest) -> AsyncIterator[HubbedWith]:
    """Make callers of emulators that ask a scripted hub, which every test finds in both places."""
    hub, over_a_socket = ScriptedHub(), request.param == "over a socket"
    async with AsyncExitStack() as stack:
        if over_a_socket:
            await stack.enter_async_context(listening(hub))

        def make(*, upc: UpcConfiguration | None = None, jump: bool = True, **switches: object) -> HubbedCaller:
            caller = caller_with(
                Settings(upc_allow_local_endpoints=True, **switches),
                jump=jump,
                upc=upc or seed.upc_with(hub.url),
                hub_caller=way_to(hub, over_a_socket=over_a_socket),
            )
            stack.push_async_callback(caller.http.aclose)
            return HubbedCaller(caller, hub)

        yield make


@pytest_asyncio.fixture
async def hubbed(hubbed_with: HubbedWith) -> HubbedCaller:
    """A caller of an emulator with the usual switches and a scripted hub."""
    return hubbed_with()
