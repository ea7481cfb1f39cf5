"""What the service stores, in every state: written by its own parts, with fixed requests, keys, time and randomness."""

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from google.protobuf.message import Message
from google.type import money_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.calls.history import CallHistory
from payorch_server.calls.recording import CallRecord, record_of_call
from payorch_server.calls.settings import CallHistorySettings
from payorch_server.intents.executor import IntentExecutor, idempotency_key
from payorch_server.intents.intent import IntentRequest
from payorch_server.intents.ledger import IntentLedger
from payorch_server.intents.token_guard import token_name
from payorch_server.intents.unsettled import UnsettledIntents
from payorch_server.model.attempt import Attempt, UpstreamFacts, ZuoraReply
from payorch_server.model.call_notes import RouteNames
from payorch_server.model.caller import EVERYTHING, Caller
from payorch_server.model.context import CallContext
from payorch_server.model.earlier_sends import EarlierSends
from payorch_server.model.errors import CallError, Failure, UpstreamEvidence, call_error, error_for
from payorch_server.model.identifiers import IdempotencyKey, RequestId, TrackId
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.model.route import Gateway, Route
from payorch_server.model.secret import Secret
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.keyring import Keyring
from payorch_server.store.port import Store
from payorch_server.zuora.resources.decryption import DecryptionResult
from payorch_server.zuora.resources.payment_methods import CreatedPaymentMethod

from harness.checked import hashed
from harness.clock import START, FakeClock
from harness.intents import ScriptedOperation, at_most
from harness.keyring import counted_entropy

NAMESPACE: Final = "billing"
_UUID_OF_START: Final = "01a1f8d3-ea00-7000-8000-00000000000a"
"""A UUIDv7 of the clock's start."""
ROUTE: Final = Route(
    tenant="acme",
    host="rest.zuora.com",
    entity="de",
    entity_id="2c92c0f8-6a0b-1c2d-3e4f-5a6b7c8d9e0f",
    orgs=("north", "south"),
    org_ids=("8a8aa2a4a1b2c3d4e5f60718293a4b5c", "8a8aa2a4a1b2c3d4e5f60718293a4b5d"),
    gateway=Gateway("cards", "8a8aa2a4000000000000000000000001", "Cards EU"),
    rule="german cards",
    policy_hash="0f1e2d3c4b5a6978",
    client_id="7d9e1c3a",
)
TOKEN: Final = token_name(public_key_hash="cGsx", transaction_id="ABCDEF01")
_CALLER: Final = Caller("spiffe://example.org/shop", NAMESPACE, EVERYTHING)
_TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
_ZUORA_REQUEST: Final = "0af7651916cd43dd8448eb211c80319c"
_ZUORA_PROCESS: Final = "0AF7651916CD43DD"
_METHOD_ID: Final = "8a8aa2a4000000000000000000000002"
_PAYMENT_ID: Final = "8a8aa2a4000000000000000000000003"


def session_request(request_id: str) -> Message:
    """Make a request with an amount, a list and hints."""
    request = service_pb2.CreateSessionRequest(request_id=request_id)
    request.route.tenant = "acme"
    request.route.attributes["brand"] = "north"
    request.pay_and_store.amount.CopyFrom(money_pb2.Money(currency_code="EUR", units=10, nanos=500_000_000))
    request.pay_and_store.account_id = "account-1"
    request.pay_and_store.invoices.add().invoice_number = "INV1"
    request.pay_and_store.invoices.add().invoice_number = "INV2"
    return request


def decryption_request(request_id: str) -> Message:
    """Make a request with a token and empty arms."""
    request = service_pb2.DecryptApplePayRequest(request_id=request_id, merchant_id="merchant.example")
    request.token_json = b'{"data": "x"}'
    request.card_holder.name = "Ann Example"
    request.zuora_default.SetInParent()
    request.pay_invoice.invoice = "INV1"
    return request


def payment_method_request(request_id: str) -> Message:
    """Make a request with sensitive fields, nested messages and maps."""
    request = service_pb2.CreatePaymentMethodRequest(request_id=request_id, device_session_id="device-1")
    request.account_by_id.id = "account-1"
    request.gateway_options["option"] = "value"
    request.ach_debit.bank_aba_code = "123456789"
    request.ach_debit.bank_account_name = "Ann Example"
    request.ach_debit.bank_account_type = "checking"
    request.ach_debit.bank_name = "Bank"
    request.ach_debit.bank_account_number = "12345"
    request.ach_debit.mandate.id = "mandate-1"
    return request


