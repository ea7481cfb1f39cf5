import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from harness.checked import checked
from harness.filled_requests import alternatives, method_request
from harness.invalid_apple_tokens import TOKEN, WRAPPED
from harness.keyring import KEYRING
from harness.routes import route, tenant
from payorch.v1 import payment_method_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.intents.token_guard import token_name
from payorch_server.model.errors import InvalidRequestError
from payorch_server.rpc.decode_payment_method import decode_create_payment_method, further_violations
from payorch_server.zuora.messages import encode_body, preview_body
from payorch_server.zuora.resources import payment_methods, payment_methods_v1
from payorch_server.zuora.resources.payment_methods import CREATED_BY_V1, CREATED_BY_V2

Request = service_pb2.CreatePaymentMethodRequest
# Fields that are not sent to Zuora, with the reason.
NOT_SENT = {"adyen_apple_pay.merchant_id": "Zuora has no member for it; tokens are told apart by it"}
# Type, and members of its object, as the Quickstart page has them.
DOCUMENTED_V2 = {
    "card": ("card", "card_number brand expiry_month expiry_year security_code mandate"),
    "card_reference": ("cc_ref", "token second_token mandate card"),
    "apple_pay": ("apple_pay", "customer_token id collect_payment mandate"),
    "ach_debit": (
        "ach_debit",
        "bank_aba_code bank_account_name bank_account_type bank_name bank_account_number mandate",
    ),
    "sepa_debit": ("sepa_debit", "IBAN business_identification_code mandate"),
    "bacs_debit": ("bacs_debit", "account_number bank_code mandate"),
    "au_becs_debit": ("au_becs_debit", "account_number branch_code mandate"),
    "nz_becs_debit": ("nz_becs_debit", "account_number branch_code bank_code mandate"),
    "pad_debit": ("pad_debit", "account_number branch_code bank_code mandate"),
    "betalings_debit": ("betalings_debit", "account_number identity_number bank_code mandate"),
    "autogiro_debit": ("autogiro_debit", "account_number identity_number branch_code mandate"),
    "paypal_express": ("paypal_express", "baid email"),
    "paypal_express_native": ("paypal_express_native", "baid email"),
    "paypal_adaptive": ("paypal_adaptive", "preapproval_key email"),
}
# Type, and members beside the common ones, as the page of v1 has them.
DOCUMENTED_V1 = [
    ("adyen_google_pay", "AdyenGooglePay", "googlePaymentToken email"),
    ("adyen_apple_pay", "AdyenApplePay", "applePaymentData email"),
    ("chase_google_pay", "GooglePay", "googlePaymentToken"),
    ("paypal_complete_payments", "PayPalCP", "BAID email"),
]
ARMS = [(arm, choice) for arm in (*CREATED_BY_V2, *CREATED_BY_V1) for choice in alternatives(arm)]


def call_of(request: Any) -> Any:
    """Decode the request and build its call."""
    method = decode_create_payment_method(checked(request), KEYRING).request
    resource = payment_methods_v1 if method.kind in CREATED_BY_V1 else payment_methods
    return resource.build(method, route=route(), tenant=tenant())


def body_of(request: Any) -> dict[str, Any]:
    """Decode the request, build its body and read it back."""
    read: dict[str, Any] = msgspec.json.decode(encode_body(call_of(request).body))
    return read


def request_with(change: Callable[[Any], object], arm: str = "sepa_debit") -> Any:
    """Make a request with one arm filled, and change it."""
    request, _ = method_request(arm)
    change(request)
    return request


