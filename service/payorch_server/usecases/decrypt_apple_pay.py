"""The use case DecryptApplePay."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import ClassVar

from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.context import CallContext
from payorch_server.model.errors import UpstreamEvidence
from payorch_server.model.money import Amount
from payorch_server.model.route import Route
from payorch_server.usecases.dispatcher import CallResult, Dispatcher, Intent
from payorch_server.usecases.settings import PaymentMethodSettings
from payorch_server.usecases.zuora_operation import ZuoraOperation
from payorch_server.zuora.messages import Call
from payorch_server.zuora.resources import decryption
from payorch_server.zuora.settings import TenantSettings


@dataclass(frozen=True, slots=True)
class DecryptApplePay:
    """Have Zuora decrypt an Apple Pay token."""

    intent: Intent
    request: decryption.DecryptionRequest
    guarded_token: str
    """Names the token in the store."""
    expected_amount: Amount | None = None

    @property
    def moves_money(self) -> bool:
        """Whether an invoice is paid."""
        return bool(self.request.invoice)


async def decrypt_apple_pay(
    command: DecryptApplePay, *, context: CallContext, dispatcher: Dispatcher, settings: PaymentMethodSettings
) -> CallResult[decryption.DecryptionResult]:
    """Create a payment method from a token and, if requested, pay an invoice.

    Args:
        command: What to decrypt.
        context: Track-Id, deadline and namespace.
        dispatcher: Runs the call.
        settings: Whether it may stay unrecorded if it pays nothing.

    Raises:
        CallError: With any outcome.
    """
    operation = ApplePayDecryption(
        request=command.request,
        moves_money=command.moves_money,
        needs_record=command.moves_money or not settings.allow_unrecorded,
        guarded_token=command.guarded_token,
    )
    return await dispatcher.run(command.intent, context, operation)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplePayDecryption(ZuoraOperation[decryption.DecryptionResult]):
    """Zuora's operation that decrypts a token, creates a payment method and pays an invoice if requested."""

    result_type: ClassVar = decryption.DecryptionResult
    request: decryption.DecryptionRequest

    def build(self, route: Route, tenant: TenantSettings) -> Call:
        """Return the call for a route."""
        return decryption.build(self.request, route=route, tenant=tenant)

    def parse(self, reply: ZuoraReply) -> decryption.DecryptionResult:
        """Return what was created and paid."""
        return decryption.parse(reply, pays=bool(self.request.invoice))

    def ids_of(self, value: decryption.DecryptionResult) -> UpstreamEvidence:
        """Return the ids of the payment method and the payment."""
        return UpstreamEvidence(payment_method_id=value.payment_method_id, payment_id=value.payment_id)


def amounts_agree(expected: Amount, reported: str) -> bool | None:
    """Compare the expected amount with the text that Zuora reports; None if it reports no amount."""
    try:
        return Decimal(reported) == expected.value
    except InvalidOperation:
        return None
