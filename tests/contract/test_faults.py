import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from contract.zuora_caller import DECRYPTION, METHODS, METHODS_V1, SESSIONS, Caller, CallWith, decryption
from zuora_emulator import ConnectionCut
from zuora_emulator.errors import QUICKSTART_TYPES

pytestmark = pytest.mark.asyncio

BODIES = {
    "sessions": (SESSIONS, {"currency": "USD", "amount": 1, "processPayment": False}),
    "decryption": (DECRYPTION, decryption()),
    "payment_methods": (METHODS, {"type": "paypal_express_native", "paypal_express_native": {"baid": "b"}}),
    "payment_methods_v1": (METHODS_V1, {"type": "PayPalCP", "BAID": "b"}),
}
OPERATIONS = pytest.mark.parametrize("operation", BODIES)


async def meet(caller: Caller, operation: str, fault: str) -> httpx.Response:
    """Send a good call of the operation into the fault."""
    caller.emulator.faults.add(f"{operation}:{fault}")
    path, body = BODIES[operation]
    return await caller.post(path, body)


@OPERATIONS
@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 423, 429, 500, 502, 503, 504])
async def test_status_is_answered_without_execution(caller: Caller, operation: str, status: int) -> None:
    answer = await meet(caller, operation, str(status))

    assert answer.status_code == status
    assert caller.emulator.ledger.count(operation) == 0
    assert answer.headers["zuora-emulator"] == "not-zuora"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 423, 429, 500, 502, 503, 504])
async def test_status_of_quickstart_has_its_shape(caller: Caller, status: int) -> None:
    answer = await meet(caller, "payment_methods", str(status))

    assert answer.json()["type"] == QUICKSTART_TYPES[status]
    assert ("retryable" in answer.json()) is (status in {400, 401, 404, 405})


async def test_status_500_of_v1_is_a_system_error(caller: Caller) -> None:
    answer = await meet(caller, "decryption", "500")

    assert answer.json()["reasons"][0]["code"] == "SystemError"
    assert "success" not in answer.json()


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_status_of_the_edge_is_html(caller: Caller, status: int) -> None:
    answer = await meet(caller, "decryption", str(status))

    assert answer.headers["content-type"] == "text/html"


@pytest.mark.parametrize(("fault", "expected"), [("429", "120"), ("429:7", "7"), ("503:9", "9"), ("503", None)])
async def test_status_says_when_to_come_again(caller: Caller, fault: str, expected: Any) -> None:
    answer = await meet(caller, "decryption", fault)

    assert answer.headers.get("retry-after") == expected


async def test_status_429_of_v1_is_the_concurrency_limit(caller: Caller) -> None:
    answer = await meet(caller, "decryption", "429")

    assert answer.json()["reasons"][0]["code"] == 50000070


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
async def test_status_of_the_token_endpoint(caller: Caller, status: int) -> None:
    caller.emulator.faults.add(f"token:{status}")

    assert (await caller.token()).status_code == status
    assert (await caller.token()).status_code == 200
    assert caller.emulator.ledger.count("token") == 1


@OPERATIONS
async def test_body_success_false(caller: Caller, operation: str) -> None:
    answer = await meet(caller, operation, "success_false:53000060")

    assert (answer.status_code, answer.json()["success"]) == (200, False)
    assert int(answer.json()["reasons"][0]["code"]) == 53000060
    assert caller.emulator.ledger.count(operation) == 0


@OPERATIONS
async def test_body_html(caller: Caller, operation: str) -> None:
    answer = await meet(caller, operation, "html")

    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")
    assert caller.emulator.ledger.count(operation) == 0


@OPERATIONS
async def test_body_empty(caller: Caller, operation: str) -> None:
    answer = await meet(caller, operation, "empty")

    assert (answer.status_code, answer.content) == (200, b"")
    assert caller.emulator.ledger.count(operation) == 1


@OPERATIONS
async def test_body_truncated(caller: Caller, operation: str) -> None:
    answer = await meet(caller, operation, "truncated")

    assert answer.is_success
    with pytest.raises(ValueError, match=r"line 1 column"):
        answer.json()
    assert caller.emulator.ledger.count(operation) == 1


@OPERATIONS
async def test_body_no_id(caller: Caller, operation: str) -> None:
    answer = await meet(caller, operation, "no_id")

    assert answer.is_success
    assert not {"id", "token", "paymentMethodId", "paymentId"} & set(answer.json())
    assert caller.emulator.ledger.count(operation) == 1


