"""Plug-ins that break the contract, each in one way that was seen in the field, beside one that keeps it."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import grpc
from harness.plugin import APPROVED, DECLINED, PENDING, TOKEN_FIELD, Behaviour, Plugin
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2

SLOW_S: Final = 0.7
TOKEN_DATA: Final = {
    "approve": {TOKEN_FIELD: "tok_approve"},
    "decline": {TOKEN_FIELD: "tok_decline"},
    "pending": {TOKEN_FIELD: "tok_pending"},
    "slow": {TOKEN_FIELD: "tok_slow"},
    "error": {TOKEN_FIELD: "tok_error"},
}
"""The file of magic values of all of them."""


class Right(Plugin):
    """Keeps the contract; the others differ from it in one rule."""

    def __init__(self, ledger: Path | None = None) -> None:
        super().__init__(ledger)
        self.behaviours = {
            "tok_decline": Behaviour(DECLINED, "declined", "The provider declined it."),
            "tok_pending": Behaviour(PENDING, "pending"),
            "tok_slow": Behaviour(delay_s=SLOW_S),
            "tok_error": Behaviour(error_after=grpc.StatusCode.INTERNAL),
        }


class DeclinesDuplicate(Right):
    """Loses its keys in a restart, and passes on that its provider refuses the second charge: DECLINED, duplicate."""

    def __init__(self, ledger: Path | None = None) -> None:
        super().__init__(ledger)
        self.forget()

    def outcome_of(self, request: Any, behaviour: Behaviour) -> gateway_pb2.GatewayOutcome:
        """Decline what the provider has executed."""
        if any(effect.key == request.call.idempotency_key for effect in self.effects):
            behaviour = Behaviour(DECLINED, "duplicate", "Duplicate transaction.")
        return super().outcome_of(request, behaviour)


class IgnoresKey(Right):
    """Executes every call."""

    def known(self, key: str) -> None:
        """Know no key."""

    def found(self, request: gateway_pb2.LookUpRequest) -> gateway_pb2.GatewayOutcome | None:
        """Return the outcome of the last call."""
        known = super().known(request.idempotency_key)
        return known and known[1]


class ForgetsOnRestart(Right):
    """Has its keys in memory."""

    def __init__(self, ledger: Path | None = None) -> None:
        super().__init__(ledger)
        self.forget()


class ChargesThenFails(Right):
    """Records the outcome when its provider has answered, which a deadline or an error prevents."""

    def remember(self, key: str, asked: str, outcome: gateway_pb2.GatewayOutcome) -> None:
        """Forget what ends without an answer."""
        if outcome.code != "late":
            super().remember(key, asked, outcome)

    def outcome_of(self, request: Any, behaviour: Behaviour) -> gateway_pb2.GatewayOutcome:
        """Mark what would be recorded too late."""
        outcome = super().outcome_of(request, behaviour)
        if behaviour.delay_s or behaviour.error_after:
            outcome.code = "late"
        return outcome


class AnswersZero(Right):
    """Leaves out the result of approved payments."""

    def outcome_of(self, request: Any, behaviour: Behaviour) -> gateway_pb2.GatewayOutcome:
        """Clear the result."""
        outcome = super().outcome_of(request, behaviour)
        if outcome.result == APPROVED:
            outcome.ClearField("result")
        return outcome


class LongIds(Right):
    """Has ids of 101 characters, and of 61 for validations."""

    def outcome_of(self, request: Any, behaviour: Behaviour) -> gateway_pb2.GatewayOutcome:
        """Make the id longer."""
        outcome = super().outcome_of(request, behaviour)
        is_validation = isinstance(request, gateway_pb2.ValidatePaymentMethodRequest)
        outcome.transaction_id = outcome.transaction_id.ljust(61 if is_validation else 101, "0")
        return outcome


class LosesCents(Right):
    """Takes whole units."""

    def amount_of(self, request: Any) -> Decimal:
        """Cut the amount."""
        return Decimal(int(super().amount_of(request)))


class RefundsTwice(Right):
    """Has keys for payments only, though a refund's second answer is like its first."""

    def known(self, key: str) -> tuple[str, gateway_pb2.GatewayOutcome] | None:
        """Know no refund."""
        known = super().known(key)
        return None if known and known[0].startswith("refund") else known

    def outcome_of(self, request: Any, behaviour: Behaviour) -> gateway_pb2.GatewayOutcome:
        """Return the same id for the same key."""
        outcome = super().outcome_of(request, behaviour)
        outcome.transaction_id = f"T-{request.call.idempotency_key[-12:]}"
        return outcome

    def found(self, request: gateway_pb2.LookUpRequest) -> gateway_pb2.GatewayOutcome | None:
        """Return the last outcome."""
        known = super().known(request.idempotency_key)
        return known and known[1]


class LookUpLies(Right):
    """Says DECLINED of what was approved."""

    def found(self, request: gateway_pb2.LookUpRequest) -> gateway_pb2.GatewayOutcome | None:
        """Change the result."""
        said = super().found(request)
        if said is None or said.result != APPROVED:
            return said
        return gateway_pb2.GatewayOutcome(result=gateway_pb2.GATEWAY_RESULT_DECLINED, code="not found")


class EchoesToken(Right):
    """Has the token in the message of a refusal."""

    def outcome_of(self, request: Any, behaviour: Behaviour) -> gateway_pb2.GatewayOutcome:
        """Name the token."""
        outcome = super().outcome_of(request, behaviour)
        if outcome.result == DECLINED:
            outcome.message = f"No funds for {request.call.method.token_data[TOKEN_FIELD].text}."
        return outcome


class NeverAnswers(Right):
    """Charges, and then waits for something that does not come."""

    async def ProcessPayment(self, request: Any, context: Any) -> gateway_pb2.ProcessPaymentResponse:  # noqa: N802 - gRPC's name
        """Wait for ever."""
        await super().ProcessPayment(request, context)
        await asyncio.Event().wait()
        return gateway_pb2.ProcessPaymentResponse()


BROKEN: Final[tuple[type[Right], ...]] = (
    DeclinesDuplicate,
    IgnoresKey,
    ForgetsOnRestart,
    ChargesThenFails,
    AnswersZero,
    LongIds,
    LosesCents,
    RefundsTwice,
    LookUpLies,
    EchoesToken,
    NeverAnswers,
)
"""All that break a rule."""
