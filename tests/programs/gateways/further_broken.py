"""Plug-ins that break the contract in further ways, so that every case has one that fails it."""

from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import grpc
from harness.plugin import APPROVED, DECLINED, PENDING, TOKEN_FIELD, Behaviour, Effect
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2

from programs.gateways.broken import Right

_LONG: Final = 1_000


class Renamed(Right):
    """Has another name whenever it is asked."""

    asked = 0

    async def DescribeGateway(self, *_: Any) -> gateway_pb2.DescribeGatewayResponse:  # noqa: N802 - gRPC's name
        """Count up."""
        self.asked += 1
        described = gateway_pb2.DescribeGatewayResponse()
        described.CopyFrom(self.description)
        described.name = f"gateway-{self.asked}"
        return described


class Undescribed(Right):
    """Does not describe itself."""

    async def DescribeGateway(self, *arguments: Any) -> gateway_pb2.DescribeGatewayResponse:  # noqa: N802 - gRPC's name
        """End with an error."""
        return await arguments[1].abort(grpc.StatusCode.UNIMPLEMENTED, "Not implemented.")


class Changed(Right):
    """Has one more rule for some calls, and ends them with an error."""

    async def _once(self, request: Any, context: Any) -> gateway_pb2.GatewayOutcome:
        if self.refuses(request):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Not supported.")
        return await super()._once(request, context)

    def refuses(self, request: Any) -> bool:
        """Return whether the call ends with an error."""
        raise NotImplementedError


class ApprovesAll(Right):
    """Approves what its provider declines."""

    def outcome_of(self, request: Any, behaviour: Behaviour) -> gateway_pb2.GatewayOutcome:
        """Change the result."""
        outcome = super().outcome_of(request, behaviour)
        if outcome.code == "declined":
            outcome.result = APPROVED
        return outcome


class DeclinesPending(Right):
    """Says DECLINED of what its provider has accepted."""

    def outcome_of(self, request: Any, behaviour: Behaviour) -> gateway_pb2.GatewayOutcome:
        """Change the result."""
        outcome = super().outcome_of(request, behaviour)
        if outcome.result == PENDING:
            outcome.result = DECLINED
        return outcome


class RetriesDeclined(Right):
    """Tries a declined key again."""

    def known(self, key: str) -> tuple[str, gateway_pb2.GatewayOutcome] | None:
        """Know what was not declined."""
        known = super().known(key)
        return None if known is not None and known[1].result == DECLINED else known


class KnowsEverything(Right):
    """Says DECLINED of keys that it has not heard of."""

    def found(self, request: gateway_pb2.LookUpRequest) -> gateway_pb2.GatewayOutcome | None:
        """Make an outcome."""
        return super().found(request) or gateway_pb2.GatewayOutcome(result=gateway_pb2.GATEWAY_RESULT_DECLINED)


class OneId(Right):
    """Has one id for everything."""

    def outcome_of(self, request: Any, behaviour: Behaviour) -> gateway_pb2.GatewayOutcome:
        """Change the id."""
        outcome = super().outcome_of(request, behaviour)
        outcome.transaction_id = "T"
        return outcome


class GoesByReference(Right):
    """Refunds the payment with the id in `reference_id`."""

    async def ProcessRefund(self, request: Any, context: Any) -> gateway_pb2.ProcessRefundResponse:  # noqa: N802 - gRPC's name
        """Change the key of the payment."""
        for effect in self.effects:
            if effect.transaction_id == request.reference_id:
                request.payment_idempotency_key = effect.key
        return await super().ProcessRefund(request, context)


class RefundsAnything(Right):
    """Refunds more than was paid."""

    def refusal_of_refund(self, request: Any) -> str:
        """Refuse what was never paid only."""
        return "" if any(effect.key == request.payment_idempotency_key for effect in self.effects) else "unknown"


class RefundsUnknown(Right):
    """Refunds payments that it does not know."""

    def refusal_of_refund(self, request: Any) -> str:
        """Make the payment up."""
        key = request.payment_idempotency_key
        if not any(effect.key == key for effect in self.effects):
            self.move(Effect(key, gateway_pb2.GATEWAY_OPERATION_PAYMENT, Decimal(10**6), "USD", "T"))
        return super().refusal_of_refund(request)


class RefusesRemainder(Right):
    """Refunds a payment once only."""

    def refusal_of_refund(self, request: Any) -> str:
        """Refuse a second refund."""
        key = request.payment_idempotency_key
        is_refunded = any(effect.payment_key == key for effect in self.effects)
        return "Refunded before." if is_refunded else super().refusal_of_refund(request)


