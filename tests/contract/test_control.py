import pytest
from contract.zuora_caller import DECRYPTION, Caller, decryption

pytestmark = pytest.mark.asyncio


async def test_balances_can_be_read(caller: Caller) -> None:
    await caller.post(DECRYPTION, decryption())

    invoice = (await caller.http.get("/_emulator/invoices/INV00000002")).json()
    missing = await caller.http.get("/_emulator/invoices/INV99999999")

    assert (invoice["balance"], invoice["currency"]) == ("0.00", "USD")
    assert missing.status_code == 404
    assert len((await caller.http.get("/_emulator/invoices")).json()["invoices"]) == 9
    assert len((await caller.http.get("/_emulator/accounts")).json()["accounts"]) == 6


async def test_ledger_gives_amounts_as_text(caller: Caller) -> None:
    await caller.post(DECRYPTION, decryption())

    entries = (await caller.http.get("/_emulator/ledger")).json()["entries"]

    assert [entry["operation"] for entry in entries] == ["token", "decryption"]
    assert (entries[1]["amount"], entries[1]["currency"]) == ("42.50", "USD")


async def test_faults_are_added_listed_and_cleared(caller: Caller) -> None:
    added = await caller.http.post("/_emulator/faults", json={"fault": "sessions:500", "times": "always"})
    await caller.http.post("/_emulator/faults", json={"fault": "token:429:1"})
    faulty = await caller.token()
    cleared = await caller.http.delete("/_emulator/faults", params={"operation": "sessions"})

    assert added.json() == {"faults": [{"fault": "sessions:500", "times": "always"}]}
    assert faulty.status_code == 429
    assert cleared.json() == {"faults": []}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"fault": 1}',
        b'{"fault": "nonsense"}',
        b'{"fault": "sessions:%s"}' % (b"5" * 5000),
        b'{"fault": "sessions:%s_after"}' % (b"5" * 5000),
        b'{"fault": "sessions:cut:%s"}' % (b"5" * 5000),
        b'{"fault": "sessions:500", "times": 0}',
        b'{"fault": "sessions:500", "times": true}',
    ],
)
async def test_bad_faults_are_refused_in_a_sentence(caller: Caller, body: bytes) -> None:
    answer = await caller.http.post("/_emulator/faults", content=body)

    assert answer.status_code == 400
    assert answer.json()["message"].endswith(".")


@pytest.mark.parametrize("newest", ["0", "-1", "x", "\u0663", "9" * 5000])
async def test_a_wrong_number_of_entries_is_refused_in_a_sentence(caller: Caller, newest: str) -> None:
    answer = await caller.http.get("/_emulator/ledger", params={"newest": newest})

    assert answer.status_code == 400
    assert answer.json()["message"].endswith(".")


async def test_reset_goes_back_to_the_seed(caller: Caller) -> None:
    await caller.post(DECRYPTION, decryption(), idempotency_key="k")
    caller.emulator.faults.add("sessions:500")

    await caller.http.post("/_emulator/reset")

    assert caller.emulator.ledger.entries == []
    assert caller.emulator.journal.entries == []
    assert (await caller.http.get("/_emulator/invoices/INV00000002")).json()["balance"] == "42.50"
    assert (await caller.post(DECRYPTION, decryption(), idempotency_key="k")).json()["amount"] == "42.50"
    assert caller.emulator.ledger.count("decryption") == 1
