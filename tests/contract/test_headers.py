import gzip
from datetime import timedelta

import pytest
from contract.zuora_caller import DECRYPTION, METHODS, METHODS_V1, SESSIONS, Caller, CallWith
from zuora_emulator import seed

pytestmark = pytest.mark.asyncio

SESSION = {"currency": "USD", "amount": 1, "processPayment": False}
METHOD_V1 = {"type": "Example__c_10001"}


async def test_track_id_is_echoed_when_sent(caller: Caller) -> None:
    sent = await caller.post(SESSIONS, SESSION, zuora_track_id="a" * 64)
    unsent = await caller.post(SESSIONS, SESSION)

    assert sent.headers["zuora-track-id"] == "a" * 64
    assert "zuora-track-id" not in unsent.headers
    assert caller.emulator.ledger.of("sessions")[0].track_id == "a" * 64


@pytest.mark.parametrize("bad", ["a" * 65, "a:b", "a;b", 'a"b', "a'b", "\xe9"])
@pytest.mark.parametrize("path", [SESSIONS, DECRYPTION, METHODS, METHODS_V1])
async def test_track_id_is_refused_when_malformed(caller: Caller, path: str, bad: str) -> None:
    answer = await caller.http.post(path, json={}, headers={"zuora-track-id": bad.encode("latin-1")})

    assert answer.status_code == 400


@pytest.mark.parametrize("bad", ["a" * 65, "a:b"])
async def test_track_id_is_named_where_reasons_have_a_parameter(caller: Caller, bad: str) -> None:
    answer = await caller.http.post(METHODS, json={}, headers={"zuora-track-id": bad})

    assert answer.json()["errors"][0]["parameter"] == "zuora-track-id"


async def test_track_id_must_not_be_repeated(caller: Caller) -> None:
    headers = [*(await caller.bearer()).items(), ("zuora-track-id", "a"), ("zuora-track-id", "b")]

    assert (await caller.http.post(SESSIONS, json=SESSION, headers=headers)).status_code == 400


@pytest.mark.parametrize(
    ("entity", "status", "reason"),
    [
        (seed.ENTITY_EU, 200, "hyphens, as the token endpoint writes ids"),
        (seed.ENTITY_EU.replace("-", ""), 200, "32 digits, as the SDK's sample writes them"),
        (None, 400, "the token spans several"),
        (f"{seed.ENTITY_EU},{seed.ENTITY_US}", 400, "one id despite the plural"),
        ("nonsense", 400, "no id"),
        (seed.ENTITY_SINGLE, 403, "not in the token"),
    ],
)
async def test_entity_of_a_token_of_several(caller: Caller, entity: str | None, status: int, reason: str) -> None:
    answer = await caller.post(SESSIONS, SESSION, zuora_entity_ids=entity)

    assert answer.status_code == status, reason


async def test_entity_missing_may_mean_the_first(call_with: CallWith) -> None:
    caller = call_with(missing_entity="first")

    await caller.post(SESSIONS, SESSION, zuora_entity_ids=None)

    assert caller.emulator.ledger.of("sessions")[0].entity == seed.ENTITY_US


@pytest.mark.parametrize(("switch", "status"), [("accept", 200), ("refuse", 400)])
async def test_entity_of_a_single_entity_token(call_with: CallWith, switch: str, status: int) -> None:
    caller = call_with(single_entity_header=switch)

    answer = await caller.post(SESSIONS, SESSION, client=seed.CLIENT_B, zuora_entity_ids=seed.ENTITY_SINGLE)

    assert answer.status_code == status


async def test_entity_hides_the_accounts_of_others(caller: Caller) -> None:
    seen = await caller.post(SESSIONS, SESSION | {"accountId": seed.ACCOUNT_US.id})
    hidden = await caller.post(SESSIONS, SESSION | {"accountId": seed.ACCOUNT_US.id}, zuora_entity_ids=seed.ENTITY_EU)
    foreign = await caller.post(SESSIONS, SESSION | {"accountId": seed.ACCOUNT_US.id}, client=seed.CLIENT_C)

    assert [answer.status_code for answer in (seen, hidden, foreign)] == [200, 404, 404]


@pytest.mark.parametrize(
    ("orgs", "status"),
    [
        (seed.ORG_NORTH, 200),
        (f"{seed.ORG_NORTH}, {seed.ORG_SOUTH}", 200),
        (f"{seed.ORG_NORTH},{seed.ORG_FORBIDDEN}", 400),
        ("", 400),
    ],
)
@pytest.mark.parametrize("path", [SESSIONS, METHODS_V1])
async def test_orgs_must_be_the_users(caller: Caller, orgs: str, status: int, path: str) -> None:
    body = SESSION if path == SESSIONS else METHOD_V1

    assert (await caller.post(path, body, zuora_org_ids=orgs)).status_code == status


