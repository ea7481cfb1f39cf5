"""POST /v1/payment-methods, for what the Quickstart operation cannot create.

{"type": "AdyenGooglePay", "accountKey": "...", "authGateway": "...", "googlePaymentToken": "{...}", ...}
-> 200 {"success": true, "id": "..."}

Source: Zuora, "Create a payment method" (v1, read 2026-11-20). Wallet tokens travel as one string of JSON.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.route import Route
from payorch_server.zuora.errors import promised_text
from payorch_server.zuora.messages import Call
from payorch_server.zuora.resources.payment_methods import CREATED_BY_V1, CreatedPaymentMethod, PaymentMethodRequest
from payorch_server.zuora.settings import TenantSettings

_RESERVED: Final = """
    AchCity AccountId accountKey accountNumber BAID bankIdentificationNumber cardHolderInfo createdBy createdDate
    deviceSessionId existingMandate id IPAddress IsCompany isDefault lastFailedSaleTransactionDate lastTransaction
    lastTransactionDateTime lastTransactionStatus maxConsecutivePaymentFailures MethodReferenceId
    MethodSpecificData mitConsentAgreementRef mitConsentAgreementSrc mitNetworkTransactionId mitProfileAction
    mitProfileAgreedOn mitProfileType numConsecutiveFailures paymentRetryWindow status SubType success TokenId
    totalNumberOfErrorPayments totalNumberOfProcessedPayments type updatedBy updatedDate useDefaultRetryRule
    UserReferenceId
"""
"""Source: Zuora, "Reserved field names" of custom payment methods (read 2026-11-25); the capitals are its own."""
_COMMON: Final = """
    authGateway currencyCode gatewayOptions ipAddress makeDefault mandateInfo paymentGatewayNumber paymentMethodNumber
    processingOptions screeningAmount skipValidation tokenize tokens
"""
"""Members of every type's body."""
_CARD: Final = """
    cardMaskNumber cardNumber cardSecurityCode cardVerificationValue creditCardMaskNumber creditCardNumber
    creditCardSecurityCode cvc cvc2 cvv cvv2 expirationMonth expirationYear pan pin pinBlock primaryAccountNumber
    securityCode track1 track2 trackData
"""
RESERVED_NAMES: Final = frozenset(f"{_RESERVED} {_COMMON}".lower().split())
"""Names, in lower case, that a custom type's own field must not have: it would take another member's place."""
CARD_NAMES: Final = frozenset(_CARD.lower().split())
"""Names, in lower case, of card data; only the fields for cards may hold it."""


def build(request: PaymentMethodRequest, *, route: Route, tenant: TenantSettings) -> Call:
    """Return the call; the kind is one of CREATED_BY_V1."""
    optional: dict[str, Any] = {
        "accountKey": request.account_id or request.account_number or None,
        "makeDefault": request.is_default,
        "authGateway": route.gateway.id or None,
        "currencyCode": request.currency_code or None,
        "gatewayOptions": dict(request.gateway_options) or None,
        "ipAddress": request.ip_address,
    }
    body: dict[str, Any] = {"type": CREATED_BY_V1[request.kind]}
    body |= {name: value for name, value in optional.items() if value is not None}
    body |= request.custom_fields
    body |= _OWN_MEMBERS[request.kind](request.members)
    return Call("payment_methods_v1", tenant.paths.payment_methods_v1, body)


def _google_pay(members: Mapping[str, Any]) -> dict[str, Any]:
    return _rename(members, {"token_json": "googlePaymentToken", "shopper_email": "email"})


def _adyen_apple_pay(members: Mapping[str, Any]) -> dict[str, Any]:
    return _rename(members, {"token_json": "applePaymentData", "shopper_email": "email"})


def _paypal_complete_payments(members: Mapping[str, Any]) -> dict[str, Any]:
    own: dict[str, Any] = _rename(members, {"email": "email"})
    if "billing_agreement" in members:
        return own | {"BAID": members["billing_agreement"]["baid"]}
    return own | {"tokens": {"gatewayType": "PayPalCP", "tokenId": members["vault_token"]["token_id"]}}


def _custom(members: Mapping[str, Any]) -> dict[str, Any]:
    return {**members["fields"], "type": members["type"]}


def _rename(members: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names[name]: value for name, value in members.items() if name in names}


_OWN_MEMBERS: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "adyen_google_pay": _google_pay,
    "adyen_apple_pay": _adyen_apple_pay,
    "chase_google_pay": _google_pay,
    "paypal_complete_payments": _paypal_complete_payments,
    "custom": _custom,
}


def parse(reply: ZuoraReply, *, requested_type: str) -> CreatedPaymentMethod:
    """Return the created method; v1 promises its id alone.

    Raises:
        CallError: The answer has no id; UNKNOWN.
    """
    method_id = promised_text(reply, "id", name="a payment method id")
    return CreatedPaymentMethod(method_id, {"id": method_id, "type": requested_type})
