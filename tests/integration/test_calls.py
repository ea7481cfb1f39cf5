"""Rightful calls, from the wire to Zuora and back."""

import json
from decimal import Decimal
from typing import Any

import grpc
import pytest
from harness.calls import refusal
from harness.requests import decryption_request, payment_method_request, session_request, usd
from harness.stack import LocalStack, running
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor  # noqa: TID251 - to break one
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: TID251 - to look at spans
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from zuora_emulator import seed

Stub = service_grpc.PaymentOrchestrationServiceStub


@pytest.mark.asyncio
async def test_a_session_returns_a_token_and_a_track_id_that_names_its_trace(
    stack: LocalStack, stub: Stub, spans: InMemorySpanExporter
) -> None:
    """The Track-Id is `<trace id>-<server span id>`, and Zuora saw the same."""
    answer = await stub.CreateSession(session_request(), timeout=10)

    assert len(answer.session.token) == 32
    server = next(span for span in spans.get_finished_spans() if span.name.endswith("/CreateSession"))
    context = server.get_span_context()
    assert f"{context.trace_id:032x}-{context.span_id:016x}" == answer.call.track_id
    assert [answer.call.track_id] == [entry.track_id for entry in stack.emulator.ledger.of("sessions")]
    client = next(span for span in spans.get_finished_spans() if span.name == "POST /web-payments/sessions")
    intent = next(span for span in spans.get_finished_spans() if span.name == "intent")
    assert client.parent is not None
    assert intent.parent is not None
    assert (intent.context.span_id, context.span_id) == (client.parent.span_id, intent.parent.span_id)


class _Exploding(SpanProcessor):
    """A receiver of spans that is broken."""

    def on_end(self, span: ReadableSpan) -> None:  # noqa: ARG002 - as the SDK calls it
        raise BrokenPipeError("secret text of a broken exporter")


@pytest.mark.asyncio
async def test_a_broken_receiver_of_spans_costs_no_answer() -> None:
    """The payment was made: its caller must hear of it."""
    async with (
        running(tenants=("acme",), span_processors=(_Exploding(),)) as stack,
        grpc.aio.insecure_channel(stack.target) as channel,
    ):
        answer = await Stub(channel).DecryptApplePay(decryption_request(), timeout=10)

        assert [answer.payment_id] == [entry.effects["payment_id"] for entry in stack.emulator.ledger.of("decryption")]


@pytest.mark.asyncio
async def test_a_callers_track_id_goes_to_zuora_as_it_is(stack: LocalStack, stub: Stub) -> None:
    """It comes back in the trailers, in the answer and in the ledger."""
    call = stub.CreateSession(session_request(), metadata=(("zuora-track-id", "order.4711/retry~1"),), timeout=10)

    answer = await call
    trailers = dict(await call.trailing_metadata())

    assert "order.4711/retry~1" == trailers["zuora-track-id"] == answer.call.track_id == answer.call.executed_track_id
    assert ["order.4711/retry~1"] == [entry.track_id for entry in stack.emulator.ledger.of("sessions")]


@pytest.mark.asyncio
async def test_a_slow_call_tells_its_track_id_ahead(stack: LocalStack, stub: Stub) -> None:
    """Whoever gives up has it all the same, and whoever does not gets its answer."""
    for _ in range(2):
        stack.emulator.faults.add("sessions:slow:2")
    patient = stub.CreateSession(session_request(), timeout=10)
    hasty = stub.CreateSession(session_request(), metadata=(("zuora-track-id", "hasty"),), timeout=1.5)

    told = dict(await hasty.initial_metadata())
    code = await hasty.code()
    answer = await patient

    assert ("hasty", grpc.StatusCode.DEADLINE_EXCEEDED) == (told["zuora-track-id"], code)
    assert answer.call.track_id == dict(await patient.initial_metadata())["zuora-track-id"]


