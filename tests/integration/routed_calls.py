"""A policy with every kind of condition, and calls by the hundred to try it with."""

import json
from typing import Any

from google.type import money_pb2
from harness.requests import MERCHANT_ID, minted_token, new_request_id
from hypothesis import strategies as st
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import routing_pb2
from zuora_emulator import seed

CALLER_HEADER = "x-caller"
SESSION = service_pb2.OPERATION_CREATE_SESSION
DECRYPTION = service_pb2.OPERATION_DECRYPT_APPLE_PAY
METHOD = service_pb2.OPERATION_CREATE_PAYMENT_METHOD
ACME, SOLO = {"tenant": "acme"}, {"tenant": "solo", "gateway": "cards"}
US, EU = ACME | {"entity": "us", "gateway": "cards-us"}, ACME | {"entity": "eu", "gateway": "cards-eu"}
EVERYWHERE = {"*": {"entities": ["*"], "orgs": ["*"]}}

RULES: list[dict[str, Any]] = [
    {"name": "solo", "when": {"tenant": ["solo"]}, "to": SOLO},
    {
        "name": "vip",
        "when": {"caller": ["mesh:all"], "attributes": {"vip": "yes"}},
        "to": EU | {"orgs": ["north", "south"]},
    },
    {
        "name": "large wallets",
        "when": {"rpc": ["DecryptApplePay"], "amount": {"currency": "EUR", "min": "50"}},
        "to": EU | {"gateway": "zuora_default"},
    },
    {
        "name": "large",
        "when": {"amount": {"currency": "USD", "min": "100", "max": "1000.01"}},
        "to": US | {"orgs": ["south"]},
    },
    {"name": "numbered", "when": {"account_prefix": ["A0"]}, "to": US | {"gateway": "zuora_default"}},
    {"name": "europe", "when": {"entity": ["eu"], "country": ["DE", "FR"]}, "to": EU | {"orgs": ["north"]}},
    {"name": "orgs", "when": {"orgs": ["north", "south"]}, "to": US | {"orgs": ["north", "south"]}},
    {"name": "by gateway", "when": {"gateway": ["cards"]}, "to": SOLO},
    {"name": "euro", "when": {"currency": ["EUR"]}, "to": EU},
    {"name": "dollars", "when": {"currency": ["USD"]}, "to": US},
    {"name": "methods", "when": {"rpc": ["CreatePaymentMethod"]}, "to": SOLO},
]
OVER: dict[str, Any] = {
    "routing": RULES,
    "identity": {"mesh": {"peers": ["127.0.0.1/32"], "header": CALLER_HEADER, "format": "identity"}},
    "access": {
        "callers": [
            {"caller": "mesh:operator", "namespace": "shop", "diagnostics": True},
            {"caller": "mesh:all", "namespace": "shop", "rpcs": ["*"], "tenants": EVERYWHERE, "move_money": True},
            {"caller": "mesh:poor", "namespace": "shop", "rpcs": ["*"], "tenants": EVERYWHERE},
            {
                "caller": "mesh:us",
                "namespace": "shop",
                "rpcs": ["CreateSession", "CreatePaymentMethod"],
                "tenants": {"acme": {"entities": ["us"], "orgs": ["*"]}},
            },
        ]
    },
}
"""Settings over those of the local stack. Everybody has one namespace, so one operator may ask about all."""

_MONEY = st.builds(
    money_pb2.Money,
    currency_code=st.sampled_from(("EUR", "USD", "JPY")),
    units=st.sampled_from((1, 49, 50, 99, 100, 1000, 1001)),
)
_HINTS = st.builds(
    routing_pb2.RouteHints,
    tenant=st.sampled_from(("", "", "", "acme", "solo", "nowhere")),
    entity=st.sampled_from(("", "", "us", "eu")),
    orgs=st.sampled_from(((), (), (), ("north",), ("south", "north"), ("moon",))),
    gateway=st.sampled_from(("", "", "", "cards", "cards-eu", "zuora_default")),
    country=st.sampled_from(("", "DE", "US")),
    attributes=st.sampled_from(({}, {}, {"vip": "yes"}, {"vip": "no"})),
)
_ACCOUNTS = ("", seed.ACCOUNT_US.id, seed.ACCOUNT_EU.id, seed.ACCOUNT_SINGLE.id)


@st.composite
def questions(draw: st.DrawFn) -> diagnostics_pb2.ExplainRouteRequest:
    """Describe a call of any operation, as ExplainRoute takes it."""
    operation = draw(st.sampled_from((SESSION, DECRYPTION, METHOD)))
    request = diagnostics_pb2.ExplainRouteRequest(
        operation=operation,
        route=draw(_HINTS),
        account=draw(st.sampled_from(_ACCOUNTS)),
        caller=draw(st.sampled_from(("mesh:all", "mesh:all", "mesh:all", "mesh:poor", "mesh:us", "mesh:thief"))),
    )
    if operation == SESSION or (operation == DECRYPTION and draw(st.booleans())):
        request.amount.CopyFrom(draw(_MONEY))
    if operation == DECRYPTION:
        request.moves_money = draw(st.booleans())
    if operation == METHOD:
        request.currency_code = draw(st.sampled_from(("", "EUR", "USD", "JPY")))
        request.method = draw(st.sampled_from(("sepa_debit", "chase_google_pay")))
        request.account = draw(st.sampled_from((*_ACCOUNTS, seed.ACCOUNT_US.number)))
    return request


def call_of(question: diagnostics_pb2.ExplainRouteRequest) -> tuple[str, Any]:
    """Return the RPC and a request that is the call in question."""
    make = {SESSION: _session, DECRYPTION: _decryption, METHOD: _method}[question.operation]
    request = make(question)
    request.request_id = new_request_id()
    request.route.CopyFrom(question.route)
    return type(request).__name__.removesuffix("Request"), request


def _session(question: diagnostics_pb2.ExplainRouteRequest) -> service_pb2.CreateSessionRequest:
    request = service_pb2.CreateSessionRequest()
    if question.account:
        request.one_time_payment.account_id = question.account
        request.one_time_payment.amount.CopyFrom(question.amount)
    else:
        request.store_only.verification_amount.CopyFrom(question.amount)
    return request


def _decryption(question: diagnostics_pb2.ExplainRouteRequest) -> service_pb2.DecryptApplePayRequest:
    request = service_pb2.DecryptApplePayRequest(
        token_json=minted_token(), merchant_id=MERCHANT_ID, account_id=question.account
    )
    request.zuora_default.SetInParent()
    if question.moves_money:
        request.pay_invoice.invoice = seed.INVOICE_US_LARGE.number
    else:
        request.no_charge.SetInParent()
    if question.HasField("amount"):
        request.expected_amount.CopyFrom(question.amount)
    return request


def _method(question: diagnostics_pb2.ExplainRouteRequest) -> service_pb2.CreatePaymentMethodRequest:
    request = service_pb2.CreatePaymentMethodRequest(currency_code=question.currency_code)
    if question.account == seed.ACCOUNT_US.number:
        request.account_by_number.number = question.account
    elif question.account:
        request.account_by_id.id = question.account
    else:
        request.no_account.SetInParent()
    if question.method == "sepa_debit":
        request.sepa_debit.iban = "DE89370400440532013000"
        request.sepa_debit.mandate.id = "mandate-1"
    else:
        request.chase_google_pay.token_json = json.dumps({"signedMessage": "x"}).encode()
    return request
