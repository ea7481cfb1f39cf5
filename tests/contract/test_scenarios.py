"""Every scenario is started once, and shows what it says."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract.scripted_hub import HubbedWith
from contract.zuora_caller import DECRYPTION, METHODS, SESSIONS, Caller, CallWith, apple_token, decryption
from zuora_emulator import ConnectionCut, FileError, Settings, seed, serving
from zuora_emulator.scenarios import built_in, read_scenario

pytestmark = pytest.mark.asyncio

STORE = {"currency": "USD", "amount": 1, "processPayment": False}
Show = Callable[[Caller], Awaitable[None]]


async def session(caller: Caller, **headers: str) -> httpx.Response:
    return await caller.post(SESSIONS, STORE, **headers)


@asynccontextmanager
async def served(caller: Caller) -> AsyncIterator[tuple[httpx.AsyncClient, dict[str, str]]]:
    """Serve the caller's emulator over a socket, and give a client with the headers of an authorized call."""
    headers = await caller.bearer()
    async with serving(caller.emulator) as url, httpx.AsyncClient(base_url=url, trust_env=False) as http:
        yield http, headers


def executed(caller: Caller) -> int:
    return caller.emulator.ledger.count("sessions")


async def advance(caller: Caller, seconds: float) -> None:
    await caller.http.post("/_emulator/clock", json={"seconds": seconds})


async def storm_of_429(caller: Caller) -> None:
    answers = [await session(caller) for _ in range(3)]
    await advance(caller, 60)

    assert {(answer.status_code, answer.headers.get("retry-after")) for answer in answers} == {(429, "30")}
    assert (await session(caller)).status_code == 200


async def token_outage(caller: Caller) -> None:
    assert (await caller.token()).status_code == 503
    await advance(caller, 300)
    assert (await caller.token()).status_code == 200


async def token_storm(caller: Caller) -> None:
    assert [(await caller.token()).status_code for _ in range(3)] == [429] * 3
    await advance(caller, 60)
    assert (await caller.token()).status_code == 200


async def edge_page(caller: Caller) -> None:
    page = await session(caller)

    assert (page.status_code, page.headers["content-type"], executed(caller)) == (502, "text/html", 0)
    assert (await session(caller)).status_code == 200


async def edge_gives_up(caller: Caller) -> None:
    page = await session(caller, idempotency_key="k")

    assert (page.status_code, executed(caller)) == (504, 1)
    assert (await session(caller, idempotency_key="k")).status_code == 200
    assert executed(caller) == 1


async def black_hole(caller: Caller) -> None:
    async with served(caller) as (http, headers):
        for _ in range(2):
            with pytest.raises(httpx.ReadTimeout):
                await http.post(SESSIONS, json=STORE, headers=headers, timeout=0.1)
    await advance(caller, 120)

    assert executed(caller) == 0
    assert (await session(caller)).status_code == 200


async def black_hole_after_execution(caller: Caller) -> None:
    async with served(caller) as (http, headers):
        with pytest.raises(httpx.ReadTimeout):
            await http.post(SESSIONS, json=STORE, headers=headers, timeout=0.1)

    assert executed(caller) == 1


async def connection_resets(caller: Caller) -> None:
    for _ in range(2):
        with pytest.raises(ConnectionCut):
            await session(caller)

    assert executed(caller) == 0
    assert (await session(caller)).status_code == 200


async def lost_answers(caller: Caller) -> None:
    with pytest.raises(ConnectionCut):
        await session(caller)

    assert executed(caller) == 1


async def slow_answers(caller: Caller) -> None:
    start = caller.clock.now()
    await session(caller)

    assert (caller.clock.now() - start).total_seconds() == 10


async def slow_drip(caller: Caller) -> None:
    """Piece by piece; in process all of them are there when the call returns."""
    start = caller.clock.now()
    answer = await session(caller)

    assert len(answer.json()["token"]) == 32
    assert round((caller.clock.now() - start).total_seconds()) == 30


async def half_answers(caller: Caller) -> None:
    async with served(caller) as (http, headers):
        with pytest.raises(httpx.ReadError):
            await http.post(SESSIONS, json=STORE, headers=headers)

    assert executed(caller) == 1