@pytest.mark.asyncio
async def test_a_callers_trace_is_continued(stub: Stub) -> None:
    """A traceparent gives the trace its id."""
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    metadata = (("traceparent", f"00-{trace_id}-00f067aa0ba902b7-01"),)

    answer = await stub.CreateSession(session_request(), metadata=metadata, timeout=10)

    assert answer.call.track_id.startswith(f"{trace_id}-")


@pytest.mark.asyncio
async def test_amounts_are_exact(stack: LocalStack, stub: Stub) -> None:
    """0.1 has no binary form; it still arrives as 0.10."""
    request = session_request()
    request.one_time_payment.amount.CopyFrom(usd(0, 100_000_000))

    await stub.CreateSession(request, timeout=10)

    assert [Decimal("0.10")] == [entry.amount for entry in stack.emulator.ledger.of("sessions")]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("flow", "process", "store"),
    [("store_only", False, True), ("one_time_payment", True, False), ("pay_and_store", True, True)],
)
async def test_each_flow_sets_its_two_flags(stub: Stub, flow: str, process: bool, store: bool) -> None:  # noqa: FBT001
    """The three flows are the three valid combinations of the page."""
    request = service_pb2.CreateSessionRequest(request_id="x" * 20, validate_only=True)
    arm = getattr(request, flow)
    arm.account_id = seed.ACCOUNT_US.id
    (arm.verification_amount if flow == "store_only" else arm.amount).CopyFrom(usd(1))

    answer = await stub.CreateSession(request, timeout=10)

    body = json.loads(answer.upstream_request.body)
    assert (process, store) == (body["processPayment"], body["storePaymentMethod"])


@pytest.mark.asyncio
async def test_a_paid_token_creates_a_method_and_lowers_the_balance(stack: LocalStack, stub: Stub) -> None:
    """Zuora decrypts, creates and pays; the service compares the amount."""
    before = _balance(stack)

    answer = await stub.DecryptApplePay(decryption_request(), timeout=10)

    assert answer.payment_method_id
    assert answer.payment_id
    assert ("12.34", service_pb2.AMOUNT_CHECK_EQUAL) == (answer.reported_amount, answer.amount_check)
    assert before - Decimal("12.34") == _balance(stack)


def _balance(stack: LocalStack) -> Decimal:
    invoice = stack.emulator.state.invoice(seed.INVOICE_US.number, account=seed.ACCOUNT_US)
    assert invoice is not None
    return invoice.balance


@pytest.mark.asyncio
async def test_an_unexpected_amount_is_told_and_not_an_error(stub: Stub) -> None:
    """The money moved: an error would invite a second payment."""
    request = decryption_request()
    request.expected_amount.CopyFrom(usd(99))

    answer = await stub.DecryptApplePay(request, timeout=10)

    assert service_pb2.AMOUNT_CHECK_DIFFERENT == answer.amount_check


@pytest.mark.asyncio
async def test_a_token_without_a_charge_pays_nothing(stack: LocalStack, stub: Stub) -> None:
    """Only a payment method comes of it."""
    request = decryption_request()
    request.no_charge.SetInParent()

    answer = await stub.DecryptApplePay(request, timeout=10)

    assert answer.payment_method_id
    assert ("", "") == (answer.payment_id, answer.reported_amount)
    assert not any("payment_id" in entry.effects for entry in stack.emulator.ledger.entries)


@pytest.mark.asyncio
async def test_a_debit_is_created_and_its_number_masked(stub: Stub) -> None:
    """v2 answers with the whole method."""
    answer = await stub.CreatePaymentMethod(payment_method_request(), timeout=10)

    method = answer.payment_method
    assert ("sepa_debit", "active", seed.ACCOUNT_US.id) == (method.type, method.state, method.account_id)
    assert "DE89370400440532013000" not in str(answer)


