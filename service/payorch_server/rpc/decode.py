"""Messages become frozen commands; secrets are wrapped here."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import routing_pb2

from payorch_server.applepay import InvalidTokenError, parse_token
from payorch_server.model.errors import Violation, invalid
from payorch_server.model.identifiers import RequestId
from payorch_server.model.money import Amount, amount_of
from payorch_server.model.route import RouteHints
from payorch_server.model.secret import Secret
from payorch_server.orchestration.create_session import CreateSession
from payorch_server.orchestration.decrypt_apple_pay import DecryptApplePay
from payorch_server.orchestration.dispatch import Intent
from payorch_server.orchestration.routing import RouteQuery
from payorch_server.zuora.resources.decryption import DecryptionRequest, StoredCredential
from payorch_server.zuora.resources.sessions import SessionRequest


def decode_create_session(request: service_pb2.CreateSessionRequest) -> CreateSession:
    """Return the command of a valid request."""
    flow = str(request.WhichOneof("flow"))
    arm = getattr(request, flow)
    amount = _amount(arm.verification_amount if flow == "store_only" else arm.amount)
    session = SessionRequest(
        amount=amount,
        process_payment=flow != "store_only",
        store_payment_method=flow != "one_time_payment",
        account_id=arm.account_id,
        invoice_numbers=() if flow == "store_only" else tuple(one.invoice_number for one in arm.invoices),
        gateway_options=secrets_of(request.gateway_options),
    )
    return CreateSession(intent_of(request, rpc="CreateSession", currency=amount.currency), session)


def intent_of(request: Any, *, rpc: str, currency: str = "") -> Intent:
    """Return what every mutating request carries."""
    query = RouteQuery(rpc, _hints(request.route), currency)
    return Intent(RequestId(request.request_id), query, request.validate_only)


def secrets_of(options: Mapping[str, str]) -> dict[str, Secret[str]]:
    """Return the map with its values wrapped."""
    return {name: Secret(value) for name, value in options.items()}


def _hints(route: routing_pb2.RouteHints) -> RouteHints:
    return RouteHints(
        tenant=route.tenant,
        entity=route.entity,
        orgs=tuple(route.orgs),
        gateway=route.gateway,
        country=route.country,
        attributes=dict(route.attributes),
    )


def _amount(money: Any) -> Amount:
    return amount_of(currency=money.currency_code, units=money.units, nanos=money.nanos)


_CARD_HOLDER: Final = {
    "name": "cardHolderName",
    "address_line_1": "addressLine1",
    "address_line_2": "addressLine2",
    "city": "city",
    "state": "state",
    "postal_code": "zipCode",
    "country": "country",
    "email": "email",
    "phone": "phone",
}


def decode_decrypt_apple_pay(request: service_pb2.DecryptApplePayRequest) -> DecryptApplePay:
    """Return the command of a request that is valid but for its token.

    Raises:
        Invalid: The token has not the structure of an Apple Pay token.
    """
    holder, profile = request.card_holder, request.profile
    decryption = DecryptionRequest(
        payment_data=apple_payment_data(request.token_json, "token_json"),
        merchant_id=request.merchant_id,
        account_id=request.account_id,
        card_holder={zuora: Secret(value) for ours, zuora in _CARD_HOLDER.items() if (value := getattr(holder, ours))},
        stored_credential=StoredCredential(profile.action, profile.type, profile.consent_agreement_source)
        if request.WhichOneof("stored_credential") == "profile"
        else None,
        invoice=request.pay_invoice.invoice,
    )
    expected = _amount(request.expected_amount) if request.HasField("expected_amount") else None
    currency = expected.currency if expected else ""
    return DecryptApplePay(intent_of(request, rpc="DecryptApplePay", currency=currency), decryption, expected)


def apple_payment_data(token_json: bytes, field: str) -> Secret[msgspec.Raw]:
    """Return the paymentData object inside a token, verbatim.

    Raises:
        Invalid: The token is broken; each violation names the member below the field.
    """
    try:
        token = parse_token(token_json=token_json)
    except InvalidTokenError as error:
        raise invalid(*_below(field, error)) from None
    return Secret(msgspec.Raw(token.payment_data_json))


def token_violations(request: service_pb2.DecryptApplePayRequest) -> Sequence[Violation]:
    """Find what is wrong with the token of a request that is refused for something else already."""
    try:
        parse_token(token_json=request.token_json)
    except InvalidTokenError as error:
        return _below("token_json", error)
    return ()


def _below(field: str, error: InvalidTokenError) -> Sequence[Violation]:
    return [
        Violation(f"{field}.{one.path}" if one.path else field, f"apple_pay.{one.rule}", one.description)
        for one in error.violations
    ]
