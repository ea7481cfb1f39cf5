"""Calls with `async: true`."""

from typing import Any

import pytest
from contract.zuora_caller import METHODS, Caller, CallWith
from zuora_emulator import seed

pytestmark = pytest.mark.asyncio

SEPA = {"type": "sepa_debit", "sepa_debit": {"IBAN": "DE89370400440532013000"}}
ASYNC = {"async": "true"}


async def outcomes(caller: Caller) -> list[str]:
    """Return what became of the calls for payment methods."""
    entries = (await caller.http.get("/_emulator/journal")).json()["entries"]
    return [entry["outcome"] for entry in entries if entry["operation"] == "payment_methods"]


async def methods(caller: Caller) -> list[dict[str, Any]]:
    """Return the payment methods that a list shows."""
    listed = await caller.http.get(METHODS, headers=await caller.bearer())
    found: list[dict[str, Any]] = listed.json()["data"]
    return found


async def advance(caller: Caller, seconds: float) -> None:
    """Move the emulator's clock."""
    await caller.http.post("/_emulator/clock", json={"seconds": seconds})


class TestACallWithAsync:
    """It is answered before it is executed."""

    async def test_is_executed_by_the_clock(self, caller: Caller) -> None:
        """Not a moment before it is due, and at the time it is."""
        answer = await caller.post(METHODS, SEPA, **ASYNC)
        early = (await outcomes(caller), caller.emulator.ledger.count("payment_methods"))
        due = (await caller.http.get("/_emulator/clock")).json()["next_due"]
        await advance(caller, 0.9)
        almost = await methods(caller)
        await advance(caller, 0.1)
        (method,) = await methods(caller)

        assert (answer.status_code, answer.json()) == (202, {"request_id": answer.headers["zuora-request-id"]})
        assert early == (["queued"], 0)
        assert almost == []
        assert method["created_time"] == due == "2026-11-20T12:00:01+00:00"
        assert caller.emulator.ledger.of("payment_methods")[0].request_id == answer.json()["request_id"]

    async def test_is_answered_with_202_whatever_becomes_of_it(self, caller: Caller) -> None:
        """The journal has the outcome."""
        answer = await caller.post(METHODS, {"type": "sepa_debit"}, **ASYNC)
        await advance(caller, 1)

        assert answer.status_code == 202
        assert (await outcomes(caller), await methods(caller)) == (["refused"], [])

    async def test_may_be_an_update(self, caller: Caller) -> None:
        """The account is given to the method later."""
        method_id = (await caller.post(METHODS, SEPA)).json()["id"]
        headers = await caller.bearer() | ASYNC

        body = {"account_id": seed.ACCOUNT_US.id}
        answer = await caller.http.patch(f"{METHODS}/{method_id}", json=body, headers=headers)
        before = await methods(caller)
        await advance(caller, 1)
        after = await methods(caller)

        assert answer.status_code == 202
        assert "account_id" not in before[0]
        assert after[0]["account_id"] == seed.ACCOUNT_US.id

    async def test_is_executed_once_for_a_key(self, caller: Caller) -> None:
        """A repetition gets the first answer, before and after the execution."""
        first = await caller.post(METHODS, SEPA, idempotency_key="k", **ASYNC)
        second = await caller.post(METHODS, SEPA, idempotency_key="k", **ASYNC)
        await advance(caller, 1)
        third = await caller.post(METHODS, SEPA, idempotency_key="k", **ASYNC)
        await advance(caller, 1)

        assert first.json() == second.json() == third.json()
        assert len(await methods(caller)) == 1

    async def test_is_kept_in_a_snapshot(self, caller: Caller) -> None:
        """It is executed again after the world went back, in that world."""
        await caller.post(METHODS, SEPA, **ASYNC)
        await caller.http.post("/_emulator/snapshot", json={"name": "queued"})
        await advance(caller, 1)
        await caller.http.post("/_emulator/restore", json={"name": "queued"})
        restored = await methods(caller)
        await advance(caller, 1)

        assert restored == []
        assert len(await methods(caller)) == 1

    async def test_is_forgotten_by_a_reset(self, caller: Caller) -> None:
        """Nothing of the world before comes into the new one."""
        await caller.post(METHODS, SEPA, **ASYNC)
        await caller.http.post("/_emulator/reset")
        await advance(caller, 1)

        assert await methods(caller) == []

    @pytest.mark.parametrize(("body", "status"), [(SEPA, 202), ({"type": "sepa_debit"}, 400)])
    async def test_may_be_executed_at_once(self, call_with: CallWith, body: dict[str, Any], status: int) -> None:
        """A refusal is then the answer."""
        caller = call_with(async_delay_seconds=0)

        answer = await caller.post(METHODS, body, **ASYNC)

        assert answer.status_code == status
        assert len(await methods(caller)) == (status == 202)

    async def test_is_refused_if_the_header_is_neither_true_nor_false(self, caller: Caller) -> None:
        """The parameter is named."""
        answer = await caller.post(METHODS, SEPA, **{"async": "1"})

        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "invalid_parameter_boolean")