@pytest.mark.asyncio
async def test_a_custom_type_is_created_by_v1(stack: LocalStack, stub: Stub) -> None:
    """Quickstart has no field for it."""
    request = payment_method_request()
    request.custom.type = f"AmazonPay__c_{seed.TENANT}"
    request.custom.fields["amazonToken"].text = "secret"

    answer = await stub.CreatePaymentMethod(request, timeout=10)

    assert answer.payment_method.id
    assert 1 == stack.emulator.ledger.count("payment_methods_v1")


@pytest.mark.asyncio
async def test_the_same_request_again_is_executed_once(stack: LocalStack, stub: Stub) -> None:
    """Zuora keeps the answer under the key; the second answer says whose it is."""
    request = decryption_request("intent-0123456789abcdef")

    first = await stub.DecryptApplePay(request, timeout=10)
    second = await stub.DecryptApplePay(request, timeout=10)

    assert (first.payment_method_id, first.payment_id) == (second.payment_method_id, second.payment_id)
    assert 1 == stack.emulator.ledger.count("decryption")
    assert call_pb2.REPLAY_NO == first.call.replayed
    assert call_pb2.REPLAY_YES == second.call.replayed
    assert first.call.track_id == second.call.executed_track_id


@pytest.mark.asyncio
async def test_answers_name_the_request_id(stub: Stub) -> None:
    """A client that made it for its caller need not remember it."""
    requests: list[tuple[Any, Any]] = [
        (stub.CreateSession, session_request()),
        (stub.DecryptApplePay, decryption_request()),
        (stub.CreatePaymentMethod, payment_method_request()),
    ]

    assert [request.request_id for _, request in requests] == [
        (await method(request, timeout=10)).call.request_id for method, request in requests
    ]


@pytest.mark.asyncio
async def test_validate_only_sends_nothing_and_shows_no_secret(stack: LocalStack, stub: Stub) -> None:
    """The redacted request is complete but for what must not be shown."""
    request = payment_method_request()
    request.validate_only = True

    answer = await stub.CreatePaymentMethod(request, timeout=10)

    assert "POST" == answer.upstream_request.method
    body = json.loads(answer.upstream_request.body)
    assert {"IBAN": "[redacted]", "mandate": {"id": "mandate-1"}} == body["sepa_debit"]
    assert "authorization" not in answer.upstream_request.headers
    assert 0 == stack.emulator.journal.count("payment_methods")
    assert 0 == answer.call.attempt_count


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("hints", "rule", "entity", "gateway"),
    [
        ({"entity": "eu"}, "europe", seed.ENTITY_EU, "cards-eu"),
        ({"tenant": "solo"}, "solo", "", "cards"),
        ({"gateway": "zuora_default"}, "zuora-chooses", seed.ENTITY_US, "zuora_default"),
        ({}, "dollars-and-yen", seed.ENTITY_US, "cards-us"),
    ],
)
async def test_the_first_matching_rule_decides(
    stub: Stub, hints: dict[str, str], rule: str, entity: str, gateway: str
) -> None:
    """The route is told, and its headers are those that would be sent."""
    request = session_request()
    request.validate_only = True
    for name, value in hints.items():
        setattr(request.route, name, value)

    answer = await stub.CreateSession(request, timeout=10)

    assert (rule, entity, gateway) == (
        answer.call.matched_rule,
        answer.call.route_taken.entity_id,
        answer.call.route_taken.gateway,
    )
    assert entity == answer.upstream_request.headers.get("zuora-entity-ids", "")


@pytest.mark.asyncio
async def test_a_broken_token_is_refused_by_zuora_with_its_code(stack: LocalStack, stub: Stub) -> None:
    """The structure is right, so the service forwards it; Zuora's refusal keeps its codes."""
    request = decryption_request()
    request.merchant_id = "merchant.example.other"

    error = await refusal(stub.DecryptApplePay(request, timeout=10))

    assert (call_pb2.OUTCOME_REFUSED, grpc.StatusCode.INVALID_ARGUMENT) == (error.outcome, error.code)
    assert error.call_outcome is not None
    assert error.call_outcome.zuora_codes
    assert 0 == stack.emulator.ledger.count("decryption")
