"""The emulator's requests to payment hubs: sent as Zuora would, spoiled on demand, kept with their secrets masked."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from zuora_emulator.answers import NOT_JSON
from zuora_emulator.clock import Clock
from zuora_emulator.faults import Fault, Faults, Kind
from zuora_emulator.hub_caller import ANSWER_TIMEOUT_S, CONNECT_TIMEOUT_S, HubCaller
from zuora_emulator.upc_answers import HubOperation, HubReply, read_reply
from zuora_emulator.upc_records import HubSend, Reason
from zuora_emulator.upc_types import UpcGateway

MASK = "***"
"""Shown in place of what may be a secret."""
_NO_ANSWER = HubReply(conclusion="Processing")
_SHOWN_OBJECTS = frozenset({"billingAccount", "payment", "paymentMethod", "refund"})
_SHOWN_TEXTS = frozenset({"operation", "paymentGatewayName", "tenantId"})
_HIDDEN_MEMBERS = frozenset({"upcTokenData"})
_SHOWN_ANSWER = frozenset(
    {
        "gatewayResponseCode",
        "gatewayResponseMessage",
        "gatewaySecondTransactionId",
        "gatewayTransactionId",
        "responseCode",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRequest:
    """One request to a hub."""

    operation: HubOperation
    subject: str | None
    """Id of the payment or refund; None for a validation."""
    gateway: UpcGateway
    body: bytes = field(repr=False)

    @property
    def fault_name(self) -> str:
        """The name for faults and the ledger."""
        return f"hub_{self.operation.lower()}"


class HubSends:
    """Sends requests and keeps what became of them.

    Args:
        caller: The way to the hub.
        clock: For times and delays.
        faults: What goes wrong.
    """

    def __init__(self, *, caller: HubCaller, clock: Clock, faults: Faults) -> None:
        self._caller = caller
        self._clock = clock
        self._faults = faults
        self.entries: list[HubSend] = []

    def of(self, subject: str | None) -> list[HubSend]:
        """The sends of one payment or refund; None for those of validations."""
        return [send for send in self.entries if send.subject == subject]

    async def send(self, request: HubRequest, reason: Reason) -> tuple[tuple[HubSend, ...], HubReply]:
        """Send a request and read its answer, both as the next fault of its operation will have it.

        Returns:
            What was sent, the last of them being what was answered, and the answer.
        """
        fault = self._faults.take(request.fault_name, self._clock.now())
        kind = None if fault is None else fault.kind
        if fault is not None and kind is Kind.DELAYED:
            await self._clock.sleep(fault.seconds)
        if fault is not None and kind is Kind.DUPLICATED:
            lost, send = self._recorded(request, "duplicated", fault), self._recorded(request, reason, fault)
            _, reply = await asyncio.gather(
                self._delivered(request, lost, is_read=False), self._delivered(request, send, is_read=True)
            )
            return (lost, send), reply
        send = self._recorded(request, reason, fault)
        if kind is Kind.REFUSED:
            send.failure, send.conclusion = "the connection was refused", "Processing"
            return (send,), _NO_ANSWER
        return (send,), await self._delivered(request, send, is_read=kind is not Kind.LOST)

    async def _delivered(self, request: HubRequest, send: HubSend, *, is_read: bool) -> HubReply:
        gateway = request.gateway
        credentials = base64.b64encode(f"{gateway.user}:{gateway.password}".encode()).decode()
        headers = {
            "accept": "application/json",
            "authorization": f"Basic {credentials}",
            "content-type": "application/json",
        }
        try:
            status, body = await self._caller.post(
                gateway.endpoint,
                headers,
                request.body,
                connect_timeout_s=CONNECT_TIMEOUT_S,
                answer_timeout_s=ANSWER_TIMEOUT_S,
            )
        except Exception as problem:  # noqa: BLE001 - whatever the way to the hub raises, no answer came
            send.failure, send.conclusion = f"{type(problem).__name__}: {problem}", "Processing"
            return _NO_ANSWER
        if not is_read:
            send.failure, send.conclusion = "the answer was lost", "Processing"
            return _NO_ANSWER
        reply = read_reply(request.operation, status, body)
        send.status, send.answer = status, masked_answer(body)
        send.conclusion, send.problems = reply.conclusion, reply.problems
        return reply

    def _recorded(self, request: HubRequest, reason: Reason, fault: Fault | None) -> HubSend:
        send = HubSend(
            number=len(self.entries) + 1,
            operation=request.operation,
            subject=request.subject,
            reason=reason,
            time=self._clock.now(),
            url=request.gateway.endpoint,
            headers={"authorization": MASK, "content-type": "application/json"},
            request=masked_request(request.body),
            fault=None if fault is None else str(fault),
        )
        self.entries.append(send)
        return send


def masked_request(body: bytes) -> Any:
    """Return a request to a hub with the values of token data, gateway options and unknown members masked."""
    return {name: _masked_member(name, value) for name, value in msgspec.json.decode(body).items()}


def _masked_member(name: str, value: Any) -> Any:
    if name in _SHOWN_TEXTS:
        return value
    if name not in _SHOWN_OBJECTS or not isinstance(value, Mapping):
        return MASK
    return {inner: MASK if inner in _HIDDEN_MEMBERS else shown for inner, shown in value.items()}


def masked_answer(body: bytes) -> Any:
    """Return the answer of a hub with every member masked that is not one of Zuora's texts."""
    try:
        decoded = msgspec.json.decode(body)
    except NOT_JSON:
        decoded = None
    if not isinstance(decoded, dict):
        return f"<{len(body)} bytes>"
    return {
        name if name in _SHOWN_ANSWER or name in _HIDDEN_MEMBERS else MASK: value
        if name in _SHOWN_ANSWER and isinstance(value, str)
        else MASK
        for name, value in decoded.items()
    }
