"""What is read of a gateway's answers, above all of those that break the rules."""

from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch.v1.payment_method_pb2 import CustomFieldNull, CustomFieldValue
from payorch_server.model.secret import reveal  # noqa: TID251 - what was read is compared
from payorch_server.upc.gateway_outcome import (
    GatewayDescription,
    GatewayOutcome,
    NoOutcome,
    NotHeardOf,
    NotSent,
    Result,
    Silence,
)  # fmt: skip
from payorch_server.upc.plugin_outcome import ReadAnswer, read_description, read_look_up, read_response
from payorch_server.upc.request import FieldValue, JsonNumber, Operation

APPROVED, DECLINED = gateway_pb2.GATEWAY_RESULT_APPROVED, gateway_pb2.GATEWAY_RESULT_DECLINED
RESPONSES = {
    Operation.VALIDATE: gateway_pb2.ValidatePaymentMethodResponse,
    Operation.PAYMENT: gateway_pb2.ProcessPaymentResponse,
    Operation.REFUND: gateway_pb2.ProcessRefundResponse,
}
SECRET = "3sample54cf04113e3f1595951874003"
SHORT = st.text(st.sampled_from("aé\0\n\x1b\U0001f600"), max_size=3)
TEXTS = st.builds(lambda text, times: text * times, SHORT, st.sampled_from([1, 7, 20, 30, 34, 86]))
VALUES = st.one_of(
    TEXTS.map(lambda text: CustomFieldValue(text=text)),
    st.booleans().map(lambda flag: CustomFieldValue(flag=flag)),
    st.sampled_from(["1", "-0.50", "1e3", "", "x", "1" * 31]).map(lambda text: CustomFieldValue(decimal=text)),
    st.just(CustomFieldValue(null_value=CustomFieldNull())),
    st.just(CustomFieldValue()),
)
OUTCOMES = st.builds(
    gateway_pb2.GatewayOutcome,
    result=st.one_of(st.integers(0, 6), st.integers(-(2**31), 2**31 - 1)),  # type: ignore[arg-type] # also unknown ones
    code=TEXTS,
    message=TEXTS,
    transaction_id=TEXTS,
    second_transaction_id=TEXTS,
    token_data_changes=st.dictionaries(SHORT, VALUES, max_size=3),
)


def read(outcome: gateway_pb2.GatewayOutcome, operation: Operation = Operation.PAYMENT) -> ReadAnswer[GatewayOutcome]:
    """Read the answer to a call whose token is SECRET."""
    return read_response(RESPONSES[operation](outcome=outcome).SerializeToString(), operation, secrets=(SECRET, "USD"))


def value_of(answer: ReadAnswer[GatewayOutcome]) -> GatewayOutcome:
    """Return what was read, which is an outcome."""
    assert isinstance(answer.value, GatewayOutcome)
    return answer.value


