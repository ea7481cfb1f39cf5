"""GET /v1/payments and GET /v1/refunds: pages, filters, order."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from contract.test_external_payments import refund_externally, write_down
from contract.zuora_caller import Caller, CallWith
from zuora_emulator import seed

pytestmark = pytest.mark.asyncio

ODD_AMOUNTS = (30, 10, 20, 10, 40)


@pytest_asyncio.fixture
async def paid(caller: Caller) -> Caller:
    """A caller with five payments P-00000001 to P-00000005, an hour apart, the third without an account."""
    for number, amount in enumerate(ODD_AMOUNTS, start=1):
        more: dict[str, Any] = {"accountId": None} if number == 3 else {}
        answer = await write_down(caller, amount=amount, effectiveDate=f"2026-11-1{number}", **more)
        assert answer.json()["number"] == f"P-0000000{number}"
        caller.clock.advance(timedelta(hours=1))
    return caller


async def listed(caller: Caller, path: str, **headers: str) -> httpx.Response:
    """Get a list."""
    return await caller.http.get(path, headers=await caller.bearer() | headers)


async def numbers(caller: Caller, query: str) -> list[int]:
    """Return the last digits of the numbers of the payments in a list."""
    answer = await listed(caller, f"/v1/payments?{query}")
    assert answer.status_code == 200, answer.text
    return [int(payment["number"][-1]) for payment in answer.json()["payments"]]


class TestAListOfPayments:
    """Of all accounts of the entity."""

    async def test_has_the_newest_number_first(self, paid: Caller) -> None:
        """And each payment as it is read alone."""
        answer = (await listed(paid, "/v1/payments")).json()
        alone = (await listed(paid, "/v1/payments/P-00000004")).json()

        assert [payment["number"][-1] for payment in answer["payments"]] == list("54321")
        assert answer["payments"][1] | {"success": True} == alone
        assert answer.keys() == {"payments", "success"}

    async def test_comes_in_pages(self, paid: Caller) -> None:
        """Each names the next, with its filters, until there is none."""
        pages, url = [], "http://zuora/v1/payments?pageSize=2&currency=USD&sort=%2Bamount"
        while url:
            answer = (await listed(paid, url)).json()
            pages.append([payment["number"][-1] for payment in answer["payments"]])
            url = answer.get("nextPage")

        assert pages == [["5", "1"], ["3", "4"], ["2"]]

    async def test_ends_behind_its_last_page(self, paid: Caller) -> None:
        """A page that there is not is empty."""
        answer = (await listed(paid, "/v1/payments?pageSize=2&page=9")).json()

        assert answer == {"payments": [], "success": True}

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("amount=10", [4, 2]),
            ("amount=10.00", [4, 2]),
            ("accountId=null", [3]),
            (f"accountId={seed.ACCOUNT_US.id}&amount=10.0", [4, 2]),
            ("number=P-00000002", [2]),
            ("status=Processed&type=External&amount=40", [5]),
            ("status=Error", []),
            ("status=null", []),
            ("currency=EUR", []),
            ("effectiveDate=2026-11-12", [2]),
            ("effectiveDate=2026-11-12T00:00:00.000000%2B0000", [2]),
            ("createdDate=2026-11-20", [5, 4, 3, 2, 1]),
            ("createdDate=2026-11-20T14:00:00Z", [3]),
            ("createdDate=2026-11-20T15:00:00%2B01:00", [3]),
            ("updatedDate=2026-11-20%2014:00:00", [3]),
            ("unappliedAmount=20", [3]),
            ("appliedAmount=0&refundAmount=0&creditBalanceAmount=0&amount=30", [1]),
            ("amount=10&amount=20", []),
            ("createdById=x", []),
        ],
    )
    async def test_is_filtered(self, paid: Caller, query: str, found: list[int]) -> None:
        """By each member that the reference names, all at once."""
        assert await numbers(paid, query) == found

    @pytest.mark.parametrize(
        ("sort", "order"),
        [
            ("amount", [5, 1, 3, 4, 2]),
            ("%2Bamount", [5, 1, 3, 4, 2]),
            ("+amount", [5, 1, 3, 4, 2]),
            ("-amount", [4, 2, 3, 1, 5]),
            ("-amount,-number", [2, 4, 3, 1, 5]),
            ("-effectiveDate", [1, 2, 3, 4, 5]),
            ("-accountId,-number", [3, 1, 2, 4, 5]),
            ("createdById,-createdDate", [1, 2, 3, 4, 5]),
        ],
    )
    async def test_is_sorted(self, paid: Caller, sort: str, order: list[int]) -> None:
        """A minus ascends; a plus, which may arrive as a space, descends."""
        assert await numbers(paid, f"sort={sort}") == order

    @pytest.mark.parametrize(
        "query",
        [
            "page=0",
            "page=-1",
            "page=x",
            "page=%C2%B2",
            "pageSize=0",
            "pageSize=41",
            "pageSize=",
            "sort=comment",
            "sort=",
            "sort=%2B-amount",
            "sort=amount,number,accountId",
            "amount=much",
            "amount=NaN",
            "amount=1_0",
            "amount=%C2%B2",
            "amount=%D9%A1",
            "amount=1e9999999999999999999",
            "createdDate=today",
            "createdDate=0001-01-01T00:00:00%2B14:00",
            f"page={'9' * 41}",
        ],
    )
    async def test_with_a_wrong_parameter_is_refused(self, paid: Caller, query: str) -> None:
        """With the category of its own that the newest version has for it, and below HTTP 200 in the oldest."""
        newest = await listed(paid, f"/v1/payments?{query}")
        oldest = await listed(paid, f"/v1/payments?{query}", **{"zuora-version": "187.0"})

        assert (newest.status_code, newest.json()["reasons"][0]["code"]) == (400, 53200027)
        assert (oldest.status_code, oldest.json()["reasons"][0]["code"]) == (200, 53200020)
        assert query.partition("=")[0] in newest.json()["reasons"][0]["message"]

    async def test_ignores_parameters_that_it_does_not_have(self, call_with: CallWith) -> None:
        """Unless a switch says otherwise."""
        lenient, strict = call_with(), call_with(unknown_selections="refuse")

        assert (await listed(lenient, "/v1/payments?accountID=x")).status_code == 200
        assert (await listed(strict, "/v1/payments?accountID=x")).status_code == 400

    async def test_holds_nothing_of_other_entities_and_orgs(self, paid: Caller) -> None:
        """The account of the payments is of the northern org."""
        south = await listed(paid, "/v1/payments", **{"zuora-org-ids": seed.ORG_SOUTH})
        europe = await listed(paid, "/v1/payments", **{"zuora-entity-ids": seed.ENTITY_EU})

        assert [payment["number"] for payment in south.json()["payments"]] == ["P-00000003"]
        assert europe.json()["payments"] == []

    async def test_needs_a_token(self, caller: Caller) -> None:
        """As every operation does."""
        assert (await caller.http.get("/v1/payments")).status_code == 401


class TestAListOfRefunds:
    """Of all payments."""

    async def test_is_filtered_and_sorted(self, paid: Caller) -> None:
        """By the payment, the way, the day and the amount."""
        for key, amount, way in (("P-00000001", 3, "Check"), ("P-00000005", 2, "Cash"), ("P-00000001", 1, "Cash")):
            await refund_externally(paid, key, amount, methodType=way, refundDate="2026-11-20")
        payment = (await listed(paid, "/v1/payments/P-00000001")).json()["id"]

        found = {}
        for query in (f"paymentId={payment}", "methodType=Cash", "sort=-amount", "refundDate=2026-11-21", "amount=2"):
            answer = (await listed(paid, f"/v1/refunds?{query}")).json()
            found[query.partition("=")[0]] = [int(refund["number"][-1]) for refund in answer["refunds"]]

        assert found == {
            "paymentId": [3, 1],
            "methodType": [3, 2],
            "sort": [3, 2, 1],
            "refundDate": [],
            "amount": [2],
        }

    async def test_refuses_an_order_that_it_does_not_have(self, caller: Caller) -> None:
        """The message names those that it has."""
        answer = await listed(caller, "/v1/refunds?sort=appliedAmount")

        assert answer.status_code == 400
        assert "refundDate" in answer.json()["reasons"][0]["message"]