class TestEveryArm:
    """No field of the contract is dropped on its way to Zuora."""

    @pytest.mark.parametrize(("arm", "choice"), ARMS, ids=lambda one: one if isinstance(one, str) else "-".join(one))
    def test_sends_every_field(self, arm: str, choice: frozenset[str]) -> None:
        """Each value is found in the body, by walking the descriptors."""
        request, values = method_request(arm, choice)

        sent = encode_body(call_of(request).body).decode()

        missing = {path for path, value in values.items() if str(value) not in sent}
        assert missing == {path for path in NOT_SENT if path in values}

    @pytest.mark.parametrize(("arm", "choice"), ARMS, ids=lambda one: one if isinstance(one, str) else "-".join(one))
    def test_shows_no_sensitive_field(self, arm: str, choice: frozenset[str]) -> None:
        """The preview holds what is not marked sensitive, and nothing else."""
        request, values = method_request(arm, choice)

        shown = preview_body(call_of(request).body)

        visible = {path.partition(".")[2] for path, value in values.items() if str(value) in shown}
        assert visible <= {
            "bank_account_type",
            "bank_name",
            "brand",
            "business_identification_code",
            "card_details.brand",
            "card_mandate.id",
            "card_mandate.reason",
            "mandate.id",
            "mandate.reason",
            "merchant_id",
            "pay_invoice.invoice",
            "type",
        }

    @pytest.mark.parametrize("kind", CREATED_BY_V2)
    def test_of_v2_has_the_documented_object(self, kind: str) -> None:
        """Unknown members are refused by Zuora, so a body holds those of the page, with the page's names."""
        body = body_of(method_request(kind)[0])

        zuora_type, members = DOCUMENTED_V2[kind]
        assert set(body) == {"type", zuora_type, "account_id", "gateway_id"}
        assert (body["type"], set(body[zuora_type])) == (zuora_type, set(members.split()))

    @pytest.mark.parametrize(("kind", "zuora_type", "members"), DOCUMENTED_V1)
    def test_of_v1_has_the_documented_members(self, kind: str, zuora_type: str, members: str) -> None:
        """Wallet tokens travel as one string of JSON."""
        body = body_of(method_request(kind)[0])

        assert (body["type"], set(body)) == (zuora_type, {"type", "accountKey", "authGateway", *members.split()})

    def test_of_paypal_complete_payments_may_have_a_vault_token(self) -> None:
        """Then the token takes the place of the billing agreement."""
        body = body_of(method_request("paypal_complete_payments", frozenset({"vault_token"}))[0])

        assert (set(body["tokens"]), body["tokens"]["gatewayType"]) == ({"gatewayType", "tokenId"}, "PayPalCP")
        assert "BAID" not in body

    def test_of_either_operation_is_listed_here(self) -> None:
        """A kind that is added later needs its line in the tables above."""
        assert set(DOCUMENTED_V2) == set(CREATED_BY_V2)
        assert {kind for kind, _, _ in DOCUMENTED_V1} == set(CREATED_BY_V1) - {"custom"}


class TestTokens:
    """Wallet tokens keep every byte that matters."""

    @pytest.mark.parametrize("token", [TOKEN, WRAPPED], ids=["inner", "wrapper"])
    def test_of_apple_pay_go_out_as_the_inner_object(self, token: Any) -> None:
        """Whatever form the browser handed out."""
        text = json.dumps(token).encode()
        request, wanted = request_with(lambda one: setattr(one.apple_pay, "token_json", text), "apple_pay"), TOKEN

        assert body_of(request)["apple_pay"]["customer_token"] == wanted

    def test_of_adyen_go_out_as_text(self) -> None:
        """The inner object, verbatim, inside a string."""
        text = json.dumps(TOKEN, indent=1)

        body = body_of(
            request_with(lambda one: setattr(one.adyen_apple_pay, "token_json", text.encode()), "adyen_apple_pay")
        )

        assert body["applePaymentData"] == text

    @pytest.mark.parametrize(
        ("token", "reason"),
        [
            (b"", "nothing"),
            (b"[]", "a list"),
            (b"null", "null"),
            (b'{"a":', "half an object"),
            (b'{"a":"\xff"}', "no UTF-8"),
            (b'{"a":' + b"[" * 16_000, "nesting deeper than the interpreter's stack"),
            (b'{"a":' + b"[" * 8000 + b"]" * 8000 + b"}", "the same, well-formed"),
        ],
    )
    @pytest.mark.parametrize("arm", ["adyen_google_pay", "chase_google_pay"])
    def test_of_google_pay_are_json_objects(self, arm: str, token: bytes, reason: str) -> None:
        """What is none is the caller's error, and nothing was sent."""
        request = request_with(lambda one: setattr(getattr(one, arm), "token_json", token), arm)

        with pytest.raises(InvalidRequestError) as caught:
            decode_create_payment_method(checked(request), KEYRING)

        (violation,) = caught.value.failure.violations
        assert (violation.field, violation.rule) == (f"{arm}.token_json", "json.object"), reason

    @pytest.mark.parametrize("arm", ["apple_pay", "adyen_apple_pay"])
    def test_of_apple_pay_are_checked(self, arm: str) -> None:
        """The path leads into the token."""
        request = request_with(lambda one: setattr(getattr(one, arm), "token_json", b"{}"), arm)

        with pytest.raises(InvalidRequestError) as caught:
            decode_create_payment_method(checked(request), KEYRING)

        assert {violation.field for violation in caught.value.failure.violations} >= {
            f"{arm}.token_json.version",
            f"{arm}.token_json.data",
        }

    @pytest.mark.parametrize("arm", ["apple_pay", "adyen_apple_pay"])
    def test_of_apple_pay_are_guarded_against_a_second_use(self, arm: str) -> None:
        """Under the name that the token has in every other RPC."""
        text = json.dumps(TOKEN).encode()
        request = request_with(lambda one: setattr(getattr(one, arm), "token_json", text), arm)

        header = TOKEN["header"]
        expected = token_name(public_key_hash=header["publicKeyHash"], transaction_id=header["transactionId"])
        assert decode_create_payment_method(checked(request), KEYRING).guarded_token == expected

    def test_of_others_are_not_guarded(self) -> None:
        """They have no number that would be the same for each use."""
        assert decode_create_payment_method(checked(request_with(full)), KEYRING).guarded_token == ""


