"""Callers with the published Python client: they send, race, cancel, resend, and follow the advice they get."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

import payorch
from harness.requests import usd
from payorch.aio import AsyncClient
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.intents.executor import idempotency_key
from payorch_server.intents.settings import IntentSettings
from payorch_server.model.identifiers import RequestId
from zuora_emulator import seed

from programs.simulation.callers import advice_of, ids_of, seen_record
from programs.simulation.grpc_context import CONNECTION_LOST, NEW, RESEND, Seen
from programs.simulation.intent import MERCHANT_ID, OPERATIONS, Answer, Intent, Purpose, new_token

CARD_NUMBER: Final = "4242424242424242"
IBAN: Final = "DE89370400440532013000"
_IMPOSSIBLE: Final = frozenset(
    {"INTERNAL", "INTENT_EXPIRED", "ROUTE_GONE", "ROUTE_NOT_FOUND", "REQUEST_INVALID", "REQUEST_MALFORMED"}
)
"""Reasons that no fault of a run explains: it lasts minutes, no tenant is removed, and all requests are valid."""
_RPCS: Final = (("CreateSession", 0.4), ("CreatePaymentMethod", 0.3), ("DecryptApplePay", 0.3))
_DEADLINES_S: Final = (1.0, 3.0, 8.0, 20.0, 20.0, 20.0)
_LEAVES_AFTER_S: Final = (0.01, 0.05, 0.3, 1.5)
_LONGEST_S: Final = 20.0
_MOST_INTENTS: Final = 4
_ROUNDS: Final = (1, 6)
_WAITS_S: Final = (0.2, 3.0)
_LOOK_UP_DEADLINE_S: Final = 10.0


class Callers:
    """All callers of a run.

    Args:
        client: The published client.
        rng: Decides what they do.
        now_s: Returns the seconds since the start of the load.
    """

    def __init__(self, client: AsyncClient, rng: random.Random, now_s: Callable[[], float]) -> None:
        self._client = client
        self._rng = rng
        self._now_s = now_s
        self.purposes: list[Purpose] = []
        self.intents: list[Intent] = []
        self.by_track_id: dict[str, Intent] = {}
        self.reasons: Counter[str] = Counter()
        """Of every attempt that failed, those that the client resent included."""
        self.unforeseen: list[str] = []
        """Sentences on calls that ended as none may."""
        self.calls = 0

    async def run(self, *, purposes_per_s: float, stop: asyncio.Event) -> None:
        """Begin new purposes until `stop` is set; return once all callers are finished."""
        next_s = self._now_s()
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                tasks.create_task(self._pursue(self._new_purpose(), stop))
                next_s += 1 / purposes_per_s
                await asyncio.sleep(max(next_s - self._now_s(), 0.0))

    async def settle(self, *, within_s: float, most_at_once: int = 8) -> None:
        """Resend every open intent with its request id until it is settled or time is up."""
        until_s, slots = self._now_s() + within_s, asyncio.Semaphore(most_at_once)

        async def settle_one(intent: Intent) -> None:
            while is_open(intent) and self._now_s() < until_s:
                async with slots:
                    await self.call(intent, deadline_s=_LONGEST_S)
                if is_open(intent):
                    await asyncio.sleep(self._rng.uniform(*_WAITS_S))

        async with asyncio.TaskGroup() as tasks:
            for intent in self.intents:
                tasks.create_task(settle_one(intent))

    async def look_up_all(self) -> None:
        """Ask for the record of every intent."""
        for intent in self.intents:
            await self._look_up(intent)

    # --- purposes and intents

    def _new_purpose(self) -> Purpose:
        rng = self._rng
        rpc = rng.choices([name for name, _ in _RPCS], [weight for _, weight in _RPCS])[0]
        account = rng.choices((seed.ACCOUNT_US, seed.ACCOUNT_EU), (3, 1))[0]
        purpose = Purpose(f"p{len(self.purposes)}", IntentSettings().namespace, rpc, account_id=account.id)
        if rpc == "DecryptApplePay":
            purpose.token, purpose.pays = new_token(rng), account is seed.ACCOUNT_US and rng.random() < 0.8
        self.purposes.append(purpose)
        return purpose

    def _new_intent(self, purpose: Purpose) -> Intent:
        request_id = payorch.new_request_id() if self._rng.random() < 0.5 else str(uuid.uuid4())
        intent = Intent(
            name=f"{purpose.name}.{len(purpose.intents)}",
            purpose=purpose,
            request_id=request_id,
            key=idempotency_key(namespace=purpose.namespace, rpc=purpose.rpc, request_id=RequestId(request_id)),
            bodies=_bodies_of(purpose, request_id, is_card=self._rng.random() < 0.4),
        )
        purpose.intents.append(intent)
        self.intents.append(intent)
        return intent

    # --- behaviour

    async def _pursue(self, purpose: Purpose, stop: asyncio.Event) -> None:
        rng, intent = self._rng, self._new_intent(purpose)
        for _ in range(rng.randint(*_ROUNDS)):
            advice = await self._approach(intent)
            if advice == NEW and len(purpose.intents) < _MOST_INTENTS:
                intent = self._new_intent(purpose)
            elif advice != RESEND or stop.is_set():
                break
            await asyncio.sleep(rng.uniform(*_WAITS_S))
        if rng.random() < 0.1:
            await self._look_up(intent)

    async def _approach(self, intent: Intent) -> str:
        """Send once, or several times concurrently; return the advice that holds then."""
        rng = self._rng
        style = rng.random()
        if style < 0.12:
            answers = await self._concurrently(intent, [0] * rng.randint(2, 3))
        elif style < 0.16:
            answers = await self._concurrently(intent, [0, 1])
        elif style < 0.28:
            answers = [await self.call(intent, leave_after_s=rng.choice(_LEAVES_AFTER_S))]
        else:
            answers = [await self.call(intent)]
        return advice_of([answer.seen for answer in answers if answer.body == 0])

    async def _concurrently(self, intent: Intent, bodies: list[int]) -> list[Answer]:
        return list(await asyncio.gather(*(self.call(intent, body=body) for body in bodies)))

    # --- calls

    async def call(
        self, intent: Intent, *, body: int = 0, leave_after_s: float | None = None, deadline_s: float = 0.0
    ) -> Answer:
        """Send an intent's request and note the answer."""
        deadline_s = deadline_s or self._rng.choice(_DEADLINES_S)
        request_type, send = self._methods(intent.purpose.rpc)
        request = request_type.FromString(intent.bodies[body])
        number, began_s = self._next_number(), self._now_s()
        sending = self._tracked(intent, number, lambda: send(request, deadline_s=deadline_s))
        seen, left = await self._seen(sending, leave_after_s)
        answer = Answer(number, began_s, self._now_s(), deadline_s, body, seen, "", left=left)
        intent.answers.append(answer)
        return answer

    async def _look_up(self, intent: Intent) -> None:
        request = service_pb2.GetIntentRequest(request_id=intent.request_id, operation=OPERATIONS[intent.purpose.rpc])
        number, began_s = self._next_number(), self._now_s()
        sending = self._tracked(
            intent, number, lambda: self._client.get_intent(request, deadline_s=_LOOK_UP_DEADLINE_S)
        )
        seen, left = await self._seen(sending, None)
        intent.answers.append(
            Answer(number, began_s, self._now_s(), _LOOK_UP_DEADLINE_S, 0, seen, "", looked_up=True, left=left)
        )

    def _methods(self, rpc: str) -> tuple[Any, Callable[..., Awaitable[Any]]]:
        return {
            "CreateSession": (service_pb2.CreateSessionRequest, self._client.create_session),
            "CreatePaymentMethod": (service_pb2.CreatePaymentMethodRequest, self._client.create_payment_method),
            "DecryptApplePay": (service_pb2.DecryptApplePayRequest, self._client.decrypt_apple_pay),
        }[rpc]

    def _next_number(self) -> int:
        self.calls += 1
        return self.calls

    async def _tracked(self, intent: Intent, number: int, send: Callable[[], Awaitable[Any]]) -> Any:
        track_id = f"chaos-{number}"
        self.by_track_id[track_id] = intent
        with payorch.tracked(track_id):
            return await send()

    async def _seen(self, sending: Awaitable[Any], leave_after_s: float | None) -> tuple[Seen, bool]:
        """Await a call; return what its caller knows then, and whether it left."""
        try:
            async with asyncio.timeout(leave_after_s):
                response = await sending
        except TimeoutError:
            return CONNECTION_LOST, True
        except payorch.PayorchError as failed:
            self._count(failed)
            return _seen_error(failed), False
        if isinstance(response, service_pb2.GetIntentResponse):
            return seen_record(response), False
        is_replayed = response.call.replayed == call_pb2.REPLAY_YES
        return Seen("SUCCEEDED", "NONE", ids=ids_of(response), replayed=is_replayed), False

    def _count(self, failed: payorch.PayorchError) -> None:
        for attempt in failed.attempts:
            self.reasons[attempt.reason or f"(no details) {attempt.code.name}"] += 1
            if attempt.reason in _IMPOSSIBLE:
                self.unforeseen.append(f"call {attempt.track_id} ended as {attempt.reason}: {attempt.message}")


