import subprocess
import sys
from typing import Any

import pytest
import structlog
from google.protobuf.message import Message
from google.type import money_pb2
from harness.filled_requests import REQUEST_ID
from harness.keyring import KEYRING
from payorch.v1 import apple_pay_pb2, diagnostics_service_pb2, payment_method_pb2, session_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.model.errors import InvalidRequestError, Violation
from payorch_server.rpc import validation
from payorch_server.rpc.diagnostics import DiagnosticsServicer
from payorch_server.rpc.payment_orchestration import FURTHER_CHECKS, PaymentOrchestrationServicer, ServicerOptions
from payorch_server.rpc.validation import Validator
from payorch_server.usecases.settings import PaymentMethodSettings, SessionSettings

VALIDATOR = Validator(FURTHER_CHECKS)
# Field 9999, a varint, in any message.
UNKNOWN = b"\xf8\xf0\x04\x01"


def session(**changes: Any) -> service_pb2.CreateSessionRequest:
    """Make a good request, or one with changes."""
    money = money_pb2.Money(currency_code="EUR", units=1)
    members: dict[str, Any] = {
        "request_id": REQUEST_ID,
        "pay_and_store": session_pb2.PayAndStore(
            amount=money, account_id="a", invoices=[session_pb2.SessionInvoice(invoice_number="INV1")]
        ),
    }
    return service_pb2.CreateSessionRequest(**members | changes)


def method(**changes: Any) -> service_pb2.CreatePaymentMethodRequest:
    """Make a good request, or one with changes."""
    members: dict[str, Any] = {
        "request_id": REQUEST_ID,
        "no_account": payment_method_pb2.NoAccount(),
        "paypal_express": payment_method_pb2.PaypalExpress(baid="B-1", email="a@b.test"),
    }
    return service_pb2.CreatePaymentMethodRequest(**members | changes)


def violations_of(request: Message) -> list[Violation]:
    """List what is wrong."""
    with pytest.raises(InvalidRequestError) as caught:
        VALIDATOR.check(request)
    return list(caught.value.failure.violations)


def with_unknown(message: Any) -> Any:
    """Add a field that the message's type does not have."""
    message.MergeFromString(UNKNOWN)
    return message


IDS = [
    (payment_method_pb2.AccountById, "id"),
    (payment_method_pb2.AccountByNumber, "number"),
    (service_pb2.DecryptApplePayRequest, "account_id"),
    (session_pb2.StoreOnly, "account_id"),
    (session_pb2.PayAndStore, "account_id"),
    (session_pb2.OneTimePayment, "account_id"),
    (session_pb2.SessionInvoice, "invoice_number"),
    (apple_pay_pb2.PayInvoice, "invoice"),
]


class TestIdsOfZuora:
    """What names an account or an invoice is what it looks like."""

    @pytest.mark.parametrize(("kind", "field"), IDS, ids=lambda value: getattr(value, "__name__", value))
    @pytest.mark.parametrize(
        "text", [" A1", "A1 ", "A1\n", "\tA1", "A1\u200b", "\ufeffA1", "A1\u00a0", "A\n1"], ids=repr
    )
    def test_have_nothing_invisible_at_their_ends(self, kind: type[Message], field: str, text: str) -> None:
        """Zuora would not find them, and routing rules would not match them."""
        (broken,) = (found for found in violations_of(kind(**{field: text})) if found.field == field)

        assert broken.rule == "string.pattern"
        assert broken.description.endswith("remove it")

    @pytest.mark.parametrize(("kind", "field"), IDS, ids=lambda value: getattr(value, "__name__", value))
    @pytest.mark.parametrize("text", ["A1", "A 1", "A-1/b", "\u00c41", "x"])
    def test_may_be_any_visible_text(self, kind: type[Message], field: str, text: str) -> None:
        """Tenants number their accounts as they like."""
        fixed = with_unknown(kind(**{field: text}))

        assert field not in {found.field for found in violations_of(fixed)}

    def test_are_all_covered(self) -> None:
        """A field for an account or an invoice that a new version adds is listed here."""
        files = (apple_pay_pb2, payment_method_pb2, service_pb2, session_pb2)
        names = {"account_id", "invoice", "invoice_number"}
        found = {
            (message.full_name, field.name)
            for file in files
            for message in file.DESCRIPTOR.message_types_by_name.values()
            for field in message.fields
            if field.name in names and field.type == field.TYPE_STRING
        }

        assert found <= {(kind.DESCRIPTOR.full_name, field) for kind, field in IDS}


