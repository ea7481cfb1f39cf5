from dataclasses import dataclass

from payorch_server.model.context import CallContext
from payorch_server.model.errors import UpstreamEvidence, call_error
from payorch_server.model.outcome import Reason
from payorch_server.usecases.dispatcher import CallResult, Dispatcher, Intent, ZuoraOperation
from payorch_server.zuora.resources import payment_methods, payment_methods_v1
from payorch_server.zuora.resources.payment_methods import CREATED_BY_V1, REFUSED, CreatedPaymentMethod


@dataclass(frozen=True, slots=True)
class CreatePaymentMethod:
    """Create a payment method."""

    intent: Intent
    request: payment_methods.PaymentMethodRequest
    guarded_token: str = ""
    """What names its Apple Pay token in the store; empty if there is none."""

    @property
    def moves_money(self) -> bool:
        """Whether an invoice is paid."""
        return self.request.kind == "apple_pay" and "pay_invoice" in self.request.members


async def create_payment_method(
    command: CreatePaymentMethod, *, context: CallContext, dispatcher: Dispatcher, raw_card_data: bool
) -> CallResult[CreatedPaymentMethod]:
    """Create a payment method by the operation that can create its kind.

    Args:
        command: What to create.
        context: Track-Id, deadline and namespace.
        dispatcher: Runs the call.
        raw_card_data: Whether card numbers may pass through.

    Raises:
        CallError: Any of its kinds.
    """
    request = command.request
    if why := REFUSED.get(request.kind):
        raise call_error(Reason.PAYMENT_METHOD_TYPE_UNSUPPORTED, why, methodType=request.kind, why=why)
    if request.kind == "card" and not raw_card_data:
        raise call_error(Reason.RAW_CARD_DATA_DISABLED, "orchestration.raw_card_data is false")
    return await dispatcher.run(command.intent, context, _work(command))


def _work(command: CreatePaymentMethod) -> ZuoraOperation[CreatedPaymentMethod]:
    request = command.request
    if request.kind not in CREATED_BY_V1:
        return ZuoraOperation(
            build=lambda route, tenant: payment_methods.build(request, route=route, tenant=tenant),
            parse=payment_methods.parse,
            result_type=CreatedPaymentMethod,
            ids_of=_ids_of,
            moves_money=command.moves_money,
            raw_card_data=request.kind == "card",
            guarded_token=command.guarded_token,
        )
    requested_type = CREATED_BY_V1[request.kind] or str(request.members["type"])
    return ZuoraOperation(
        build=lambda route, tenant: payment_methods_v1.build(request, route=route, tenant=tenant),
        parse=lambda reply: payment_methods_v1.parse(reply, requested_type=requested_type),
        result_type=CreatedPaymentMethod,
        ids_of=_ids_of,
        moves_money=command.moves_money,
        guarded_token=command.guarded_token,
    )


def _ids_of(created: CreatedPaymentMethod) -> UpstreamEvidence:
    return UpstreamEvidence(payment_method_id=created.id, payment_id=str(created.view.get("payment_id", "")))
