from decimal import Decimal
from typing import Any

import msgspec
import pytest
from google.type import money_pb2
from harness.checked import checked
from harness.filled_requests import REQUEST_ID, Filler
from harness.invalid_apple_tokens import TOKEN, WRAPPED
from harness.keyring import KEYRING
from harness.routes import route, tenant
from payorch.v1 import apple_pay_pb2, routing_pb2, session_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.model.errors import InvalidRequestError
from payorch_server.model.money import Amount
from payorch_server.model.route import RouteHints
from payorch_server.model.secret import Secret
from payorch_server.rpc.decode import decode_create_session, decode_decrypt_apple_pay, token_violations
from payorch_server.zuora.messages import encode_body
from payorch_server.zuora.resources import decryption
from payorch_server.zuora.resources.decryption import StoredCredential
from payorch_server.zuora.resources.sessions import SessionRequest

MONEY = money_pb2.Money(currency_code="EUR", units=12, nanos=340_000_000)
AMOUNT = Amount(Decimal("12.34"), "EUR")
INVOICES = [session_pb2.SessionInvoice(invoice_number=number) for number in ("INV1", "INV2")]


class TestCreateSession:
    """The three flows become Zuora's two flags."""

    @pytest.mark.parametrize(
        ("flow", "expected", "reason"),
        [
            (
                {"store_only": session_pb2.StoreOnly(verification_amount=MONEY, account_id="a")},
                SessionRequest(AMOUNT, process_payment=False, store_payment_method=True, account_id="a"),
                "verify and store",
            ),
            (
                {"one_time_payment": session_pb2.OneTimePayment(amount=MONEY, account_id="a", invoices=INVOICES)},
                SessionRequest(
                    AMOUNT,
                    process_payment=True,
                    store_payment_method=False,
                    account_id="a",
                    invoice_numbers=("INV1", "INV2"),
                ),
                "pay once",
            ),
            (
                {"pay_and_store": session_pb2.PayAndStore(amount=MONEY, account_id="a")},
                SessionRequest(AMOUNT, process_payment=True, store_payment_method=True, account_id="a"),
                "pay and store",
            ),
        ],
    )
    def test_reads_every_flow(self, flow: dict[str, Any], expected: SessionRequest, reason: str) -> None:
        """Both flags false cannot be said."""
        request = service_pb2.CreateSessionRequest(request_id=REQUEST_ID, **flow)

        command = decode_create_session(checked(request), KEYRING)

        assert command.session == expected, reason
        assert (command.intent.request_id, command.intent.query.rpc) == (REQUEST_ID, "CreateSession")
        assert (command.intent.query.currency, command.intent.validate_only) == ("EUR", False)
        assert (command.intent.query.amount, command.intent.query.account) == (AMOUNT, "a")

    def test_wraps_gateway_options(self) -> None:
        """Their values may be personal data."""
        request = service_pb2.CreateSessionRequest(
            store_only=session_pb2.StoreOnly(verification_amount=MONEY), gateway_options={"k": "v"}, validate_only=True
        )

        command = decode_create_session(checked(request), KEYRING)

        assert command.session.gateway_options == {"k": Secret("v")}
        assert command.intent.validate_only

    def test_reads_every_hint(self) -> None:
        """Each field of RouteHints has its place."""
        hints = {"tenant": "t", "entity": "e", "gateway": "g", "country": "DE"}
        request = service_pb2.CreateSessionRequest(
            store_only=session_pb2.StoreOnly(verification_amount=MONEY),
            route=routing_pb2.RouteHints(**hints, orgs=["o1", "o2"], attributes={"brand": "n"}),
        )

        command = decode_create_session(checked(request), KEYRING)

        assert command.intent.query.hints == RouteHints(**hints, orgs=("o1", "o2"), attributes={"brand": "n"})
        named = {field.name for field in routing_pb2.RouteHints.DESCRIPTOR.fields}
        assert named == set(hints) | {"orgs", "attributes"}


class TestDecryptApplePay:
    """A token and what is to be made of it."""

    @pytest.mark.parametrize("choice", ["no_charge", "pay_invoice"])
    @pytest.mark.parametrize("credential", ["zuora_default", "profile"])
    def test_sends_every_field(self, choice: str, credential: str) -> None:
        """Each value is found in the body; the expected amount is compared, not sent."""
        request, filler = service_pb2.DecryptApplePayRequest(), Filler()
        filler.fill(request, "apple", frozenset({choice, credential}))
        request.expected_amount.CopyFrom(MONEY)

        command = decode_decrypt_apple_pay(checked(request), KEYRING)
        sent = encode_body(decryption.build(command.request, route=route(), tenant=tenant()).body).decode()

        missing = {path for path, value in filler.values.items() if str(value) not in sent}
        assert all(path.startswith(("apple.request_id", "apple.route", "apple.expected_amount")) for path in missing)
        assert (command.expected_amount, command.intent.query.currency) == (AMOUNT, "EUR")
        assert (command.intent.query.amount, command.intent.query.account) == (AMOUNT, request.account_id)

    @pytest.mark.parametrize("token", [TOKEN, WRAPPED], ids=["inner", "wrapper"])
    def test_takes_both_forms_of_a_token(self, token: Any) -> None:
        """Only the inner object is Zuora's."""
        request = service_pb2.DecryptApplePayRequest(token_json=msgspec.json.encode(token))

        body = encode_body({"a": decode_decrypt_apple_pay(checked(request), KEYRING).request.payment_data})

        assert msgspec.json.decode(body) == {"a": TOKEN}

    def test_leaves_defaults_to_zuora(self) -> None:
        """What is not set is not sent."""
        request = service_pb2.DecryptApplePayRequest(
            token_json=msgspec.json.encode(TOKEN),
            zuora_default=apple_pay_pb2.StoredCredentialZuoraDefault(),
            no_charge=apple_pay_pb2.NoCharge(),
        )

        decoded = decode_decrypt_apple_pay(checked(request), KEYRING)

        assert (decoded.request.stored_credential, decoded.request.invoice) == (None, "")
        assert (decoded.request.card_holder, decoded.expected_amount) == ({}, None)

    def test_reads_a_profile(self) -> None:
        """In Zuora's words."""
        request = service_pb2.DecryptApplePayRequest(
            token_json=msgspec.json.encode(TOKEN),
            profile=apple_pay_pb2.StoredCredentialProfile(
                action="Persist", type="Recurring", consent_agreement_source="External"
            ),
        )

        decoded = decode_decrypt_apple_pay(checked(request), KEYRING)

        assert decoded.request.stored_credential == StoredCredential("Persist", "Recurring", "External")

    def test_names_what_is_wrong_with_a_token(self) -> None:
        """Decoding refuses with the violations that validation completes its list with."""
        request = service_pb2.DecryptApplePayRequest(token_json=b"{}")

        with pytest.raises(InvalidRequestError) as caught:
            decode_decrypt_apple_pay(checked(request), KEYRING)

        violations = caught.value.failure.violations
        assert list(violations) == list(token_violations(request))
        assert {violation.field.partition(".")[0] for violation in violations} == {"token_json"}
        assert all(violation.rule.startswith("apple_pay.") for violation in violations)
