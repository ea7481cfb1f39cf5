"""Time, switches and tokens can be changed from any language while the emulator serves."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from contract.zuora_caller import MERCHANT, SESSIONS, Caller
from zuora_emulator import Emulator, ManualClock, Settings, SystemClock, seed
from zuora_emulator.apple_pay import DEFECTS, VARIANTS, AppleAuthority, RefusalReason, TokenRefused, open_token

pytestmark = pytest.mark.asyncio

STORE = {"currency": "USD", "amount": 1, "processPayment": False}
LATER = datetime(2026, 12, 1, tzinfo=UTC)
DECRYPTION = "/v1/payment-methods/decryption"


class TestTheIndex:
    """`GET /_emulator` is where a stranger begins."""

    async def test_lists_endpoints_that_all_answer(self, caller: Caller) -> None:
        """Every GET without a name in its path is called as listed."""
        listed = (await caller.http.get("/_emulator")).json()["endpoints"]

        answers = [await caller.http.get(row["path"]) for row in listed if row["method"] == "GET"]

        assert len(listed) > 20
        assert {answer.status_code for answer in answers} <= {200, 404}
        assert all(answer.headers["content-type"] == "application/json" for answer in answers)
        assert all(row["does"] for row in listed)

    async def test_every_wrong_method_is_answered_in_json(self, caller: Caller) -> None:
        """With a sentence, and the methods that the path has."""
        listed = (await caller.http.get("/_emulator")).json()["endpoints"]
        offered = {(row["method"], row["path"]) for row in listed}

        for path in {row["path"] for row in listed}:
            for method in ("DELETE", "GET", "PATCH", "POST", "PUT"):
                if (method, path) not in offered:
                    answer = await caller.http.request(method, path)
                    assert answer.status_code == 405, (method, path)
                    assert method not in answer.headers["allow"]
                    assert answer.json()["message"].endswith(".")

    async def test_an_unknown_path_points_to_the_index(self, caller: Caller) -> None:
        """It is no path of Zuora's, so it has no answer of Zuora's."""
        answer = await caller.http.get("/_emulator/nonsense/below")

        assert answer.status_code == 404
        assert answer.json() == {
            "message": "There is no /_emulator/nonsense/below; GET /_emulator lists the endpoints."
        }


class TestTheClock:
    """`/_emulator/clock` moves time for all that depends on it."""

    async def test_is_read_moved_and_set(self, caller: Caller) -> None:
        """Forward by seconds, and to a time, also an earlier one."""
        start = caller.clock.now()

        moved = await caller.http.post("/_emulator/clock", json={"seconds": 90.5})
        ahead = await caller.http.post("/_emulator/clock", json={"set": "2026-12-01T01:00:00+01:00"})
        back = await caller.http.post("/_emulator/clock", json={"set": "2026-11-20T12:00:00Z"})

        assert moved.json()["now"] == (start + timedelta(seconds=90.5)).isoformat()
        assert ahead.json()["now"] == LATER.isoformat()
        assert back.json() == (await caller.http.get("/_emulator/clock")).json()
        assert back.json() == {"now": "2026-11-20T12:00:00+00:00", "next_due": None}

    async def test_ends_the_life_of_an_access_token(self, caller: Caller) -> None:
        """An hour after it was issued."""
        headers = await caller.bearer()

        await caller.http.post("/_emulator/clock", json={"seconds": 3599})
        before = await caller.http.post(SESSIONS, json=STORE, headers=headers)
        await caller.http.post("/_emulator/clock", json={"seconds": 1})
        after = await caller.http.post(SESSIONS, json=STORE, headers=headers)

        assert (before.status_code, after.status_code) == (200, 401)

    async def test_ends_the_life_of_an_idempotency_key(self, caller: Caller) -> None:
        """A day after it was set."""
        first = await caller.post(SESSIONS, STORE, idempotency_key="k")
        await caller.http.post("/_emulator/clock", json={"seconds": 86_399})
        replay = await caller.post(SESSIONS, STORE, idempotency_key="k")
        await caller.http.post("/_emulator/clock", json={"seconds": 1})
        fresh = await caller.post(SESSIONS, STORE, idempotency_key="k")

        assert replay.json() == first.json() != fresh.json()

    async def test_of_a_served_emulator_goes_on_from_there(self) -> None:
        """The machine's clock is moved too, by what it is ahead."""
        emulator = Emulator(clock=SystemClock())
        transport = httpx.ASGITransport(emulator.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://zuora") as http:
            answer = await http.post("/_emulator/clock", json={"set": "2031-01-01T00:00:00Z"})

        assert answer.json()["now"].startswith("2031-01-01T00:00:0")

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"seconds": -1},
            {"seconds": True},
            {"seconds": "60"},
            {"seconds": 1e300},
            {"set": "9999-12-31T23:59:59Z"},
            {"set": "0001-01-01T00:00:00Z"},
            {"seconds": 1, "set": "2026-12-01T00:00:00Z"},
            {"set": "2026-12-01T00:00:00"},
            {"set": "tomorrow"},
            {"set": "2026-12-01-05:00"},
            {"set": "9999-12-31T23:59:59-23:59"},
            {"set": "0001-01-01T00:00:00+23:59"},
            {"set": 7},
            {"hours": 1},
        ],
    )
    async def test_refuses_what_it_cannot_read(self, caller: Caller, body: dict[str, Any]) -> None:
        """In a sentence, and time stays as it is."""
        answer = await caller.http.post("/_emulator/clock", json=body)

        assert (answer.status_code, answer.json()["message"][-1]) == (400, ".")
        assert caller.clock.now() == ManualClock().now()


