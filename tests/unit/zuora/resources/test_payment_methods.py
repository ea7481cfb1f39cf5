"""Both operations that create payment methods; their bodies are tested where the contract's fields are decoded."""

from typing import Any

import pytest
from harness.routes import CHOSEN_BY_ZUORA, route, tenant
from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Outcome
from payorch_server.model.secret import Secret
from payorch_server.zuora.resources import payment_methods, payment_methods_v1
from payorch_server.zuora.resources.payment_methods import PaymentMethodRequest, Selection


class TestBuild:
    """Bodies as the pages have them."""

    @pytest.mark.parametrize(
        ("charge", "expected", "reason"),
        [
            ({"no_charge": {}}, {"collect_payment": False}, "no payment is said, not left out"),
            ({"pay_invoice": {"invoice": "INV1"}}, {"collect_payment": True, "invoice_id": "INV1"}, "one invoice"),
        ],
    )
    def test_says_whether_apple_pay_collects(
        self, charge: dict[str, Any], expected: dict[str, Any], reason: str
    ) -> None:
        """Money moves only when it is asked to."""
        token = Secret("t")
        members = {"token_json": token, "merchant_id": "m", **charge}

        call = payment_methods.build(PaymentMethodRequest("apple_pay", members), route=route(), tenant=tenant())

        assert call.body["apple_pay"] == {"customer_token": token, "id": "m", **expected}, reason

    @pytest.mark.parametrize(("details", "expected"), [(None, {}), ({}, {"billing_details": {}})])
    def test_sends_empty_billing_details_as_it_sends_any_empty_object(
        self, details: dict[str, Any] | None, expected: dict[str, Any]
    ) -> None:
        """What the caller has set is sent; Zuora judges it."""
        request = PaymentMethodRequest("sepa_debit", {}, billing_details=details)

        call = payment_methods.build(request, route=route(gateway=CHOSEN_BY_ZUORA), tenant=tenant())

        assert call.body == {"type": "sepa_debit", "sepa_debit": {}, **expected}

    def test_leaves_the_gateway_to_zuora_when_the_route_does(self) -> None:
        """In both operations."""
        where, settings = route(gateway=CHOSEN_BY_ZUORA), tenant()

        v2 = payment_methods.build(PaymentMethodRequest("sepa_debit", {}), route=where, tenant=settings)
        v1 = payment_methods_v1.build(PaymentMethodRequest("adyen_google_pay", {}), route=where, tenant=settings)

        assert (set(v2.body), set(v1.body)) == ({"type", "sepa_debit"}, {"type"})

    @pytest.mark.parametrize(
        ("selection", "expected", "reason"),
        [
            (Selection(), (), "everything, by saying nothing"),
            (
                Selection(payment_method_fields=("state", "id")),
                (("fields[]", "id,type,state"),),
                "what the service needs is always asked for, once",
            ),
            (Selection(expand=("a", "b")), (("expand[]", "a"), ("expand[]", "b")), "a repeated name"),
            (Selection(page_size=1), (("page_size", "1"),), "a number"),
        ],
    )
    def test_selects(self, selection: Selection, expected: tuple[Any, ...], reason: str) -> None:
        """By the query of the Quickstart operation."""
        request = PaymentMethodRequest("sepa_debit", {}, selection=selection)

        assert payment_methods.build(request, route=route(), tenant=tenant()).query == expected, reason

    @pytest.mark.parametrize(
        ("account", "expected"),
        [({"account_id": "a"}, "a"), ({"account_number": "n"}, "n"), ({}, None)],
    )
    def test_takes_one_key_for_an_account_in_v1(self, account: dict[str, str], expected: str | None) -> None:
        """An id or a number."""
        request = PaymentMethodRequest("custom", {"type": "Pay__c_1", "fields": {"own": 1}}, **account)

        body = payment_methods_v1.build(request, route=route(), tenant=tenant()).body

        assert (body.get("accountKey"), body["type"], body["own"]) == (expected, "Pay__c_1", 1)


class TestParse:
    """Only the id is promised."""

    def test_reads_the_method(self) -> None:
        """v2 returns it, v1 returns its id."""
        v2 = payment_methods.parse(ZuoraReply(201, {"id": "x", "type": "card", "state": "active"}))
        v1 = payment_methods_v1.parse(ZuoraReply(200, {"id": "x", "success": True}), requested_type="GooglePay")

        assert (v2.id, dict(v2.view)) == ("x", {"id": "x", "type": "card", "state": "active"})
        assert (v1.id, dict(v1.view)) == ("x", {"id": "x", "type": "GooglePay"})
        assert "state" not in repr(v2)

    @pytest.mark.parametrize("payload", [{}, {"id": ""}, {"id": None}, {"id": 7}, {"paymentMethodId": "x"}])
    def test_looks_up_a_success_without_it(self, payload: dict[str, Any]) -> None:
        """In both operations."""
        with pytest.raises(CallError) as caught:
            payment_methods.parse(ZuoraReply(201, payload))

        assert caught.value.verdict.outcome is Outcome.UNKNOWN
        with pytest.raises(CallError) as caught:
            payment_methods_v1.parse(ZuoraReply(200, payload), requested_type="GooglePay")

        assert caught.value.verdict.outcome is Outcome.UNKNOWN
