"""What Zuora, the network and the operator get wrong: one precise error each, and never a guess."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from aiohttp import web
from harness.authority import Authority
from harness.calls import refusal
from harness.controlled_emulator import DECRYPTION, answer_path_with
from harness.requests import decryption_request, payment_method_request, session_request
from harness.stack import LocalStack, running
from payorch import CallError
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from zuora_emulator import Emulator

Stub = service_grpc.PaymentOrchestrationServiceStub

FAULTS = [
    # fault, reason, outcome, advice, executions
    ("decryption:500", "UPSTREAM_INTERNAL", "UNKNOWN", "LOOK_UP", 0),
    ("decryption:502", "UPSTREAM_EDGE_FAILED", "UNKNOWN", "RESEND_SAME_REQUEST_ID", 0),
    ("decryption:504", "UPSTREAM_EDGE_FAILED", "UNKNOWN", "RESEND_SAME_REQUEST_ID", 0),
    ("decryption:429:70", "UPSTREAM_THROTTLED", "NOT_SENT", "RESEND_SAME_REQUEST_ID", 0),
    ("decryption:success_false:53000020", "UPSTREAM_REQUEST_REFUSED", "REFUSED", "FIX_REQUEST", 0),
    ("decryption:success_false:53000030", "UPSTREAM_RULE_BROKEN", "REFUSED", "FIX_REQUEST", 0),
    ("decryption:success_false:53000040", "UPSTREAM_NOT_FOUND", "REFUSED", "FIX_REQUEST", 0),
    ("decryption:success_false:53000050", "UPSTREAM_LOCKED", "REFUSED", "USE_NEW_REQUEST_ID", 0),
    ("decryption:success_false:53000060", "UPSTREAM_INTERNAL", "UNKNOWN", "LOOK_UP", 0),
    ("decryption:success_false:53000061", "UPSTREAM_TEMPORARY", "REFUSED", "USE_NEW_REQUEST_ID", 0),
    ("decryption:success_false:53000099", "UPSTREAM_GATEWAY_FAILED", "UNKNOWN", "LOOK_UP", 0),
    ("decryption:drop", "UPSTREAM_NO_ANSWER", "UNKNOWN", "RESEND_SAME_REQUEST_ID", 0),
    ("decryption:drop_after", "UPSTREAM_NO_ANSWER", "UNKNOWN", "RESEND_SAME_REQUEST_ID", 1),
    ("decryption:html", "UPSTREAM_EDGE_FAILED", "UNKNOWN", "RESEND_SAME_REQUEST_ID", 0),
    ("decryption:402_after", "UPSTREAM_CODE_UNKNOWN", "UNKNOWN", "LOOK_UP", 1),
    ("decryption:444_after", "UPSTREAM_EDGE_FAILED", "UNKNOWN", "RESEND_SAME_REQUEST_ID", 1),
    ("decryption:499_after", "UPSTREAM_EDGE_FAILED", "UNKNOWN", "RESEND_SAME_REQUEST_ID", 1),
    ("decryption:empty", "UPSTREAM_ANSWER_UNREADABLE", "UNKNOWN", "LOOK_UP", 1),
    ("decryption:truncated", "UPSTREAM_ANSWER_UNREADABLE", "UNKNOWN", "LOOK_UP", 1),
    ("decryption:declined_as_fault", "UPSTREAM_INTERNAL", "UNKNOWN", "LOOK_UP", 0),
    ("decryption:bad_coding", "UPSTREAM_ANSWER_UNREADABLE", "UNKNOWN", "LOOK_UP", 1),
    ("decryption:bad_coding:400", "UPSTREAM_ANSWER_UNREADABLE", "UNKNOWN", "LOOK_UP", 1),
    ("decryption:too_large:404", "UPSTREAM_ANSWER_UNREADABLE", "UNKNOWN", "LOOK_UP", 1),
    ("decryption:bomb:400", "UPSTREAM_ANSWER_UNREADABLE", "UNKNOWN", "LOOK_UP", 1),
    ("decryption:no_id", "UPSTREAM_ANSWER_INCOMPLETE", "UNKNOWN", "LOOK_UP", 1),
    ("decryption:declined", "PAYMENT_REFUSED_METHOD_CREATED", "PARTIAL", "LOOK_UP", 1),
    ("decryption:403", "UPSTREAM_PERMISSION_DENIED", "NOT_SENT", "RESEND_SAME_REQUEST_ID", 0),
    ("decryption:409", "UPSTREAM_INTERNAL", "UNKNOWN", "LOOK_UP", 0),
    ("decryption:422", "UPSTREAM_KEY_CONFLICT", "UNKNOWN", "LOOK_UP", 0),
    ("decryption:423", "UPSTREAM_INTERNAL", "UNKNOWN", "LOOK_UP", 0),
]


def _told(error: CallError) -> tuple[str, str, str]:
    outcome = call_pb2.Outcome.Name(error.outcome).removeprefix("OUTCOME_")
    return error.reason, outcome, call_pb2.Advice.Name(error.advice).removeprefix("ADVICE_")


@pytest.mark.asyncio
@pytest.mark.parametrize(("fault", "reason", "outcome", "advice", "executed"), FAULTS, ids=str)
async def test_each_fault_of_zuora_has_its_meaning(
    stack: LocalStack, stub: Stub, fault: str, reason: str, outcome: str, advice: str, executed: int
) -> None:
    """What may have been executed is never reported as refused or not sent."""
    stack.emulator.faults.add(fault, times="always")

    error = await refusal(stub.DecryptApplePay(decryption_request(), timeout=10))

    assert (reason, outcome, advice) == _told(error)
    assert executed == stack.emulator.ledger.count("decryption")


@pytest.mark.asyncio
@pytest.mark.parametrize("operation", ["sessions", "decryption", "payment_methods"])
async def test_a_wait_beyond_the_callers_deadline_is_not_begun(stack: LocalStack, stub: Stub, operation: str) -> None:
    """The caller learns what Zuora demands while it is still there, and nothing is sent after it has left."""
    stack.emulator.faults.add(f"{operation}:429:8", times="always")
    calls = {
        "sessions": lambda: stub.CreateSession(session_request(), timeout=4),
        "decryption": lambda: stub.DecryptApplePay(decryption_request(), timeout=4),
        "payment_methods": lambda: stub.CreatePaymentMethod(payment_method_request(), timeout=4),
    }

    error = await refusal(calls[operation]())

    assert ("UPSTREAM_THROTTLED", "NOT_SENT", "RESEND_SAME_REQUEST_ID") == _told(error)
    assert error.retry_delay_s is not None
    assert error.retry_delay_s >= 8
    assert stack.emulator.journal.count(operation) == 1


@pytest.mark.asyncio
async def test_a_method_that_exists_is_named_when_its_payment_failed(stack: LocalStack, stub: Stub) -> None:
    """A caller can find what was half done."""
    stack.emulator.faults.add("decryption:declined")

    error = await refusal(stub.DecryptApplePay(decryption_request(), timeout=10))

    assert error.call_outcome is not None
    created = stack.emulator.ledger.of("decryption")[0].effects["payment_method_id"]
    assert created == error.call_outcome.existing.payment_method_id


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["500", "empty", "no_id", "success_false:71012560", "bad_coding:400"])
async def test_a_session_in_doubt_is_replaced_by_another(stack: LocalStack, stub: Stub, kind: str) -> None:
    """There is nothing to look up; the record and GetIntent advise the same."""
    stack.emulator.faults.add(f"sessions:{kind}")
    request = session_request()

    errors = [await refusal(stub.CreateSession(request, timeout=10)) for _ in range(2)]

    for error in errors:
        assert ("UNKNOWN", "USE_NEW_REQUEST_ID") == _told(error)[1:]
    await stub.CreateSession(session_request(), timeout=10)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["bom", "utf_16", "long_header", "twice", "contradictory"])
async def test_an_answer_that_is_complete_is_read(stack: LocalStack, stub: Stub, kind: str) -> None:
    """Proxies and other people's servers write it in their way, and it says what it says; the token's answer too."""
    stack.emulator.faults.add(f"token:{kind}", times="always")
    stack.emulator.faults.add(f"decryption:{kind}", times="always")

    answer = await stub.DecryptApplePay(decryption_request(), timeout=10)

    (entry,) = stack.emulator.ledger.of("decryption")
    assert entry.effects["payment_id"] == answer.payment_id
    assert 1 == answer.call.attempt_count


@pytest.mark.asyncio
async def test_a_body_that_breaks_off_is_fetched_again(stack: LocalStack, stub: Stub) -> None:
    """The status says little without its body; the second attempt carries the same key, and there is one payment."""
    stack.emulator.faults.add("decryption:cut")
    stack.emulator.faults.add("decryption:cut:400")

    answer = await stub.DecryptApplePay(decryption_request(), timeout=10)

    (entry,) = stack.emulator.ledger.of("decryption")
    assert entry.effects["payment_id"] == answer.payment_id
    assert 3 == answer.call.attempt_count


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [200, 400, 404])
async def test_a_body_that_always_breaks_off_is_recorded(stack: LocalStack, stub: Stub, status: int) -> None:
    """Three attempts show it; later resends get the record, and the caller what can be known."""
    stack.emulator.faults.add(f"decryption:cut:{status}", times="always")
    request = decryption_request()

    errors = [await refusal(stub.DecryptApplePay(request, timeout=10)) for _ in range(2)]

    for error in errors:
        assert ("UPSTREAM_ANSWER_UNREADABLE", "UNKNOWN", "LOOK_UP") == _told(error)
    assert 3 == stack.emulator.journal.count("decryption")
    outcome = errors[0].call_outcome
    assert outcome is not None
    assert {status} == {attempt.http_status for attempt in outcome.attempts}
    assert all(attempt.zuora_request_id for attempt in outcome.attempts)


@pytest.mark.asyncio
async def test_a_limit_keeps_its_wait_beside_an_unreadable_body() -> None:
    """The header arrived, whatever the body is."""
    emulator, head = Emulator(), {"content-encoding": "gzip", "retry-after": "30"}
    answer_path_with(emulator, DECRYPTION, lambda: (429, b"{}", head))
    async with (
        running(emulator=emulator, tenants=("acme",)) as stack,
        grpc.aio.insecure_channel(stack.target) as channel,
    ):
        error = await refusal(Stub(channel).DecryptApplePay(decryption_request(), timeout=10))

    assert ("UPSTREAM_THROTTLED", 30) == (error.reason, error.retry_delay_s)


@pytest.mark.asyncio
async def test_a_limit_proves_nothing_beside_a_payment_method(stack: LocalStack, stub: Stub) -> None:
    """The request was executed, as the body says, although its coding is wrong."""
    stack.emulator.faults.add("decryption:bad_coding:429", times="always")

    error = await refusal(stub.DecryptApplePay(decryption_request(), timeout=10))

    assert ("UPSTREAM_ANSWER_UNREADABLE", "UNKNOWN", "LOOK_UP") == _told(error)
    assert error.call_outcome is not None
    assert error.call_outcome.existing.payment_method_id


@pytest.mark.asyncio
async def test_a_lost_answer_is_settled_by_the_services_own_resend(stack: LocalStack, stub: Stub) -> None:
    """The connection drops after the payment; the second attempt carries the same key, and there is one payment."""
    stack.emulator.faults.add("decryption:drop_after")

    answer = await stub.DecryptApplePay(decryption_request(), timeout=10)

    assert 2 == answer.call.attempt_count
    entry = stack.emulator.ledger.of("decryption")[0]
    assert [entry] == stack.emulator.ledger.of("decryption")
    assert entry.effects["payment_id"] == answer.payment_id


@pytest.mark.asyncio
async def test_a_throttled_token_endpoint_is_asked_once() -> None:
    """Fifty calls at once and one after another: one request, and each caller learns how long to wait."""
    emulator = Emulator()
    emulator.faults.add("token:429:30", times="always")
    async with (
        running(emulator=emulator, tenants=("acme",)) as stack,
        grpc.aio.insecure_channel(stack.target) as channel,
    ):
        stub = Stub(channel)
        at_once = await asyncio.gather(
            *(refusal(stub.DecryptApplePay(decryption_request(), timeout=10)) for _ in range(25))
        )
        later = [await refusal(stub.CreateSession(session_request(), timeout=10)) for _ in range(25)]

    assert {("TOKEN_UNAVAILABLE", "NOT_SENT", "RESEND_SAME_REQUEST_ID")} == {_told(error) for error in at_once + later}
    assert all(0 < (error.retry_delay_s or 0) <= 30 for error in at_once + later)
    assert 1 == emulator.journal.count("token")


@pytest.mark.asyncio
async def test_a_refused_token_is_replaced_once(stack: LocalStack, stub: Stub) -> None:
    """The second attempt carries a new token and the same key."""
    await stub.CreateSession(session_request(), timeout=10)
    stack.emulator.faults.add("payment_methods:401")

    answer = await stub.CreatePaymentMethod(payment_method_request(), timeout=10)

    assert 2 == answer.call.attempt_count
    keys = [arrival.idempotency_key for arrival in stack.emulator.journal.of("payment_methods")]
    assert 2 == len(keys)
    assert 1 == len(set(keys))


@pytest.mark.asyncio
async def test_zuoras_refusal_of_our_credentials_is_never_the_callers_fault(stack: LocalStack, stub: Stub) -> None:
    """UNAUTHENTICATED would accuse the caller."""
    stack.emulator.faults.add("sessions:401", times="always")

    error = await refusal(stub.CreateSession(session_request(), timeout=10))

    assert grpc.StatusCode.FAILED_PRECONDITION == error.code
    assert "UPSTREAM_CREDENTIALS_REJECTED" == error.reason


@pytest.mark.asyncio
async def test_throttling_says_when_to_come_back(stack: LocalStack, stub: Stub) -> None:
    """Retry-After becomes RetryInfo."""
    stack.emulator.faults.add("sessions:429:70")

    error = await refusal(stub.CreateSession(session_request(), timeout=10))

    assert 70.0 == error.retry_delay_s


@pytest.mark.asyncio
async def test_wrong_credentials_name_the_tenant_in_readiness(tmp_path: Path) -> None:
    """The service stays up and says NOT_SERVING; a call is refused before anything of it is sent."""
    wrong = tmp_path / "wrong"
    wrong.write_text("not the secret")
    over = {"tenants": {"acme": {"client_secret_file": str(wrong)}}}
    async with running(over=over, tenants=("acme",)) as stack, grpc.aio.insecure_channel(stack.target) as channel:
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)

        error = await refusal(stub.CreateSession(session_request(), timeout=10))

        assert ("UPSTREAM_CREDENTIALS_REJECTED", "NOT_SENT") == _told(error)[:2]
        assert {"acme": False} == stack.application.components.health.states


@pytest.mark.asyncio
async def test_a_closed_upstream_is_not_sent() -> None:
    """Nobody listens on the discard port."""
    over = {"tenants": {"acme": {"base_url": "http://127.0.0.1:9"}}}
    async with running(over=over, tenants=("acme",)) as stack, grpc.aio.insecure_channel(stack.target) as channel:
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)

        error = await refusal(stub.CreateSession(session_request(), timeout=10))

        assert ("UPSTREAM_UNREACHABLE", "NOT_SENT", "RESEND_SAME_REQUEST_ID") == _told(error)


@pytest.mark.asyncio
async def test_an_expired_certificate_is_named(tmp_path: Path) -> None:
    """No byte of the request leaves, whatever the certificate's host."""
    async with (
        _expired_server(tmp_path) as (url, authority),
        running(
            over={"zuora_http": {"ca_file": str(authority)}, "tenants": {"acme": {"base_url": url}}}, tenants=("acme",)
        ) as stack,
        grpc.aio.insecure_channel(stack.target) as channel,
    ):
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)

        error = await refusal(stub.CreateSession(session_request(), timeout=10))

        assert ("UPSTREAM_TLS_FAILED", "NOT_SENT", "RESEND_SAME_REQUEST_ID") == _told(error)


@asynccontextmanager
async def _expired_server(folder: Path) -> AsyncIterator[tuple[str, Path]]:
    authority = Authority()
    (folder / "authority.pem").write_bytes(authority.certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("127.0.0.1", expired=True).write(folder, "expired"))
    runner = web.AppRunner(web.Application(), handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}", folder / "authority.pem"
    finally:
        await runner.cleanup()
