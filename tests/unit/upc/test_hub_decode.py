"""What the hub reads in Zuora's requests."""

import json
import random
from decimal import Decimal
from typing import Any

import pytest
from harness.upc_bodies import (
    Members,
    Verbatim,
    body,
    decoded,
    doubled,
    example,
    full,
    paths,
    replaced,
    token_data_of,
    without,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from payorch_server.model.money import EXPONENTS, Amount
from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - to look inside
from payorch_server.upc.answers import Situation, answer_to
from payorch_server.upc.gateway_outcome import GatewayOutcome, Result
from payorch_server.upc.hub_decode import decode
from payorch_server.upc.hub_encode import encode_answer
from payorch_server.upc.request import (
    Account,
    CustomMethod,
    Defect,
    FieldValue,
    HubRequest,
    JsonNumber,
    Operation,
    Payment,
    Refund,
    UnusableRequest,
    Validation,
)
from payorch_server.upc.settings import TokenDataForm

OPERATIONS = ["Validate", "Payment", "Refund"]
TYPE = "AmazonPay__c_12368"
TOKEN_DATA = Secret[Any](
    {
        "AmazonAccount": "SampleAmazonAccount",
        "AmazonToken": "3sample54cf04113e3f1595951874003",
        "AmazonTokenType": "Digital",
        "ShopperEmail": "sample@testmail.com",
        "ShoppingDate": "",
    }
)
NO_OPTIONS, NO_OTHERS = Secret[Any]({}), Secret(b"")
METHOD = CustomMethod("4028818579a43c3f0179aba2808103e8", TYPE, TOKEN_DATA)
PAYER = Account("A00000004", "USD")
EXAMPLES = {
    "Validate": HubRequest(
        "12368",
        "UPCTokenGateway1621965929867",
        CustomMethod("", TYPE, TOKEN_DATA),
        Validation(Amount(Decimal("1.00"), "USD")),
        Account("A-1621965929897", "USD"),
        NO_OPTIONS,
        NO_OTHERS,
    ),
    "Payment": HubRequest(
        "12368",
        "UPC_Token",
        METHOD,
        Payment("4028818579a43c3f0179aba917410419", "P-00000011", Amount(Decimal("200.00"), "USD")),
        PAYER,
        NO_OPTIONS,
        NO_OTHERS,
    ),
    "Refund": HubRequest(
        "12368",
        "UPC_Token",
        METHOD,
        Refund(
            "4028818579a43c3f0179aba6ebfb040d",
            "R-00000005",
            Decimal(200),
            "4028818579a43c3f0179aba2b14a03ea",
            "166435652",
        ),
        PAYER,
        NO_OPTIONS,
        NO_OTHERS,
    ),
}
OPTIONAL = {
    "billingAccount", "billingAccount.accountNumber", "billingAccount.currency", "gatewayOptions", "paymentMethod.id",
    "paymentMethod.upcTokenData", "paymentMethod.authAmount", "paymentMethod.currency", "payment.softDescriptor",
    "payment.softDescriptorPhone", "refund.softDescriptor", "refund.softDescriptorPhone", "refund.referenceId",
}  # fmt: skip
KNOWN = [(operation, path) for operation in OPERATIONS for path in paths(full(operation))]
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
NUMBERS = st.builds(
    lambda whole, fraction, exponent: JsonNumber(f"{whole}{fraction}{exponent}"),
    st.sampled_from(["0", "-0"]) | st.integers(-(10**25), 10**25),
    st.sampled_from(["", ".0", ".50", f".{'0123456789' * 2}"]),
    st.sampled_from(["", "e5", "E+400", "e-07"]),
)
VALUES: st.SearchStrategy[FieldValue] = st.none() | st.booleans() | TEXTS | NUMBERS
FIELDS = st.dictionaries(TEXTS, VALUES, max_size=6)
JSON_TEXTS = st.recursive(
    st.sampled_from(["null", "true", '""', "0", "1.50", "-0", "1E+400", "12345678901234567890.10", '"\\u00e9"', '"é"'])
    | NUMBERS.map(lambda number: number.text)
    | TEXTS.map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda texts: f"[ {','.join(texts)} ]")
        | st.dictionaries(TEXTS, inner, max_size=3).map(
            lambda found: "{" + ", ".join(f"{json.dumps(name)} :{text}" for name, text in found.items()) + "}"
        )
    ),
    max_leaves=8,
).map(Verbatim)