async def test_orgs_narrow_what_is_seen(caller: Caller) -> None:
    body = METHOD_V1 | {"accountKey": seed.ACCOUNT_US_SOUTH.number}

    seen = await caller.post(METHODS_V1, body, zuora_org_ids=seed.ORG_SOUTH)
    hidden = await caller.post(METHODS_V1, body, zuora_org_ids=seed.ORG_NORTH)

    assert [seen.status_code, hidden.status_code] == [200, 404]


@pytest.mark.parametrize(("switch", "status"), [("refuse", 400), ("ignore", 200)])
async def test_orgs_without_multi_org(call_with: CallWith, switch: str, status: int) -> None:
    caller = call_with(unwanted_orgs=switch)

    answer = await caller.post(SESSIONS, SESSION, client=seed.CLIENT_B, zuora_org_ids=seed.ORG_NORTH)

    assert answer.status_code == status


@pytest.mark.parametrize(("version", "status"), [("2025-08-12", 400), ("2024-05-20", 400), ("341.0", 200), (None, 200)])
async def test_version_decides_the_status_of_failures(caller: Caller, version: str | None, status: int) -> None:
    answer = await caller.post(METHODS_V1, {}, zuora_version=version)

    body = answer.json()
    assert answer.status_code == status
    assert body["success"] is False
    assert body["reasons"][0]["code"] == 53010022
    assert len(body["processId"]) == 16
    assert body["requestId"] == answer.headers["zuora-request-id"]


async def test_version_of_the_tenant_counts_without_the_header(call_with: CallWith) -> None:
    caller = call_with(tenant_version="2024-05-20")

    assert (await caller.post(METHODS_V1, {}, zuora_version=None)).status_code == 400


async def test_version_must_exist(caller: Caller) -> None:
    assert (await caller.post(METHODS_V1, METHOD_V1, zuora_version="1.0")).status_code == 400


@pytest.mark.parametrize(("switch", "kind"), [("documented", int), ("text", str)])
async def test_version_type_of_codes_is_a_switch(call_with: CallWith, switch: str, kind: type) -> None:
    answer = await call_with(code_type=switch).post(METHODS_V1, {})

    assert isinstance(answer.json()["reasons"][0]["code"], kind)


async def test_compression_of_requests(caller: Caller) -> None:
    headers = await caller.bearer() | {"content-encoding": "gzip"}

    answer = await caller.http.post(SESSIONS, headers=headers, content=gzip.compress(b'{"currency":"USD",'
        b'"amount":1,"processPayment":false}'))  # fmt: skip
    broken = await caller.http.post(SESSIONS, headers=headers, content=b"{}")

    assert [answer.status_code, broken.status_code] == [200, 400]


async def test_compression_of_long_answers_only(caller: Caller) -> None:
    body = {"type": "ach_debit", "ach_debit": {f"unknown_{number}": 1 for number in range(40)}}

    long = await caller.post(METHODS, body, accept_encoding="gzip")
    plain = await caller.post(METHODS, body, accept_encoding="identity")
    short = await caller.post(SESSIONS, SESSION, accept_encoding="gzip")

    assert long.headers["content-encoding"] == "gzip"
    assert long.json() == plain.json()
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in short.headers


@pytest.mark.parametrize("path", ["/oauth/token", SESSIONS, METHODS, "/nowhere", "/_emulator/health"])
async def test_every_answer_is_marked(caller: Caller, path: str) -> None:
    answer = await caller.http.get(path)

    assert answer.headers["zuora-emulator"] == "not-zuora"


@pytest.mark.parametrize("path", ["/oauth/token", SESSIONS, METHODS])
async def test_every_answer_has_the_date_of_the_emulators_clock(caller: Caller, path: str) -> None:
    before = await caller.http.post(path)
    caller.clock.advance(timedelta(hours=25, seconds=0.9))

    after = await caller.http.post(path)

    assert before.headers.get_list("date") == ["Fri, 20 Nov 2026 12:00:00 GMT"]
    assert after.headers.get_list("date") == ["Sat, 21 Nov 2026 13:00:00 GMT"]


async def test_every_answer_reports_limits(caller: Caller) -> None:
    answer = await caller.post(METHODS_V1, METHOD_V1)

    assert answer.headers["ratelimit-limit"] == "50000, 50000;w=60, 2250000;w=3600, 27000000;w=86400"
    assert answer.headers["ratelimit-remaining"] == "49999"
    assert answer.headers["concurrency-limit-type"] == "Default"
    assert answer.headers["concurrency-limit-remaining"] == "39"


async def test_every_answer_is_a_refusal_for_other_methods(caller: Caller) -> None:
    answer = await caller.http.put(METHODS, json={}, headers=await caller.bearer())

    assert answer.status_code == 405
    assert answer.json()["type"] == "method_not_allowed"