class TwoDecimalsAlways(Right):
    """Takes the smallest amount of every currency as a hundredth."""

    def amount_of(self, request: Any) -> Decimal:
        """Cut a payment's third decimal, and count 1099 yen as 10.99."""
        amount = super().amount_of(request)
        if isinstance(request, gateway_pb2.ProcessPaymentRequest):
            return amount / 100 if request.amount.currency_code == "JPY" else amount.quantize(Decimal("0.01"))
        return amount


class ValidatesNothing(Changed):
    """Has no validation."""

    def refuses(self, request: Any) -> bool:
        """Refuse validations."""
        return isinstance(request, gateway_pb2.ValidatePaymentMethodRequest)


class RemembersDeclinedValidation(Right):
    """Repeats the refusal of a validation."""

    has_declined = False

    def outcome_of(self, request: Any, behaviour: Behaviour) -> gateway_pb2.GatewayOutcome:
        """Decline after the first refusal."""
        if isinstance(request, gateway_pb2.ValidatePaymentMethodRequest):
            self.has_declined |= behaviour.result == DECLINED
            behaviour = Behaviour(DECLINED) if self.has_declined else behaviour
        return super().outcome_of(request, behaviour)


class AsciiOnly(Changed):
    """Fails with texts beyond ASCII."""

    def refuses(self, request: Any) -> bool:
        """Refuse them."""
        return not request.call.account.number.isascii()


class NeedsAccount(Changed):
    """Fails without a billing account."""

    def refuses(self, request: Any) -> bool:
        """Refuse calls without one."""
        return not request.call.HasField("account")


class KnowsAllFields(Changed):
    """Fails with fields that it does not know."""

    def refuses(self, request: Any) -> bool:
        """Refuse other fields than its own."""
        return set(request.call.method.token_data) != {TOKEN_FIELD}


class ShortTexts(Changed):
    """Fails with long fields."""

    def refuses(self, request: Any) -> bool:
        """Refuse them."""
        return any(len(value.text) > _LONG for value in request.call.method.token_data.values())


class BreaksOnLongTexts(Changed):
    """Answers nothing any more after a text that is too long."""

    is_broken = False

    def refuses(self, request: Any) -> bool:
        """Refuse everything from then on."""
        self.is_broken |= any(len(value.text) > 8_000 for value in request.call.method.token_data.values())
        return self.is_broken


class EchoesInLookUp(Right):
    """Has an option of the request in what LookUp says."""

    option = ""

    def outcome_of(self, request: Any, behaviour: Behaviour) -> gateway_pb2.GatewayOutcome:
        """Keep the option."""
        self.option = request.call.gateway_options["certification"]
        return super().outcome_of(request, behaviour)

    def found(self, request: gateway_pb2.LookUpRequest) -> gateway_pb2.GatewayOutcome | None:
        """Add the option, more than once."""
        outcome = super().found(request)
        if outcome is not None:
            outcome.message = self.option * 20
        return outcome


class ForgetsAll(Right):
    """Loses in a restart what it and its provider know."""

    def __init__(self, ledger: Path | None = None) -> None:
        super().__init__(ledger)
        self.forget()
        self.effects.clear()


class Unprintable(Right):
    """Has a control character in its codes."""

    def outcome_of(self, request: Any, behaviour: Behaviour) -> gateway_pb2.GatewayOutcome:
        """Add one."""
        outcome = super().outcome_of(request, behaviour)
        outcome.code += "\x00"
        return outcome


FURTHER_BROKEN: Final = (
    ("describe", Renamed),
    ("describe", Undescribed),
    ("decline", ApprovesAll),
    ("pending", DeclinesPending),
    ("declined-key", RetriesDeclined),
    ("unknown-key", KnowsEverything),
    ("many-keys", OneId),
    ("refund-wrong-reference", GoesByReference),
    ("refund", RefundsAnything),
    ("over-refund", RefundsAnything),
    ("refund-unknown-payment", RefundsUnknown),
    ("partial-refunds", RefusesRemainder),
    ("zero-decimals", TwoDecimalsAlways),
    ("three-decimals", TwoDecimalsAlways),
    ("validate", ValidatesNothing),
    ("validate-declined", RemembersDeclinedValidation),
    ("unicode", AsciiOnly),
    ("optional-members", NeedsAccount),
    ("unknown-members", KnowsAllFields),
    ("longest-texts", ShortTexts),
    ("too-long-texts", BreaksOnLongTexts),
    ("answer-limits", EchoesInLookUp),
    ("secrets", EchoesInLookUp),
    ("answer-limits", Unprintable),
    ("kill-after-charging", ForgetsAll),
)
"""Cases, each with a plug-in that fails it."""
