import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from contract.zuora_caller import DECRYPTION, METHODS, METHODS_V1, SESSIONS, Caller, CallWith, decryption, open_stand_in
from zuora_emulator import Emulator, ManualClock, Settings, seed
from zuora_emulator.state import Client

pytestmark = pytest.mark.asyncio

SESSION = {"currency": "USD", "amount": 1, "processPayment": False}


async def test_same_key_gives_the_stored_success_again(caller: Caller) -> None:
    first = await caller.post(DECRYPTION, decryption(), idempotency_key="k", zuora_track_id="t1")
    again = await caller.post(DECRYPTION, decryption(), idempotency_key="k", zuora_track_id="t2")

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["zuora-request-id"] == first.headers["zuora-request-id"]
    assert again.headers["zuora-track-id"] == "t1"
    assert caller.emulator.ledger.count("decryption") == 1
    assert [arrival.outcome for arrival in caller.emulator.journal.of("decryption")] == ["executed", "replayed"]


async def test_same_key_gives_the_stored_failure_again(caller: Caller) -> None:
    body = decryption(invoiceId="INV99999999")

    first = await caller.post(DECRYPTION, body, idempotency_key="k")
    again = await caller.post(DECRYPTION, body, idempotency_key="k")

    assert (first.status_code, again.content) == (404, first.content)


async def test_same_key_executes_again_after_a_day(caller: Caller) -> None:
    await caller.post(SESSIONS, SESSION, idempotency_key="k")
    caller.clock.advance(timedelta(hours=23, minutes=59))
    await caller.post(SESSIONS, SESSION, idempotency_key="k")
    caller.clock.advance(timedelta(minutes=1))
    await caller.post(SESSIONS, SESSION, idempotency_key="k")

    assert caller.emulator.ledger.count("sessions") == 2


async def test_same_key_may_carry_fresh_headers(call_with: CallWith) -> None:
    caller = call_with(replay_headers="fresh")

    first = await caller.post(SESSIONS, SESSION, idempotency_key="k", zuora_track_id="t1")
    again = await caller.post(SESSIONS, SESSION, idempotency_key="k", zuora_track_id="t2")

    assert again.content == first.content
    assert again.headers["zuora-track-id"] == "t2"
    assert again.headers["zuora-request-id"] != first.headers["zuora-request-id"]


@pytest.mark.parametrize(
    ("path", "client", "reason"),
    [
        (METHODS_V1, seed.CLIENT_A, "another URL"),
        (f"{SESSIONS}?x=1", seed.CLIENT_A, "another query"),
        (SESSIONS, seed.CLIENT_C, "another tenant"),
    ],
)
async def test_same_key_of_another_scope_is_refused(caller: Caller, path: str, client: Client, reason: str) -> None:
    await caller.post(SESSIONS, SESSION, idempotency_key="k")

    answer = await caller.post(path, SESSION, client=client, idempotency_key="k")

    assert answer.status_code == 422, reason
    assert caller.emulator.ledger.count("sessions") == 1


@pytest.mark.parametrize(
    ("switch", "status", "executed"), [("replay", 200, 1), ("refuse", 422, 1), ("execute", 200, 2)]
)
async def test_same_key_with_another_body(call_with: CallWith, switch: str, status: int, executed: int) -> None:
    caller = call_with(body_mismatch=switch)
    await caller.post(SESSIONS, SESSION, idempotency_key="k")

    answer = await caller.post(SESSIONS, SESSION | {"amount": 2}, idempotency_key="k")

    assert (answer.status_code, caller.emulator.ledger.count("sessions")) == (status, executed)


@pytest.mark.parametrize(
    ("shape", "expected"), [("message", ["message"]), ("reasons", ["processId", "reasons", "requestId", "success"])]
)
async def test_same_key_refusal_body_is_a_switch(call_with: CallWith, shape: str, expected: Any) -> None:
    caller = call_with(key_refusal_body=shape)
    await caller.post(SESSIONS, SESSION, idempotency_key="k")

    answer = await caller.post(METHODS_V1, SESSION, idempotency_key="k")

    assert sorted(answer.json()) == expected


