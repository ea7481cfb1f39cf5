"""The Python client against the service, from threads and from tasks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import payorch
import pytest
from harness.authority import AUDIENCE, ISSUER, Authority, Issuer, key_set
from harness.requests import decryption_request, payment_method_request, session_request
from harness.stack import LocalStack, running
from opentelemetry import context, trace
from payorch.channel import ConnectOptions
from payorch.timing import SYSTEM
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as pb
from payorch_server.zuora.retry import MAX_ATTEMPTS

AUTHORITY = Authority()
TOKENS = Issuer()
SHOP = "spiffe://example.org/ns/shop/sa/checkout"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.asyncio
async def test_each_rpc_once_from_tasks(stack: LocalStack) -> None:
    """Requests get an id, and answers come typed."""
    session, method = session_request(), payment_method_request()
    session.request_id = ""
    async with payorch.aio.connect(stack.target, plaintext=True) as client:
        created = await client.create_session(session)
        decrypted = await client.decrypt_apple_pay(decryption_request())
        saved = await client.create_payment_method(method)
        told = await client.get_intent(
            pb.GetIntentRequest(request_id=created.call.request_id, operation=pb.OPERATION_CREATE_SESSION)
        )

    assert 32 == len(created.session.token)
    assert decrypted.payment_method_id
    assert saved.payment_method.id
    assert pb.INTENT_STATE_SETTLED == told.intent_state
    assert [1, 1, 1] == [stack.emulator.ledger.count(name) for name in ("sessions", "decryption", "payment_methods")]


@pytest.mark.asyncio
async def test_each_rpc_once_from_threads(stack: LocalStack) -> None:
    """The same without an event loop."""

    def calls() -> tuple[Any, ...]:
        with payorch.connect(stack.target, plaintext=True) as client:
            session = session_request()
            return (
                client.create_session(session).session.token,
                client.decrypt_apple_pay(decryption_request()).payment_method_id,
                client.create_payment_method(payment_method_request()).payment_method.id,
                client.get_intent(
                    pb.GetIntentRequest(request_id=session.request_id, operation=pb.OPERATION_CREATE_SESSION)
                ).intent_state,
            )

    answers = await asyncio.to_thread(calls)

    assert all(answers)
    assert [1, 1, 1] == [stack.emulator.ledger.count(name) for name in ("sessions", "decryption", "payment_methods")]


@pytest.mark.asyncio
async def test_a_request_is_a_template_for_many(stack: LocalStack) -> None:
    """A made id is written into the answer alone; a resend needs it."""
    request = session_request()
    request.request_id = ""
    async with payorch.aio.connect(stack.target, plaintext=True) as client:
        first = await client.create_session(request)
        second = await client.create_session(request)
        request.request_id = first.call.request_id
        again = await client.create_session(request)

    assert first.session.token != second.session.token
    assert first.session.token == again.session.token
    assert call_pb2.REPLAY_YES == again.call.replayed
    assert 2 == stack.emulator.ledger.count("sessions")


@pytest.mark.asyncio
async def test_track_id_and_trace_go_along(stack: LocalStack) -> None:
    """The caller's own Track-Id reaches Zuora; without one it is made of the caller's trace."""
    span = trace.NonRecordingSpan(
        trace.SpanContext(int(TRACE, 16), 1, is_remote=False, trace_flags=trace.TraceFlags(1))
    )
    async with payorch.aio.connect(stack.target, plaintext=True) as client:
        with payorch.tracked("order-4711"):
            await client.create_session(session_request())
        token = context.attach(trace.set_span_in_context(span))
        await client.create_session(session_request())
        context.detach(token)

    own, minted = (entry.track_id for entry in stack.emulator.ledger.of("sessions"))
    assert "order-4711" == own
    assert str(minted).startswith(f"{TRACE}-")


@pytest.mark.asyncio
async def test_errors_are_typed(stack: LocalStack) -> None:
    """Reason, outcome, advice, violations and codes, and the id for a resend."""
    broken = session_request()
    broken.one_time_payment.amount.currency_code = "XXX"
    unknown_account = session_request()
    unknown_account.one_time_payment.account_id = "unknown"
    async with payorch.aio.connect(stack.target, plaintext=True) as client:
        with pytest.raises(payorch.NotSentError) as not_sent:
            await client.create_session(broken)
        with pytest.raises(payorch.RefusedError) as refused, payorch.tracked("order-4712"):
            await client.create_session(unknown_account)

    assert ("REQUEST_INVALID", call_pb2.ADVICE_FIX_REQUEST) == (
        not_sent.value.error.reason,
        not_sent.value.error.advice,
    )
    assert ["one_time_payment.amount.currency_code"] == [
        violation.field for violation in not_sent.value.error.violations
    ]
    told = refused.value.error
    assert ("UPSTREAM_NOT_FOUND", "order-4712", unknown_account.request_id) == (
        told.reason,
        told.track_id,
        refused.value.request_id,
    )
    assert told.zuora_codes
    assert grpc.StatusCode.NOT_FOUND is told.code


@pytest.mark.asyncio
async def test_a_deadline_is_the_callers(stack: LocalStack) -> None:
    """The service continues the execution; its outcome is unknown so far, and the advice is to resend."""
    stack.emulator.faults.add("sessions:slow:5")
    async with payorch.aio.connect(stack.target, plaintext=True) as client:
        with pytest.raises(payorch.OutcomeUnknownError) as caught:
            await client.create_session(session_request(), deadline_s=0.5)

    assert grpc.StatusCode.DEADLINE_EXCEEDED is caught.value.error.code


@pytest.mark.asyncio
@pytest.mark.parametrize("resend", [payorch.Resend(), None])
async def test_an_unavailable_answer_is_retried_with_the_same_intent(
    stack: LocalStack, resend: payorch.Resend | None
) -> None:
    """By the client's own loop or by the published service config, and executed once."""
    for _ in range(MAX_ATTEMPTS + 1):
        stack.emulator.faults.add("sessions:503")
    async with payorch.aio.connect(stack.target, plaintext=True, resend=resend) as client:
        answer = await client.create_session(session_request())

    assert 32 == len(answer.session.token)
    assert 1 == stack.emulator.ledger.count("sessions")
    assert 1 == len({sent.idempotency_key for sent in stack.emulator.journal.of("sessions")})


