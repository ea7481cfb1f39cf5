from decimal import Decimal
from typing import Any

import pytest
from harness.routes import CHOSEN_BY_ZUORA, GATEWAY, route, tenant
from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.errors import CallError
from payorch_server.model.money import Amount
from payorch_server.model.outcome import Reason
from payorch_server.model.secret import Secret
from payorch_server.zuora.messages import encode_body
from payorch_server.zuora.resources.sessions import SessionRequest, build, parse
from payorch_server.zuora.settings import PathSettings

AMOUNT = Amount(Decimal("100.10"), "USD")


class TestBuild:
    """Bodies as the page has them, member for member."""

    @pytest.mark.parametrize(
        ("request_", "expected", "reason"),
        [
            (
                SessionRequest(AMOUNT, process_payment=False, store_payment_method=True),
                b'{"amount":100.10,"currency":"USD","paymentGateway":"%s","processPayment":false,'
                b'"storePaymentMethod":true}' % GATEWAY.id.encode(),
                "verify and store, without an account",
            ),
            (
                SessionRequest(
                    AMOUNT,
                    process_payment=True,
                    store_payment_method=False,
                    account_id="acc",
                    invoice_numbers=("INV1", "INV2"),
                    gateway_options={"k": Secret("v")},
                ),
                b'{"accountId":"acc","amount":100.10,"currency":"USD","gatewayOptions":{"k":"v"},'
                b'"invoices":[{"invoiceNumber":"INV1"},{"invoiceNumber":"INV2"}],'
                b'"paymentGateway":"%s","processPayment":true,"storePaymentMethod":false}' % GATEWAY.id.encode(),
                "one payment of two invoices",
            ),
        ],
    )
    def test_makes_the_documented_body(self, request_: SessionRequest, expected: bytes, reason: str) -> None:
        """Amounts are exact JSON numbers."""
        call = build(request_, route=route(), tenant=tenant())

        assert encode_body(call.body) == expected, reason
        assert (call.path, call.query, call.versioned) == ("/web-payments/sessions", (), False)

    def test_leaves_the_gateway_to_zuora_when_the_route_does(self) -> None:
        """Then no gateway is named at all."""
        request = SessionRequest(AMOUNT, process_payment=False, store_payment_method=True)

        call = build(request, route=route(gateway=CHOSEN_BY_ZUORA), tenant=tenant())

        assert "paymentGateway" not in call.body

    @pytest.mark.parametrize(
        ("pays", "members", "reason"),
        [
            (False, {"currency", "authAmount", "processPayment", "paymentGateway"}, "the older form of storing"),
            (
                True,
                {"currency", "amount", "processPayment", "storePaymentMethod", "paymentGateway"},
                "paying never had it",
            ),
        ],
    )
    def test_uses_the_older_form_where_a_tenant_wants_it(self, *, pays: bool, members: set[str], reason: str) -> None:
        """Only a session that pays nothing has an older form."""
        request = SessionRequest(AMOUNT, process_payment=pays, store_payment_method=True)

        call = build(request, route=route(), tenant=tenant(legacy_session_amount=True))

        assert set(call.body) == members, reason

    def test_takes_the_path_from_the_tenant(self) -> None:
        """Each path can be changed where a tenant differs."""
        settings = tenant(paths=PathSettings(sessions="/v1/web-payments/sessions"))
        request = SessionRequest(AMOUNT, process_payment=True, store_payment_method=True)

        assert build(request, route=route(), tenant=settings).path == "/v1/web-payments/sessions"


class TestParse:
    """A session is its token."""

    def test_wraps_the_token(self) -> None:
        """It starts a payment, so it is a secret."""
        assert parse(ZuoraReply(200, {"token": "t", "more": 1})) == Secret("t")

    @pytest.mark.parametrize("payload", [{}, {"token": ""}, {"token": None}, {"token": 7}, {"success": True}])
    def test_looks_up_a_success_without_one(self, payload: dict[str, Any]) -> None:
        """A session may exist that nobody can use."""
        with pytest.raises(CallError) as caught:
            parse(ZuoraReply(200, payload))

        assert caught.value.failure.reason is Reason.UPSTREAM_ANSWER_INCOMPLETE
