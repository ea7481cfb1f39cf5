"""What the hub asks, as messages of the contract."""

import tracemalloc
from dataclasses import replace
from decimal import Decimal

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from harness.plugged import FACTS, PAYMENT, REFUND, REFUND_FACTS, VALIDATION, hub_request
from hypothesis import given
from hypothesis import strategies as st
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch.v1.payment_method_pb2 import CustomFieldValue
from payorch_server.model.money import Amount
from payorch_server.model.secret import Secret
from payorch_server.upc.plugin_messages import look_up_message, request_message, secret_texts, set_field
from payorch_server.upc.request import Account, FieldValue, JsonNumber, Operation, Validation

SAMPLE = {
    "AmazonAccount": "SampleAmazonAccount",
    "AmazonToken": "3sample54cf04113e3f1595951874003",
    "AmazonTokenType": "Digital",
    "ShopperEmail": "sample@testmail.com",
    "ShoppingDate": "",
}
"""The fields of Zuora's examples."""


class TestRequestMessage:
    """request_message."""

    def test_of_a_payment(self) -> None:
        """Every member of the contract."""
        facts = replace(FACTS, attempt=2, may_be_repeated=True)
        payment = replace(PAYMENT, soft_descriptor="SHOP", soft_descriptor_phone="+1 555 0100")
        request = hub_request(payment, token_data=SAMPLE, options={"k": "v"}, other_members=b'{"a": 1.10}')

        message = request_message(request, facts)

        expected = gateway_pb2.ProcessPaymentRequest(
            payment_id=payment.id, payment_number="P-00000011", soft_descriptor="SHOP",
            soft_descriptor_phone="+1 555 0100",
        )  # fmt: skip
        expected.amount.currency_code, expected.amount.units, expected.amount.nanos = "USD", 200, 50_000_000
        call = expected.call
        call.idempotency_key, call.attempt, call.may_be_repeated = FACTS.idempotency_key, 2, True
        call.first_send_time.CopyFrom(Timestamp(seconds=1_795_176_000))
        call.tenant_id, call.gateway_name = "12368", "UPC_Token"
        call.method.id, call.method.type = "4028818579a43c3f0179aba2808103e8", "AmazonPay__c_12368"
        for name, text in SAMPLE.items():
            call.method.token_data[name].text = text
        call.account.number, call.account.currency = "A00000004", "USD"
        call.gateway_options["k"] = "v"
        call.other_members_json = b'{"a": 1.10}'
        assert expected == message

    def test_of_a_refund(self) -> None:
        """The amount is text, in a currency that Zuora does not name."""
        message = request_message(hub_request(REFUND), REFUND_FACTS)

        assert isinstance(message, gateway_pb2.ProcessRefundRequest)
        message.ClearField("call")
        assert message == gateway_pb2.ProcessRefundRequest(
            refund_id=REFUND.id,
            refund_number="R-00000005",
            amount="200.05",
            account_currency="USD",
            payment_id=REFUND.payment_id,
            payment_idempotency_key=REFUND_FACTS.payment_idempotency_key,
            reference_id="166435652",
        )

    def test_of_a_validation_without_an_amount(self) -> None:
        """It is absent, which is not zero."""
        message = request_message(hub_request(Validation(None)), FACTS)

        assert isinstance(message, gateway_pb2.ValidatePaymentMethodRequest)
        assert not message.HasField("auth_amount")

    def test_has_no_account_where_zuora_sends_none(self) -> None:
        """Rather than an empty one."""
        message = request_message(replace(hub_request(VALIDATION), account=Account()), FACTS)

        assert isinstance(message, gateway_pb2.ValidatePaymentMethodRequest)
        assert not message.call.HasField("account")

    @given(st.integers(0, 10**15), st.integers(0, 4))
    def test_has_the_exact_amount(self, minor: int, decimals: int) -> None:
        """Of currencies with no decimals to four."""
        value = Decimal(minor).scaleb(-decimals)
        message = request_message(hub_request(replace(PAYMENT, amount=Amount(value, "USD"))), FACTS)

        assert isinstance(message, gateway_pb2.ProcessPaymentRequest)
        assert value == Decimal(message.amount.units) + Decimal(message.amount.nanos).scaleb(-9)

    @pytest.mark.parametrize("value", ["9223372036854775808", "0.0000000001"])
    def test_refuses_an_amount_that_it_cannot_carry(self, value: str) -> None:
        """Beyond 64 bits, or finer than a billionth."""
        with pytest.raises(ValueError, match=r"."):
            request_message(hub_request(replace(PAYMENT, amount=Amount(Decimal(value), "USD"))), FACTS)


def field_with(value: FieldValue) -> CustomFieldValue:
    """Return a field with a value."""
    field = CustomFieldValue()
    set_field(field, value)
    return field


class TestSetField:
    """set_field."""

    def test_keeps_the_kind_of_a_value(self) -> None:
        """Text that looks like a date, a number or nothing stays text."""
        kinds = [field_with(value).WhichOneof("value") for value in ("2026-11-20", "1", "", True, False, None)]

        assert ["text", "text", "text", "flag", "flag", "null_value"] == kinds

    @pytest.mark.parametrize(
        ("written", "sent"),
        [
            ("12.50", "12.50"),
            ("-0", "-0"),
            ("1e3", "1000"),
            ("1.5E-3", "0.0015"),
            ("-2.5e+1", "-25"),
            ("1" * 30 + "." + "2" * 30, "1" * 30 + "." + "2" * 30),
        ],
    )
    def test_writes_a_number_as_a_decimal(self, written: str, sent: str) -> None:
        """Digit by digit; an exponent is written out."""
        value = field_with(JsonNumber(written))

        assert ("decimal", sent) == (value.WhichOneof("value"), value.decimal)

    @pytest.mark.parametrize("written", ["1" * 31, "1e30", "1e-31", "1e999999999", "1E-" + "9" * 40])
    def test_writes_a_number_that_is_no_decimal_of_the_contract_as_text(self, written: str) -> None:
        """Nothing is lost, and nothing becomes a gigabyte of zeros."""
        tracemalloc.start()
        value = field_with(JsonNumber(written))
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert peak_bytes < 100_000
        assert ("text", written) == (value.WhichOneof("value"), value.text)


class TestLookUpMessage:
    """look_up_message."""

    def test_names_key_and_operation(self) -> None:
        """In the contract's words."""
        assert look_up_message("k", Operation.REFUND) == gateway_pb2.LookUpRequest(
            idempotency_key="k", operation=gateway_pb2.GATEWAY_OPERATION_REFUND
        )


class TestSecretTexts:
    """secret_texts."""

    def test_are_the_texts_of_fields_and_options(self) -> None:
        """Numbers and booleans are none."""
        request = hub_request(token_data={"a": "x", "b": True, "c": JsonNumber("1")}, options={"d": "y"})
        assert ("x", "y") == secret_texts(replace(request, other_members=Secret(b'{"e": "z"}')))
