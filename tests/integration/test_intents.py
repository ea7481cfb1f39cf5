"""One intent, one execution, over real sockets."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import httpx
import pytest
from harness.calls import refusal
from harness.controlled_emulator import DECRYPTION, TOKEN, ServedCalls, answer_path_with, frozen_emulator, wait_until
from harness.requests import (
    decryption_request,
    minted_token,
    new_request_id,
    payment_method_request,
    session_request,
    usd,
)
from harness.stack import LocalStack, running
from payorch import CallError
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.usecases import dispatcher
from zuora_emulator import Emulator, seed
from zuora_emulator.clock import ManualClock
from zuora_emulator.settings import Settings

Stub = service_grpc.PaymentOrchestrationServiceStub
MANY = 500
CHANNELS = 10
A_MINUTE = timedelta(minutes=1)
DECRYPT = service_pb2.OPERATION_DECRYPT_APPLE_PAY
# A channel of its own for each: otherwise all share one connection and its limit of streams.
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)


@dataclass(frozen=True, slots=True)
class Frozen:
    """A service before an emulator whose time stands still."""

    stack: LocalStack
    clock: ManualClock
    stub: Any
    arrivals: ServedCalls

    @property
    def emulator(self) -> Emulator:
        """The emulator."""
        return self.stack.emulator


PATIENT = {"grpc": {"max_start_delay_s": 10.0}}
"""Serves more calls at once than it can start within half a second."""


@asynccontextmanager
async def frozen_stack(*faults: str, over: dict[str, Any] | None = None) -> AsyncIterator[Frozen]:
    """Start both, with faults."""
    emulator, clock = frozen_emulator()
    arrivals = ServedCalls()
    for fault in faults:
        emulator.faults.add(fault)
    async with (
        running(emulator=emulator, over=over, tenants=("acme",), span_processors=(arrivals,)) as stack,
        grpc.aio.insecure_channel(stack.target) as channel,
    ):
        yield Frozen(stack, clock, service_grpc.PaymentOrchestrationServiceStub(channel), arrivals)


@asynccontextmanager
async def stubs(target: str) -> AsyncIterator[list[Any]]:
    """Open several connections."""
    async with AsyncExitStack() as stack:
        channels = [grpc.aio.insecure_channel(target, options=OWN_CONNECTION) for _ in range(CHANNELS)]
        for channel in channels:
            await stack.enter_async_context(channel)
        yield [service_grpc.PaymentOrchestrationServiceStub(channel) for channel in channels]


def outcome_of(error: CallError) -> tuple[str, str, str]:
    """Return reason, outcome and advice."""
    outcome = call_pb2.Outcome.Name(error.outcome).removeprefix("OUTCOME_")
    return error.reason, outcome, call_pb2.Advice.Name(error.advice).removeprefix("ADVICE_")


async def look_up(stub: Any, request_id: str, operation: Any = DECRYPT) -> service_pb2.GetIntentResponse:
    """Ask what became of an intent."""
    request = service_pb2.GetIntentRequest(request_id=request_id, operation=operation)
    return await stub.GetIntent(request, timeout=10)


async def resent(method: Any, request: Any) -> Any:
    """Follow the advice of STILL_RUNNING until there is an answer."""
    while True:
        call = method(request, timeout=10)
        if await call.code() is grpc.StatusCode.OK:
            return await call
        assert (await refusal(call)).reason == "STILL_RUNNING"


class TestEqualCalls:
    """Whatever comes at once."""

    @pytest.mark.asyncio
    async def test_five_hundred_cost_one_upstream_call(self) -> None:
        """All have arrived before Zuora answers; all get the one payment."""
        async with frozen_stack("decryption:slow:1", over=PATIENT) as here, stubs(here.stack.target) as many:
            request = decryption_request()

            calls = [many[n % CHANNELS].DecryptApplePay(request, timeout=18) for n in range(MANY)]
            await wait_until(lambda: here.arrivals.begun["DecryptApplePay"] == MANY)
            await here.clock.until_somebody_sleeps()
            here.clock.advance(A_MINUTE)
            answers = [await call for call in calls]

            assert 1 == here.emulator.journal.count("decryption")
            (entry,) = here.emulator.ledger.of("decryption")
            assert {entry.effects["payment_id"]} == {answer.payment_id for answer in answers}
            assert 1 == sum(answer.call.replayed == call_pb2.REPLAY_NO for answer in answers)
            assert len({answer.call.track_id for answer in answers}) == MANY

    @pytest.mark.asyncio
    async def test_five_hundred_on_a_cold_cache_cost_one_token_call(self) -> None:
        """Different intents, all before the first token."""
        async with frozen_stack("token:slow:1", over=PATIENT) as here, stubs(here.stack.target) as many:
            calls = [many[n % CHANNELS].CreateSession(session_request(), timeout=18) for n in range(MANY)]
            await wait_until(lambda: here.arrivals.begun["CreateSession"] == MANY)
            await here.clock.until_somebody_sleeps()
            here.clock.advance(A_MINUTE)
            answers = [await call for call in calls]

            assert 1 == here.emulator.journal.count("token")
            assert MANY == here.emulator.ledger.count("sessions") == len({one.session.token for one in answers})


class TestAnotherBody:
    """A changed request is a new intent."""

    @pytest.mark.asyncio
    async def test_is_refused_by_field_paths(self, stack: LocalStack, stub: Stub) -> None:
        """Names of fields, never values; and the first intent is as it was."""
        request = session_request("intent-of-one-body-1")
        await stub.CreateSession(request, timeout=10)
        request.one_time_payment.amount.CopyFrom(usd(200))
        request.route.entity = "us"

        error = await refusal(stub.CreateSession(request, timeout=10))

        assert ("INTENT_MISMATCH", "NOT_SENT", "FIX_REQUEST") == outcome_of(error)
        assert grpc.StatusCode.INVALID_ARGUMENT == error.code
        expected = ["one_time_payment.amount.nanos", "one_time_payment.amount.units", "route", "route.entity"]
        assert expected == [one.field for one in error.violations]
        assert 1 == stack.emulator.ledger.count("sessions")

    @pytest.mark.asyncio
    async def test_does_not_say_which_sensitive_field_differs(self, stack: LocalStack, stub: Stub) -> None:
        """A caller could otherwise try values."""
        request = payment_method_request("intent-of-one-body-2")
        await stub.CreatePaymentMethod(request, timeout=10)
        request.sepa_debit.iban = "DE02120300000000202051"

        error = await refusal(stub.CreatePaymentMethod(request, timeout=10))

        assert ["(a sensitive field)"] == [one.field for one in error.violations]
        assert "DE02" not in str(error)
        assert 1 == stack.emulator.ledger.count("payment_methods")

    @pytest.mark.asyncio
    async def test_is_refused_while_the_first_is_in_flight(self) -> None:
        """Not only when it has ended."""
        async with frozen_stack("decryption:slow:1") as here:
            request = decryption_request()
            first = here.stub.DecryptApplePay(request, timeout=15)
            await here.clock.until_somebody_sleeps()
            other = decryption_request(request.request_id, token_json=minted_token())

            error = await refusal(here.stub.DecryptApplePay(other, timeout=10))

            assert "INTENT_MISMATCH" == error.reason
            here.clock.advance(A_MINUTE)
            assert (await first).payment_id

    @pytest.mark.asyncio
    async def test_is_another_intent_in_another_operation(self, stack: LocalStack, stub: Stub) -> None:
        """The operation is part of the intent's name."""
        await stub.CreateSession(session_request("one-id-two-operations"), timeout=10)
        await stub.CreatePaymentMethod(payment_method_request("one-id-two-operations"), timeout=10)

        assert (1, 1) == (stack.emulator.ledger.count("sessions"), stack.emulator.ledger.count("payment_methods"))


