"""The index and the page at `/`, and what they read from the control endpoints."""

import re

import pytest
from contract.zuora_caller import DECRYPTION, METHODS, SESSIONS, Caller, decryption
from zuora_emulator.operations import BY_NAME

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SESSION = {"currency": "USD", "amount": 1, "processPayment": False}


@pytest.mark.asyncio
class TestTheIndex:
    """`/` is for people; what a client of Zuora sends there gets Zuora's answer."""

    async def test_lists_every_control_endpoint(self, caller: Caller) -> None:
        """A program gets the same list as from the control endpoints' own index."""
        index = await caller.http.get("/")

        assert index.json() == (await caller.http.get("/_emulator")).json()
        assert index.headers["zuora-emulator"] == "not-zuora"
        assert {"GET", "/_emulator/journal"} <= {*index.json()["endpoints"][2].values()}

    async def test_is_a_page_for_a_browser(self, caller: Caller) -> None:
        """It begins by saying that it is not Zuora."""
        page = await caller.http.get("/", headers=BROWSER)

        assert page.headers["content-type"].startswith("text/html")
        assert page.headers["zuora-emulator"] == "not-zuora"
        assert "This is not Zuora." in page.text.partition("<main>")[0]

    @pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "PATCH", "POST", "PUT"])
    async def test_is_missing_for_a_call_that_changes_something(self, caller: Caller, method: str) -> None:
        """Only reading is answered."""
        answer = await caller.http.request(method, "/", headers=BROWSER)

        assert (answer.status_code, answer.json()["reasons"][0]["code"]) == (404, 50000040)

    async def test_is_missing_for_a_client_of_zuora(self, caller: Caller) -> None:
        """A call with credentials gets the same answer as for any other path that Zuora does not have."""
        headers = BROWSER | await caller.bearer()

        answer, other = [await caller.http.get(path, headers=headers) for path in ("/", "/elsewhere")]

        assert (answer.status_code, answer.content) == (404, other.content)


@pytest.mark.asyncio
class TestThePage:
    """Its files come from the emulator alone."""

    async def test_loads_nothing_from_elsewhere(self, caller: Caller) -> None:
        """Every address in it is a path that answers, and scripts of other origins are refused by its policy."""
        page = await caller.http.get("/", headers=BROWSER)
        addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        answers = {address: await caller.http.get(address) for address in addresses if address != "data:,"}

        assert {address: answer.status_code for address, answer in answers.items()} == {
            "/_emulator": 200,
            "/_emulator/page.css": 200,
            "/_emulator/page.js": 200,
        }
        assert "://" not in page.text + answers["/_emulator/page.css"].text + answers["/_emulator/page.js"].text
        policy = page.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'"} <= {*policy}
        assert not any("unsafe" in rule for rule in policy)

    async def test_suggests_faults_that_exist(self, caller: Caller) -> None:
        """Each of its suggestions can be switched on."""
        page = (await caller.http.get("/", headers=BROWSER)).text
        suggested = re.findall(r'<option value="([^"]+:[^"]+)">', page)

        for fault in suggested:
            assert (await caller.http.post("/_emulator/faults", json={"fault": fault})).status_code == 200, fault
        assert {fault.partition(":")[0] for fault in suggested} - {"*"} <= {*BY_NAME}
        assert suggested


@pytest.mark.asyncio
class TestTheJournal:
    """It has the answers, and finds calls."""

    async def test_has_what_was_answered(self, caller: Caller) -> None:
        """Ids are shown, and what is not listed is masked."""
        paid = (await caller.post(DECRYPTION, decryption())).json()
        await caller.post(SESSIONS, SESSION)

        decrypted, session = (await caller.http.get("/_emulator/journal?newest=3")).json()["entries"][::2]

        assert decrypted["answer"]["paymentMethodId"] == paid["paymentMethodId"]
        assert session["answer"]["token"] == "***"

    async def test_has_the_reasons_of_a_refusal(self, caller: Caller) -> None:
        """The sentences are shown, unless they repeat a name that the caller chose."""
        await caller.post(METHODS, {"type": "card", "card": {"brand": "visa"}})
        await caller.post(METHODS, {"type": "card", "surprise": 1})

        entries = (await caller.http.get("/_emulator/journal")).json()["entries"]
        known, unknown = (entry["answer"]["errors"] for entry in entries if entry["operation"] == "payment_methods")

        assert {"card.card_number"} <= {error["parameter"] for error in known}
        assert [error["parameter"] for error in unknown if error["code"] == "unknown_parameter"] == ["***"]

    async def test_finds_the_calls_of_a_track_id(self, caller: Caller) -> None:
        """So does the ledger."""
        for track_id in ("order-1", "order-2", "order-2"):
            await caller.post(SESSIONS, SESSION, zuora_track_id=track_id)

        for book in ("journal", "ledger"):
            found = (await caller.http.get(f"/_emulator/{book}?track_id=order-2")).json()["entries"]
            newest = (await caller.http.get(f"/_emulator/{book}?track_id=order-2&newest=1")).json()["entries"]
            assert (len(found), newest) == (2, found[1:]), book

    @pytest.mark.parametrize("newest", ["0", "-1", "x", "1.5", "9999999999", "²"])
    async def test_refuses_a_count_that_is_none(self, caller: Caller, newest: str) -> None:
        """In a sentence."""
        answer = await caller.http.get("/_emulator/journal", params={"newest": newest})

        assert (answer.status_code, answer.json()["message"][-1]) == (400, ".")


@pytest.mark.asyncio
async def test_one_fault_is_removed(caller: Caller) -> None:
    """Others of its operation stay."""
    for fault in ("sessions:500", "sessions:html"):
        await caller.http.post("/_emulator/faults", json={"fault": fault})

    left = await caller.http.delete("/_emulator/faults", params={"fault": "sessions:500"})
    refused = await caller.http.delete("/_emulator/faults", params={"fault": "sessions"})

    assert left.json() == {"faults": [{"fault": "sessions:html", "times": 1}]}
    assert refused.status_code == 400
