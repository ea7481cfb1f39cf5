"""The few things that only a real connection shows."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from contract.zuora_caller import SESSIONS, open_stand_in
from zuora_emulator import Emulator, ManualClock, seed, serving

pytestmark = pytest.mark.asyncio

SESSION = {"currency": "USD", "amount": 1, "processPayment": False}


async def bearer(http: httpx.AsyncClient) -> dict[str, str]:
    client = seed.CLIENT_B
    form = {"client_id": client.client_id, "client_secret": client.client_secret, "grant_type": "client_credentials"}
    answer = await http.post("/oauth/token", data=form)
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.mark.parametrize(("fault", "executed"), [("drop", 0), ("drop_after", 1)])
async def test_cut_connections_are_reset(fault: str, executed: int) -> None:
    emulator = Emulator(clock=ManualClock(), opener=open_stand_in)
    async with (
        serving(emulator) as base_url,
        httpx.AsyncClient(base_url=base_url, trust_env=False) as http,
        httpx.AsyncClient(base_url=base_url, trust_env=False) as bystander,
    ):
        headers = await bearer(http)
        await bystander.get("/_emulator/health")
        emulator.faults.add(f"sessions:{fault}")

        with pytest.raises(httpx.ReadError):
            await http.post(SESSIONS, json=SESSION, headers=headers)

        assert (await http.post(SESSIONS, json=SESSION, headers=headers)).status_code == 200
        assert (await bystander.get("/_emulator/health")).status_code == 200
        assert emulator.ledger.count("sessions") == executed + 1


@pytest.mark.parametrize(("fault", "executed"), [("silence", 0), ("silence_after", 1)])
async def test_silence_lasts_until_the_caller_leaves(fault: str, executed: int) -> None:
    emulator = Emulator(clock=ManualClock(), opener=open_stand_in)
    async with serving(emulator) as base_url, httpx.AsyncClient(base_url=base_url, trust_env=False) as http:
        headers = await bearer(http)
        emulator.faults.add(f"sessions:{fault}")

        with pytest.raises(httpx.ReadTimeout):
            await http.post(SESSIONS, json=SESSION, headers=headers, timeout=0.2)

        assert emulator.ledger.count("sessions") == executed
        assert (await http.post(SESSIONS, json=SESSION, headers=headers)).status_code == 200


async def test_the_end_of_the_server_answers_no_silent_call() -> None:
    """Its caller sees the connection end, and not an answer that Zuora did not give."""
    emulator = Emulator(clock=ManualClock(), opener=open_stand_in)
    async with httpx.AsyncClient(trust_env=False) as http:
        async with serving(emulator) as base_url:
            emulator.faults.add("sessions:silence")
            waiting = asyncio.ensure_future(http.post(f"{base_url}{SESSIONS}", json=SESSION))
            while not emulator.journal.entries:
                await asyncio.sleep(0)

        with pytest.raises(httpx.TransportError):
            await waiting


async def test_in_flight_is_a_conflict() -> None:
    clock = ManualClock(jump=False)
    emulator = Emulator(clock=clock, opener=open_stand_in)
    emulator.faults.add("sessions:slow:1")
    async with (
        serving(emulator) as base_url,
        httpx.AsyncClient(base_url=base_url, trust_env=False) as http,
        asyncio.TaskGroup() as tasks,
    ):
        headers = await bearer(http) | {"idempotency-key": "k"}
        first = tasks.create_task(http.post(SESSIONS, json=SESSION, headers=headers))
        await clock.until_somebody_sleeps()
        second = await http.post(SESSIONS, json=SESSION, headers=headers)
        clock.advance(timedelta(seconds=1))

        assert second.status_code == 409
        assert (await first).status_code == 200
        assert emulator.ledger.count("sessions") == 1


async def test_truncated_is_a_complete_answer_with_cut_json() -> None:
    emulator = Emulator(clock=ManualClock(), opener=open_stand_in)
    emulator.faults.add("sessions:truncated")
    async with serving(emulator) as base_url, httpx.AsyncClient(base_url=base_url, trust_env=False) as http:
        answer = await http.post(SESSIONS, json=SESSION, headers=await bearer(http))

    assert answer.content.startswith(b'{"token":')
    assert not answer.content.endswith(b"}")


async def test_a_taken_port_is_an_error_of_the_system() -> None:
    emulator = Emulator()
    async with serving(emulator) as base_url:
        port = int(base_url.rpartition(":")[2])
        with pytest.raises(OSError, match="Address already in use"):
            async with serving(Emulator(), port=port):
                pass
