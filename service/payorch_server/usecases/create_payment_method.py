"""The use case CreatePaymentMethod."""

from dataclasses import dataclass
from typing import ClassVar

from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.context import CallContext
from payorch_server.model.errors import UpstreamEvidence, call_error
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route
from payorch_server.usecases.dispatcher import CallResult, Dispatcher, Intent
from payorch_server.usecases.settings import PaymentMethodSettings
from payorch_server.usecases.zuora_operation import ZuoraOperation
from payorch_server.zuora.messages import Call
from payorch_server.zuora.resources import payment_methods, payment_methods_v1
from payorch_server.zuora.resources.payment_methods import CREATED_BY_V1, REFUSED, CreatedPaymentMethod
from payorch_server.zuora.settings import TenantSettings


@dataclass(frozen=True, slots=True)
class CreatePaymentMethod:
    """Create a payment method."""

    intent: Intent
    request: payment_methods.PaymentMethodRequest
    guarded_token: str = ""
    """Names its Apple Pay token in the store; empty if there is none."""

    @property
    def moves_money(self) -> bool:
        """Whether an invoice is paid."""
        return self.request.kind == "apple_pay" and "pay_invoice" in self.request.members


async def create_payment_method(
    command: CreatePaymentMethod, *, context: CallContext, dispatcher: Dispatcher, settings: PaymentMethodSettings
) -> CallResult[CreatedPaymentMethod]:
    """Create a payment method by the operation that can create its kind.

    Args:
        command: What to create.
        context: Track-Id, deadline and namespace.
        dispatcher: Runs the call.
        settings: Whether card numbers may pass through, and whether it may stay unrecorded.

    Raises:
        CallError: With any outcome.
    """
    request = command.request
    if why := REFUSED.get(request.kind):
        raise call_error(Reason.PAYMENT_METHOD_TYPE_UNSUPPORTED, why, methodType=request.kind, why=why)
    if request.kind == "card" and not settings.raw_card_data:
        raise call_error(Reason.RAW_CARD_DATA_DISABLED, "payment_methods.raw_card_data is false")
    created_by = QuickstartCreation if request.kind not in CREATED_BY_V1 else V1Creation
    operation = created_by(
        request=request,
        moves_money=command.moves_money,
        needs_record=command.moves_money or not settings.allow_unrecorded,
        raw_card_data=request.kind == "card",
        guarded_token=command.guarded_token,
    )
    return await dispatcher.run(command.intent, context, operation)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Creation(ZuoraOperation[CreatedPaymentMethod]):
    """What both operations that create payment methods share."""

    result_type: ClassVar = CreatedPaymentMethod
    request: payment_methods.PaymentMethodRequest

    def ids_of(self, value: CreatedPaymentMethod) -> UpstreamEvidence:
        """Return the ids of the payment method and, where an invoice was paid, of the payment."""
        return UpstreamEvidence(payment_method_id=value.id, payment_id=str(value.view.get("payment_id", "")))


class QuickstartCreation(_Creation):
    """`POST /v2/payment_methods`."""

    __slots__ = ()

    def build(self, route: Route, tenant: TenantSettings) -> Call:
        """Return the call for a route."""
        return payment_methods.build(self.request, route=route, tenant=tenant)

    def parse(self, reply: ZuoraReply) -> CreatedPaymentMethod:
        """Return the payment method."""
        return payment_methods.parse(reply)


class V1Creation(_Creation):
    """`POST /v1/payment-methods`, for the types that only v1 can create."""

    __slots__ = ()

    def build(self, route: Route, tenant: TenantSettings) -> Call:
        """Return the call for a route."""
        return payment_methods_v1.build(self.request, route=route, tenant=tenant)

    def parse(self, reply: ZuoraReply) -> CreatedPaymentMethod:
        """Return the payment method; v1 names no type, so it is the requested one."""
        requested_type = CREATED_BY_V1[self.request.kind] or str(self.request.members["type"])
        return payment_methods_v1.parse(reply, requested_type=requested_type)