class TestOwnership:
    """The flight belongs to the service."""

    @pytest.mark.asyncio
    async def test_goes_on_when_its_caller_cancels(self) -> None:
        """The resend gets the one payment."""
        async with frozen_stack("decryption:slow:1") as here:
            request = decryption_request()
            leaving = here.stub.DecryptApplePay(request, timeout=15)
            await here.clock.until_somebody_sleeps()

            leaving.cancel()
            await wait_until(lambda: here.arrivals.ended["DecryptApplePay"] == 1)
            resend = here.stub.DecryptApplePay(request, timeout=15)
            await wait_until(lambda: here.arrivals.begun["DecryptApplePay"] == 2)
            here.clock.advance(A_MINUTE)
            answer = await resend

            (entry,) = here.emulator.ledger.of("decryption")
            assert entry.effects["payment_id"] == answer.payment_id
            assert 1 == here.emulator.journal.count("decryption")

    @pytest.mark.asyncio
    async def test_serves_joiners_whose_leader_left(self) -> None:
        """The service has seen the leader go before Zuora answers."""
        async with frozen_stack("decryption:slow:1") as here:
            request = decryption_request()
            leader = here.stub.DecryptApplePay(request, metadata=(("zuora-track-id", "leader"),), timeout=15)
            await here.clock.until_somebody_sleeps()
            joiner = here.stub.DecryptApplePay(request, timeout=15)
            await wait_until(lambda: here.arrivals.begun["DecryptApplePay"] == 2)

            leader.cancel()
            await wait_until(lambda: here.arrivals.ended["DecryptApplePay"] == 1)
            here.clock.advance(A_MINUTE)
            answer = await joiner

            assert leader.cancelled()
            assert "leader" == answer.call.executed_track_id
            assert call_pb2.REPLAY_YES == answer.call.replayed
            assert 1 == here.emulator.ledger.count("decryption")

    @pytest.mark.asyncio
    async def test_outlives_a_short_deadline(self) -> None:
        """UNKNOWN with the advice to resend and until when; the resend returns the one payment."""
        over = {"grpc": {"default_deadline_s": 1.0, "max_deadline_s": 1.0}}
        async with frozen_stack("decryption:slow:1", over=over) as here:
            request = decryption_request()

            error = await refusal(here.stub.DecryptApplePay(request, timeout=15))

            assert ("STILL_RUNNING", "UNKNOWN", "RESEND_SAME_REQUEST_ID") == outcome_of(error)
            assert grpc.StatusCode.DEADLINE_EXCEEDED == error.code
            assert error.call_outcome is not None
            limit = error.call_outcome.resend_before_time.ToDatetime(UTC) - here.clock.now()
            assert timedelta(hours=22, minutes=58) < limit < timedelta(hours=23, minutes=2)
            here.clock.advance(A_MINUTE)
            answer = await resent(here.stub.DecryptApplePay, request)
            (entry,) = here.emulator.ledger.of("decryption")
            assert entry.effects["payment_id"] == answer.payment_id

    @pytest.mark.asyncio
    async def test_sends_nothing_when_too_little_time_is_left(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The caller's deadline is looked at before a record is written."""
        monkeypatch.setattr(dispatcher, "MIN_REMAINING_S", 30.0)
        async with frozen_stack() as here:
            request = decryption_request()

            error = await refusal(here.stub.DecryptApplePay(request, timeout=15))

            assert ("DEADLINE_TOO_SHORT", "NOT_SENT", "RESEND_SAME_REQUEST_ID") == outcome_of(error)
            assert 0 == here.emulator.journal.count("decryption")
            assert service_pb2.INTENT_STATE_NOT_FOUND == (await look_up(here.stub, request.request_id)).intent_state


class TestGetIntent:
    """What the service knows, without sending anything."""

    @pytest.mark.asyncio
    async def test_follows_an_intent(self) -> None:
        """Not found, in flight, settled."""
        async with frozen_stack("decryption:slow:1") as here:
            request = decryption_request()
            absent = await look_up(here.stub, request.request_id)
            call = here.stub.DecryptApplePay(request, metadata=(("zuora-track-id", "mine"),), timeout=15)
            await here.clock.until_somebody_sleeps()
            flying = await look_up(here.stub, request.request_id)
            here.clock.advance(A_MINUTE)
            answer = await call
            settled = await look_up(here.stub, request.request_id)

        assert service_pb2.GetIntentResponse(intent_state=service_pb2.INTENT_STATE_NOT_FOUND) == absent
        assert service_pb2.INTENT_STATE_IN_FLIGHT == flying.intent_state
        assert not flying.HasField("call_outcome")
        assert ["mine"] == list(flying.track_ids)
        assert answer.call.first_send_time == flying.first_send_time == settled.first_send_time
        assert service_pb2.INTENT_STATE_SETTLED == settled.intent_state
        assert (call_pb2.OUTCOME_SUCCEEDED, call_pb2.ADVICE_NONE) == (
            settled.call_outcome.outcome,
            settled.call_outcome.advice,
        )
        assert (answer.payment_method_id, answer.payment_id) == (
            settled.existing.payment_method_id,
            settled.existing.payment_id,
        )
        assert [answer.call.zuora_request_id] == list(settled.zuora_request_ids)
        assert list(filter(None, [answer.call.zuora_process_id])) == list(settled.zuora_process_ids)

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("fault", "outcome", "advice"),
        [
            ("decryption:success_false:53000030", "REFUSED", "FIX_REQUEST"),
            ("decryption:success_false:53000099", "UNKNOWN", "LOOK_UP"),
            ("decryption:declined", "PARTIAL", "LOOK_UP"),
            ("decryption:409", "UNKNOWN", "LOOK_UP"),
        ],
    )
    async def test_tells_the_same_as_the_call(
        self, stack: LocalStack, stub: Stub, fault: str, outcome: str, advice: str
    ) -> None:
        """Outcome, advice, codes and what exists."""
        stack.emulator.faults.add(fault, times="always")
        request = decryption_request()
        error = await refusal(stub.DecryptApplePay(request, timeout=10))

        found = await look_up(stub, request.request_id)

        assert error.call_outcome is not None
        assert (outcome, advice) == outcome_of(error)[1:]
        assert (error.outcome, error.advice) == (found.call_outcome.outcome, found.call_outcome.advice)
        assert error.call_outcome.existing == found.existing
        assert error.call_outcome.resend_before_time == found.call_outcome.resend_before_time
        if advice != "RESEND_SAME_REQUEST_ID":
            assert error.call_outcome.zuora_codes == found.call_outcome.zuora_codes

    @pytest.mark.asyncio
    async def test_forgets_what_was_never_sent(self, stack: LocalStack, stub: Stub) -> None:
        """A call that is refused before Zuora's business logic leaves no record."""
        stack.emulator.faults.add("decryption:429:70")
        request = decryption_request()
        await refusal(stub.DecryptApplePay(request, timeout=10))

        assert service_pb2.INTENT_STATE_NOT_FOUND == (await look_up(stub, request.request_id)).intent_state