def full(request: Any) -> None:
    """Set every common field."""
    request.default_method = False
    request.billing_details.name = "billing-name"
    request.billing_details.address.line1 = "line-one"
    request.billing_details.address.line2 = "line-two"
    request.custom_fields["Color__c"].text = "custom-text"
    request.gateway_options["option"] = "option-value"
    request.retry_rule.maximum_payment_attempts = 0
    request.retry_rule.payment_retry_interval_hours = 24
    request.device_session_id = "device"
    request.consent_ip_address.ip_address = "192.0.2.1"
    request.bank_identification_number = "41111111"
    request.selection.payment_method_fields.extend(["created_time", "id"])
    request.selection.account_fields.append("name")
    request.selection.expand.append("account")
    request.selection.filters.append("a.EQ:b")
    request.selection.page_size = 99
    request.currency_code = "EUR"


class TestCommonFields:
    """What every kind may carry."""

    def test_go_to_v2_under_its_names(self) -> None:
        """Zero and false are values; what is not set is not sent."""
        call = call_of(request_with(full))

        body = msgspec.json.decode(encode_body(call.body))
        del body["sepa_debit"]
        assert body == {
            "type": "sepa_debit",
            "account_id": "account-id",
            "gateway_id": route().gateway.id,
            "is_default": False,
            "billing_details": {"name": "billing-name", "address": {"line1": "line-one", "line2": "line-two"}},
            "custom_fields": {"Color__c": "custom-text"},
            "gateway_options": {"option": "option-value"},
            "maximum_payment_attempts": 0,
            "payment_retry_interval": 24,
            "device_session_id": "device",
            "ip_address": "192.0.2.1",
            "bank_identification_number": "41111111",
        }
        assert call.query == (
            ("fields[]", "id,type,state,created_time"),
            ("account.fields[]", "name"),
            ("expand[]", "account"),
            ("filter[]", "a.EQ:b"),
            ("page_size", "99"),
        )

    def test_go_to_v1_under_its_names(self) -> None:
        """Custom fields are members of the body."""

        def v1(request: Any) -> None:
            request.default_method = True
            request.custom_fields["Color__c"].flag = True
            request.gateway_options["option"] = "option-value"
            request.consent_ip_address.SetInParent()
            request.currency_code = "EUR"

        body = body_of(request_with(v1, "paypal_complete_payments"))

        assert {name: value for name, value in body.items() if name not in {"BAID", "email"}} == {
            "type": "PayPalCP",
            "accountKey": "account-id",
            "authGateway": route().gateway.id,
            "currencyCode": "EUR",
            "gatewayOptions": {"option": "option-value"},
            "ipAddress": None,
            "makeDefault": True,
            "Color__c": True,
        }

    @pytest.mark.parametrize(
        ("account", "expected", "reason"),
        [
            ("account_by_id", {"account_id": "x"}, "by id"),
            ("account_by_number", {"account_number": "x"}, "by number"),
            ("no_account", {}, "none"),
        ],
    )
    def test_name_the_account_in_one_way(self, account: str, expected: dict[str, str], reason: str) -> None:
        """Nothing says what Zuora does with both."""

        def name(request: Any) -> None:
            arm = getattr(request, account)
            arm.SetInParent()
            for field in arm.DESCRIPTOR.fields:
                setattr(arm, field.name, "x")

        body = body_of(request_with(name))

        assert {key: value for key, value in body.items() if key.startswith("account")} == expected, reason

    def test_decide_about_the_route(self) -> None:
        """Rules can name the RPC, the currency and the account."""
        query = decode_create_payment_method(checked(request_with(full)), KEYRING).intent.query

        assert (query.rpc, query.currency, query.account) == ("CreatePaymentMethod", "EUR", "account-id")


