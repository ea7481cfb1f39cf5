"""Decodes messages into frozen commands, and wraps their secrets."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import routing_pb2

from payorch_server.applepay import AppleToken, InvalidTokenError, parse_token
from payorch_server.intents.token_guard import token_name
from payorch_server.model.errors import Violation, invalid
from payorch_server.model.identifiers import RequestId
from payorch_server.model.money import Amount, amount_of
from payorch_server.model.operation import CREATE_SESSION, DECRYPT_APPLE_PAY
from payorch_server.model.route import RouteHints
from payorch_server.model.secret import Secret
from payorch_server.routing.conditions import RouteQuery
from payorch_server.rpc.request_fingerprint import HashedRequest
from payorch_server.rpc.validation import CheckedRequest
from payorch_server.store.keyring import Keyring
from payorch_server.usecases.create_session import CreateSession
from payorch_server.usecases.decrypt_apple_pay import DecryptApplePay
from payorch_server.usecases.dispatcher import Intent
from payorch_server.zuora.resources.decryption import DecryptionRequest, StoredCredential
from payorch_server.zuora.resources.sessions import SessionRequest

_NO_HINTS: Final = RouteHints()
NO_OVERRIDES: Final[Mapping[str, bytes]] = MappingProxyType({})


def decode_create_session(checked: CheckedRequest[service_pb2.CreateSessionRequest], keyring: Keyring) -> CreateSession:
    """Return the command of a request."""
    request = checked.message
    flow = str(request.WhichOneof("flow"))
    arm = getattr(request, flow)
    amount = amount_in(arm.verification_amount if flow == "store_only" else arm.amount)
    session = SessionRequest(
        amount=amount,
        process_payment=flow != "store_only",
        store_payment_method=flow != "one_time_payment",
        account_id=arm.account_id,
        invoice_numbers=() if flow == "store_only" else tuple(invoice.invoice_number for invoice in arm.invoices),
        gateway_options=secrets_of(request.gateway_options),
    )
    query = RouteQuery(CREATE_SESSION.name, hints_of(request), amount.currency, amount, arm.account_id)
    return CreateSession(intent_of(checked, keyring, query), session)


def intent_of(
    checked: CheckedRequest[Any],
    keyring: Keyring,
    query: RouteQuery,
    *,
    in_place_of: Mapping[str, bytes] = NO_OVERRIDES,
) -> Intent:
    """Return the intent of a mutating request; in place of some fields, other values are hashed, by path."""
    request = checked.message
    fingerprints = HashedRequest(request.DESCRIPTOR, checked.leaves, keyring, in_place_of=in_place_of)
    return Intent(RequestId(request.request_id), query, request.validate_only, fingerprints)


def secrets_of(options: Mapping[str, str]) -> dict[str, Secret[str]]:
    """Return the map with its values wrapped."""
    return {name: Secret(value) for name, value in options.items()}


def hints_of(request: Any) -> RouteHints:
    """Return the route hints of a request."""
    if not request.HasField("route"):
        return _NO_HINTS
    route: routing_pb2.RouteHints = request.route
    return RouteHints(
        tenant=route.tenant,
        entity=route.entity,
        orgs=tuple(route.orgs),
        gateway=route.gateway,
        country=route.country,
        attributes=dict(route.attributes),
    )


def amount_in(money: Any) -> Amount:
    """Return the exact amount of a google.type.Money that has passed validation."""
    return amount_of(currency=money.currency_code, units=money.units, nanos=money.nanos)


_CARD_HOLDER: Final = {
    "name": "cardHolderName",
    "address_line1": "addressLine1",
    "address_line2": "addressLine2",
    "city": "city",
    "state": "state",
    "postal_code": "zipCode",
    "country": "country",
    "email": "email",
    "phone": "phone",
}


def decode_decrypt_apple_pay(
    checked: CheckedRequest[service_pb2.DecryptApplePayRequest], keyring: Keyring
) -> DecryptApplePay:
    """Return the command of a request whose token may be malformed.

    Raises:
        InvalidRequestError: The token does not have the structure of an Apple Pay token.
    """
    request = checked.message
    token = apple_token(request.token_json, "token_json")
    holder, profile = request.card_holder, request.profile
    decryption = DecryptionRequest(
        payment_data=payment_data_of(token),
        merchant_id=request.merchant_id,
        account_id=request.account_id,
        card_holder={zuora: Secret(value) for ours, zuora in _CARD_HOLDER.items() if (value := getattr(holder, ours))},
        stored_credential=StoredCredential(profile.action, profile.type, profile.consent_agreement_source)
        if request.WhichOneof("stored_credential") == "profile"
        else None,
        invoice=request.pay_invoice.invoice,
    )
    expected = amount_in(request.expected_amount) if request.HasField("expected_amount") else None
    currency = expected.currency if expected else ""
    query = RouteQuery(DECRYPT_APPLE_PAY.name, hints_of(request), currency, expected, request.account_id)
    intent = intent_of(checked, keyring, query, in_place_of={"token_json": token.fingerprint_sha256})
    guarded = token_name(public_key_hash=token.public_key_hash, transaction_id=token.transaction_id)
    return DecryptApplePay(intent, decryption, guarded, expected)


def payment_data_of(token: AppleToken) -> Secret[msgspec.Raw]:
    """Return the paymentData object inside a token, verbatim."""
    return Secret(msgspec.Raw(token.payment_data_json))


def apple_token(token_json: bytes, field: str) -> AppleToken:
    """Parse an Apple Pay token.

    Raises:
        InvalidRequestError: The token is malformed; each violation names a member below the field.
    """
    try:
        return parse_token(token_json=token_json)
    except InvalidTokenError as error:
        raise invalid(*_violations_below(field, error)) from None


def token_violations(request: service_pb2.DecryptApplePayRequest) -> Sequence[Violation]:
    """Find the violations in the token of a request that is already refused for other reasons."""
    try:
        parse_token(token_json=request.token_json)
    except InvalidTokenError as error:
        return _violations_below("token_json", error)
    return ()


def _violations_below(field: str, error: InvalidTokenError) -> Sequence[Violation]:
    return [
        Violation(f"{field}.{found.path}" if found.path else field, f"apple_pay.{found.rule}", found.description)
        for found in error.violations
    ]