def secured(folder: Path) -> dict[str, Any]:
    """Return settings of a service that asks for certificates and takes tokens, and write the files they name."""
    certificate, key = AUTHORITY.issue("127.0.0.1", "localhost").write(folder, "server")
    (folder / "authority.pem").write_bytes(AUTHORITY.certificate)
    (folder / "keys.json").write_bytes(key_set(TOKENS))
    everything = {"*": {"entities": ["*"], "orgs": ["*"]}}
    return {
        "grpc": {
            "tls": {
                "certificate_file": certificate,
                "key_file": key,
                "client_ca_file": str(folder / "authority.pem"),
            }
        },
        "identity": {
            "jwt": {"own": {"key_set_file": str(folder / "keys.json"), "issuer": ISSUER, "audience": AUDIENCE}}
        },
        "access": {
            "callers": [
                {"caller": SHOP, "namespace": "shop", "rpcs": ["*"], "tenants": everything},
                {"caller": "jwt:batch", "namespace": "batch", "rpcs": ["GetIntent"], "tenants": everything},
            ]
        },
    }


@pytest.mark.asyncio
async def test_certificate_and_token_tell_who_calls(tmp_path: Path) -> None:
    """With its certificate it is the shop; with a token as well it is what the token says."""
    certificate, key = AUTHORITY.issue(SHOP).write(tmp_path, "caller")

    async def token(_refresh: bool) -> str:  # noqa: FBT001 - as suppliers of tokens are called
        return TOKENS.token("batch")

    async with running(over=secured(tmp_path)) as stack:
        tls = payorch.Tls.from_files(
            ca_file=str(tmp_path / "authority.pem"), certificate_file=certificate, key_file=key
        )
        async with payorch.aio.connect(stack.target, tls=tls) as shop:
            answer = await shop.create_session(session_request())
        async with payorch.aio.connect(stack.target, tls=tls, token=token) as batch:
            with pytest.raises(payorch.NotSentError) as caught:
                await batch.create_session(session_request())

    assert 32 == len(answer.session.token)
    assert "CALLER_NOT_PERMITTED" == caught.value.error.reason


@pytest.mark.asyncio
@pytest.mark.parametrize("waits", ["threads", "tasks"])
async def test_a_renewed_certificate_is_shown_without_a_new_client(tmp_path: Path, waits: str) -> None:
    """The process outlives its certificate; here the new one is of a caller without rights, to tell them apart."""
    certificate, key = AUTHORITY.issue(SHOP).write(tmp_path, "caller")
    later_s = 0.0
    timing = replace(SYSTEM, monotonic_s=lambda: SYSTEM.monotonic_s() + later_s)

    async with running(over=secured(tmp_path)) as stack:
        tls = payorch.Tls.from_files(
            ca_file=str(tmp_path / "authority.pem"), certificate_file=certificate, key_file=key
        )
        chosen = ConnectOptions(
            tls=tls, plaintext=False, with_token=False, resend=None, errors_url="", service_config="{}", options=(),
            timing=timing,
        )  # fmt: skip
        async with opened(stack.target, chosen, waits) as create_session:
            before = await create_session(session_request())
            AUTHORITY.issue("spiffe://example.org/ns/shop/sa/another").write(tmp_path, "caller")
            later_s = 60.0
            with pytest.raises(payorch.NotSentError) as caught:
                await create_session(session_request())

    assert before.session.token
    assert "CALLER_NOT_PERMITTED" == caught.value.error.reason


@asynccontextmanager
async def opened(
    target: str, chosen: ConnectOptions, waits: str
) -> AsyncIterator[Callable[[pb.CreateSessionRequest], Awaitable[pb.CreateSessionResponse]]]:
    """Connect one client, for threads or for tasks, until the block ends; yield what creates a session."""
    if waits == "tasks":
        async with payorch.aio.AsyncClient(payorch.aio.sender_of(target, chosen, None, ())) as client:
            yield client.create_session
        return
    with payorch.Client(payorch.client.sender_of(target, chosen, None, ())) as blocking:
        yield lambda request: asyncio.to_thread(blocking.create_session, request)
