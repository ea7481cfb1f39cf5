"""What Zuora's own client does at the emulator: no call fails that a real tenant would serve."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import zuora_sdk
from zuora_emulator import seed
from zuora_emulator.apple_tokens import minted_token
from zuora_sdk.exceptions import ApiException, UnauthorizedException
from zuora_sdk.models import create_payment_method_request

from official_sdk.conftest import Sdk, SdkWith

# The SDK uses what its version of pydantic has deprecated, and serialises a Decimal that its models do not name.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Pydantic serializer:UserWarning")
MERCHANT = "merchant.example.payorch"
SESSION: dict[str, Any] = {"account_id": seed.ACCOUNT_US.id, "currency": "USD", "amount": 100}
TOKENS = {"gateway_type": "Stripe", "token_id": "t", "second_token_id": "s"}
CARD: dict[str, Any] = {"type": "CreditCard", "card_type": "Visa"}
METHODS: dict[str, list[dict[str, Any]]] = {
    "CreateACHPaymentMethod": [
        {
            "type": "ACH",
            "bank_aba_code": "021000021",
            "bank_account_name": "Jo",
            "bank_account_type": "Checking",
            "bank_name": "Bank",
            **number,
        }
        for number in ({"bank_account_number": "1234"}, {"bank_account_mask_number": "**34", "tokens": TOKENS})
    ],
    "CreateAutogiroPaymentMethod": [
        {"type": "Autogiro", "account_number": "1", "branch_code": "b", "identity_number": "i"}
    ],
    "CreateBacsPaymentMethod": [
        {"type": "Bacs", "account_number": "1", "bank_code": "b"},
        {"type": "Bacs", "account_mask_number": "**1", "tokens": TOKENS},
    ],
    "CreateBecsPaymentMethod": [{"type": "Becs", "account_number": "1", "branch_code": "b"}],
    "CreateBecsnzPaymentMethod": [{"type": "Becsnz", "account_number": "1", "bank_code": "b", "branch_code": "b"}],
    "CreateBetalingsservicePaymentMethod": [
        {"type": "Betalingsservice", "account_number": "1", "bank_code": "b", "identity_number": "i"}
    ],
    "CreateCCReferenceTransactionPaymentMethod": [
        {"type": "CreditCardReferenceTransaction", "token_id": "t", "second_token_id": "s"}
    ],
    "CreateCreditCardPaymentMethod": [
        CARD | {"card_number": "4111111111111111", "expiration_month": 12, "expiration_year": 2031},
        CARD | {"card_mask_number": "************1111", "tokens": TOKENS},
    ],
    "CreateOpenPaymentMethod": [
        {"type": f"Example__c_{seed.TENANT}", "anyField": "of the type"},
        {"type": "AdyenApplePay", "applePaymentData": '{"data": "x"}'},
        {"type": "AdyenGooglePay", "googlePaymentToken": '{"data": "x"}'},
        {"type": "GooglePay", "googlePaymentToken": '{"data": "x"}'},
        {"type": "AmazonPay", "tokens": TOKENS},
    ],
    "CreatePADPaymentMethod": [{"type": "PAD", "account_number": "1", "bank_code": "b", "branch_code": "b"}],
    "CreatePayPalAdaptivePaymentMethod": [{"type": "PayPalAdaptive", "preapproval_key": "p", "email": "e@example.com"}],
    "CreatePayPalCPPaymentMethod": [{"type": "PayPalCP", "baid": "b"}, {"type": "PayPalCP", "tokens": TOKENS}],
    "CreatePayPalECPaymentMethod": [{"type": "PayPalEC", "baid": "b", "email": "e@example.com"}],
    "CreatePayPalNativeECPaymentMethod": [{"type": "PayPalNativeEC", "baid": "b"}],
    "CreateSEPAPaymentMethod": [
        {"type": "SEPA", "iban": "DE89370400440532013000"},
        {"type": "SEPA", "account_mask_number": "**3000", "tokens": TOKENS},
    ],
}
"""Members of each of the SDK's models of a payment method."""


def decryption(sdk: Sdk, **more: Any) -> Any:
    """Return the SDK's request for a decryption of a token over 42.50 USD."""
    token = minted_token(merchant_id=MERCHANT, amount_minor=4250, currency_numeric="840", now=sdk.clock.now())
    members = {"integration_type": "ApplePay", "merchant_id": MERCHANT, "payment_token": token, **more}
    return zuora_sdk.CreatePaymentMethodDecryptionRequest(**members)


