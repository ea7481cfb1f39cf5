"""What is said to a gateway for one claim: look up, call, confirm; and what that proves."""

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from payorch_server.upc.answers import Situation, situation_of
from payorch_server.upc.called_requests import CalledRequest
from payorch_server.upc.gateway_outcome import (
    CallFacts,
    GatewayDescription,
    GatewayOutcome,
    NoOutcome,
    NotHeardOf,
    NotSent,
    Result,
)
from payorch_server.upc.gateway_port import Gateway
from payorch_server.upc.hub_ledger import CLOCK_SKEW_S, HubClaim, HubLedger
from payorch_server.upc.hub_parts import MIN_IDEMPOTENT_FOR, REQUEST_LIMIT_S
from payorch_server.upc.request import HubRequest, Operation, Payment, Refund, RequestName, idempotency_key

Verdict: TypeAlias = tuple[Situation, GatewayOutcome | None]
"""What happened, and what the gateway said of it."""


class GatewayConversation:
    """One claim's calls of its gateway."""

    def __init__(
        self,
        request: HubRequest,
        claim: HubClaim,
        gateway: Gateway,
        description: GatewayDescription,
        *,
        ledger: HubLedger,
        until_s: float,
    ) -> None:
        """Prepare the calls.

        Args:
            request: A payment or refund.
            claim: Of the execution.
            gateway: Pinned.
            description: What it says of itself.
            ledger: Of the hub.
            until_s: Deadline of every call, on the monotonic clock.
        """
        self._request = request
        self._claim = claim
        self._gateway = gateway
        self._description = description
        self._ledger = ledger
        self._until_s = until_s

    async def conduct(self) -> Verdict:
        """Call the gateway as far as needed; return what happened."""
        # 1. This process called another one, of which the store has lost the record.
        if self._is_pinned_elsewhere():
            return Situation.GATEWAY_CHANGED, None
        # 2. An earlier call may have had its effect: look it up, and call again only while the key protects.
        if self._claim.in_doubt:
            verdict = await self._look_up_earlier()
            if verdict is not None:
                return verdict
        # 3. Zuora was given an answer that means Error: nothing more may be charged.
        if self._claim.was_refused:
            return Situation.REFUSED_EARLIER, None
        # 4. The gateway does not offer it, or no more.
        if not self._is_offered():
            return Situation.NOT_OFFERED, None
        # 5. Call.
        verdict = await self._call()
        # 6. After an earlier call a refusal counts only if the gateway, asked after that call's deadline, confirms it.
        is_refusal = verdict[0] in {Situation.DECLINED, Situation.FAILED}
        if self._claim.in_doubt and is_refusal and self._description.looks_up:
            return await self._look_up(earlier_until_s=self._claim.earlier_until_s) or verdict
        return verdict

    def _is_pinned_elsewhere(self) -> bool:
        record = self._claim.record
        return (record.gateway, record.described_as) != (self._gateway.name, self._description.name)

    def _is_offered(self) -> bool:
        subject = self._request.subject
        currency = subject.amount.currency if isinstance(subject, Payment) else ""
        currencies = self._description.currencies
        is_taken = not currency or not currencies or currency in currencies
        return self._request.operation in self._description.operations and is_taken

    async def _look_up_earlier(self) -> Verdict | None:
        """Return what became of the earlier calls, or why none may follow; None where the gateway may be called."""
        # A call of which the store has lost the record began before this one was recorded.
        unknown_until_s = self._claim.record.first_send_s + REQUEST_LIMIT_S
        earlier_until_s = self._claim.earlier_until_s or unknown_until_s
        verdict = await self._look_up(earlier_until_s=earlier_until_s) if self._description.looks_up else None
        if verdict is not None:
            return verdict
        # Not heard of, or it cannot be asked: the same key has the same effect, while the gateway remembers it.
        # The call may be on its way until its deadline, and the clock of the first send may have been ahead.
        age = timedelta(seconds=self._ledger.age_s(self._claim.record) + REQUEST_LIMIT_S + CLOCK_SKEW_S)
        remembered_for = timedelta(seconds=self._claim.record.remembered_s)
        if remembered_for < MIN_IDEMPOTENT_FOR or age >= remembered_for:
            return Situation.TOO_OLD, None
        return None

    async def _look_up(self, *, earlier_until_s: float) -> Verdict | None:
        """Return what LookUp proves; None where the gateway has not heard of the key, or called no provider.

        Args:
            earlier_until_s: Unix time until which an earlier call may run.
        """
        found = await self._gateway.look_up(self._request, self._claim.key, deadline_s=self._until_s)
        # 1. Nothing is known.
        if isinstance(found, NoOutcome):
            return Situation.NO_OUTCOME, None
        # 2. Nothing was done so far.
        if isinstance(found, NotHeardOf) or found.result is Result.NOT_ATTEMPTED:
            return None
        # 3. It was approved, or has not ended.
        if found.result is Result.APPROVED:
            return Situation.APPROVED, found
        if found.result is Result.PENDING:
            return Situation.PENDING, None
        # 4. A refusal while an earlier call may still run is not its end.
        if not self._ledger.has_passed(earlier_until_s):
            return Situation.NO_OUTCOME, None
        is_declined = found.result is Result.DECLINED
        return (Situation.LOOKED_UP_DECLINED if is_declined else Situation.LOOKED_UP_FAILED), found

    async def _call(self) -> Verdict:
        key, record = self._claim.key, self._claim.record
        called = CalledRequest(record.gateway, record.described_as, record.first_send_s, record.called_until_s)
        self._ledger.called.note(key, called)
        facts = CallFacts(
            key,
            record.attempts,
            may_be_repeated=self._claim.in_doubt,
            first_send=datetime.fromtimestamp(record.first_send_s, UTC),
            payment_idempotency_key=_payment_key(self._request),
        )
        ended = await self._gateway.call(self._request, facts, deadline_s=self._until_s)
        if isinstance(ended, NotSent):
            return Situation.NOT_CONNECTED, None
        if isinstance(ended, NoOutcome):
            return Situation.NO_OUTCOME, None
        return situation_of(ended.result), ended


def _payment_key(request: HubRequest) -> str:
    """Return the key of the refunded payment; empty for other operations."""
    if not isinstance(request.subject, Refund):
        return ""
    return idempotency_key(RequestName(request.tenant_id, Operation.PAYMENT, request.subject.payment_id))
