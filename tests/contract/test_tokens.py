import re
from datetime import timedelta
from typing import Any

import pytest
from contract.zuora_caller import SESSIONS, Caller, CallWith
from zuora_emulator import seed

pytestmark = pytest.mark.asyncio

SESSION = {"currency": "USD", "amount": 1, "processPayment": False}


async def test_issuing_has_the_documented_body(caller: Caller) -> None:
    answer = await caller.token(**{"zuora-track-id": "track-1"})

    body = answer.json()
    assert answer.status_code == 200
    assert re.fullmatch("[0-9a-f]{32}", body["access_token"])
    assert (body["token_type"], body["expires_in"]) == ("bearer", 3599)
    assert f"entity.{seed.ENTITY_US}" in body["scope"].split()
    assert answer.headers["zuora-track-id"] == "track-1"
    assert caller.emulator.ledger.count("token") == 1


async def test_issuing_narrows_to_the_named_entity(caller: Caller) -> None:
    answer = await caller.token(**{"zuora-entity-ids": seed.ENTITY_EU})

    assert seed.ENTITY_US not in answer.json()["scope"]
    headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await caller.http.post(SESSIONS, json=SESSION, headers=headers)).status_code == 200
    assert caller.emulator.ledger.of("sessions")[0].entity == seed.ENTITY_EU


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"zuora-entity-ids": seed.ENTITY_US.replace("-", "")}, 400, "only the hyphenated form is documented"),
        ({"zuora-entity-ids": seed.ENTITY_OTHER}, 401, "an entity of another tenant"),
        ({"zuora-track-id": "a:b"}, 400, "a forbidden character"),
    ],
)
async def test_issuing_refuses_headers(caller: Caller, headers: dict[str, str], status: int, reason: str) -> None:
    answer = await caller.token(**headers)

    assert (answer.status_code, caller.emulator.ledger.count("token")) == (status, 0), reason


@pytest.mark.parametrize(
    ("name", "status"), [("authorization", 401), ("apiAccessKeyId", 400), ("apiSecretAccessKey", 400)]
)
async def test_issuing_refuses_credentials_in_headers_by_a_switch(
    caller: Caller, call_with: CallWith, name: str, status: int
) -> None:
    strict = call_with(token_auth_header="refuse")

    assert (await caller.token(**{name: "Bearer x"})).status_code == 200
    assert (await strict.token(**{name: "Bearer x"})).status_code == status


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"client_secret": "emulator-wrong"}, 401),
        ({"client_id": "x" * 36}, 401),
        ({"client_id": "short"}, 400),
        ({"client_secret": "x" * 43}, 400),
        ({"grant_type": "password"}, 400),
    ],
)
async def test_issuing_refuses_forms(caller: Caller, form: dict[str, str], status: int) -> None:
    right = {
        "client_id": seed.CLIENT_A.client_id,
        "client_secret": seed.CLIENT_A.client_secret,
        "grant_type": "client_credentials",
    }

    answer = await caller.http.post("/oauth/token", data=right | form)

    assert answer.status_code == status
    assert answer.json()["message"]


async def test_issuing_refuses_json(caller: Caller) -> None:
    answer = await caller.http.post("/oauth/token", json={"client_id": seed.CLIENT_A.client_id})

    assert answer.status_code == 400


async def test_issuing_refusal_shape_is_a_switch(call_with: CallWith) -> None:
    caller = call_with(token_refusal="reasons")

    answer = await caller.http.post("/oauth/token", data={"grant_type": "password"})

    assert answer.json()["reasons"][0]["code"] == 90000011


async def test_issuing_limits_requests_of_one_address(call_with: CallWith) -> None:
    caller = call_with(token_limit_per_minute=1)

    first, second = await caller.token(), await caller.token()
    caller.clock.advance(timedelta(minutes=1))
    third = await caller.token()

    assert [answer.status_code for answer in (first, second, third)] == [200, 429, 200]
    assert second.headers["x-ratelimit-remaining-minute"] == "0"


@pytest.mark.parametrize(("after", "status"), [(timedelta(minutes=59, seconds=59), 200), (timedelta(hours=1), 401)])
async def test_using_ends_after_an_hour(caller: Caller, after: timedelta, status: int) -> None:
    headers = await caller.bearer()

    caller.clock.advance(after)

    assert (await caller.http.post(SESSIONS, json=SESSION, headers=headers)).status_code == status


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic abc", "Bearer"])
async def test_using_is_required(caller: Caller, authorization: str | None) -> None:
    answer = await caller.post(SESSIONS, SESSION, authorization=authorization)

    assert answer.status_code == 401
    assert answer.json() == {"message": "Authentication error"}
    assert "Bearer" in answer.headers["www-authenticate"]
    assert len(answer.headers["zuora-request-id"]) == 36


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("user_info", {"message": "Failed to get user info"}),
        ("reasons", {"success": False, "reasons": [{"code": 90000011, "message": "Authentication error"}]}),
    ],
)
async def test_using_unauthorized_body_is_a_switch(call_with: CallWith, shape: str, expected: Any) -> None:
    answer = await call_with(unauthorized_body=shape).post(SESSIONS, SESSION, authorization=None)

    assert answer.json() == expected