class TestTheOfficialSdkRenewsItsToken:
    """Its daemon asks for a token every ten minutes, with the old one in the Authorization header."""

    def test_and_goes_on_with_it_after_the_old_one_expired(self, sdk: Sdk) -> None:
        """A stale token is refused, and the renewal is not."""
        request = zuora_sdk.CreatePaymentSessionRequest(**SESSION)
        sdk.clock.advance(timedelta(hours=1))
        with pytest.raises(UnauthorizedException):
            sdk.methods.create_payment_session(request)

        sdk.client.refresh_token()

        assert sdk.methods.create_payment_session(request).token
        first, renewal = sdk.emulator.journal.of("token")
        assert ("authorization" in first.headers, "authorization" in renewal.headers) == (False, True)

    def test_and_keeps_the_stale_one_where_the_header_is_refused(
        self, sdk_with: SdkWith, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The switch shows what a team would meet at a tenant that takes its documents at their word."""
        sdk = sdk_with(token_auth_header="refuse")
        monkeypatch.setattr(sdk.client, "_retry_base_delay", 0)
        before = sdk.client.token["access_token"]

        sdk.client.refresh_token()

        assert sdk.client.token["access_token"] == before
        assert [arrival.status for arrival in sdk.emulator.journal.of("token")] == [200, 401, 401, 401]


class TestTheOfficialSdkCreatesSessions:
    """POST /web-payments/sessions."""

    @pytest.mark.parametrize(
        "more",
        [
            {},
            {"amount": 100.5},
            {"amount": Decimal("100.50")},
            {"process_payment": False},
            {"process_payment": True, "store_payment_method": False, "gateway_options": {"key": "value"}},
            {"payment_gateway": seed.GATEWAY_US.id, "invoices": [{"invoice_number": seed.INVOICE_US.number}]},
        ],
        ids=str,
    )
    def test_in_every_mode(self, sdk: Sdk, more: dict[str, Any]) -> None:
        """A Decimal is sent as text."""
        answer = sdk.methods.create_payment_session(zuora_sdk.CreatePaymentSessionRequest(**SESSION | more))

        assert len(answer.token) == 32
        assert sdk.emulator.ledger.of("sessions")[0].amount == Decimal(str(more.get("amount", 100)))

    def test_once_for_one_idempotency_key(self, sdk: Sdk) -> None:
        """Headers of a call go through."""
        request = zuora_sdk.CreatePaymentSessionRequest(**SESSION)
        headers = {"idempotency_key": "key", "zuora_track_id": "track", "zuora_org_ids": seed.ORG_NORTH}

        first = sdk.methods.create_payment_session_with_http_info(request, **headers)
        second = sdk.methods.create_payment_session(request, **headers)

        assert (first.data.token, first.headers["zuora-track-id"]) == (second.token, "track")
        assert sdk.emulator.ledger.count("sessions") == 1


class TestTheOfficialSdkDecrypts:
    """POST /v1/payment-methods/decryption."""

    def test_a_token_that_is_not_charged(self, sdk: Sdk) -> None:
        """The account is optional."""
        answer = sdk.methods.decrypt_payment_method(decryption(sdk, process_payment=False))

        assert (answer.success, answer.payment_id) == (True, None)
        assert answer.payment_method_id in sdk.emulator.state.payment_methods

    def test_a_token_that_pays_an_invoice(self, sdk: Sdk) -> None:
        """With a profile and a card holder."""
        answer = sdk.methods.decrypt_payment_method(
            decryption(
                sdk,
                account_id=seed.ACCOUNT_US.id,
                process_payment=True,
                invoice_id=seed.INVOICE_US_SECOND.number,
                payment_gateway=seed.GATEWAY_US.name,
                mit_profile_action="Activate",
                mit_profile_type="Recurring",
                mit_consent_agreement_src="External",
                card_holder_info={"card_holder_name": "Jo", "zip_code": "3000"},
            )
        )

        assert (answer.success, answer.amount) == (True, "42.50")
        assert len(answer.payment_id) == 32

    def test_a_decline_with_the_method_that_exists(self, sdk_with: SdkWith) -> None:
        """HTTP 200 with `success: false` is no exception of the SDK."""
        sdk = sdk_with(decline_payments=True)
        answer = sdk.methods.decrypt_payment_method(
            decryption(
                sdk,
                account_id=seed.ACCOUNT_US.id,
                process_payment=True,
                invoice_id=seed.INVOICE_US_SECOND.number,
                payment_gateway=seed.GATEWAY_US.name,
            )
        )

        assert (answer.success, answer.payment_id) == (False, None)
        assert answer.payment_method_id in sdk.emulator.state.payment_methods
        assert answer.reasons[0].code == 53000060


class TestTheOfficialSdkCreatesPaymentMethods:
    """POST /v1/payment-methods with each of its models, and Quickstart through its own transport."""

    def test_with_every_model_it_has(self) -> None:
        """A model that a newer SDK adds has no members above."""
        assert METHODS.keys() == set(create_payment_method_request.CREATEPAYMENTMETHODREQUEST_ONE_OF_SCHEMAS)

    @pytest.mark.parametrize(
        ("model", "members"), [(model, members) for model in METHODS for members in METHODS[model]], ids=str
    )
    def test_of_every_type(self, sdk: Sdk, model: str, members: dict[str, Any]) -> None:
        """The models fill in what they have defaults for."""
        method = getattr(zuora_sdk, model)(account_key=seed.ACCOUNT_US.number, **members)

        answer = sdk.methods.create_payment_method(zuora_sdk.CreatePaymentMethodRequest(method))

        assert answer.success
        assert sdk.emulator.state.payment_methods[answer.id].type == members["type"]

    @pytest.mark.parametrize(
        "body",
        [
            {"type": "sepa_debit", "sepa_debit": {"IBAN": "DE89370400440532013000"}},
            {"type": "paypal_express_native", "paypal_express_native": {"baid": "b"}},
        ],
        ids=lambda body: body["type"],
    )
    def test_of_quickstart(self, sdk: Sdk, body: dict[str, Any]) -> None:
        """The SDK has no model of Quickstart, but sends what it is given."""
        api_client = sdk.client.api_client
        head = {"Accept": "application/json", "Content-Type": "application/json"}
        call = api_client.param_serialize("POST", "/v2/payment_methods", body=body, header_params=head)

        answer = api_client.call_api(*call)
        answer.read()

        assert answer.status == 201
        assert b'"state":"active"' in answer.data


EXTERNAL: dict[str, Any] = {
    "account_id": seed.ACCOUNT_US.id,
    "type": "External",
    "payment_method_type": "Check",
    "amount": 50,
    "currency": "USD",
}


class TestTheOfficialSdkPaysAndRefunds:
    """POST /v1/payments and its refunds, and reading them back."""

    def test_outside_of_zuora(self, sdk: Sdk) -> None:
        """A check that pays an invoice, and what was too much."""
        applied = zuora_sdk.CreatePaymentInvoiceApplication(invoice_id=seed.INVOICE_US_SECOND.id, amount=42.5)
        made = sdk.payments.create_payment(
            zuora_sdk.CreatePaymentRequest(**EXTERNAL, effective_date="2026-11-19", invoices=[applied])
        )
        request = zuora_sdk.CreateRefundRequest(type="External", method_type="Check", total_amount=7.5)
        refunded = sdk.payments.create_refund_payment(made.number, request)

        read = sdk.payments.get_payment(made.id)
        assert (read.type, read.status, read.applied_amount, read.refund_amount) == ("External", "Processed", 42.5, 7.5)
        assert (read.effective_date, read.unapplied_amount) == ("2026-11-19", 0)
        assert sdk.refunds.get_refund(refunded.id).method_type == "Check"

    def test_with_a_method_of_the_account(self, sdk: Sdk) -> None:
        """Through its gateway."""
        method = zuora_sdk.CreatePayPalCPPaymentMethod(type="PayPalCP", baid="b", account_key=seed.ACCOUNT_US.id)
        created = sdk.methods.create_payment_method(zuora_sdk.CreatePaymentMethodRequest(method))
        more = {"type": "Electronic", "payment_method_id": created.id, "gateway_id": seed.GATEWAY_US.id}

        made = sdk.payments.create_payment(zuora_sdk.CreatePaymentRequest(**EXTERNAL | more))
        request = zuora_sdk.CreateRefundRequest(type="Electronic", total_amount=50)
        refunded = sdk.payments.create_refund_payment(made.id, request)

        assert (made.status, made.gateway_state) == ("Processed", "Submitted")
        assert sdk.payments.get_payment(made.number).unapplied_amount == 0
        assert (refunded.status, refunded.payment_id) == ("Processed", made.id)


class TestTheOfficialSdkLists:
    """GET /v1/payments and GET /v1/refunds."""

    def test_payments_in_pages(self, sdk: Sdk) -> None:
        """The filters are those that it sends, times among them."""
        made = [sdk.payments.create_payment(zuora_sdk.CreatePaymentRequest(**EXTERNAL)) for _ in range(3)]
        query = {"account_id": seed.ACCOUNT_US.id, "amount": 50, "created_date": sdk.clock.now(), "status": "Processed"}

        first = sdk.payments.get_retrieve_all_payments(page_size=2, page=1, sort="+number", **query)
        second = sdk.payments.get_retrieve_all_payments(page_size=2, page=2, sort="+number", **query)

        assert [payment.id for payment in first.payments + second.payments] == [each.id for each in reversed(made)]
        assert (first.next_page.endswith("page=2"), second.next_page) == (True, None)

    def test_refunds_of_a_payment(self, sdk: Sdk) -> None:
        """And not those of others."""
        keys = [sdk.payments.create_payment(zuora_sdk.CreatePaymentRequest(**EXTERNAL)).id for _ in range(2)]
        request = zuora_sdk.CreateRefundRequest(type="External", method_type="Cash", total_amount=5)
        made = [sdk.payments.create_refund_payment(key, request) for key in keys]

        found = sdk.refunds.get_refunds(payment_id=keys[0], amount=5, status="Processed")

        assert [refund.id for refund in found.refunds] == [made[0].id]


class TestTheOfficialSdkMeetsErrors:
    """Each error becomes the exception that the SDK has for it, with its reasons."""

    @pytest.mark.parametrize(
        ("fault", "name", "status"),
        [
            ("sessions:400", "BadRequestException", 400),
            ("sessions:401", "UnauthorizedException", 401),
            ("sessions:403", "ForbiddenException", 403),
            ("sessions:404", "NotFoundException", 404),
            ("sessions:409", "ApiException", 409),
            ("sessions:422", "ApiException", 422),
            ("sessions:429", "ApiException", 429),
            ("sessions:500", "ServiceException", 500),
            ("sessions:503:7", "ServiceException", 503),
            ("sessions:504", "ServiceException", 504),
            ("sessions:html", "ServiceException", 502),
        ],
    )
    def test_of_every_status(self, sdk: Sdk, fault: str, name: str, status: int) -> None:
        """The status and the headers arrive."""
        sdk.emulator.faults.add(fault)

        with pytest.raises(ApiException) as raised:
            sdk.methods.create_payment_session(zuora_sdk.CreatePaymentSessionRequest(**SESSION))

        assert (type(raised.value).__name__, raised.value.status) == (name, status)
        assert raised.value.headers["zuora-request-id"]
        assert raised.value.headers.get("retry-after") == {"sessions:429": "120", "sessions:503:7": "7"}.get(fault)

    def test_with_the_reasons_of_a_refusal(self, sdk: Sdk) -> None:
        """An unknown account, and an amount that is missing."""
        with pytest.raises(ApiException) as raised:
            sdk.methods.create_payment_session(zuora_sdk.CreatePaymentSessionRequest(account_id="x", currency="USD"))

        assert raised.value.status == 400
        assert '"71012540"' in raised.value.body

    def test_of_another_tenants_entity(self, sdk: Sdk) -> None:
        """The token is not valid there."""
        sdk.client.set_entity_id(seed.ENTITY_OTHER)

        with pytest.raises(zuora_sdk.exceptions.ForbiddenException):
            sdk.methods.create_payment_session(zuora_sdk.CreatePaymentSessionRequest(**SESSION))

    def test_of_what_there_is_not(self, sdk: Sdk) -> None:
        """An unknown payment, read with an idempotency key."""
        with pytest.raises(zuora_sdk.exceptions.NotFoundException):
            sdk.payments.get_payment("P-99999999", _headers={"Idempotency-Key": "a-key"})

    def test_below_http_200(self, sdk: Sdk) -> None:
        """The answer has `success: false`, and the SDK raises nothing."""
        sdk.emulator.faults.add("payment_methods_v1:declined_as_fault")
        method = zuora_sdk.CreatePayPalCPPaymentMethod(type="PayPalCP", baid="b")

        answer = sdk.methods.create_payment_method(zuora_sdk.CreatePaymentMethodRequest(method))

        assert (answer.success, answer.id) == (False, None)