class TestEmptyValues:
    """What must have at least one character, byte or entry."""

    @pytest.mark.parametrize(
        ("request_", "field", "rule"),
        [
            (
                method(paypal_express=payment_method_pb2.PaypalExpress(email="a@b.test")),
                "paypal_express.baid",
                "string.min_len",
            ),
            (service_pb2.DecryptApplePayRequest(request_id=REQUEST_ID), "token_json", "bytes.min_len"),
            (method(custom=payment_method_pb2.CustomMethod(type="A__c_1")), "custom.fields", "map.min_pairs"),
        ],
    )
    def test_must_not_be_empty(self, request_: Message, field: str, rule: str) -> None:
        """Under the id of the rule, without a number."""
        broken = {found.field: (found.rule, found.description) for found in violations_of(request_)}

        assert (rule, "must not be empty") == broken[field]


class TestUnknownFields:
    """An older server never ignores what a newer client asked for."""

    @pytest.mark.parametrize(
        ("place", "path", "reason"),
        [
            (lambda one: one, "9999", "at the top"),
            (lambda one: one.pay_and_store, "pay_and_store.9999", "nested"),
            (lambda one: one.pay_and_store.amount, "pay_and_store.amount.9999", "in a type of others"),
            (lambda one: one.pay_and_store.invoices[0], "pay_and_store.invoices[0].9999", "in a repeated message"),
        ],
    )
    def test_are_named_by_path(self, place: Any, path: str, reason: str) -> None:
        """With their number, for the name is not known."""
        request = session()
        with_unknown(place(request))

        (violation,) = violations_of(request)

        assert (violation.field, violation.rule) == (path, "field.known"), reason

    def test_are_found_in_maps(self) -> None:
        """With the key."""
        request = method()
        request.custom_fields["a__c"].text = "x"
        with_unknown(request.custom_fields["a__c"])

        (violation,) = violations_of(request)

        assert violation.field == 'custom_fields["a__c"].9999'

    def test_are_found_in_an_empty_message(self) -> None:
        """An arm without fields may grow some."""
        request = method()
        with_unknown(request.no_account)

        assert [violation.field for violation in violations_of(request)] == ["no_account.9999"]

    def test_are_absent_from_a_good_request(self) -> None:
        """What is known passes, and the request is not changed."""
        request, copy = session(), session()

        VALIDATOR.check(request)
        VALIDATOR.check(method())

        assert request == copy


class TestAmounts:
    """Each Money is checked against its currency."""

    @pytest.mark.parametrize(
        ("money", "expected", "reason"),
        [
            ({"currency_code": "XXX", "units": 1}, ("currency_code", "currency.iso4217"), "no currency"),
            ({"currency_code": "JPY", "units": 1, "nanos": 5 * 10**8}, ("nanos", "money.exponent"), "half a yen"),
            ({"currency_code": "EUR", "units": 1, "nanos": 10**9}, ("nanos", "money.nanos"), "too many nanos"),
            ({"currency_code": "EUR", "units": 1, "nanos": -1}, ("nanos", "money.nanos"), "two signs"),
            ({"currency_code": "EUR"}, (None, "money.positive"), "zero"),
            ({"currency_code": "EUR", "units": -1}, (None, "money.positive"), "less than zero"),
        ],
    )
    def test_are_refused_by_member(self, money: dict[str, Any], expected: tuple[str | None, str], reason: str) -> None:
        """The path ends at the member that is wrong."""
        amount = money_pb2.Money(**money)
        path = "one_time_payment.amount" + (f".{expected[0]}" if expected[0] else "")
        request = service_pb2.CreateSessionRequest(
            request_id=REQUEST_ID, one_time_payment=session_pb2.OneTimePayment(amount=amount, account_id="a")
        )

        assert [(one.field, one.rule) for one in violations_of(request)] == [(path, expected[1])], reason

    def test_are_found_at_the_top(self) -> None:
        """DecryptApplePay has one that is optional."""
        request = service_pb2.DecryptApplePayRequest(expected_amount=money_pb2.Money(currency_code="XXX", units=1))

        assert "expected_amount.currency_code" in [violation.field for violation in violations_of(request)]


