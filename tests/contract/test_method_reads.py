"""What was created can be looked up, in pages too, and an orphan lives ten days unless it gets an account."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from contract.zuora_caller import DECRYPTION, METHODS, METHODS_V1, Caller, CallWith, apple_token, decryption
from zuora_emulator import seed

pytestmark = pytest.mark.asyncio

CARD = {
    "type": "card",
    "account_id": seed.ACCOUNT_US.id,
    "card": {"card_number": "4111111111111111", "brand": "visa", "expiry_month": 1, "expiry_year": 2031},
}
ORPHAN = {"type": "sepa_debit", "sepa_debit": {"IBAN": "DE89370400440532013000"}}
DAY_S = 86_400


async def get(caller: Caller, path: str, **more: Any) -> httpx.Response:
    return await caller.http.get(path, headers=await caller.bearer(more.pop("client", seed.CLIENT_A)), **more)


async def advance(caller: Caller, seconds: float) -> None:
    await caller.http.post("/_emulator/clock", json={"seconds": seconds})


class TestReadingAMethod:
    """With both APIs, whichever created it."""

    async def test_of_quickstart_is_what_the_creation_answered(self, caller: Caller) -> None:
        """And can be narrowed and expanded like it."""
        created = (await caller.post(METHODS, CARD)).json()

        read = await get(caller, f"{METHODS}/{created['id']}")
        narrowed = await get(caller, f"{METHODS}/{created['id']}", params={"fields[]": "id", "expand[]": "account"})

        assert read.json() == created
        assert set(narrowed.json()) == {"id", "account"}
        assert narrowed.json()["account"]["account_number"] == seed.ACCOUNT_US.number

    async def test_by_v1_shows_the_same_method(self, caller: Caller) -> None:
        """With the names and the mask of that API, and never the number."""
        created = (await caller.post(DECRYPTION, decryption())).json()

        read = (await get(caller, f"{METHODS_V1}/{created['paymentMethodId']}")).json()
        quickstart = (await get(caller, f"{METHODS}/{created['paymentMethodId']}")).json()

        assert (read["type"], read["status"], read["cardNumber"]) == ("CreditCard", "Active", "************1111")
        assert read["totalNumberOfProcessedPayments"] == quickstart["total_number_of_processed_payments"] == 1
        assert read["mandateInfo"] == {
            "mitProfileType": "Recurring",
            "mitConsentAgreementSrc": "External",
            "mandateStatus": "Active",
        }
        assert (quickstart["type"], quickstart["account_id"]) == ("card", seed.ACCOUNT_US.id)

    async def test_finds_nothing_of_others(self, caller: Caller) -> None:
        """Another tenant's, another entity's, another org's, and what never was."""
        created = (await caller.post(METHODS, CARD)).json()["id"]
        bearer = await caller.bearer()
        answers = [
            await get(caller, f"{METHODS}/{created}", client=seed.CLIENT_C),
            await caller.http.get(f"{METHODS}/{created}", headers=bearer | {"zuora-entity-ids": seed.ENTITY_EU}),
            await caller.http.get(f"{METHODS}/{created}", headers=bearer | {"zuora-org-ids": seed.ORG_SOUTH}),
            await get(caller, f"{METHODS}/{'0' * 32}"),
            await get(caller, f"{METHODS_V1}/{'0' * 32}"),
        ]

        assert [answer.status_code for answer in answers] == [404] * 5


class TestReadingThePaymentOfAnApplePayToken:
    """`GET /v1/payments/{key}` knows it like any other payment."""

    async def test_of_a_decryption_is_processed_and_applied(self, caller: Caller) -> None:
        """By id and by number."""
        created = (await caller.post(DECRYPTION, decryption())).json()

        read = (await get(caller, f"/v1/payments/{created['paymentId']}")).json()
        by_number = (await get(caller, f"/v1/payments/{read['number']}")).json()

        assert read == by_number
        assert (read["status"], read["amount"], read["appliedAmount"]) == ("Processed", 42.5, 42.5)
        assert (read["paymentMethodId"], read["gatewayId"]) == (created["paymentMethodId"], seed.GATEWAY_US.id)

    async def test_of_quickstart_names_its_method(self, caller: Caller) -> None:
        """Although the payment comes before the method."""
        wallet = {"customer_token": apple_token(4250), "collect_payment": True, "invoice_id": "INV00000002"}
        body = {"type": "apple_pay", "account_id": seed.ACCOUNT_US.id, "apple_pay": wallet}
        created = (await caller.post(METHODS, body)).json()

        read = (await get(caller, f"/v1/payments/{created['apple_pay']['payment_id']}")).json()

        assert (read["paymentMethodId"], read["amount"]) == (created["id"], 42.5)


