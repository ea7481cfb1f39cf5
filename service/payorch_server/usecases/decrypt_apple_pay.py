from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from payorch_server.model.context import CallContext
from payorch_server.model.errors import UpstreamEvidence
from payorch_server.model.money import Amount
from payorch_server.usecases.dispatcher import CallResult, Dispatcher, Intent, ZuoraOperation
from payorch_server.zuora.resources import decryption


@dataclass(frozen=True, slots=True)
class DecryptApplePay:
    """Have Zuora decrypt an Apple Pay token."""

    intent: Intent
    request: decryption.DecryptionRequest
    guarded_token: str
    """What names the token in the store."""
    expected_amount: Amount | None = None

    @property
    def moves_money(self) -> bool:
        """Whether an invoice is paid."""
        return bool(self.request.invoice)


async def decrypt_apple_pay(
    command: DecryptApplePay, *, context: CallContext, dispatcher: Dispatcher
) -> CallResult[decryption.DecryptionResult]:
    """Create a payment method from a token and, if asked, pay an invoice.

    Raises:
        CallError: Any of its kinds.
    """
    work = ZuoraOperation(
        build=lambda route, tenant: decryption.build(command.request, route=route, tenant=tenant),
        parse=decryption.parse,
        result_type=decryption.DecryptionResult,
        ids_of=lambda result: UpstreamEvidence(
            payment_method_id=result.payment_method_id, payment_id=result.payment_id
        ),
        moves_money=command.moves_money,
        guarded_token=command.guarded_token,
    )
    return await dispatcher.run(command.intent, context, work)


def amounts_agree(expected: Amount, reported: str) -> bool | None:
    """Compare the expected amount with the text that Zuora reports; None if it reports no amount."""
    try:
        return Decimal(reported) == expected.value
    except InvalidOperation:
        return None
