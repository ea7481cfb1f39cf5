import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import pytest_asyncio
import zuora_emulator.app
from contract.scripted_hub import HubbedCaller, HubbedWith, ScriptedHub, listening, way_to
from contract.zuora_caller import Caller, CallWith, caller_with
from harness.openapi_answers import CheckedApp, OpenApiAnswers
from zuora_emulator import Emulator, Settings, UpcConfiguration, seed
from zuora_emulator.world import World


@pytest.fixture(scope="session")
def openapi_answers() -> OpenApiAnswers:
    """The document that every emulator serves."""
    response = asyncio.run(_document())
    return OpenApiAnswers(response)


async def _document() -> Any:
    transport = httpx.ASGITransport(Emulator().app)
    async with httpx.AsyncClient(transport=transport, base_url="http://zuora") as http:
        return (await http.get("/_emulator/openapi.json")).json()


@pytest.fixture(autouse=True)
def checked_answers(openapi_answers: OpenApiAnswers, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hold every answer of every emulator of a test against the document, in process and over sockets."""
    problems: list[str] = []
    make = zuora_emulator.app._application

    def checked(world: World) -> CheckedApp:
        return CheckedApp(make(world), world.journal, openapi_answers, problems)

    monkeypatch.setattr(zuora_emulator.app, "_application", checked)
    yield
    assert problems == []


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