class TestCustomValues:
    """A leaf of JSON, exactly as it was given."""

    @pytest.mark.parametrize(
        ("value", "expected", "reason"),
        [
            ({"text": "12.50"}, '"12.50"', "text stays text"),
            ({"text": ""}, '""', "also when it is empty"),
            ({"flag": False}, "false", "a boolean"),
            ({"decimal": "12.50"}, "12.50", "a number with its zeros"),
            ({"decimal": "0.0000001"}, "0.0000001", "small numbers digit by digit, not as 1E-7"),
            ({"decimal": "-" + "9" * 30 + "." + "1" * 30}, "-" + "9" * 30 + "." + "1" * 30, "as long as it may be"),
            ({"decimal": "007.10"}, "7.10", "JSON knows no leading zeros"),
            ({"decimal": "-0"}, "-0", "a sign stays"),
            ({"null_value": payment_method_pb2.CustomFieldNull()}, "null", "null clears a field"),
        ],
    )
    def test_are_sent_digit_by_digit(self, value: dict[str, Any], expected: str, reason: str) -> None:
        """In both operations and in a custom type's own fields."""
        given = payment_method_pb2.CustomFieldValue(**value)
        v2 = request_with(lambda one: one.custom_fields["a__c"].CopyFrom(given))
        v1 = request_with(lambda one: one.custom_fields["a__c"].CopyFrom(given), "adyen_google_pay")
        own = request_with(lambda one: one.custom.fields["a"].CopyFrom(given), "custom")

        sent = [encode_body(call_of(one).body).decode() for one in (v2, v1, own)]

        assert f'"custom_fields":{{"a__c":{expected}}}' in sent[0], reason
        assert f'"a__c":{expected}' in sent[1]
        assert f'"a":{expected}' in sent[2]
        if "decimal" in value:
            assert msgspec.json.decode(expected, type=Decimal) == Decimal(value["decimal"])


RESERVED_BY_ZUORA = [
    "AchCity",
    "AccountId",
    "accountKey",
    "accountNumber",
    "BAID",
    "bankIdentificationNumber",
    "cardHolderInfo",
    "createdBy",
    "createdDate",
    "deviceSessionId",
    "existingMandate",
    "id",
    "IPAddress",
    "IsCompany",
    "isDefault",
    "lastFailedSaleTransactionDate",
    "lastTransaction",
    "lastTransactionDateTime",
    "lastTransactionStatus",
    "maxConsecutivePaymentFailures",
    "MethodReferenceId",
    "MethodSpecificData",
    "mitConsentAgreementRef",
    "mitConsentAgreementSrc",
    "mitNetworkTransactionId",
    "mitProfileAction",
    "mitProfileAgreedOn",
    "mitProfileType",
    "numConsecutiveFailures",
    "paymentRetryWindow",
    "status",
    "SubType",
    "success",
    "TokenId",
    "totalNumberOfErrorPayments",
    "totalNumberOfProcessedPayments",
    "type",
    "updatedBy",
    "updatedDate",
    "useDefaultRetryRule",
    "UserReferenceId",
]