async def truncated_json(caller: Caller) -> None:
    answer = await session(caller)

    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


async def stale_keep_alive(caller: Caller) -> None:
    async with served(caller) as (http, headers):
        first = await http.post(SESSIONS, json=STORE, headers=headers)
        with pytest.raises(httpx.ReadError):
            await http.post(SESSIONS, json=STORE, headers=headers)
        again = await http.post(SESSIONS, json=STORE, headers=headers)

    assert (first.status_code, first.headers.get("connection"), again.status_code) == (200, None, 200)
    assert executed(caller) == 2


async def answers_without_id(caller: Caller) -> None:
    answer = await session(caller)

    assert (answer.status_code, answer.json(), executed(caller)) == (200, {}, 1)


async def revoked_token(caller: Caller) -> None:
    headers = await caller.bearer()
    await caller.emulator.start("revoked-token")

    assert (await caller.http.post(SESSIONS, json=STORE, headers=headers)).status_code == 401
    assert (await session(caller)).status_code == 200


async def burnt_key(caller: Caller) -> None:
    answers = [await session(caller, idempotency_key=key) for key in ("k", "k", "other")]

    assert [answer.status_code for answer in answers] == [401, 401, 200]


async def clock_skew(caller: Caller) -> None:
    assert (await session(caller)).headers["date"] == "Fri, 20 Nov 2026 12:15:00 GMT"


async def maintenance_window(caller: Caller) -> None:
    assert (await caller.token()).status_code == 503
    caller.emulator.faults.clear("token")
    answer = await session(caller)
    await advance(caller, 600)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "120")
    assert (await session(caller)).status_code == 200


async def lock_contention(caller: Caller) -> None:
    answers = [await caller.post(DECRYPTION, decryption()) for _ in range(3)]
    quickstart = await caller.post(METHODS, {"type": "sepa_debit", "sepa_debit": {"IBAN": "DE89370400440532013000"}})

    assert [answer.json()["success"] for answer in answers] == [False, False, True]
    assert answers[0].json()["reasons"][0]["code"] == 53000050
    assert quickstart.status_code == 423


async def internal_errors(caller: Caller) -> None:
    answers = [await session(caller, idempotency_key=key) for key in ("k", "k", "other")]

    assert [answer.status_code for answer in answers] == [500, 500, 200]


async def tight_rate_limit(caller: Caller) -> None:
    assert [(await session(caller)).status_code for _ in range(6)] == [200] * 5 + [429]


async def one_call_at_a_time(caller: Caller) -> None:
    caller.emulator.faults.add("sessions:slow:1")
    first, second = await asyncio.gather(session(caller), session(caller))

    assert sorted([first.status_code, second.status_code]) == [200, 429]


def declined(words: str) -> Show:
    async def show(caller: Caller) -> None:
        answer = (await caller.post(DECRYPTION, decryption())).json()
        wallet = {"customer_token": apple_token(4250, transaction_id="t2"), "collect_payment": True}
        wallet |= {"invoice_id": "INV00000002"}
        body = {"type": "apple_pay", "account_id": seed.ACCOUNT_US.id, "apple_pay": wallet}
        quickstart = await caller.post(METHODS, body)

        assert (answer["success"], set(answer) >= {"paymentMethodId", "reasons"}) == (False, True)
        assert answer["reasons"][0]["message"].endswith(f": {words}")
        assert (quickstart.status_code, words.lower().replace(" ", "_") in quickstart.text) == (402, True)
        assert caller.emulator.state.invoices[seed.INVOICE_US_SECOND.id].balance == seed.INVOICE_US_SECOND.balance

    return show


async def decline_as_internal_fault(caller: Caller) -> None:
    answer = await caller.post(DECRYPTION, decryption())

    assert (answer.status_code, answer.json()["reasons"][0]["code"]) == (200, 53000060)
    assert "insufficient_funds" in answer.json()["reasons"][0]["message"]
    assert "paymentMethodId" not in answer.json()


