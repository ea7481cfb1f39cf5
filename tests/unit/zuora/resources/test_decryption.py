from decimal import Decimal
from typing import Any

import msgspec
import pytest
from harness.routes import CHOSEN_BY_ZUORA, route, tenant
from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.errors import CallError, InvalidRequestError
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.model.secret import Secret
from payorch_server.zuora.messages import encode_body, preview_body
from payorch_server.zuora.resources.decryption import (
    DecryptionRequest,
    DecryptionResult,
    StoredCredential,
    build,
    parse,
)

TOKEN = b'{"version" : "EC_v1", "data":"x\\/y"}'
SECRET_TOKEN = Secret(msgspec.Raw(TOKEN))
LEAST = DecryptionRequest(SECRET_TOKEN, "merchant.x")


class TestBuild:
    """Bodies as the page has them, capitals included."""

    @pytest.mark.parametrize(
        ("request_", "expected", "reason"),
        [
            (
                LEAST,
                b'{"integrationType":"ApplePay","merchantID":"merchant.x","paymentGateway":"Cards EU",'
                b'"paymentToken":%s,"processPayment":false}' % TOKEN,
                "the least",
            ),
            (
                DecryptionRequest(
                    SECRET_TOKEN,
                    "merchant.x",
                    account_id="acc",
                    card_holder={"cardHolderName": Secret("Ada")},
                    stored_credential=StoredCredential("Persist", "Unscheduled", "External"),
                    invoice="INV1",
                ),
                b'{"accountID":"acc","cardHolderInfo":{"cardHolderName":"Ada"},"integrationType":"ApplePay",'
                b'"invoiceId":"INV1","merchantID":"merchant.x","mitConsentAgreementSrc":"External",'
                b'"mitProfileAction":"Persist","mitProfileType":"Unscheduled","paymentGateway":"Cards EU",'
                b'"paymentToken":%s,"processPayment":true}' % TOKEN,
                "everything",
            ),
        ],
    )
    def test_makes_the_documented_body(self, request_: DecryptionRequest, expected: bytes, reason: str) -> None:
        """The token goes out to the byte, and the gateway by its name."""
        call = build(request_, route=route(), tenant=tenant())

        assert encode_body(call.body) == expected, reason
        assert (call.path, call.versioned) == ("/v1/payment-methods/decryption", True)

    def test_shows_neither_token_nor_holder(self) -> None:
        """A preview is for people."""
        request = DecryptionRequest(SECRET_TOKEN, "merchant.x", card_holder={"cardHolderName": Secret("Ada")})

        shown = preview_body(build(request, route=route(), tenant=tenant()).body)

        assert '"paymentToken":"[redacted]"' in shown
        assert "Ada" not in shown

    def test_refuses_a_payment_without_a_named_gateway(self) -> None:
        """Zuora demands one there; the caller learns which rule leaves it open."""
        with pytest.raises(InvalidRequestError, match="rule all leaves the choice to Zuora"):
            build(
                DecryptionRequest(SECRET_TOKEN, "merchant.x", invoice="INV1"),
                route=route(gateway=CHOSEN_BY_ZUORA),
                tenant=tenant(),
            )

    def test_needs_no_gateway_without_a_payment(self) -> None:
        """Zuora chooses the one that verifies."""
        call = build(LEAST, route=route(gateway=CHOSEN_BY_ZUORA), tenant=tenant())

        assert "paymentGateway" not in call.body


class TestParse:
    """Only the id of the method is promised."""

    @pytest.mark.parametrize(
        ("payload", "expected", "reason"),
        [
            (
                {"paymentMethodId": "pm", "paymentId": "p", "amount": "12.30", "success": True},
                DecryptionResult("pm", "p", "12.30"),
                "as the page shows a payment",
            ),
            (
                {"paymentMethodId": "pm", "success": True},
                DecryptionResult("pm", "", ""),
                "as the page shows it without one",
            ),
            (
                {"paymentMethodId": "pm", "amount": Decimal("12.30"), "paymentId": None},
                DecryptionResult("pm", "", "12.30"),
                "a number keeps its digits",
            ),
        ],
    )
    def test_reads_what_is_there(self, payload: dict[str, Any], expected: DecryptionResult, reason: str) -> None:
        """The rest is empty."""
        assert parse(ZuoraReply(200, payload), pays=False) == expected, reason

    @pytest.mark.parametrize("payload", [{}, {"paymentMethodId": ""}, {"paymentMethodId": 7}, {"id": "pm"}])
    def test_looks_up_a_success_without_it(self, payload: dict[str, Any]) -> None:
        """A method may exist, and a payment."""
        with pytest.raises(CallError) as caught:
            parse(ZuoraReply(200, payload), pays=False)

        assert caught.value.verdict.outcome is Outcome.UNKNOWN

    @pytest.mark.parametrize("payment_id", [None, "", True, {}])
    def test_looks_up_a_payment_without_its_id(self, payment_id: Any) -> None:
        """A success would show its caller no payment; what exists is named."""
        with pytest.raises(CallError) as caught:
            parse(ZuoraReply(200, {"paymentMethodId": "pm", "paymentId": payment_id, "success": True}), pays=True)

        assert caught.value.failure.reason is Reason.UPSTREAM_ANSWER_INCOMPLETE
        assert caught.value.failure.evidence.payment_method_id == "pm"

    def test_names_the_payment_of_a_success_without_a_method(self) -> None:
        """It exists, whatever is missing."""
        with pytest.raises(CallError) as caught:
            parse(ZuoraReply(200, {"paymentId": "p", "success": True}), pays=True)

        assert caught.value.failure.evidence.payment_id == "p"
