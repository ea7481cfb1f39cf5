"""A session is redeemed in place of a browser: once, in time, with the effects of its mode."""

from typing import Any

import httpx
import pytest
from contract.zuora_caller import METHODS_V1, SESSIONS, Caller, CallWith
from zuora_emulator import ConnectionCut, seed

pytestmark = pytest.mark.asyncio

STORE = {"currency": "USD", "amount": 1, "processPayment": False}
PAY = {"currency": "USD", "amount": 12.34, "processPayment": True, "accountId": seed.ACCOUNT_US.id}
PAY_INVOICE = PAY | {"amount": 42.5, "invoices": [{"invoiceNumber": "INV00000002"}]}


async def token_of(caller: Caller, body: dict[str, Any]) -> str:
    return str((await caller.post(SESSIONS, body)).json()["token"])


async def redeem(caller: Caller, token: str, **body: Any) -> httpx.Response:
    return await caller.http.post(f"/_emulator/sessions/{token}/redeem", json=body)


async def get(caller: Caller, path: str) -> Any:
    return (await caller.http.get(path, headers=await caller.bearer())).json()


def error(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    assert body["success"] is False
    return answer.status_code, body["error"]["type"], body["error"]["code"]


class TestRedeeming:
    """What it does is what the session says."""

    @pytest.mark.parametrize(
        ("body", "members"),
        [
            (STORE, {"success", "paymentMethodId"}),
            (PAY, {"success", "paymentMethodId", "paymentId"}),
            (PAY | {"storePaymentMethod": False}, {"success", "paymentId"}),
        ],
    )
    async def test_leaves_what_the_mode_of_the_session_asks_for(
        self, caller: Caller, body: dict[str, Any], members: set[str]
    ) -> None:
        """A method, a payment, or both, which can be looked up."""
        answer = (await redeem(caller, await token_of(caller, body))).json()

        assert (answer["success"], set(answer)) == (True, members)
        if "paymentId" in members:
            payment = await get(caller, f"/v1/payments/{answer['paymentId']}")
            assert (payment["status"], payment["amount"], payment["unappliedAmount"]) == ("Processed", 12.34, 12.34)
            assert payment["paymentMethodId"] == answer.get("paymentMethodId")
        if "paymentMethodId" in members:
            method = await get(caller, f"{METHODS_V1}/{answer['paymentMethodId']}")
            assert (method["type"], method["status"]) == ("CreditCard", "Active")

    async def test_pays_its_invoices_in_full(self, caller: Caller) -> None:
        """And refuses when their balances are others by then."""
        first, second = await token_of(caller, PAY_INVOICE), await token_of(caller, PAY_INVOICE)

        paid = await redeem(caller, first)
        refused = await redeem(caller, second)

        assert paid.json()["success"]
        assert caller.emulator.state.invoices[seed.INVOICE_US_SECOND.id].balance == 0
        assert error(refused) == (400, "invalid_request_error", "invalid_request")
        assert caller.emulator.ledger.count("redeem_session") == 1

    async def test_can_be_declined_and_tried_again(self, caller: Caller) -> None:
        """By the body or by a fault; nothing exists until it succeeds."""
        token = await token_of(caller, PAY)
        caller.emulator.faults.add("redeem_session:declined:expired_card")

        by_fault, by_body = await redeem(caller, token), await redeem(caller, token, decline="insufficient_funds")

        for answer, words in ((by_fault, "expired_card"), (by_body, "insufficient_funds")):
            assert error(answer) == (402, "transaction_error", "transaction_declined")
            assert words in answer.json()["error"]["message"]
        assert caller.emulator.state.upc_payments == {}
        assert (await redeem(caller, token)).json()["success"]

    async def test_stores_the_type_that_is_asked_for(self, caller: Caller) -> None:
        """One that the API knows."""
        token = await token_of(caller, STORE)

        wrong = await redeem(caller, token, type="Gold")
        right = await redeem(caller, token, type="ACH")

        assert error(wrong) == (400, "invalid_request_error", "invalid_request")
        assert (await get(caller, f"{METHODS_V1}/{right.json()['paymentMethodId']}"))["type"] == "ACH"


class TestASessionsLife:
    """Its token is good for one use and an hour, unless switches say otherwise."""

    async def test_ends_with_its_use(self, caller: Caller) -> None:
        """The second page gets nothing."""
        token = await token_of(caller, PAY)

        answers = [await redeem(caller, token) for _ in range(2)]

        assert answers[0].json()["success"]
        assert error(answers[1]) == (401, "invalid_request_error", "unauthorized_access")
        assert caller.emulator.ledger.count("redeem_session") == 1

    async def test_ends_after_an_hour(self, caller: Caller) -> None:
        """To the second."""
        in_time, late = await token_of(caller, STORE), await token_of(caller, STORE)

        await caller.http.post("/_emulator/clock", json={"seconds": 3599})
        served = await redeem(caller, in_time)
        await caller.http.post("/_emulator/clock", json={"seconds": 1})

        assert served.json()["success"]
        assert error(await redeem(caller, late)) == (401, "invalid_request_error", "unauthorized_access")

    async def test_is_without_end_if_switches_say_so(self, call_with: CallWith) -> None:
        """Neither is documented."""
        caller = call_with(session_life_minutes=None, session_single_use=False)
        token = await token_of(caller, STORE)
        await caller.http.post("/_emulator/clock", json={"seconds": 10_000_000})

        assert [(await redeem(caller, token)).status_code for _ in range(2)] == [200, 200]

    async def test_of_what_never_was_is_none(self, caller: Caller) -> None:
        """An unknown token is no session."""
        assert error(await redeem(caller, "x" * 32)) == (401, "invalid_request_error", "unauthorized_access")


class TestTheWayOfARedemption:
    """It is that of every call."""

    async def test_is_in_the_journal_without_the_token(self, caller: Caller) -> None:
        """Path, tenant and entity are."""
        token = await token_of(caller, STORE)

        await redeem(caller, token)

        [arrival] = caller.emulator.journal.of("redeem_session")
        assert (arrival.path, arrival.status) == ("/_emulator/sessions/***/redeem", 200)
        assert (arrival.tenant, arrival.entity) == (seed.TENANT, seed.ENTITY_US)
        assert token not in str(caller.emulator.journal.as_json())

    async def test_meets_faults(self, caller: Caller) -> None:
        """A lost answer is executed."""
        token = await token_of(caller, PAY)
        caller.emulator.faults.add("redeem_session:drop_after")

        with pytest.raises(ConnectionCut):
            await redeem(caller, token)

        assert len(caller.emulator.state.upc_payments) == 1