async def test_same_key_refusal_body_may_be_empty(call_with: CallWith) -> None:
    caller = call_with(key_refusal_body="empty")
    await caller.post(SESSIONS, SESSION, idempotency_key="k")

    assert (await caller.post(METHODS_V1, SESSION, idempotency_key="k")).content == b""


@pytest.mark.parametrize("fault", ["sessions:401", "sessions:429:1", "sessions:503", "sessions:504", "sessions:html"])
@pytest.mark.parametrize(("switch", "executed"), [(False, True), (True, False)])
async def test_unprocessed_answers_are_stored_by_a_switch(
    call_with: CallWith, fault: str, switch: str, executed: int
) -> None:
    caller = call_with(store_unprocessed=switch)
    caller.emulator.faults.add(fault)

    first = await caller.post(SESSIONS, SESSION, idempotency_key="k")
    again = await caller.post(SESSIONS, SESSION, idempotency_key="k")

    assert first.status_code >= 400
    assert again.status_code == (200 if executed else first.status_code)


@pytest.mark.parametrize("fault", ["sessions:500", "sessions:409", "sessions:success_false:71012561"])
async def test_unprocessed_answers_of_the_api_are_stored_always(caller: Caller, fault: str) -> None:
    caller.emulator.faults.add(fault)

    first = await caller.post(SESSIONS, SESSION, idempotency_key="k")
    again = await caller.post(SESSIONS, SESSION, idempotency_key="k")

    assert again.content == first.content
    assert caller.emulator.ledger.count("sessions") == 0


async def test_unprocessed_cut_answers_are_stored(caller: Caller) -> None:
    caller.emulator.faults.add("sessions:truncated")

    cut = await caller.post(SESSIONS, SESSION, idempotency_key="k")
    again = await caller.post(SESSIONS, SESSION, idempotency_key="k")

    assert again.content.startswith(cut.content)
    assert len(again.json()["token"]) == 32
    assert caller.emulator.ledger.count("sessions") == 1


@pytest.mark.parametrize(("key", "status"), [("k" * 255, 200), ("k" * 256, 400), ("", 400)])
async def test_key_length(caller: Caller, key: str, status: int) -> None:
    assert (await caller.post(SESSIONS, SESSION, idempotency_key=key)).status_code == status


@pytest.mark.parametrize(("choice", "status"), [("ignore", 404), ("refuse", 400)])
async def test_key_on_a_read_is_a_switch(call_with: CallWith, choice: str, status: int) -> None:
    caller = call_with(key_on_reads=choice)
    headers = await caller.bearer() | {"idempotency-key": "k"}

    for _ in range(2):
        assert (await caller.http.get("/v1/payments/unknown", headers=headers)).status_code == status


async def test_in_flight_is_a_conflict() -> None:
    clock = ManualClock(jump=False)
    emulator = Emulator(clock=clock, settings=Settings(), opener=open_stand_in)
    emulator.faults.add("payment_methods:slow:5")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(emulator.app), base_url="http://zuora") as http:
        client = seed.CLIENT_B
        form = {
            "client_id": client.client_id,
            "client_secret": client.client_secret,
            "grant_type": "client_credentials",
        }
        token = (await http.post("/oauth/token", data=form)).json()["access_token"]
        headers = {"authorization": f"Bearer {token}", "idempotency-key": "k"}
        body = {"type": "paypal_express_native", "paypal_express_native": {"baid": "b"}}
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(http.post(METHODS, json=body, headers=headers))
            await clock.until_somebody_sleeps()
            meanwhile = await http.post(METHODS, json=body, headers=headers)
            clock.advance(timedelta(seconds=5))
        after = await http.post(METHODS, json=body, headers=headers)

    assert (meanwhile.status_code, meanwhile.json()["type"]) == (409, "conflict")
    assert first.result().status_code == 201
    assert after.content == first.result().content
    assert emulator.ledger.count("payment_methods") == 1