@dataclasses.dataclass(frozen=True, slots=True)
class StoredIntent:
    """An intent that is stored in one state."""

    rpc: str
    request_id: str
    answer: Any = None
    """What Zuora answers: a result, a failure; None: nothing, so that the execution still runs."""
    token: str = ""
    executions: int = 1

    @property
    def key(self) -> IdempotencyKey:
        """Return its idempotency key."""
        return idempotency_key(namespace=NAMESPACE, rpc=self.rpc, request_id=RequestId(self.request_id))

    @property
    def track_id(self) -> str:
        """Return the Track-Id of its executions."""
        return f"ticket-{self.request_id}"

    def message(self) -> Message:
        """Make the request."""
        return _MESSAGES[self.rpc](self.request_id)


_MESSAGES: Final = {
    "CreateSession": session_request,
    "DecryptApplePay": decryption_request,
    "CreatePaymentMethod": payment_method_request,
}
_TYPES: Final[Mapping[str, Any]] = {
    "CreateSession": Secret[str],
    "DecryptApplePay": DecryptionResult,
    "CreatePaymentMethod": CreatedPaymentMethod,
}


def _facts(http_status: int, outcome: Outcome) -> UpstreamFacts:
    return UpstreamFacts(
        attempts=(Attempt(1, http_status, _ZUORA_REQUEST, START + timedelta(seconds=0.25), 0.5, outcome),),
        zuora_request_id=_ZUORA_REQUEST,
        zuora_process_id=_ZUORA_PROCESS,
        echoed_track_id="ticket-echoed",
        answer_ids=(Secret(_ZUORA_REQUEST), Secret(_ZUORA_PROCESS)),
    )


def _failed(reason: Reason, http_status: int, outcome: Outcome, **evidence: Any) -> CallError:
    return error_for(
        Failure(
            reason,
            "status, and code of Zuora",
            evidence=UpstreamEvidence(**evidence),
            facts=_facts(http_status, outcome),
        )
    )


_DECLINED: Final = _failed(Reason.PAYMENT_DECLINED, 200, Outcome.REFUSED, zuora_codes=("50000040",))
_PARTIAL: Final = _failed(
    Reason.PAYMENT_REFUSED_METHOD_CREATED,
    200,
    Outcome.PARTIAL,
    zuora_codes=("53000030",),
    payment_method_id=_METHOD_ID,
    retry_after_s=2.5,
)
_NOT_FOUND: Final = _failed(Reason.UPSTREAM_NOT_FOUND, 404, Outcome.REFUSED, zuora_codes=("50000040",))
_INTERNAL: Final = _failed(Reason.UPSTREAM_INTERNAL, 500, Outcome.UNKNOWN, zuora_codes=("50000060",))
_NO_ANSWER: Final = call_error(Reason.UPSTREAM_NO_ANSWER, "read timed out")
INTENTS: Final[Mapping[str, StoredIntent]] = {
    "session created": StoredIntent("CreateSession", "order-1-attempt-0001", Secret("session-token")),
    "token decrypted and invoice paid": StoredIntent(
        "DecryptApplePay",
        "order-2-attempt-0001",
        DecryptionResult(_METHOD_ID, _PAYMENT_ID, "12.34"),
        token=TOKEN,
    ),
    "payment method created": StoredIntent(
        "CreatePaymentMethod",
        "order-3-attempt-0001",
        CreatedPaymentMethod(_METHOD_ID, {"id": _METHOD_ID, "type": "ach_debit", "ach_debit": {"bank_name": "Bank"}}),
    ),
    "declined": StoredIntent("DecryptApplePay", "order-4-attempt-0001", _DECLINED, token="declined-token"),
    "method created, payment refused": StoredIntent("DecryptApplePay", "order-5-attempt-0001", _PARTIAL),
    "refused before the gateway, token released": StoredIntent(
        "DecryptApplePay", "order-6-attempt-0001", _NOT_FOUND, token="released-token"
    ),
    "settled as unknown": StoredIntent("DecryptApplePay", "order-7-attempt-0001", _INTERNAL),
    "in doubt": StoredIntent("DecryptApplePay", "order-8-attempt-0001", _NO_ANSWER),
    "in doubt, taken over twice": StoredIntent("CreatePaymentMethod", "order-9-attempt-0001", _NO_ANSWER, executions=3),
    "in doubt, with a time stamp in its id": StoredIntent("DecryptApplePay", _UUID_OF_START, _NO_ANSWER),
    "being executed": StoredIntent("DecryptApplePay", "order-10-attempt-001", token="held-token"),
}
"""Every state in which the service leaves a record."""