class TestAppleToken:
    """A token is for one intent, through whichever RPC it comes."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("rpc", ["DecryptApplePay", "CreatePaymentMethod"])
    async def test_is_refused_under_another_intent(self, stack: LocalStack, stub: Stub, rpc: str) -> None:
        """The first has paid with it."""
        token_json = minted_token()
        first = await stub.DecryptApplePay(decryption_request(token_json=token_json), timeout=10)

        error = await refusal(getattr(stub, rpc)(_with_token(rpc, token_json), timeout=10))

        assert ("APPLE_PAY_TOKEN_REUSED", "NOT_SENT", "FIX_REQUEST") == outcome_of(error)
        assert grpc.StatusCode.ALREADY_EXISTS == error.code
        assert [first.payment_id] == [entry.effects["payment_id"] for entry in stack.emulator.ledger.of("decryption")]
        assert 0 == stack.emulator.journal.count("payment_methods")

    @pytest.mark.asyncio
    async def test_is_refused_while_the_first_is_unknown(self, stack: LocalStack, stub: Stub) -> None:
        """It may have been used."""
        stack.emulator.faults.add("decryption:drop_after", times=3)
        token_json = minted_token()
        lost = decryption_request(token_json=token_json)
        await refusal(stub.DecryptApplePay(lost, timeout=10))

        error = await refusal(stub.DecryptApplePay(decryption_request(token_json=token_json), timeout=10))

        assert "APPLE_PAY_TOKEN_REUSED" == error.reason
        answer = await stub.DecryptApplePay(lost, timeout=10)
        (entry,) = stack.emulator.ledger.of("decryption")
        assert entry.effects["payment_id"] == answer.payment_id

    @pytest.mark.asyncio
    @pytest.mark.parametrize("status", [402, 418, 444, 499])
    async def test_is_refused_after_a_4xx_of_an_edge(self, stack: LocalStack, stub: Stub, status: int) -> None:
        """Zuora has charged the card before the edge answered, so no new request id may use the token."""
        stack.emulator.faults.add(f"decryption:{status}_after", times=3)
        token_json = minted_token()
        await refusal(stub.DecryptApplePay(decryption_request(token_json=token_json), timeout=10))

        error = await refusal(stub.DecryptApplePay(decryption_request(token_json=token_json), timeout=10))

        assert "APPLE_PAY_TOKEN_REUSED" == error.reason
        assert 1 == stack.emulator.ledger.count("decryption")

    @pytest.mark.asyncio
    async def test_is_free_after_a_refusal_before_the_gateway(self, stack: LocalStack, stub: Stub) -> None:
        """Zuora found no such invoice; the corrected request is a new intent with the same token."""
        token_json = minted_token()
        wrong = decryption_request(token_json=token_json)
        wrong.pay_invoice.invoice = "INV99999999"
        error = await refusal(stub.DecryptApplePay(wrong, timeout=10))
        assert "REFUSED" == outcome_of(error)[1]

        answer = await stub.DecryptApplePay(decryption_request(token_json=token_json), timeout=10)

        (entry,) = stack.emulator.ledger.of("decryption")
        assert entry.effects["payment_id"] == answer.payment_id


def _with_token(rpc: str, token_json: bytes) -> Any:
    if rpc == "DecryptApplePay":
        return decryption_request(token_json=token_json)
    request = payment_method_request()
    request.apple_pay.token_json = token_json
    request.apple_pay.no_charge.SetInParent()
    return request


class TestLostAnswers:
    """The answer was lost after the payment."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("headers", ["stored", "fresh"])
    async def test_is_settled_by_the_services_own_resend(self, headers: Any) -> None:
        """Success within the deadline; the ledger shows one payment, and GetIntent tells the same."""
        emulator = Emulator(settings=Settings(replay_headers=headers))
        emulator.faults.add("decryption:drop_after")
        async with (
            running(emulator=emulator, tenants=("acme",)) as stack,
            grpc.aio.insecure_channel(stack.target) as channel,
        ):
            stub = service_grpc.PaymentOrchestrationServiceStub(channel)
            request = decryption_request()

            answer = await stub.DecryptApplePay(request, timeout=15)
            again = await stub.DecryptApplePay(request, timeout=15)
            found = await look_up(stub, request.request_id)

        (entry,) = emulator.ledger.of("decryption")
        assert {entry.effects["payment_id"]} == {answer.payment_id, again.payment_id, found.existing.payment_id}
        assert (2, 0) == (answer.call.attempt_count, again.call.attempt_count)
        assert call_pb2.OUTCOME_SUCCEEDED == found.call_outcome.outcome

    @pytest.mark.asyncio
    async def test_is_settled_by_the_callers_resend(self, stack: LocalStack, stub: Stub) -> None:
        """When the service's own attempts are lost as well."""
        stack.emulator.faults.add("decryption:drop_after", times=3)
        request = decryption_request()
        error = await refusal(stub.DecryptApplePay(request, timeout=15))
        assert ("UPSTREAM_NO_ANSWER", "UNKNOWN", "RESEND_SAME_REQUEST_ID") == outcome_of(error)
        found = await look_up(stub, request.request_id)
        assert call_pb2.ADVICE_RESEND_SAME_REQUEST_ID == found.call_outcome.advice

        answer = await stub.DecryptApplePay(request, timeout=15)

        (entry,) = stack.emulator.ledger.of("decryption")
        settled = await look_up(stub, request.request_id)
        assert {entry.effects["payment_id"]} == {answer.payment_id, settled.existing.payment_id}
        assert 4 == stack.emulator.journal.count("decryption")
        assert 1 == len({arrival.idempotency_key for arrival in stack.emulator.journal.of("decryption")})