class TestAnOrphan:
    """A method without an account."""

    async def test_is_deleted_after_ten_days(self, caller: Caller) -> None:
        """To the second, and only it."""
        orphan = (await caller.post(METHODS, ORPHAN)).json()["id"]
        kept = (await caller.post(METHODS, CARD)).json()["id"]

        await advance(caller, 10 * DAY_S - 1)
        before = await get(caller, f"{METHODS}/{orphan}")
        await advance(caller, 1)
        after = await get(caller, f"{METHODS}/{orphan}")

        assert (before.status_code, after.status_code) == (200, 404)
        assert (await get(caller, f"{METHODS}/{kept}")).status_code == 200

    @pytest.mark.parametrize("api", ["quickstart", "v1"])
    async def test_stays_when_it_gets_an_account(self, caller: Caller, api: str) -> None:
        """With the update of either API, and once only."""
        orphan = (await caller.post(METHODS, ORPHAN)).json()["id"]

        async def attach(account: str) -> httpx.Response:
            headers = await caller.bearer()
            if api == "v1":
                body = {"accountKey": account}
                return await caller.http.put(f"{METHODS_V1}/{orphan}", json=body, headers=headers)
            return await caller.http.patch(f"{METHODS}/{orphan}", json={"account_id": account}, headers=headers)

        attached = await attach(seed.ACCOUNT_US.id)
        other = await attach(seed.ACCOUNT_JPY.id)
        missing = await attach("nonsense")
        await advance(caller, 11 * DAY_S)

        assert [answer.status_code for answer in (attached, other, missing)] == [200, 400, 404 if api == "v1" else 400]
        assert (await get(caller, f"{METHODS}/{orphan}")).json()["account_id"] == seed.ACCOUNT_US.id

    async def test_lives_for_ever_if_a_switch_says_so(self, call_with: CallWith) -> None:
        """The newer text of the documentation has no ten days."""
        caller = call_with(orphan_days=None)
        orphan = (await caller.post(METHODS, ORPHAN)).json()["id"]

        await advance(caller, 1000 * DAY_S)

        assert (await get(caller, f"{METHODS}/{orphan}")).status_code == 200


class TestAList:
    """`GET /v2/payment_methods` gives pages."""

    async def test_gives_every_method_once_over_its_pages(self, caller: Caller) -> None:
        """The newest first; the last page has no next."""
        made = [(await caller.post(METHODS, CARD | {"is_default": index == 0})).json()["id"] for index in range(5)]

        pages, cursor = [], ""
        while cursor is not None:
            query = {"page_size": 2} | ({"cursor": cursor} if cursor else {})
            answer = (await get(caller, METHODS, params=query)).json()
            pages.append([method["id"] for method in answer["data"]])
            cursor = answer["next_page"]

        assert [len(page) for page in pages] == [2, 2, 1]
        assert [key for page in pages for key in page] == made[::-1]

    async def test_applies_filters_and_expansions(self, caller: Caller) -> None:
        """All filters at once; times compare as they are written."""
        await caller.post(METHODS, ORPHAN)
        await advance(caller, 60)
        card = (await caller.post(METHODS, CARD)).json()["id"]

        async def found(*filters: str) -> list[dict[str, Any]]:
            query = {"filter[]": list(filters), "fields[]": "id", "expand[]": "account"}
            return (await get(caller, METHODS, params=query)).json()["data"]

        [by_account] = await found(f"account_id.EQ:{seed.ACCOUNT_US.id}")
        assert (by_account["id"], by_account["account"]["id"]) == (card, seed.ACCOUNT_US.id)
        assert len(await found("type.NE:card")) == 1
        assert len(await found("created_time.GE:2026-11-20T12:01:00+00:00")) == 1
        assert await found("type.EQ:card", "state.EQ:closed") == []

    @pytest.mark.parametrize(
        "query", [{"cursor": "x"}, {"filter[]": "nonsense.EQ:1"}, {"filter[]": "type.XX:1"}, {"page_size": 100}]
    )
    async def test_refuses_what_it_does_not_know(self, caller: Caller, query: dict[str, Any]) -> None:
        """In the form of Quickstart's errors."""
        answer = await get(caller, METHODS, params=query)

        assert (answer.status_code, answer.json()["type"]) == (400, "bad_request")

    async def test_has_nothing_of_other_tenants(self, caller: Caller) -> None:
        """Nor of other entities."""
        await caller.post(METHODS, CARD)

        assert (await get(caller, METHODS, client=seed.CLIENT_C)).json()["data"] == []


class TestASortedList:
    """`sort[]` of Quickstart."""

    async def test_has_the_order_that_was_asked_for(self, caller: Caller) -> None:
        """The first field decides, then the next; cursors go through that order."""
        for intervals in (3, 1, None, 1):
            retry = {} if intervals is None else {"payment_retry_interval": intervals}
            await caller.post(METHODS, ORPHAN | retry)
            caller.clock.advance(timedelta(hours=1))
        order = "sort[]=payment_retry_interval.asc&sort[]=created_time.desc&page_size=3"

        first = (await get(caller, f"{METHODS}?{order}")).json()
        second = (await get(caller, f"{METHODS}?{order}&cursor={first['next_page']}")).json()
        turned = (await get(caller, f"{METHODS}?sort[]=payment_retry_interval.desc,created_time.asc")).json()

        data = [*first["data"], *second["data"]]
        assert [method.get("payment_retry_interval") for method in data] == [None, 1, 1, 3]
        assert data[1]["created_time"] > data[2]["created_time"]
        assert turned["data"] == [*reversed(data)]

    @pytest.mark.parametrize("sort", ["card.asc", "custom_fields.asc", "id", "id.ASC", "id.up", "nothing.asc", ""])
    async def test_is_refused_for_what_it_cannot_be_sorted_by(self, caller: Caller, sort: str) -> None:
        """The message names what it can be."""
        answer = await caller.http.get(f"{METHODS}?sort[]={sort}", headers=await caller.bearer())

        assert answer.status_code == 400
        assert "created_time" in answer.json()["errors"][0]["message"]
