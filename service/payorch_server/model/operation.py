"""The RPCs of the payment service, and what several packages decide by their names: one entry for each RPC."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rpc:
    """An RPC of payorch.v1.PaymentOrchestrationService."""

    name: str
    """As in the proto. Idempotency keys hash it, so it never changes."""
    is_routed: bool = True
    """Whether its calls go to Zuora: rules route them, and a kill switch can stop them."""
    has_amount: bool = True
    """Whether its calls can carry an amount; the others carry a currency at most."""
    has_method_type: bool = False
    """Whether its calls name the type of the payment method to create, which decides the path at Zuora."""
    is_guarded_by_time: bool = True
    """Whether a second execution does harm, money moved or not, so that it is sent only while clocks can be trusted: it
    is what the limit for resends prevents. An unused session costs nothing."""
    names_gateway_by_label: bool = False
    """Whether Zuora's operation takes the label of a gateway, and so needs one to pay; the others take its id."""


CREATE_SESSION: Final = Rpc("CreateSession", is_guarded_by_time=False)
DECRYPT_APPLE_PAY: Final = Rpc("DecryptApplePay", names_gateway_by_label=True)
CREATE_PAYMENT_METHOD: Final = Rpc("CreatePaymentMethod", has_amount=False, has_method_type=True)
GET_INTENT: Final = Rpc("GetIntent", is_routed=False, has_amount=False, is_guarded_by_time=False)

RPCS: Final[Mapping[str, Rpc]] = {
    rpc.name: rpc for rpc in (CREATE_SESSION, DECRYPT_APPLE_PAY, CREATE_PAYMENT_METHOD, GET_INTENT)
}
"""By name."""
ROUTED_RPCS: Final = tuple(rpc.name for rpc in RPCS.values() if rpc.is_routed)
"""The names that routing rules and kill switches can have."""
