"""What every field of the contract says about itself."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from canary.rules import rules_of
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from payorch.v1 import call_pb2, error_reason_pb2, payment_method_result_pb2, sensitivity_pb2
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.rpc.violations import PATTERN_TEXTS

SENSITIVE = re.compile(
    r"token|card_?number|^number$|iban|account_number|secret|email|phone|address|(^|_)line\d|postal|^city$|^state$"
    r"|^country$|cvv|_json$|security_code|baid|preapproval|identity|^name$|_name$|expiry|last4|bank_code|branch_code|aba_code"
)
OPEN_MAPS = {
    "payorch.v1.CallRecord.phases": "names of ours and durations",
    "payorch.v1.ExplainRouteResponse.headers": "names and ids of the policy; a token is never among them",
    "payorch.v1.RouteRefusal.metadata": "what ErrorInfo.metadata holds: names of rules, hints and rights",
    "payorch.v1.RouteHints.attributes": "conditions of routing rules, which are written in the policy",
    "payorch.v1.UpstreamRequest.headers": "headers of ours without the token, and Zuora's ids",
}
ALLOWED = {
    "payorch.v1.AccountByNumber.number": "the number of a customer account in Zuora, an id like any other",
    "payorch.v1.RouteHints.country": "a country alone names nobody; it is a condition of routing rules",
    "payorch.v1.AchDebit.bank_name": "the name of an institution",
    "payorch.v1.DescribeGatewayResponse.name": "the name of a program",
    "payorch.v1.GatewayCall.gateway_name": "the name of a gateway's settings in Zuora",
    "payorch.v1.BankAccountSummary.bank_name": "the name of an institution",
    "payorch.v1.PaymentMethod.state": "Zuora's word for what has become of the method",
    "payorch.v1.MandateState.state": "Zuora's word for what has become of the mandate",
}


def messages_below(*roots: Descriptor) -> dict[str, Descriptor]:
    """Collect our messages that can be reached from some."""
    found: dict[str, Descriptor] = {}
    left = list(roots)
    while left:
        message = left.pop()
        if message.full_name in found or not message.full_name.startswith("payorch."):
            continue
        found[message.full_name] = message
        left += [field.message_type for field in message.fields if field.message_type]
    return found


def fields_of(messages: dict[str, Descriptor]) -> Iterator[FieldDescriptor]:
    """Yield the fields, those of map entries aside."""
    for _, message in sorted(messages.items()):
        if not message.GetOptions().map_entry:
            yield from message.fields


def name_of(field: FieldDescriptor) -> str:
    """Name a field for a test report."""
    return str(field.full_name)


def is_marked(field: FieldDescriptor) -> bool:
    """Tell whether a field carries our mark."""
    marked = field.GetOptions().Extensions[sensitivity_pb2.sensitivity]
    return bool(marked != sensitivity_pb2.SENSITIVITY_UNSPECIFIED)


def is_map(field: FieldDescriptor) -> bool:
    """Tell a map."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def type_of(field: FieldDescriptor) -> str:
    """Name the type of a field, its elements or the values of its map; whether it may be absent is not of the type."""
    if is_map(field):
        return f"map of {type_of(field.message_type.fields_by_name['value'])}"
    named = field.message_type or field.enum_type
    name = named.full_name if named else str(field.type)
    return f"list of {name}" if field.is_repeated else str(name)


FOR_CALLERS = [
    *service_pb2.DESCRIPTOR.services_by_name["PaymentOrchestrationService"].methods,
    *diagnostics_pb2.DESCRIPTOR.services_by_name["DiagnosticsService"].methods,
]
FOR_GATEWAYS = list(gateway_pb2.DESCRIPTOR.services_by_name["PaymentGatewayService"].methods)
METHODS = [*FOR_CALLERS, *FOR_GATEWAYS]
REQUESTS = messages_below(*(method.input_type for method in METHODS))
EVERYTHING = messages_below(
    *(kind for method in METHODS for kind in (method.input_type, method.output_type)),
    call_pb2.CallOutcome.DESCRIPTOR,
)
OF_TWO_TYPES = {"amount": "a refund has no currency that Zuora names, so its amount is a number alone"}
"""Names of fields that have two types in what a gateway's author reads."""


class TestRequestFields:
    """A caller reads in the proto what must be given."""

    @pytest.mark.parametrize("field", list(fields_of(REQUESTS)), ids=name_of)
    def test_say_whether_they_are_required(self, field: FieldDescriptor) -> None:
        """For the members of a oneof the oneof says it."""
        oneof = field.containing_oneof
        of_a_choice = oneof is not None and len(oneof.fields) > 1
        behaviour = list(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])

        allowed = [[field_behavior_pb2.REQUIRED], [field_behavior_pb2.OPTIONAL]]
        assert behaviour in ([[]] if of_a_choice else allowed)

    def test_are_all_walked(self) -> None:
        """Every arm of CreatePaymentMethod is reached."""
        assert {"payorch.v1.SepaDebit", "payorch.v1.CustomFieldValue", "payorch.v1.RouteHints"} <= set(REQUESTS)
        assert {"payorch.v1.GatewayCall", "payorch.v1.LookUpRequest"} <= set(REQUESTS)


class TestRules:
    """Validation rules that several fields share."""

    def test_say_the_same_under_the_same_id(self) -> None:
        """Nothing but this keeps the copies of a rule equal; callers know it by its id."""
        wordings: dict[str, set[tuple[str, str]]] = {}
        for field in fields_of(REQUESTS):
            for rule in rules_of(field).cel:
                wordings.setdefault(rule.id, set()).add((rule.message, rule.expression))

        assert {"request_id": 1, "money.positive": 1} == {name: len(found) for name, found in wordings.items()}