class TestSwitches:
    """`/_emulator/switches` changes what the next call meets."""

    async def test_take_effect_at_once(self, caller: Caller) -> None:
        """In every part of the emulator that reads a switch: the path, limits, keys and shapes of errors."""
        other_path = f"/v1{SESSIONS}"
        first = await caller.post(SESSIONS, STORE, idempotency_key="k")
        closed = await caller.post(other_path, STORE)
        await caller.http.patch(
            "/_emulator/switches",
            json={"accept_v1_sessions_path": True, "body_mismatch": "refuse", "sessions_failures": "success_false"},
        )

        opened = await caller.post(other_path, STORE)
        mismatch = await caller.post(SESSIONS, STORE | {"amount": 2}, idempotency_key="k")
        refused = await caller.post(SESSIONS, {})
        await caller.http.patch("/_emulator/switches", json={"rate_limit_per_minute": 1})
        limited = await caller.post(SESSIONS, STORE)

        assert (first.status_code, closed.status_code, opened.status_code) == (200, 404, 200)
        assert (mismatch.status_code, refused.status_code, limited.status_code) == (422, 200, 429)

    async def test_can_be_read_back(self, caller: Caller) -> None:
        """Words become what they mean, as on the command line."""
        changes = {"token_limit_per_minute": "7", "concurrency_limit": None, "decline_payments": "true"}

        answer = await caller.http.patch("/_emulator/switches", json=changes)

        switches = (await caller.http.get("/_emulator/switches")).json()["switches"]
        assert answer.json()["switches"] == switches
        assert switches["token_limit_per_minute"] == 7
        assert (switches["concurrency_limit"], switches["decline_payments"]) == (None, True)

    @pytest.mark.parametrize("body", [{"nonsense": 1}, {"missing_entity": "perhaps"}, {"decline_payments": 7}])
    async def test_are_set_together_or_not_at_all(self, caller: Caller, body: dict[str, Any]) -> None:
        """A mistake in one leaves the others as they were."""
        answer = await caller.http.patch("/_emulator/switches", json={"code_type": "text"} | body)

        assert (answer.status_code, answer.json()["message"][-1]) == (400, ".")
        assert caller.emulator.settings == Settings()

    async def test_go_back_with_a_reset(self, caller: Caller) -> None:
        """A test that changes one need not know how it stood."""
        await caller.http.patch("/_emulator/switches", json={"decline_payments": True})

        await caller.http.post("/_emulator/reset")

        assert caller.emulator.settings == Settings()

    async def test_of_one_emulator_are_not_those_of_another(self) -> None:
        """Two that were made with the same settings."""
        shared = Settings()
        first, second = Emulator(settings=shared), Emulator(settings=shared)

        first.settings.switch({"decline_payments": True})

        assert not second.settings.decline_payments
        assert not shared.decline_payments