class TestAge:
    """Zuora's memory ends after a day."""

    @pytest.mark.asyncio
    async def test_a_stale_session_is_not_handed_out(self) -> None:
        """One request id per showing of the payment sheet."""
        over = {"sessions": {"max_age_s": 0.0}}
        async with frozen_stack(over=over) as here:
            request = session_request()
            await here.stub.CreateSession(request, timeout=10)

            error = await refusal(here.stub.CreateSession(request, timeout=10))

            assert ("SESSION_STALE", "REFUSED", "USE_NEW_REQUEST_ID") == outcome_of(error)
            assert {"maxAgeSeconds": "0"} == error.metadata
            assert 1 == here.emulator.ledger.count("sessions")

    @pytest.mark.asyncio
    @pytest.mark.parametrize(("hours", "refused"), [(22.9, False), (23.1, True)])
    async def test_an_old_uuid7_is_refused_without_a_record(
        self, stack: LocalStack, stub: Stub, hours: float, *, refused: bool
    ) -> None:
        """Its age is in it."""
        minted = datetime.now(UTC) - timedelta(hours=hours)  # noqa: TID251 - the service compares with its own
        request_id = str(UUID(int=(int(minted.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | 1))
        request = decryption_request(request_id)

        if not refused:
            assert (await stub.DecryptApplePay(request, timeout=10)).payment_id
            return
        error = await refusal(stub.DecryptApplePay(request, timeout=10))

        assert ("INTENT_EXPIRED", "UNKNOWN", "LOOK_UP") == outcome_of(error)
        assert 0 == stack.emulator.journal.count("decryption")


class TestNamespace:
    """Two callers may use the same words."""

    @pytest.mark.asyncio
    async def test_same_request_id_is_another_intent(self) -> None:
        """Independent, and neither learns of the other."""
        emulator = Emulator()
        request_id = new_request_id()
        async with AsyncExitStack() as exits:
            two = []
            for namespace in ("shop", "billing"):
                over = {"intents": {"namespace": namespace}}
                stack = await exits.enter_async_context(running(emulator=emulator, over=over, tenants=("acme",)))
                channel = await exits.enter_async_context(grpc.aio.insecure_channel(stack.target))
                two.append(service_grpc.PaymentOrchestrationServiceStub(channel))
            one = await two[0].DecryptApplePay(decryption_request(request_id), timeout=10)
            unseen = await look_up(two[1], request_id)
            other = await two[1].DecryptApplePay(decryption_request(request_id), timeout=10)

        assert service_pb2.GetIntentResponse(intent_state=service_pb2.INTENT_STATE_NOT_FOUND) == unseen
        assert one.payment_id != other.payment_id
        assert 2 == len({entry.idempotency_key for entry in emulator.ledger.of("decryption")})


class TestBadAnswers:
    """What Zuora should not say."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("status", "body", "works"),
        [
            (200, {"token_type": "bearer", "expires_in": 3599}, False),
            (200, {"access_token": "", "expires_in": 3599}, False),
            (200, b"<html><body>Welcome</body></html>", False),
            (200, b"", False),
            (302, b"", False),
            (200, {"expires_in": "3599"}, True),
            (200, {"expires_in": "in an hour"}, True),
            (200, {"expires_in": None}, True),
        ],
        ids=str,
    )
    async def test_of_the_token_endpoint(self, status: int, body: Any, *, works: bool) -> None:
        """No token is an error of its own, NOT_SENT; a life that cannot be read is the documented hour."""
        emulator = Emulator()
        if works:
            token = await _real_token(emulator)
            body = {**body, "access_token": token}
        answer_path_with(emulator, TOKEN, lambda: (status, body, {}))
        async with (
            running(emulator=emulator, tenants=("acme",)) as stack,
            grpc.aio.insecure_channel(stack.target) as channel,
        ):
            stub = service_grpc.PaymentOrchestrationServiceStub(channel)

            if works:
                assert (await stub.CreateSession(session_request(), timeout=10)).session.token
                return
            error = await refusal(stub.CreateSession(session_request(), timeout=10))

            assert ("TOKEN_UNAVAILABLE", "NOT_SENT", "RESEND_SAME_REQUEST_ID") == outcome_of(error)
            assert 0 == emulator.journal.count("sessions")

    @pytest.mark.asyncio
    async def test_retry_after_beyond_the_deadline_is_told(self, stack: LocalStack, stub: Stub) -> None:
        """Nobody waits for it; the resend executes the one intent."""
        stack.emulator.faults.add("decryption:429:70")
        request = decryption_request()

        error = await refusal(stub.DecryptApplePay(request, timeout=15))

        assert ("UPSTREAM_THROTTLED", "NOT_SENT", "RESEND_SAME_REQUEST_ID") == outcome_of(error)
        assert (70.0, 1) == (error.retry_delay_s, stack.emulator.journal.count("decryption"))
        await stub.DecryptApplePay(request, timeout=15)
        assert 1 == stack.emulator.ledger.count("decryption")

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("codes", "reason", "outcome"),
        [
            ((53000020, 53000099), "UPSTREAM_GATEWAY_FAILED", "UNKNOWN"),
            ((53000099, 53000020), "UPSTREAM_GATEWAY_FAILED", "UNKNOWN"),
            ((53000070, 53000060), "UPSTREAM_INTERNAL", "UNKNOWN"),
            ((53000061, 53000030), "UPSTREAM_RULE_BROKEN", "REFUSED"),
        ],
    )
    async def test_of_two_contradicting_reasons_the_least_retryable_wins(
        self, codes: tuple[int, int], reason: str, outcome: str
    ) -> None:
        """In any order."""
        emulator = Emulator()
        reasons = [{"code": code, "message": "no"} for code in codes]
        answer_path_with(emulator, DECRYPTION, lambda: (200, {"success": False, "reasons": reasons}, {}))
        async with (
            running(emulator=emulator, tenants=("acme",)) as stack,
            grpc.aio.insecure_channel(stack.target) as channel,
        ):
            stub = service_grpc.PaymentOrchestrationServiceStub(channel)

            error = await refusal(stub.DecryptApplePay(decryption_request(), timeout=10))

        assert (reason, outcome) == outcome_of(error)[:2]
        assert error.call_outcome is not None
        assert [str(code) for code in codes] == list(error.call_outcome.zuora_codes)


async def _real_token(emulator: Emulator) -> str:
    form = {
        "client_id": seed.CLIENT_A.client_id,
        "client_secret": seed.CLIENT_A.client_secret,
        "grant_type": "client_credentials",
    }
    async with httpx.AsyncClient(transport=httpx.ASGITransport(emulator.app), base_url="http://zuora") as http:
        return str((await http.post(TOKEN, data=form)).json()["access_token"])