def joined(item: object) -> str:
    """Name a path for a test report."""
    return ".".join(item) if isinstance(item, tuple) else str(item)


def defect_of(members: Any) -> tuple[Defect, str]:
    """Return why a request cannot be acted on, and the member that is at fault."""
    refused = decode(body(members))
    assert isinstance(refused, UnusableRequest), refused
    return refused.defect, refused.member


def as_json(fields: dict[str, FieldValue]) -> Members:
    """Return fields as they are written."""
    return {name: Verbatim(value.text) if isinstance(value, JsonNumber) else value for name, value in fields.items()}


def shuffled(members: Members, rng: random.Random) -> Members:
    """Return the members in another order, at every level."""
    names = list(members)
    rng.shuffle(names)
    return {name: shuffled(members[name], rng) if isinstance(members[name], dict) else members[name] for name in names}


def exactly(text: bytes) -> Any:
    """Return JSON in which every number is its text."""
    return json.loads(text, parse_int=JsonNumber, parse_float=JsonNumber)


class TestRequests:
    """A request as Zuora sends it."""

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_are_read_as_published(self, operation: str) -> None:
        """Every member of Zuora's three examples arrives."""
        assert decoded(example(operation)) == EXAMPLES[operation]

    @pytest.mark.parametrize("operation", OPERATIONS)
    @settings(deadline=None)
    @given(rng=st.randoms(use_true_random=False))
    def test_are_the_same_in_any_order(self, operation: str, rng: random.Random) -> None:
        """Zuora promises no order."""
        members = replaced(full(operation), ("zeta",), 1) | {"alpha": 2}

        assert decoded(shuffled(members, rng)) == decoded(members)

    @pytest.mark.parametrize(("operation", "path"), KNOWN, ids=joined)
    @pytest.mark.parametrize("absent", ["missing", "null"])
    def test_need_what_is_mandatory(self, operation: str, path: tuple[str, ...], absent: str) -> None:
        """Null counts as absent; values of fields and options are no members of ours."""
        members = full(operation)
        changed = without(members, path) if absent == "missing" else replaced(members, path, None)
        mandatory = ".".join(path) not in OPTIONAL and path[-2:-1] not in (("upcTokenData",), ("gatewayOptions",))

        refused = decode(body(changed))

        expected = (Defect.MEMBER_MISSING, ".".join(path)) if mandatory else None
        assert expected == ((refused.defect, refused.member) if isinstance(refused, UnusableRequest) else None)

    @pytest.mark.parametrize(("operation", "path"), KNOWN, ids=joined)
    @pytest.mark.parametrize("value", [Verbatim('"\\u0000"'), "x" * 8001, [], [1], {"a": {"b": 1}}], ids=str)
    def test_hold_no_value_of_another_kind(self, operation: str, path: tuple[str, ...], value: Any) -> None:
        """Neither arrays nor NUL nor texts of absurd length are handed to a gateway."""
        refused = decode(body(replaced(full(operation), path, value)))

        # An object of unknown members, in the place of an object, lacks what is mandatory.
        assert isinstance(refused, UnusableRequest) or (isinstance(value, dict) and path == ("billingAccount",))

    @pytest.mark.parametrize(("operation", "path"), KNOWN, ids=joined)
    @pytest.mark.parametrize("first", [False, True])
    @pytest.mark.parametrize("value", ["another", None, "same"])
    def test_hold_no_member_twice(
        self, operation: str, path: tuple[str, ...], value: str | None, *, first: bool
    ) -> None:
        """Which of the two Zuora means cannot be known; equal ones are refused as well."""
        members = full(operation)
        again = members if value == "same" else value
        for name in path if value == "same" else ():
            again = again[name]

        assert defect_of(doubled(members, path, again, first=first)) == (Defect.MEMBER_TWICE, ".".join(path[:-1]))

    def test_may_begin_with_a_byte_order_mark(self) -> None:
        """Some writers of UTF-8 put one."""
        assert decode(b"\xef\xbb\xbf" + body(example("Payment"))) == EXAMPLES["Payment"]

    def test_may_spell_members_with_escapes(self) -> None:
        """JSON has several spellings of a name."""
        assert decode(body(example("Payment")).replace(b'"tenantId"', b'"ten\\u0061ntId"')) == EXAMPLES["Payment"]

    def test_hold_a_member_once_however_it_is_spelled(self) -> None:
        """Two spellings are one name."""
        text = body(example("Payment")).replace(b'"tenantId"', b'"ten\\u0061ntId": "1", "tenantId"')

        assert decode(text) == UnusableRequest(Defect.MEMBER_TWICE)