class TestAllAtOnce:
    """Nobody repairs a request violation by violation."""

    def test_lists_rules_amounts_unknown_fields_and_tokens(self) -> None:
        """In the order of their paths, each once."""
        request = service_pb2.DecryptApplePayRequest(
            request_id="short",
            token_json=b"{}",
            expected_amount=money_pb2.Money(currency_code="XXX", units=1),
        )

        found = violations_of(with_unknown(request))

        fields = [violation.field for violation in found]
        assert fields == sorted(fields)
        assert len(found) == len(set(found))
        assert set(fields) >= {
            "9999",
            "request_id",
            "merchant_id",
            "expected_amount.currency_code",
            "token_json.version",
            "token_json.signature",
            "stored_credential",
            "charge",
        }

    def test_lists_equal_violations_once(self) -> None:
        """Two checks may find the same."""
        missing, short = Violation("a", "required", "is missing"), service_pb2.CreateSessionRequest(request_id="short")
        validator = Validator({short.DESCRIPTOR.full_name: lambda _request: [missing, missing]})

        with pytest.raises(InvalidRequestError) as caught:
            validator.check(short)

        assert caught.value.failure.violations.count(missing) == 1

    def test_completes_the_list_for_methods_of_v1(self) -> None:
        """What v1 does not know is told beside what is wrong anyhow."""
        request = service_pb2.CreatePaymentMethodRequest(
            request_id="short", chase_google_pay=payment_method_pb2.ChaseGooglePay(), device_session_id="x"
        )

        fields = [violation.field for violation in violations_of(request)]

        assert fields == ["account", "chase_google_pay.token_json", "device_session_id", "request_id"]

    def test_never_repeats_a_value(self) -> None:
        """Violations go to callers, logs and spans."""
        canary = "canary4111111111111111" * 100
        request = method(
            request_id=canary,
            card=payment_method_pb2.Card(number=canary, brand=canary, security_code=canary),
            currency_code=canary,
        )

        assert canary[:22] not in repr(violations_of(request))


class TestDisagreement:
    """The pass refuses, but nothing is wrong: it has a defect, and the caller must not pay for it."""

    def test_is_logged_and_the_request_accepted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """All rules were checked before it was accepted; no value is logged."""
        monkeypatch.setattr(validation, "walk_of", lambda _descriptor: lambda _request, _leaves: False)

        with structlog.testing.capture_logs() as lines:
            VALIDATOR.check(session())

        assert lines == [{"event": "checks_disagree", "log_level": "error", "type": "payorch.v1.CreateSessionRequest"}]

    def test_does_not_accept_what_is_wrong(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Protovalidate has the last word."""
        monkeypatch.setattr(validation, "walk_of", lambda _descriptor: lambda _request, _leaves: False)

        assert ["request_id"] == [violation.field for violation in violations_of(session(request_id="short"))]


class TestEveryRpc:
    """No servicer decodes what was not checked."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("servicer", "method"),
        [
            (servicer, method)
            for servicer in (
                PaymentOrchestrationServicer(ServicerOptions(KEYRING, PaymentMethodSettings(), SessionSettings())),
                DiagnosticsServicer(None, list),  # type: ignore[arg-type] # nothing gets that far
            )
            for file in (service_pb2.DESCRIPTOR, diagnostics_service_pb2.DESCRIPTOR)
            for service in file.services_by_name.values()
            for method in service.methods
            if hasattr(type(servicer), method.name)
        ],
        ids=lambda value: getattr(value, "name", ""),
    )
    async def test_checks_its_request_first(self, servicer: Any, method: Any) -> None:
        """An unknown field is refused by each."""
        with pytest.raises(InvalidRequestError) as caught:
            await getattr(servicer, method.name)(with_unknown(method.input_type._concrete_class()), None)

        assert "9999" in {violation.field for violation in caught.value.failure.violations}