SHOWS: dict[str, Show] = {
    "answers-without-id": answers_without_id,
    "black-hole": black_hole,
    "black-hole-after-execution": black_hole_after_execution,
    "burnt-key": burnt_key,
    "clock-skew": clock_skew,
    "connection-resets": connection_resets,
    "decline-as-internal-fault": decline_as_internal_fault,
    "decline-authentication-required": declined("Authentication Required"),
    "decline-do-not-honor": declined("Do Not Honor"),
    "decline-expired-card": declined("Expired Card"),
    "decline-insufficient-funds": declined("Insufficient Funds"),
    "decline-suspected-fraud": declined("Suspected Fraud"),
    "edge-gives-up": edge_gives_up,
    "edge-page": edge_page,
    "half-answers": half_answers,
    "internal-errors": internal_errors,
    "lock-contention": lock_contention,
    "lost-answers": lost_answers,
    "maintenance-window": maintenance_window,
    "one-call-at-a-time": one_call_at_a_time,
    "revoked-token": revoked_token,
    "slow-answers": slow_answers,
    "slow-drip": slow_drip,
    "stale-keep-alive": stale_keep_alive,
    "storm-of-429": storm_of_429,
    "tight-rate-limit": tight_rate_limit,
    "token-outage": token_outage,
    "token-storm": token_storm,
    "truncated-json": truncated_json,
}
OF_HUBS = {"hub-answers-lost", "hub-asked-twice"}


class TestScenarios:
    """`zuora-emulator scenarios` lists them."""

    @pytest.mark.parametrize("name", sorted(SHOWS))
    async def test_show_what_they_say(self, caller: Caller, name: str) -> None:
        """Each is started over HTTP, and its effect seen by a client."""
        answer = await caller.http.post(f"/_emulator/scenarios/{name}")

        assert answer.json()["name"] == name
        await SHOWS[name](caller)

    @pytest.mark.parametrize(("name", "sends"), [("hub-answers-lost", 1), ("hub-asked-twice", 2)])
    async def test_of_hubs_show_what_they_say(self, hubbed_with: HubbedWith, name: str, sends: int) -> None:
        """What the hub got, and what Zuora knows of it."""
        hubbed = hubbed_with()
        await hubbed.method()
        await hubbed.caller.emulator.start(name)

        payment = await hubbed.caller.http.post("/_emulator/upc/payments", json={"amount": "1"})

        assert [request.json["operation"] for request in hubbed.hub.requests].count("Payment") == sends
        assert payment.json()["status"] == ("Processing" if name == "hub-answers-lost" else "Processed")

    async def test_are_all_shown_here(self) -> None:
        """A new file needs a test of what it does."""
        assert set(built_in()) == set(SHOWS) | OF_HUBS
        assert len(built_in()) >= 15

    async def test_can_be_listed_and_ended(self, caller: Caller) -> None:
        """Their faults and switches go, and what happened stays."""
        names = [row["name"] for row in (await caller.http.get("/_emulator/scenarios")).json()["scenarios"]]
        for name in ("storm-of-429", "tight-rate-limit"):
            await caller.emulator.start(name)
        await session(caller)

        await caller.http.delete("/_emulator/scenarios")

        assert names == list(built_in())
        assert caller.emulator.settings == Settings()
        assert caller.emulator.faults.waiting() == []
        assert caller.emulator.journal.count("sessions") == 1

    async def test_that_do_not_exist_are_refused(self, caller: Caller) -> None:
        """With the way to those that do."""
        answer = await caller.http.post("/_emulator/scenarios/nonsense")

        assert answer.status_code == 404
        assert "GET /_emulator/scenarios" in answer.json()["message"]
        with pytest.raises(FileError, match="there are answers-without-id"):
            await caller.emulator.start("nonsense")