def is_open(intent: Intent) -> bool:
    """Return whether an intent's caller has to resend it."""
    answers = [answer.seen for answer in intent.answers if answer.body == 0 and not answer.looked_up]
    return not answers or answers[-1].advice == RESEND


def _seen_error(failed: payorch.PayorchError) -> Seen:
    error = failed.error
    existing = error.call_outcome.existing if error.call_outcome else None
    ids = {existing.payment_method_id, existing.payment_id} - {""} if existing else set()
    return Seen(
        outcome=call_pb2.Outcome.Name(error.outcome).removeprefix("OUTCOME_"),
        advice=call_pb2.Advice.Name(error.advice).removeprefix("ADVICE_"),
        reason=error.reason or f"(no details) {error.code.name}",
        ids=frozenset(ids),
        resend_before_s=error.resend_before_time.timestamp() if error.resend_before_time else None,
    )


def _bodies_of(purpose: Purpose, request_id: str, *, is_card: bool) -> tuple[bytes, bytes]:
    """Return the request, and one with another body under the same request id."""
    make = {
        "CreateSession": _session,
        "DecryptApplePay": _decryption,
        "CreatePaymentMethod": _card if is_card else _sepa_debit,
    }[purpose.rpc]
    first, other = (make(purpose, request_id, changed=changed) for changed in (False, True))
    for request in (first, other):
        if purpose.account_id == seed.ACCOUNT_EU.id:
            request.route.entity = "eu"
    return first.SerializeToString(), other.SerializeToString()


