"""Does one thing for an order once, whatever the page, the network or this process does meanwhile."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from payorch import PayorchError, new_request_id
from payorch.aio import AsyncClient
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as pb

from shop.orders import Intent, Order, Orders, Stage

_LOG = logging.getLogger("shop")
_WITH_NEW_ID = frozenset({Stage.DECLINED, Stage.FAILED, Stage.REFUSED})
_ENDED = frozenset({Stage.DONE, Stage.REVIEW})


def stage_after(before: Stage, outcome: int, advice: int, reason: str) -> Stage:
    """Return the stage of an intent after a call that failed: by outcome and advice, never by the status code.

    Args:
        before: The stage before the call.
        outcome: What happened at Zuora.
        advice: What to do next.
        reason: Why it failed; empty if the service did not say.
    """
    # 1. Part of it happened, or nothing that is sent can find out what did.
    if outcome == call_pb2.OUTCOME_PARTIAL or advice == call_pb2.ADVICE_LOOK_UP:
        return Stage.REVIEW
    # 2. Nothing happened, for certain; a refusal settles what was in doubt as well.
    if outcome == call_pb2.OUTCOME_REFUSED:
        if reason == "PAYMENT_DECLINED":
            return Stage.DECLINED
        return Stage.FAILED if advice == call_pb2.ADVICE_USE_NEW_REQUEST_ID else Stage.REFUSED
    # 3. Nothing of this call was sent, which says nothing of an earlier one.
    if outcome == call_pb2.OUTCOME_NOT_SENT and before is not Stage.IN_DOUBT and reason != "INTENT_MISMATCH":
        return Stage.NOT_SENT if advice == call_pb2.ADVICE_RESEND_SAME_REQUEST_ID else Stage.REFUSED
    return Stage.IN_DOUBT


class Intents:
    """Runs the intents of orders."""

    def __init__(self, client: AsyncClient, orders: Orders) -> None:
        """Use a client, and what keeps the request ids."""
        self._client = client
        self._orders = orders
        self._locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        # A resend has the same bytes. They hold the payer's token, so they are nowhere but here, and not for long.
        self._unsettled: dict[str, Any] = {}

    async def run(
        self,
        order: Order,
        purpose: str,
        *,
        make: Callable[[str], Any | None],
        send: Callable[[Any], Awaitable[Any]],
        look_up: pb.Operation.ValueType,
        is_as_asked: Callable[[Any], bool] = bool,
    ) -> Intent:
        """Execute an intent, find out what became of it, or return its end.

        Args:
            order: The order that it belongs to.
            purpose: What it is for; an order has one intent for each.
            make: Makes the request for an id, or returns None if the page sent nothing to make it of: it only asks.
            send: Calls the RPC.
            look_up: The operation of that RPC.
            is_as_asked: Whether an answer shows what was asked for, such as the right amount.
        """
        async with self._locks[order.id, purpose]:
            intent = self._orders.intent(order.id, purpose)
            if intent.stage in _ENDED:
                return intent
            request = self._unsettled.get(intent.request_id)
            if request is None and intent.stage is Stage.IN_DOUBT:
                return self._ended(intent, await self._looked_up(intent, look_up))
            request = request or make(intent.request_id)
            if request is None:
                return intent
            # Written before the send: if this process dies now, the next one must not believe that nothing was sent.
            if not self._orders.begin(intent):
                return self._orders.intent(order.id, purpose)
            self._unsettled[intent.request_id] = request
            return self._ended(intent, await self._sent(intent, request, send, is_as_asked))

    async def _sent(
        self,
        intent: Intent,
        request: Any,
        send: Callable[[Any], Awaitable[Any]],
        is_as_asked: Callable[[Any], bool],
    ) -> Intent:
        try:
            answer = await send(request)
        except PayorchError as failed:
            _LOG.warning("%s of order %s: %s", intent.purpose, intent.order_id, failed)
            error = failed.error
            if error.reason == "INTENT_MISMATCH":  # another process has sent another request: what to resend is there
                self._unsettled.pop(intent.request_id, None)
            stage = stage_after(intent.stage, error.outcome, error.advice, error.reason)
            return replace(intent, stage=stage, track_id=error.track_id or intent.track_id)
        stage = Stage.DONE if is_as_asked(answer) else Stage.REVIEW
        return replace(intent, stage=stage, track_id=answer.call.track_id)

    async def _looked_up(self, intent: Intent, operation: pb.Operation.ValueType) -> Intent:
        """Ask what became of an intent whose request is lost, because this process did not send it."""
        try:
            found = await self._client.get_intent(
                pb.GetIntentRequest(request_id=intent.request_id, operation=operation)
            )
        except PayorchError as failed:
            _LOG.warning("%s of order %s cannot be looked up: %s", intent.purpose, intent.order_id, failed)
            return intent
        track_id = found.track_ids[-1] if found.track_ids else intent.track_id
        ended = found.call_outcome  # empty without a record, which is no proof of anything
        # It was executed, but the answer that has the amount is gone.
        if ended.outcome == call_pb2.OUTCOME_SUCCEEDED:
            return replace(intent, stage=Stage.REVIEW, track_id=track_id)
        return replace(intent, stage=stage_after(intent.stage, ended.outcome, ended.advice, ""), track_id=track_id)

    def _ended(self, intent: Intent, ended: Intent) -> Intent:
        """Record the end of a call; return what is recorded then."""
        if ended.stage in _ENDED or ended.stage in _WITH_NEW_ID:
            self._unsettled.pop(intent.request_id, None)
        if ended.stage in _WITH_NEW_ID:
            ended = replace(ended, request_id=new_request_id())
        self._orders.end(intent, ended)
        return self._orders.intent(intent.order_id, intent.purpose)