class TestScenariosOfOnesOwn:
    """A file like those of the package."""

    async def test_can_be_started_by_their_path(self, call_with: CallWith, tmp_path: Path) -> None:
        """Times count down, beside a switch."""
        file = tmp_path / "mine.yaml"
        file.write_text("does: x\nfaults: [{fault: 'sessions:500', times: 2}]\nswitches: {code_type: number}\n")
        caller = call_with()

        await caller.emulator.start(str(file))

        assert [(await session(caller)).status_code for _ in range(3)] == [500, 500, 200]
        assert caller.emulator.settings.code_type == "number"

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("faults: []", ":1: does: is missing"),
            ("does: x\nfaults: [{fault: nonsense}]", ":2: faults[0].fault: 'nonsense' is no operation"),
            ("does: x\nfaults: [{fault: '*:429', times: 0}]", ":2: faults[0].times: must be a number, or always"),
            ("does: x\nswitches: {nonsense: 1}", ":2: switches: 'nonsense' is no switch"),
            ("does: x\nswitches: {code_type: 1}", ":2: switches: The switch code_type has a wrong value"),
            ("does: x\nmore: 1", ":2: more: is no key of this place"),
            ("does: x\nclock_ahead_s: soon", ":2: clock_ahead_s: must be a whole number"),
        ],
    )
    async def test_are_read_strictly(self, tmp_path: Path, text: str, problem: str) -> None:
        """With file, line and key."""
        file = tmp_path / "mine.yaml"
        file.write_text(text)

        with pytest.raises(FileError) as caught:
            read_scenario(file)

        assert f"mine.yaml{problem}" in str(caught.value)


class TestSnapshots:
    """`/_emulator/snapshot` keeps a world, `/_emulator/restore` goes back to it."""

    async def test_bring_back_everything(self, caller: Caller) -> None:
        """The same script after it gives the same answers and books, byte for byte."""

        async def play() -> list[bytes]:
            answers = [
                await caller.post(DECRYPTION, decryption(), idempotency_key="k"),
                await session(caller),
                await caller.post(SESSIONS, STORE | {"amount": 2}, idempotency_key="first"),
                *[await caller.http.get(f"/_emulator/{book}") for book in ("journal", "ledger", "invoices", "faults")],
                await caller.http.get("/_emulator/clock"),
                await caller.http.get("/_emulator/switches"),
            ]
            return [answer.content for answer in answers]

        await caller.post(SESSIONS, STORE, idempotency_key="first")
        caller.emulator.faults.add("sessions:slow:5", times=3)
        await caller.http.post("/_emulator/snapshot", json={"name": "begun"})
        played = await play()
        await caller.http.patch("/_emulator/switches", json={"body_mismatch": "refuse"})
        await advance(caller, 86_400)

        restored = await caller.http.post("/_emulator/restore", json={"name": "begun"})

        assert restored.json()["now"] == "2026-11-20T12:00:00+00:00"
        assert await play() == played

    async def test_can_be_restored_again_and_again(self, caller: Caller) -> None:
        """What happens after it changes nothing in it."""
        await caller.http.post("/_emulator/snapshot")

        for _ in range(2):
            await caller.http.post("/_emulator/restore")
            assert (await caller.post(DECRYPTION, decryption())).json()["success"]

        listed = (await caller.http.get("/_emulator/snapshot")).json()["snapshots"]
        assert listed == [{"name": "default", "taken_at": "2026-11-20T12:00:00+00:00"}]

    async def test_do_not_hold_a_call_in_flight(self, call_with: CallWith) -> None:
        """Its idempotency key would be in flight for ever."""
        caller = call_with(jump=False)
        caller.emulator.faults.add("sessions:slow:1")
        async with asyncio.TaskGroup() as tasks:
            slow = tasks.create_task(session(caller, idempotency_key="k"))
            await caller.clock.until_somebody_sleeps()
            await caller.http.post("/_emulator/snapshot")
            await advance(caller, 1)
        assert slow.result().status_code == 200

        await caller.http.post("/_emulator/restore")

        assert (await session(caller, idempotency_key="k")).status_code == 200

    async def test_that_do_not_exist_are_refused(self, caller: Caller) -> None:
        """In a sentence."""
        answers: list[Any] = [
            await caller.http.post("/_emulator/restore", json={"name": "nonsense"}),
            await caller.http.post("/_emulator/snapshot", json={"name": 7}),
        ]

        assert [answer.status_code for answer in answers] == [404, 400]
