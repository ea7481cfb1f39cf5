"""The names and kinds of the members that Zuora takes."""

from decimal import Decimal
from typing import Any

import pytest
from zuora_emulator.errors import Refused
from zuora_emulator.fields import Fields
from zuora_emulator.payment_method_schema import OBJECTS, TOP, Field, Kind
from zuora_emulator.schema_check import problems_of

# Source: Quickstart API reference, "Create a payment method", read 2026-11.
NAMES = {
    "card": "card_number brand expiry_month expiry_year security_code mandate",
    "cc_ref": "token second_token mandate card",
    "apple_pay": "customer_token id collect_payment invoice_id mandate",
    "google_pay": "customer_token",
    "ach_debit": "bank_aba_code bank_account_name bank_account_type bank_name bank_account_number mandate",
    "sepa_debit": "IBAN business_identification_code mandate",
    "bacs_debit": "account_number bank_code mandate",
    "au_becs_debit": "account_number branch_code mandate",
    "nz_becs_debit": "account_number branch_code bank_code mandate",
    "pad_debit": "account_number branch_code bank_code mandate",
    "betalings_debit": "account_number identity_number bank_code mandate",
    "autogiro_debit": "account_number identity_number branch_code mandate",
    "paypal_express": "baid email",
    "paypal_express_native": "baid email",
    "paypal_adaptive": "preapproval_key email",
}


class TestObjects:
    """The object of each type."""

    @pytest.mark.parametrize("name", NAMES)
    def test_take_the_published_members(self, name: str) -> None:
        """A misspelt name would refuse what Zuora takes, and take what it refuses."""
        assert list(OBJECTS[name]) == NAMES[name].split()

    def test_are_these(self) -> None:
        """No other type has an object."""
        assert set(OBJECTS) == set(NAMES)

    def test_have_an_address_beside_them(self) -> None:
        """Of the payer."""
        address = TOP["billing_details"].fields["address"].fields

        assert list(address) == ["line1", "line2", "city", "country", "state", "postal_code"]


class TestKinds:
    """What a member may be."""

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("string", "x"),
            ("nullable string", "x"),
            ("nullable string", None),
            ("number", 1),
            ("number", Decimal("1.5")),
            ("integer", 3),
            ("boolean", False),
            ("object", {}),
            ("any map", {"a": 1}),
            ("string map", {"a": "b"}),
        ],
    )
    def test_take_their_values(self, kind: Kind, value: Any) -> None:
        """And find nothing wrong."""
        assert problems_of({"x": value}, {"x": Field(kind=kind)}) == []

    @pytest.mark.parametrize(
        ("kind", "value", "code"),
        [
            ("string", None, "invalid_parameter_string"),
            ("nullable string", 1, "invalid_parameter_string"),
            ("number", True, "invalid_parameter_number"),
            ("integer", True, "invalid_parameter_integer"),
            ("integer", Decimal("1.5"), "invalid_parameter_integer"),
            ("boolean", 0, "invalid_parameter_boolean"),
            ("object", [], "invalid_parameter"),
            ("any map", "x", "invalid_parameter"),
            ("string map", {"a": 1}, "invalid_parameter_string"),
        ],
    )
    def test_refuse_others(self, kind: Kind, value: Any, code: str) -> None:
        """With the code of their kind and the path of the member."""
        (problem,) = problems_of({"x": value}, {"x": Field(kind=kind)}, path="card.")

        assert (problem.quickstart_code, problem.parameter) == (code, "card.x")


class TestText:
    """A text of a v1 request."""

    def test_that_is_none_is_refused_by_its_name(self) -> None:
        """The message and the field name it."""
        fields = Fields({"merchantID": 5}, path="card.")
        fields.text("merchantID")

        with pytest.raises(Refused) as caught:
            fields.finish()

        (reason,) = caught.value.reasons
        assert (reason.category, reason.message) == (20, "Invalid value: card.merchantID must be a string")