def with_own_field(name: str, **value: Any) -> Any:
    """Make a request for a custom type with one field of its own."""

    def add(request: Any) -> None:
        request.custom.type = "AmazonPay__c_12368"
        request.custom.fields.clear()
        request.custom.fields[name].CopyFrom(payment_method_pb2.CustomFieldValue(**value))

    return request_with(add, "custom")


class TestFurtherViolations:
    """What no proto rule can say."""

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            (lambda one: one.billing_details.SetInParent(), "billing_details"),
            (lambda one: one.retry_rule.SetInParent(), "retry_rule"),
            (lambda one: setattr(one, "device_session_id", "x"), "device_session_id"),
            (lambda one: setattr(one, "bank_identification_number", "411111"), "bank_identification_number"),
            (lambda one: one.selection.SetInParent(), "selection"),
            (lambda one: one.custom_fields["Color"].SetInParent(), 'custom_fields["Color"]'),
        ],
    )
    def test_refuse_for_v1_what_it_does_not_know(self, change: Callable[[Any], object], field: str) -> None:
        """A field that would be dropped silently is refused instead."""
        v1, v2 = request_with(change, "adyen_google_pay"), request_with(change)

        assert [violation.field for violation in further_violations(v1)] == [field]
        assert list(further_violations(v2)) == []

    @pytest.mark.parametrize("name", [*RESERVED_BY_ZUORA, "authGateway", "makeDefault", "screeningAmount", "tokens"])
    def test_keep_custom_fields_out_of_other_members(self, name: str) -> None:
        """A type's own field must not take another's place, nor a name that Zuora reserves, in whatever case."""
        for written in (name, name[0].lower() + name[1:], name.lower()):
            (violation,) = further_violations(with_own_field(written, text="x"))

            assert (violation.field, violation.rule) == (f'custom.fields["{written}"]', "custom.reserved")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("cardNumber", {"text": "x"}),
            ("cVV", {"decimal": "123"}),
            ("securityCode", {"text": "123"}),
            ("expirationMonth", {"text": "12"}),
            ("note", {"text": "4111111111111111"}),
            ("note", {"text": "my card 4111 1111-1111 1111!"}),
            ("note", {"text": "NDExMTExMTExMTExMTExMQ=="}),
            ("note", {"decimal": "4111111111111111"}),
        ],
    )
    def test_keep_card_data_out_of_custom_fields(self, name: str, value: dict[str, str]) -> None:
        """By its name and by its form; the value is not in the violation."""
        (violation,) = further_violations(with_own_field(name, **value))

        assert (violation.field, violation.rule) == (f'custom.fields["{name}"]', "custom.card_data")
        assert "4111" not in violation.description

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("walletId", {"text": "amzn1.account.AF4111111111111112"}),
            ("reference", {"text": "6f1c8a44-9d7f-4c3a-8f1e-0a1b2c3d4e5f"}),
            ("count", {"decimal": "12"}),
            ("agreed", {"flag": True}),
        ],
    )
    def test_accept_other_fields_of_a_custom_type(self, name: str, value: dict[str, Any]) -> None:
        """What a wallet calls its own."""
        assert list(further_violations(with_own_field(name, **value))) == []

    def test_are_told_all_at_once(self) -> None:
        """Decoding refuses with every one of them."""
        request = request_with(full, "adyen_google_pay")

        with pytest.raises(InvalidRequestError) as caught:
            decode_create_payment_method(checked(request), KEYRING)

        assert len(caught.value.failure.violations) == 5


class TestQuery:
    """What routing rules may ask of a payment method."""

    @pytest.mark.parametrize(
        ("account", "expected", "reason"),
        [
            ({"account_by_id": payment_method_pb2.AccountById(id="8a8a")}, "8a8a", "by id"),
            ({"account_by_number": payment_method_pb2.AccountByNumber(number="A001")}, "A001", "by number"),
            ({"no_account": payment_method_pb2.NoAccount()}, "", "none"),
        ],
    )
    def test_names_the_account_as_the_call_does(self, account: dict[str, Any], expected: str, reason: str) -> None:
        """A currency may be known, an amount never is."""
        request, _ = method_request("sepa_debit")
        request.MergeFrom(Request(currency_code="EUR", **account))

        query = decode_create_payment_method(checked(request), KEYRING).intent.query

        assert (query.account, query.currency, query.amount) == (expected, "EUR", None), reason