class TestReadResponse:
    """read_response."""

    @given(OUTCOMES, st.sampled_from(Operation))
    def test_never_loses_or_invents_an_approval(
        self, outcome: gateway_pb2.GatewayOutcome, operation: Operation
    ) -> None:
        """Whatever a gateway writes, what is read is within Zuora's limits, and approved exactly if it says so."""
        value = read(outcome, operation).value

        approved = isinstance(value, GatewayOutcome) and value.result is Result.APPROVED
        assert approved == (outcome.result == APPROVED)
        if isinstance(value, GatewayOutcome):
            limit = 60 if operation is Operation.VALIDATE else 100
            assert len(value.code) <= 20
            assert len(value.message) <= 255
            assert max(len(value.transaction_id), len(value.second_transaction_id)) <= limit
            assert not value.cut or approved
            assert "\0" not in f"{value.code}{value.message}{value.transaction_id}{value.second_transaction_id}"

    @given(st.binary(max_size=200), st.sampled_from(Operation))
    def test_never_raises(self, body: bytes, operation: Operation) -> None:
        """Any bytes give a value."""
        assert isinstance(read_response(body, operation).value, GatewayOutcome | NoOutcome)
        assert isinstance(read_look_up(body, operation).value, GatewayOutcome | NotHeardOf | NoOutcome)
        assert isinstance(read_description(body), GatewayDescription | NotSent)

    def test_knows_nothing_of_bytes_that_are_no_message(self) -> None:
        """Reported as a broken rule: it is no error of gRPC's."""
        answer = read_response(b"\xff", Operation.PAYMENT)

        assert (NoOutcome(Silence.RULE_BROKEN), ("response_unreadable",)) == (answer.value, answer.broken)

    @pytest.mark.parametrize("number", [gateway_pb2.GATEWAY_RESULT_UNSPECIFIED, 99])
    def test_knows_nothing_of_a_result_that_is_not_known(self, number: gateway_pb2.GatewayResult) -> None:
        """Whatever else is stated beside it; LookUp is read in the same way."""
        stated = gateway_pb2.GatewayOutcome(result=number, code="601", transaction_id="T-1")
        found = read_look_up(gateway_pb2.LookUpResponse(outcome=stated).SerializeToString(), Operation.PAYMENT)

        assert ReadAnswer(NoOutcome(Silence.UNSPECIFIED)) == read(stated) == found

    @pytest.mark.parametrize(
        ("member", "operation", "limit"),
        [
            ("code", Operation.PAYMENT, 20),
            ("message", Operation.PAYMENT, 255),
            ("transaction_id", Operation.PAYMENT, 100),
            ("transaction_id", Operation.REFUND, 100),
            ("transaction_id", Operation.VALIDATE, 60),
            ("second_transaction_id", Operation.VALIDATE, 60),
            ("second_transaction_id", Operation.PAYMENT, 100),
        ],
    )
    def test_cuts_an_approval_at_a_character(self, member: str, operation: Operation, limit: int) -> None:
        """At the limit nothing is cut; a refusal over it is none."""
        at, over = ("\U0001f600" * length for length in (limit, limit + 1))

        exact = value_of(read(gateway_pb2.GatewayOutcome(result=APPROVED, **{member: at}), operation))
        assert (at, ()) == (getattr(exact, member), exact.cut)
        cut = value_of(read(gateway_pb2.GatewayOutcome(result=APPROVED, **{member: over}), operation))
        assert (at, (member,)) == (getattr(cut, member), cut.cut)
        refused = read(gateway_pb2.GatewayOutcome(result=DECLINED, **{member: over}), operation)
        assert (NoOutcome(Silence.RULE_BROKEN), (f"{member}_invalid",)) == (refused.value, refused.broken)

    def test_takes_out_characters_that_zuora_cannot_store(self) -> None:
        """Line ends and tabs are not among them."""
        outcome = value_of(read(gateway_pb2.GatewayOutcome(result=APPROVED, message="a\0b\n\tc", code="6\x1b1")))

        assert ("ab\n\tc", "61", ("code", "message")) == (outcome.message, outcome.code, outcome.cut)

    def test_masks_a_message_that_quotes_the_request(self) -> None:
        """Short texts, such as a currency, are no quotes; an id stays as it is, because refunds need it."""
        said = gateway_pb2.GatewayOutcome(
            result=DECLINED, message=f"No {SECRET} in USD", transaction_id=f"T-{SECRET}", code="601"
        )
        answer = read(said)

        outcome = value_of(answer)
        assert ("No [masked] in USD", f"T-{SECRET}") == (outcome.message, outcome.transaction_id)
        assert ("message_quotes_request", "transaction_id_quotes_request") == answer.broken

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (CustomFieldValue(text=""), ""),
            (CustomFieldValue(flag=False), False),
            (CustomFieldValue(decimal="007.50"), JsonNumber("7.50")),
            (CustomFieldValue(null_value=CustomFieldNull()), None),
            (CustomFieldValue(text="x" * 8000), "x" * 8000),
        ],
    )
    def test_reads_changes_of_fields(self, value: CustomFieldValue, expected: FieldValue) -> None:
        """Numbers as JSON has them, without leading zeros."""
        said = gateway_pb2.GatewayOutcome(result=APPROVED, token_data_changes={"a": value})

        assert {"a": expected} == reveal(value_of(read(said)).token_data_changes)
        assert {} == reveal(value_of(read(said, Operation.REFUND)).token_data_changes)

    def test_reads_as_many_changes_as_the_contract_allows(self) -> None:
        """All twenty of them."""
        changes = {f"field-{number}": CustomFieldValue(text=str(number)) for number in range(20)}

        outcome = value_of(read(gateway_pb2.GatewayOutcome(result=APPROVED, token_data_changes=changes)))

        assert {f"field-{number}": str(number) for number in range(20)} == reveal(outcome.token_data_changes)
        assert () == outcome.cut

    def test_masks_a_secret_whole_that_contains_another(self) -> None:
        """What would be left around the shorter one is a part of the longer one."""
        longer, shorter = "account-of-zoe-4711", "zoe-4711"
        said = gateway_pb2.GatewayOutcome(result=APPROVED, message=f"for {longer}")

        answer = read_response(
            RESPONSES[Operation.PAYMENT](outcome=said).SerializeToString(), Operation.PAYMENT, secrets=(shorter, longer)
        )

        assert "for [masked]" == value_of(answer).message

    @pytest.mark.parametrize(
        "changes",
        [
            {"a": CustomFieldValue()},
            {"a": CustomFieldValue(decimal="1e3")},
            {"a": CustomFieldValue(decimal="NaN")},
            {"a": CustomFieldValue(text="x" * 8001)},
            {"a": CustomFieldValue(text="\0")},
            {"": CustomFieldValue(text="x")},
            {str(number): CustomFieldValue(text="x") for number in range(21)},
        ],
        ids=["no value", "exponent", "no number", "too long", "unfit", "no name", "too many"],
    )
    def test_drops_all_changes_where_one_breaks_a_rule(self, changes: dict[str, CustomFieldValue]) -> None:
        """Half of them would be a payment method that no one has seen."""
        changes = {**changes, "good": CustomFieldValue(text="x")}
        said = gateway_pb2.GatewayOutcome(result=APPROVED, token_data_changes=changes)
        outcome = value_of(read(said))

        assert ({}, ("token_data_changes",)) == (reveal(outcome.token_data_changes), outcome.cut)
        said.result = DECLINED
        assert NoOutcome(Silence.RULE_BROKEN) == read(said).value