class TestSensitiveFields:
    """Whatever renders a message knows what it must not show."""

    @pytest.mark.parametrize("field", list(fields_of(EVERYTHING)), ids=name_of)
    def test_are_marked_twice(self, field: FieldDescriptor) -> None:
        """Protobuf's own printers read debug_redact, ours the sensitivity."""
        assert field.GetOptions().debug_redact is is_marked(field)

    @pytest.mark.parametrize(
        "field",
        [field for field in fields_of(EVERYTHING) if field.message_type is None and SENSITIVE.search(field.name)],
        ids=name_of,
    )
    def test_are_found_by_their_names(self, field: FieldDescriptor) -> None:
        """A name that sounds sensitive is marked, or listed with the reason why not."""
        assert is_marked(field) is (field.full_name not in ALLOWED)

    @pytest.mark.parametrize("field", [field for field in fields_of(EVERYTHING) if is_map(field)], ids=name_of)
    def test_hold_every_map_of_the_callers(self, field: FieldDescriptor) -> None:
        """No name says what is in a map: it is marked as a whole, or listed with the reason why not."""
        assert is_marked(field) is (field.full_name not in OPEN_MAPS)

    @pytest.mark.parametrize(
        "field", [field for field in fields_of(EVERYTHING) if field.message_type and not is_map(field)], ids=name_of
    )
    def test_are_marked_below_a_mark(self, field: FieldDescriptor) -> None:
        """Below a marked message every leaf is marked, and below one whose name sounds sensitive."""
        leaves = [leaf for leaf in fields_of(messages_below(field.message_type)) if not leaf.message_type]
        sounds = SENSITIVE.search(field.name) and field.full_name not in ALLOWED

        assert all(is_marked(leaf) for leaf in leaves) or not (is_marked(field) or sounds)

    def test_need_every_exception_in_the_list(self) -> None:
        """An entry for a field that is gone would hide the next one."""
        assert {*ALLOWED, *OPEN_MAPS} <= {field.full_name for field in fields_of(EVERYTHING)}


class TestFieldNames:
    """A reader of one message can read the next."""

    @pytest.mark.parametrize("field", list(fields_of(EVERYTHING)), ids=name_of)
    def test_end_in_time_for_a_timestamp(self, field: FieldDescriptor) -> None:
        """A Timestamp is named for a time; Zuora's own times are text and keep Zuora's names."""
        is_timestamp = field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp"

        assert not is_timestamp or field.name.endswith("_time")

    @pytest.mark.parametrize("field", list(fields_of(EVERYTHING)), ids=name_of)
    def test_convert_to_camel_case_and_back(self, field: FieldDescriptor) -> None:
        """So no word begins with a digit, and no boolean with `is`."""
        assert re.fullmatch(r"(?!is_)[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*", field.name)

    @pytest.mark.parametrize(
        ("methods", "exceptions"), [(FOR_CALLERS, {}), (FOR_GATEWAYS, OF_TWO_TYPES)], ids=["callers", "gateways"]
    )
    def test_have_one_type_each(self, methods: list[MethodDescriptor], exceptions: dict[str, str]) -> None:
        """A name that is a hint here and a result there would have to be looked up in each message.

        Callers and authors of gateways read different messages.
        """
        read = messages_below(*(kind for method in methods for kind in (method.input_type, method.output_type)))
        types: dict[str, set[str]] = {}
        for field in fields_of(read):
            types.setdefault(field.name, set()).add(type_of(field))

        assert {name for name, found in types.items() if len(found) > 1} == set(exceptions)


class TestEnums:
    """Unknown is never a word that means something."""

    @pytest.mark.parametrize(
        "file",
        [
            call_pb2,
            diagnostics_pb2,
            error_reason_pb2,
            gateway_pb2,
            payment_method_result_pb2,
            sensitivity_pb2,
            service_pb2,
        ],
        ids=lambda file: file.DESCRIPTOR.name,
    )
    def test_begin_with_unspecified(self, file: object) -> None:
        """So an absent value differs from every given one."""
        enums = file.DESCRIPTOR.enum_types_by_name.values()

        assert all(enum.values_by_number[0].name.endswith("_UNSPECIFIED") for enum in enums)


def patterns_of(rules: Any) -> Iterator[str]:
    """Yield the patterns in the rules of a field, its elements, keys and values."""
    kind, value = (rules.type.field, rules.type.value) if rules and rules.type else ("", None)
    if kind == "string" and value.pattern:
        yield value.pattern
    elif kind == "repeated":
        yield from patterns_of(value.items)
    elif kind == "map":
        yield from patterns_of(value.keys)
        yield from patterns_of(value.values)


class TestPatterns:
    """A caller whose text is refused reads a sentence, not a regular expression."""

    @pytest.mark.parametrize("field", list(fields_of(REQUESTS)), ids=name_of)
    def test_are_put_into_words(self, field: FieldDescriptor) -> None:
        """Patterns hold invisible characters, and are not written for callers."""
        assert set(patterns_of(rules_of(field))) <= PATTERN_TEXTS.keys()

    def test_are_all_in_use(self) -> None:
        """A sentence whose pattern has changed is not kept."""
        used = {pattern for field in fields_of(REQUESTS) for pattern in patterns_of(rules_of(field))}

        assert used == PATTERN_TEXTS.keys()
        assert all(text.isascii() and text.isprintable() for text in PATTERN_TEXTS.values())