async def test_body_no_id_of_a_token(caller: Caller) -> None:
    caller.emulator.faults.add("token:no_id")

    assert "access_token" not in (await caller.token()).json()


async def test_body_declined(caller: Caller) -> None:
    answer = await meet(caller, "decryption", "declined")

    assert answer.json()["success"] is False
    assert answer.json()["paymentMethodId"]


@OPERATIONS
@pytest.mark.parametrize("status", [400, 499, 520])
async def test_status_after_is_executed_and_kept_under_its_key(caller: Caller, operation: str, status: int) -> None:
    path, body = BODIES[operation]
    caller.emulator.faults.add(f"{operation}:{status}_after")

    answer = await caller.post(path, body, idempotency_key="k")
    again = await caller.post(path, body, idempotency_key="k")

    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html")
    assert "zuora-request-id" not in answer.headers
    assert again.is_success
    assert caller.emulator.ledger.count(operation) == 1


@OPERATIONS
@pytest.mark.parametrize(("fault", "executed"), [("drop", False), ("drop_after", True)])
async def test_connection_is_cut(caller: Caller, operation: str, fault: str, executed: int) -> None:
    with pytest.raises(ConnectionCut):
        await meet(caller, operation, fault)

    assert caller.emulator.ledger.count(operation) == executed
    assert caller.emulator.journal.of(operation)[0].outcome == "cut"


@OPERATIONS
@pytest.mark.parametrize(("fault", "executed"), [("silence", 0), ("silence_after", 1)])
async def test_connection_is_silent(caller: Caller, operation: str, fault: str, executed: int) -> None:
    waiting = asyncio.ensure_future(meet(caller, operation, fault))
    while [arrival.outcome for arrival in caller.emulator.journal.of(operation)] != ["cut"]:
        await asyncio.sleep(0)

    assert caller.emulator.ledger.count(operation) == executed
    assert not waiting.done()
    waiting.cancel()


@OPERATIONS
async def test_connection_is_slow_by_the_clock(caller: Caller, operation: str) -> None:
    before = caller.clock.now()

    answer = await meet(caller, operation, "slow:30")

    assert answer.is_success
    assert caller.clock.now() - before == timedelta(seconds=30)


async def test_connection_that_the_caller_leaves_is_executed_nevertheless(call_with: CallWith) -> None:
    caller = call_with(jump=False)
    path, body = BODIES["sessions"]
    caller.emulator.faults.add("sessions:slow:30")
    async with asyncio.TaskGroup() as tasks:
        leaving = tasks.create_task(caller.post(path, body, idempotency_key="k"))
        await caller.clock.until_somebody_sleeps()
        leaving.cancel()

    again = await caller.post(path, body, idempotency_key="k")

    assert again.status_code == 200
    assert caller.emulator.ledger.count("sessions") == 1


async def test_queue_is_used_up_in_order(caller: Caller) -> None:
    for fault in ("sessions:500", "sessions:503"):
        caller.emulator.faults.add(fault)
    path, body = BODIES["sessions"]

    answers = [await caller.post(path, body) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [500, 503, 200]


async def test_queue_always_stays(caller: Caller) -> None:
    caller.emulator.faults.add("sessions:500", times="always")
    path, body = BODIES["sessions"]

    answers = [await caller.post(path, body) for _ in range(3)]
    caller.emulator.faults.clear()

    assert [answer.status_code for answer in answers] == [500, 500, 500]
    assert (await caller.post(path, body)).status_code == 200


async def test_limits_of_calls_in_flight(call_with: CallWith) -> None:
    caller = call_with(concurrency_limit=1, jump=False)
    path, body = BODIES["payment_methods_v1"]
    caller.emulator.faults.add("payment_methods_v1:slow:30")
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(caller.post(path, body))
        await caller.clock.until_somebody_sleeps()
        second = await caller.post(path, body)
        caller.clock.advance(timedelta(seconds=30))

    assert first.result().status_code == 200
    assert (second.status_code, second.headers["retry-after"]) == (429, "120")
    assert (await caller.post(path, body)).status_code == 200


async def test_limits_of_requests_in_a_minute(call_with: CallWith) -> None:
    caller = call_with(rate_limit_per_minute=1)
    path, body = BODIES["payment_methods_v1"]

    first, second = await caller.post(path, body), await caller.post(path, body)

    assert [first.status_code, second.status_code] == [200, 429]
    assert second.json()["reasons"][0]["code"] == 70
    assert int(second.headers["ratelimit-reset"]) <= 60