class TestImports:
    """What a good request does not need is not loaded."""

    def test_leave_out_protovalidate(self) -> None:
        """It costs 20 ms and 12 MB, in every replica."""
        code = (
            "import sys; from payorch_server.app import start; from payorch_server.rpc.validation import Validator;"
            "from payorch.v1 import payment_orchestration_service_pb2 as pb;"
            "Validator().check(pb.GetIntentRequest(request_id='x' * 16, operation=1));"
            "sys.exit('protovalidate' in sys.modules)"
        )

        assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode  # noqa: S603 - our own code

    def test_do_not_hold_up_the_event_loop(self) -> None:
        """The first refused request loads protovalidate, in another thread."""
        code = (
            "import asyncio, sys, threading; from payorch_server.model.errors import InvalidRequestError;"
            "from payorch_server.rpc.validation import Validator;"
            "from payorch.v1 import payment_orchestration_service_pb2 as pb;"
            "threads = [];"
            "find = lambda name, *_: threads.append(threading.current_thread()) if name == 'protovalidate' else None;"
            "sys.meta_path.insert(0, type('Finder', (), {'find_spec': staticmethod(find)}));"
            "refused = lambda: asyncio.run(Validator().check_on_loop(pb.GetIntentRequest()));"
            "import pytest; pytest.raises(InvalidRequestError, refused);"
            "assert threads and threading.main_thread() not in threads"
        )

        assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode  # noqa: S603 - our own code


class TestManyViolations:
    """Each costs time in which no other call is served."""

    def test_of_elements_are_not_looked_at(self) -> None:
        """One violation names the field that has too many elements."""
        request = method(gateway_options={f" {number}": "" for number in range(9000)})

        assert ["gateway_options"] == [violation.field for violation in violations_of(request)]

    def test_of_elements_of_several_fields_are_counted_together(self) -> None:
        """Those of a message in a oneof as well."""
        invoices = [session_pb2.SessionInvoice(invoice_number=f"INV{number}") for number in range(1000)]
        flow = session_pb2.PayAndStore(amount=money_pb2.Money(currency_code="EUR", units=1), invoices=invoices)
        request = session(pay_and_store=flow, gateway_options={f"option {number}": "" for number in range(501)})

        assert ["pay_and_store.invoices"] == [violation.field for violation in violations_of(request)]

    def test_that_no_rule_forbids_are_looked_at(self) -> None:
        """The largest request that keeps the rules has no violation."""
        invoices = [session_pb2.SessionInvoice(invoice_number=f"INV{number}") for number in range(1000)]
        flow = session_pb2.PayAndStore(
            amount=money_pb2.Money(currency_code="EUR", units=1), account_id="a", invoices=invoices
        )

        request = session(pay_and_store=flow, gateway_options={f"option{number}": "x" for number in range(100)})

        assert 8192 < request.ByteSize()
        VALIDATOR.check(request)

    def test_of_unknown_fields_are_the_first(self) -> None:
        """A request can have a hundred thousand of them."""
        request = session()
        request.MergeFromString(b"".join(_unknown(number) for number in range(9000, 9200)))

        assert 100 == len(violations_of(request))


def _unknown(number: int) -> bytes:
    """Encode a varint field with a number of two or three bytes."""
    key = number << 3
    return bytes((key & 0x7F | 0x80, key >> 7 & 0x7F | 0x80, key >> 14, 1))


class TestPaths:
    """A path can be followed by a person."""

    @pytest.mark.parametrize(
        ("request_", "path", "reason"),
        [
            (
                session(pay_and_store=session_pb2.PayAndStore(account_id="a")),
                "pay_and_store.amount",
                "a nested field",
            ),
            (session(gateway_options={"k": "v" * 5000}), 'gateway_options["k"]', "a value of a map"),
            (session(gateway_options={"": "v"}), 'gateway_options[""]', "a key of a map"),
            (service_pb2.CreateSessionRequest(request_id=REQUEST_ID), "flow", "a oneof"),
            (
                session(
                    pay_and_store=session_pb2.PayAndStore(
                        amount=money_pb2.Money(currency_code="EUR", units=1),
                        account_id="a",
                        invoices=[session_pb2.SessionInvoice(invoice_number="I"), session_pb2.SessionInvoice()],
                    )
                ),
                "pay_and_store.invoices[1].invoice_number",
                "an element of a list",
            ),
        ],
    )
    def test_name_the_place(self, request_: Message, path: str, reason: str) -> None:
        """With keys and positions."""
        assert [violation.field for violation in violations_of(request_)] == [path], reason