def _session(purpose: Purpose, request_id: str, *, changed: bool) -> Any:
    request = service_pb2.CreateSessionRequest(request_id=request_id)
    payment = request.one_time_payment
    payment.amount.CopyFrom(usd(101 if changed else 100))
    payment.amount.currency_code = "EUR" if purpose.account_id == seed.ACCOUNT_EU.id else "USD"
    payment.account_id = purpose.account_id
    return request


def _decryption(purpose: Purpose, request_id: str, *, changed: bool) -> Any:
    request = service_pb2.DecryptApplePayRequest(
        request_id=request_id, token_json=purpose.token, merchant_id=MERCHANT_ID, account_id=purpose.account_id
    )
    request.zuora_default.SetInParent()
    if purpose.pays:
        request.pay_invoice.invoice = seed.INVOICE_US_LARGE.number
    else:
        request.no_charge.SetInParent()
    if changed:
        request.card_holder.name = "Another Holder"
    return request


def _sepa_debit(purpose: Purpose, request_id: str, *, changed: bool) -> Any:
    request = service_pb2.CreatePaymentMethodRequest(request_id=request_id)
    request.account_by_id.id = purpose.account_id
    request.sepa_debit.iban = IBAN
    request.sepa_debit.mandate.id = "mandate-2" if changed else "mandate-1"
    return request


def _card(purpose: Purpose, request_id: str, *, changed: bool) -> Any:
    request = service_pb2.CreatePaymentMethodRequest(request_id=request_id)
    request.account_by_id.id = purpose.account_id
    card = request.card
    card.number, card.brand = CARD_NUMBER, "visa"
    card.expiry_month, card.expiry_year = 12, 2031 if changed else 2030
    return request