class _Operation(ScriptedOperation):
    """An operation whose answers are a result of the RPC's own type."""

    def __init__(self, intent: StoredIntent) -> None:
        super().__init__(
            self._answer,
            guarded_token=intent.token,
            moves_money=intent.rpc == "DecryptApplePay",
            needs_record=intent.rpc != "CreateSession",
            is_disposable=intent.rpc == "CreateSession",
            ids_of=lambda _value: UpstreamEvidence(payment_method_id=_METHOD_ID, payment_id=_PAYMENT_ID),
        )
        self.result_type = _TYPES[intent.rpc]
        self.earlier: list[EarlierSends] = []
        """What was known of earlier sends, for each send."""
        self._intent = intent

    def parse(self, reply: ZuoraReply) -> Any:
        """Unwrap it as it is."""
        return reply.payload["value"]

    async def _answer(self, _route: Route, _context: CallContext, earlier: EarlierSends) -> Any:
        self.earlier.append(earlier)
        if self._intent.answer is None:
            await asyncio.Event().wait()
        if isinstance(self._intent.answer, CallError):
            raise self._intent.answer
        return self._intent.answer, _facts(200, Outcome.SUCCEEDED)


class ServiceReplica:
    """What one process of the service has over a store, as far as it stores something."""

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        *,
        first_random: int = 1,
        uniform: Callable[[float, float], float] = at_most,
    ) -> None:
        self.clock = FakeClock()
        self.tasks = TaskOwner()
        self.history = CallHistory(
            settings=CallHistorySettings(in_store=True), store=store, tasks=self.tasks, is_shared=True
        )
        self.unsettled = UnsettledIntents(store=store, clock=self.clock, tasks=self.tasks, is_shared=True)
        self._keyring = keyring
        ledger = IntentLedger(
            store=store, keyring=keyring, clock=self.clock, uniform=uniform, entropy=counted_entropy(first_random)
        )
        self.executor = IntentExecutor(
            ledger=ledger,
            clock=self.clock,
            tasks=self.tasks,
            deadlines=Deadlines(self.clock),
            execution_ended=self._record,
        )

    async def execute(
        self, intent: StoredIntent, *, message: Message | None = None, seconds: float = 20.0
    ) -> tuple[Any, _Operation]:
        """Execute or replay an intent; return its result or its error, and what was executed."""
        operation = _Operation(intent)
        message = message or intent.message()
        request: IntentRequest[Any] = IntentRequest(
            key=intent.key,
            rpc=intent.rpc,
            request_id=RequestId(intent.request_id),
            fingerprints=hashed(message, self._keyring, in_place_of={"token_json": b"members"}),
            route=ROUTE,
            operation=operation,
        )
        try:
            return await self.executor.run(request, self._context(intent, seconds)), operation
        except CallError as error:
            return error, operation

    async def begin(self, intent: StoredIntent) -> None:
        """Begin the execution of an intent that Zuora does not answer, whose caller leaves."""
        call = asyncio.ensure_future(self.execute(intent))
        while self.executor.ledger.memory.sent(intent.key) is None:
            await asyncio.sleep(0)
        call.cancel()

    async def written(self) -> None:
        """Wait until all records are in the store."""
        for writer in (self.history._writer, self.unsettled._writer):
            if writer is not None:
                await writer

    def _context(self, intent: StoredIntent, seconds: float) -> CallContext:
        deadline_s = self.clock.monotonic() + seconds
        context = CallContext(TrackId(intent.track_id), deadline_s, _CALLER)
        context.notes.trace_id, context.notes.request_id = _TRACE, intent.request_id
        context.notes.route = RouteNames.of(ROUTE)
        return context

    def _record(self, record: CallRecord, key: IdempotencyKey) -> None:
        self.history.add(record)
        self.unsettled.note(record, key)

    async def record_call(self, intent: StoredIntent, error: CallError | None) -> None:
        """Record the call beside its execution, as the boundary does, and wait until it is in the store."""
        context = self._context(intent, 20.0)
        context.notes.intent = "opened"
        context.notes.add_phase("zuora", 0.5)
        self.history.add(
            record_of_call(
                error,
                method=f"payorch.v1.PaymentOrchestrationService/{intent.rpc}",
                code="OK" if error is None else "FAILED_PRECONDITION",
                track_id=intent.track_id,
                caller=_CALLER,
                notes=context.notes,
                ended_at=self.clock.now(),
                duration_s=0.75,
            )
        )
        await self.written()


async def store_all(store: Store, keyring: Keyring) -> TaskOwner:
    """Store every form of the service, in every state.

    Returns:
        The tasks of the process that did it; one execution is still under way.
    """
    replica = ServiceReplica(store, keyring)
    for intent in INTENTS.values():
        replica.clock.advance(1)
        if intent.answer is None:
            await replica.begin(intent)
            continue
        for _ in range(intent.executions):
            ended, _ = await replica.execute(intent)
            await replica.written()
        await replica.record_call(intent, ended if isinstance(ended, CallError) else None)
    return replica.tasks
