"""A message as text that may be shown."""

import pytest
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st
from payorch import redacted
from payorch.v1 import call_pb2, payment_method_pb2, payment_method_result_pb2, routing_pb2, session_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2

SECRET = "never-shown"
UNKNOWN = b"\xa0\x06\x01"  # field 100
A_LETTER_THAT_IS_NOT_ASCII = "\u00fc"


class TestRedacted:
    """Everything is told of a message but what the contract marks."""

    def test_shows_a_request_line_by_line(self) -> None:
        """In the order of field numbers, nested fields by their path."""
        request = service_pb2.CreateSessionRequest(request_id="r" * 16, validate_only=True)
        request.one_time_payment.amount.currency_code = "USD"
        request.one_time_payment.amount.units = 12
        request.one_time_payment.invoices.add(invoice_number="INV-1")
        request.gateway_options[SECRET] = SECRET
        request.route.attributes["brand"] = "a\nb: c"

        assert [
            'request_id: "rrrrrrrrrrrrrrrr"',
            'route.attributes["brand"]: "a\\nb: c"',
            "validate_only: true",
            'one_time_payment.amount.currency_code: "USD"',
            "one_time_payment.amount.units: 12",
            'one_time_payment.invoices[0].invoice_number: "INV-1"',
            "gateway_options: [redacted]",
        ] == redacted(request).splitlines()

    @pytest.mark.parametrize(
        ("message", "expected", "reason"),
        [
            (session_pb2.Session(token=SECRET), "token: [redacted]", "a scalar"),
            (session_pb2.Session(), ".: set, without a value", "nothing at all"),
            (
                service_pb2.DecryptApplePayRequest(card_holder={"name": SECRET}),
                "card_holder: [redacted]",
                "a message",
            ),
            (service_pb2.DecryptApplePayRequest(card_holder={}), "card_holder: [redacted]", "an empty message is set"),
            (
                service_pb2.DecryptApplePayRequest(no_charge={}),
                "no_charge: set, without a value",
                "an arm that is empty",
            ),
            (
                service_pb2.CreatePaymentMethodRequest(
                    custom_fields={SECRET: payment_method_pb2.CustomFieldValue(text=SECRET)}
                ),
                "custom_fields: [redacted]",
                "a map with its keys",
            ),
            (
                service_pb2.CreatePaymentMethodRequest(
                    custom={"type": "a", "fields": {SECRET: payment_method_pb2.CustomFieldValue(flag=True)}}
                ),
                'custom.type: "a"\ncustom.fields: [redacted]',
                "an arm of which one field is sensitive",
            ),
            (
                payment_method_result_pb2.CardSummary(expiry_month=7),
                "expiry_month: [redacted]",
                "a number",
            ),
            (call_pb2.CallOutcome(outcome=call_pb2.OUTCOME_REFUSED), "outcome: OUTCOME_REFUSED", "an enum by its name"),
            (call_pb2.CallOutcome(outcome=99), "outcome: 99", "a word of an enum that is not known"),  # type: ignore[arg-type] # a newer one's
            (routing_pb2.RouteHints(orgs=["a", "b"]), 'orgs[0]: "a"\norgs[1]: "b"', "a list"),
            (
                routing_pb2.RouteHints(tenant=A_LETTER_THAT_IS_NOT_ASCII),
                'tenant: "\\u00fc"',
                "a letter that a terminal may not have",
            ),
        ],
    )
    def test_replaces_what_is_marked(self, message: any_pb2.Any, expected: str, reason: str) -> None:
        """That a field is set is told, and no more."""
        assert expected == redacted(message), reason

    def test_counts_what_it_does_not_know(self) -> None:
        """Nobody knows what is in a field of a newer version."""
        request = service_pb2.CreateSessionRequest.FromString(UNKNOWN)
        request.route.MergeFromString(UNKNOWN + UNKNOWN)

        assert "route: 2 unknown fields\n.: 1 unknown fields" == redacted(request)

    def test_looks_into_details(self) -> None:
        """What is packed is rendered by its own type."""
        status = status_pb2.Status(code=9, message="no")
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason="R", metadata={"k": "v"}))
        status.details.add().Pack(session_pb2.Session(token=SECRET))

        assert [
            "code: 9",
            'message: "no"',
            'details[0](google.rpc.ErrorInfo).reason: "R"',
            'details[0](google.rpc.ErrorInfo).metadata["k"]: "v"',
            "details[1](payorch.v1.Session).token: [redacted]",
        ] == redacted(status).splitlines()

    @pytest.mark.parametrize("type_name", [SECRET, "payorch.v1.Session"])
    def test_measures_what_cannot_be_read(self, type_name: str) -> None:
        """A type nobody knows, or bytes that are none of its."""
        packed = any_pb2.Any(type_url=f"type.googleapis.com/{type_name}", value=b"\xff" + SECRET.encode())

        assert ".: <12 bytes of a type that is not known>" == redacted(packed)

    def test_measures_bytes(self) -> None:
        """Also where they are not marked; and a mark of protobuf's own suffices."""
        kind = _type_of(
            _field("plain", 1, "TYPE_BYTES"),
            _field("hidden", 2, "TYPE_STRING", debug_redact=True),
            _field("many", 3, "TYPE_STRING", repeated=True, debug_redact=True),
        )

        assert "plain: <11 bytes>\nhidden: [redacted]\nmany: [redacted]" == redacted(
            kind(plain=SECRET.encode(), hidden=SECRET, many=[SECRET, SECRET])
        )

    @given(st.binary(max_size=200))
    def test_takes_whatever_can_be_decoded(self, encoded: bytes) -> None:
        """No message is too strange."""
        request = service_pb2.CreatePaymentMethodRequest()
        try:
            request.MergeFromString(encoded)
        except Exception:  # noqa: BLE001 - not about decoding
            return

        assert redacted(request) == redacted(request)


def _field(
    name: str, number: int, kind: str, *, repeated: bool = False, debug_redact: bool = False
) -> descriptor_pb2.FieldDescriptorProto:
    field = descriptor_pb2.FieldDescriptorProto(name=name, number=number)
    field.type = descriptor_pb2.FieldDescriptorProto.Type.Value(kind)
    field.label = descriptor_pb2.FieldDescriptorProto.Label.Value("LABEL_REPEATED" if repeated else "LABEL_OPTIONAL")
    if debug_redact:
        field.options.debug_redact = True
    return field


def _type_of(*fields: descriptor_pb2.FieldDescriptorProto) -> type:
    file = descriptor_pb2.FileDescriptorProto(name="planted.proto", package="planted", syntax="proto3")
    file.message_type.add(name="Planted", field=fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("planted.Planted"))