class TestAmounts:
    """Amounts are exact."""

    @settings(deadline=None)
    @given(data=st.data(), currency=st.sampled_from(sorted(EXPONENTS)), as_number=st.booleans())
    def test_arrive_as_they_are_written(self, data: st.DataObject, currency: str, *, as_number: bool) -> None:
        """For each currency, as text and as number, in plain digits and with an exponent."""
        exponent = EXPONENTS[currency]
        minor = data.draw(st.integers(1, (2**63 - 1) * 10**exponent))
        plain = format(Decimal(minor).scaleb(-exponent), "f")
        zeros = "0" * data.draw(st.integers(0, 5))
        padded = f"{plain}{zeros}" if exponent else f"{plain}.{zeros}0"
        text = data.draw(st.sampled_from([plain, padded, f"{minor}E-{exponent}", f"{minor}0e-0{exponent + 1}"]))
        members = replaced(example("Payment"), ("payment", "currency"), currency)

        request = decoded(replaced(members, ("payment", "amount"), Verbatim(text) if as_number else text))

        assert isinstance(request.subject, Payment)
        value = request.subject.amount.value
        assert (value, value.as_tuple().exponent) == (Decimal(minor).scaleb(-exponent), -exponent)

    @pytest.mark.parametrize(
        ("currency", "text"),
        [
            ("USD", "0.001"), ("USD", "1E-3"), ("JPY", "0.5"), ("BHD", "0.0001"), ("CLF", "0.00001"),
            ("USD", "9223372036854775808"), ("USD", "1E19"), ("USD", "1E9999"), ("USD", "1E-9999"),
            ("USD", "1E999999999999999999999"), ("USD", "1" * 101), ("USD", "0.1" + "0" * 60), ("USD", "0"),
            ("USD", "0.00"), ("USD", "0E9"), ("USD", "-0"), ("USD", "-1"), ("USD", "-1E-9"),
            ("USD", "1.0000000000000000000000000000000000000001"), ("XXX", "1"), ("usd", "1"), ("USN\u0000", "1"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("as_number", [False, True])
    def test_are_refused_beyond_what_can_be_paid(self, currency: str, text: str, *, as_number: bool) -> None:
        """None is rounded, cut or read as something near."""
        members = replaced(example("Payment"), ("payment", "currency"), currency)
        at_fault = "payment.amount" if currency in EXPONENTS else "payment.currency"

        refused = defect_of(replaced(members, ("payment", "amount"), Verbatim(text) if as_number else text))

        assert refused == (Defect.MEMBER_INVALID, at_fault)

    @pytest.mark.parametrize(
        "value",
        [
            "",
            " 1",
            "1 ",
            "+1",
            "1,5",
            ".5",
            "1.",
            "01",
            "1_000",
            "NaN",
            "sNaN",
            "Infinity",
            "0x10",
            "٣",
            "1\n",
            True,
            [1],
        ],
    )
    def test_are_refused_where_they_are_no_number(self, value: object) -> None:
        """What Python would take for a number is not yet one in JSON."""
        refused = defect_of(replaced(example("Refund"), ("refund", "amount"), value))

        assert refused == (Defect.MEMBER_INVALID, "refund.amount")

    @pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
    def test_are_no_words(self, word: str) -> None:
        """Such a body is no JSON."""
        assert defect_of(replaced(example("Payment"), ("payment", "amount"), Verbatim(word))) == (Defect.NOT_JSON, "")

    @pytest.mark.parametrize(
        ("text", "plain"),
        [("2E2", "200"), ("12.50", "12.50"), ("0.000000001", "0.000000001"), ("1.5000000000", "1.500000000"),
         ("9223372036854775807.999999999", "9223372036854775807.999999999")],
    )  # fmt: skip
    def test_of_refunds_have_no_exponent(self, text: str, plain: str) -> None:
        """They become decimal text for the gateway."""
        for value in (text, Verbatim(text)):
            request = decoded(replaced(example("Refund"), ("refund", "amount"), value))

            assert isinstance(request.subject, Refund)
            assert format(request.subject.amount, "f") == plain
            assert request.subject.amount.as_tuple().exponent in range(-9, 1)

    def test_to_authorize_may_be_zero(self) -> None:
        """A check without an amount is usual for cards."""
        request = decoded(replaced(example("Validate"), ("paymentMethod", "authAmount"), 0))

        assert request.subject == Validation(Amount(Decimal("0.00"), "USD"))

    def test_to_authorize_have_the_accounts_currency_if_no_other_is_named(self) -> None:
        """Zuora does not list the method's currency among its members."""
        members = replaced(example("Validate"), ("billingAccount", "currency"), "JPY")

        assert decoded(without(members, ("paymentMethod", "currency"))).subject == Validation(Amount(Decimal(1), "JPY"))

    def test_to_authorize_need_a_currency(self) -> None:
        """None is assumed."""
        members = without(without(example("Validate"), ("paymentMethod", "currency")), ("billingAccount",))

        assert defect_of(members) == (Defect.MEMBER_MISSING, "paymentMethod.currency")

    def test_to_authorize_may_be_missing(self) -> None:
        """Then there is none."""
        assert decoded(without(example("Validate"), ("paymentMethod", "authAmount"))).subject == Validation(None)


class TestTokenData:
    """The fields of a custom payment method."""

    @settings(deadline=None)
    @given(fields=FIELDS, as_text=st.booleans())
    def test_stay_what_they_were(self, fields: dict[str, FieldValue], *, as_text: bool) -> None:
        """As an object or as a text that holds one: numbers digit by digit, and no date becomes a date."""
        written_fields = as_json(fields)
        value = body(written_fields).decode() if as_text else written_fields

        request = decoded(replaced(example("Payment"), ("paymentMethod", "upcTokenData"), value))

        assert token_data_of(request) == fields

    @settings(deadline=None)
    @given(fields=FIELDS.filter(bool), form=st.sampled_from(["string", "object"]))
    def test_survive_an_answer_and_a_request(self, fields: dict[str, FieldValue], form: TokenDataForm) -> None:
        """What a gateway changes comes back in the next request as it was."""
        outcome = GatewayOutcome(Result.APPROVED, token_data_changes=Secret(fields))
        answer = answer_to(Situation.APPROVED, in_doubt=False, outcome=outcome)
        encoded = encode_answer(answer, operation=Operation.PAYMENT, token_data_form=form)
        changed = encoded.partition(b'"upcTokenData":')[2][:-1].decode()

        request = decoded(replaced(example("Payment"), ("paymentMethod", "upcTokenData"), Verbatim(changed)))

        assert token_data_of(request) == fields

    @pytest.mark.parametrize(
        "value",
        [
            {"Field": {}}, {"Field": []}, '{"Field": {}}', "", "[]", "null", "no JSON", '{"Field": "\\ud800"}',
            '{"Field": ' + "[" * 100_000 + "]" * 100_000 + "}", {"Field": "x" * 8001}, {"x" * 256: 1},
            {"Field": Verbatim("1" * 101)}, {"Field\0": 1}, 1, True,
        ],
        ids=lambda value: str(value)[:20],
    )  # fmt: skip
    def test_are_flat(self, value: object) -> None:
        """Zuora's types know texts, numbers, dates and booleans."""
        refused = defect_of(replaced(example("Payment"), ("paymentMethod", "upcTokenData"), value))

        assert refused == (Defect.MEMBER_INVALID, "paymentMethod.upcTokenData")

    def test_name_each_field_once(self) -> None:
        """In a text as well."""
        refused = defect_of(replaced(example("Payment"), ("paymentMethod", "upcTokenData"), '{"Token": 1, "Token": 1}'))

        assert refused == (Defect.MEMBER_TWICE, "paymentMethod.upcTokenData")

    def test_may_be_as_long_as_zuora_lets_them(self) -> None:
        """Twenty fields of 8,000 characters of four bytes each fit."""
        fields: dict[str, FieldValue] = {f"Field{number}": "😀" * 8000 for number in range(20)}

        request = decoded(replaced(example("Payment"), ("paymentMethod", "upcTokenData"), fields))

        assert token_data_of(request) == fields


class TestGatewayOptions:
    """What was passed to Zuora for the gateway."""

    def test_become_texts(self) -> None:
        """A number keeps its digits; null is none."""
        options = {"channel": "web", "retry": True, "test": False, "limit": Verbatim("1.50E2"), "none": None}

        request = decoded(replaced(example("Payment"), ("gatewayOptions",), options))

        assert reveal(request.gateway_options) == {
            "channel": "web",
            "retry": "true",
            "test": "false",
            "limit": "1.50E2",
        }

    def test_are_flat(self) -> None:
        """An object has no text of its own."""
        refused = defect_of(replaced(example("Payment"), ("gatewayOptions",), {"channel": {}}))

        assert refused == (Defect.MEMBER_INVALID, "gatewayOptions")


class TestOtherMembers:
    """Whatever the hub does not know."""

    @pytest.mark.parametrize("operation", OPERATIONS)
    @settings(deadline=None)
    @given(
        others=st.dictionaries(
            st.sampled_from(
                [("level2",), ("payment", "x"), ("refund", "x"), ("paymentMethod", "x"), ("billingAccount", "x")]
            ),
            JSON_TEXTS,
        )
    )
    def test_are_handed_on_verbatim_and_no_others(
        self, operation: str, others: dict[tuple[str, ...], Verbatim]
    ) -> None:
        """With the same nesting, digit by digit; nothing that is known is repeated."""
        members, expected = full(operation), Members()
        for path, text in others.items():
            members, expected = replaced(members, path, text), replaced(expected, path, text)

        found = reveal(decoded(members).other_members)

        assert found == b"" if not others else exactly(found) == exactly(body(expected))
        assert all(text.encode() in found for text in others.values())

    def test_may_hold_a_member_twice(self) -> None:
        """What is not known cannot be judged."""
        members = replaced(example("Payment"), ("level3",), Verbatim('{"a":1,"a":2}'))

        assert reveal(decoded(members).other_members) == b'{"level3":{"a":1,"a":2}}'

    def test_are_what_other_operations_would_use(self) -> None:
        """A payment's method has no amount to authorize that the hub would use."""
        members = replaced(example("Payment"), ("paymentMethod", "authAmount"), Verbatim("1.50"))

        assert reveal(decoded(members).other_members) == b'{"paymentMethod":{"authAmount":1.50}}'

    def test_are_not_shown(self) -> None:
        """Nor are fields and options, wherever a request is printed."""
        members = replaced(full("Payment"), ("level3",), "CanaryOfLevelThree")

        assert not {"CanaryOfLevelThree", "3sample54cf04113e3f1595951874003", "'web'"} & set(
            repr(decoded(members)).replace(",", " ").split()
        )
        assert "CanaryOfLevelThree" not in repr(decoded(members))
        assert "3sample" not in repr(decoded(members))