class TestAppleTokens:
    """`/_emulator/apple-pay-tokens` mints for every language."""

    async def test_opens_with_the_amount_that_was_asked_for(self, caller: Caller) -> None:
        """Under the published authority, at the emulator's time."""
        body = {"amount": "5000", "currency": "JPY"}

        answer = await caller.http.post("/_emulator/apple-pay-tokens", json=body)

        clear = opened(answer.json()["token"], caller.clock.now())
        assert (clear.amount_minor, clear.currency_numeric) == (5000, "392")
        assert answer.json()["refused_as"] is None

    async def test_pays_an_invoice(self) -> None:
        """With nothing but HTTP."""
        emulator = Emulator(clock=ManualClock())
        caller = Caller(
            emulator=emulator,
            clock=ManualClock(),
            http=httpx.AsyncClient(transport=httpx.ASGITransport(emulator.app), base_url="http://zuora"),
        )
        body = {"amount": "42.50", "currency": "USD"}
        token = (await caller.http.post("/_emulator/apple-pay-tokens", json=body)).json()["token"]
        request = {
            "integrationType": "ApplePay",
            "merchantID": MERCHANT,
            "paymentToken": token,
            "processPayment": True,
            "accountID": seed.ACCOUNT_US.id,
            "invoiceId": "INV00000002",
            "paymentGateway": seed.GATEWAY_US.name,
        }

        answer = await caller.post(DECRYPTION, request)

        assert answer.json()["amount"] == "42.50"
        await caller.http.aclose()

    async def test_is_of_the_variants_that_were_asked_for(self, caller: Caller) -> None:
        """By name and together, with the application data and the transaction id of the caller."""
        body = {
            "amount": "1",
            "currency": "USD",
            "variants": ["rsa", "emv"],
            "application_data": "order 17",
            "transaction_id": "AB" * 32,
        }

        answer = await caller.http.post("/_emulator/apple-pay-tokens", json=body)

        clear = opened(answer.json()["token"], caller.clock.now())
        assert answer.json()["token"]["version"] == "RSA_v1"
        assert clear.payment_data_type == "EMV"
        assert clear.application_data == hashlib.sha256(b"order 17").digest()
        assert clear.transaction_id == "ab" * 32

    async def test_lists_the_variants(self, caller: Caller) -> None:
        """With their meanings."""
        listed = (await caller.http.get("/_emulator/apple-pay-tokens")).json()["variants"]

        assert listed == {name: variant.meaning for name, variant in VARIANTS.items()}

    @pytest.mark.parametrize("name", list(DEFECTS))
    async def test_has_the_defect_that_was_asked_for(self, caller: Caller, name: str) -> None:
        """Each is refused for its own reason, and the answer names it."""
        body = {"amount": "1", "currency": "USD", "defect": name}

        answer = await caller.http.post("/_emulator/apple-pay-tokens", json=body)

        with pytest.raises(TokenRefused) as caught:
            opened(answer.json()["token"], caller.clock.now())
        assert caught.value.reason == DEFECTS[name].refused_as == answer.json()["refused_as"]

    async def test_has_a_defect_for_every_reason(self, caller: Caller) -> None:
        """The catalogue reaches each check of the decryption."""
        listed = (await caller.http.get("/_emulator/apple-pay-tokens")).json()["defects"]

        assert {row["refused_as"] for row in listed} == set(RefusalReason)
        assert [row["name"] for row in listed] == list(DEFECTS)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"amount": 1, "currency": "USD"},
            {"amount": "0", "currency": "USD"},
            {"amount": "NaN", "currency": "USD"},
            {"amount": "1.234", "currency": "USD"},
            {"amount": "1E+5000", "currency": "USD"},
            {"amount": "1" + 15 * "0", "currency": "USD"},
            {"amount": "1", "currency": "XXX"},
            {"amount": "1", "currency": ["USD"]},
            {"amount": "1", "currency": "USD", "defect": "nonsense"},
            {"amount": "1", "currency": "USD", "defect": ["stale"]},
            {"amount": "1", "currency": "USD", "merchant_id": "nobody"},
            {"amount": "1", "currency": "USD", "unknown": 1},
            {"amount": "1", "currency": "USD", "variants": "rsa"},
            {"amount": "1", "currency": "USD", "variants": [["rsa"]]},
            {"amount": "1", "currency": "USD", "variants": ["RSA"]},
            {"amount": "1", "currency": "USD", "variants": ["rsa", "leading_zero_secret"]},
            {"amount": "1", "currency": "USD", "application_data": 17},
            {"amount": "1", "currency": "USD", "transaction_id": "ab"},
        ],
    )
    async def test_refuses_what_it_cannot_mint(self, caller: Caller, body: dict[str, Any]) -> None:
        """In a sentence."""
        answer = await caller.http.post("/_emulator/apple-pay-tokens", json=body)

        assert (answer.status_code, answer.json()["message"][-1]) == (400, ".")


class TestRevocation:
    """`DELETE /_emulator/access-tokens` ends tokens before their time."""

    async def test_makes_every_token_unknown(self, caller: Caller) -> None:
        """The next call is unauthorized, and a new token serves."""
        headers = await caller.bearer()

        revoked = await caller.http.delete("/_emulator/access-tokens")

        assert revoked.json() == {"revoked": 1}
        assert (await caller.http.post(SESSIONS, json=STORE, headers=headers)).status_code == 401
        assert (await caller.post(SESSIONS, STORE)).status_code == 200


def opened(token: Any, now: datetime) -> Any:
    return open_token(authority=AppleAuthority.published(), merchant_id=MERCHANT, token=token, now=now)