class TestReadDescription:
    """read_description."""

    @pytest.mark.parametrize(
        ("stated", "read_as"),
        [
            (None, timedelta(0)),
            (Duration(seconds=-5), timedelta(0)),
            (Duration(seconds=72 * 3600), timedelta(hours=72)),
            (Duration(seconds=315_576_000_000), timedelta(days=36_600)),
        ],
    )
    def test_reads_for_how_long_keys_are_kept(self, stated: Duration | None, read_as: timedelta) -> None:
        """Nothing counts as zero; what a timedelta cannot be is a century."""
        described = read_description(
            gateway_pb2.DescribeGatewayResponse(name="n", idempotent_for=stated).SerializeToString()
        )

        assert isinstance(described, GatewayDescription)
        assert read_as == described.idempotent_for

    def test_reads_what_a_gateway_says_of_itself(self) -> None:
        """Of its operations those that are known; a version is cut where a name is refused."""
        stated = gateway_pb2.DescribeGatewayResponse(
            name="n",
            version="v" * 101,
            operations=[gateway_pb2.GATEWAY_OPERATION_PAYMENT, gateway_pb2.GATEWAY_OPERATION_UNSPECIFIED, 99],  # type: ignore[list-item] # also an unknown one
            currencies=["EUR", "USD"],
            looks_up=True,
        )

        assert GatewayDescription(
            "n", "v" * 100, frozenset({Operation.PAYMENT}), frozenset({"EUR", "USD"}), looks_up=True,
            idempotent_for=timedelta(0),
        ) == read_description(stated.SerializeToString())  # fmt: skip

    def test_needs_a_name(self) -> None:
        """By which a payment is held to its gateway, so that it is never cut."""
        assert NotSent("the gateway does not say its name") == read_description(b"")
        for name in ("n" * 101, "a\0b"):
            described = read_description(gateway_pb2.DescribeGatewayResponse(name=name).SerializeToString())
            assert NotSent("the gateway's name breaks the rules of the contract") == described
