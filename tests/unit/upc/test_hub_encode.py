"""The answers that Zuora reads."""

import json
from typing import Any

import pytest
from harness.upc_bodies import EXAMPLES, Members
from payorch_server.model.secret import Secret
from payorch_server.upc.answers import STATUSES, Answer, Situation, answer_to, situation_of
from payorch_server.upc.gateway_outcome import GatewayOutcome, Result
from payorch_server.upc.hub_encode import encode_answer
from payorch_server.upc.request import FieldValue, JsonNumber, Operation
from payorch_server.upc.settings import TokenDataForm

ZUORAS = {
    "responseCode", "gatewayResponseCode", "gatewayResponseMessage", "gatewayTransactionId",
    "gatewaySecondTransactionId", "upcTokenData",
}  # fmt: skip
CHANGES: dict[str, FieldValue] = {"ShopperEmail": "sample@testmail.com"}


def outcome_of(result: Result, changes: dict[str, FieldValue]) -> GatewayOutcome:
    """Return an outcome with every member."""
    return GatewayOutcome(result, "601", "a message", "383315250", "735788334", Secret(changes))


def answered(operation: Operation, result: Result, *, token_data_form: TokenDataForm) -> Members:
    """Return what Zuora is answered after a gateway's outcome."""
    answer = answer_to(situation_of(result), in_doubt=False, outcome=outcome_of(result, CHANGES))
    members: Members = json.loads(encode_answer(answer, operation=operation, token_data_form=token_data_form))
    return members


def with_token_data_read(members: Members) -> Members:
    """Return the members with the JSON in `upcTokenData`, whose white space is free, in place of its text."""
    text = members.get("upcTokenData")
    return members | {"upcTokenData": json.loads(text)} if text is not None else members


class TestEncodeAnswer:
    """encode_answer."""

    @pytest.mark.parametrize("example", EXAMPLES, ids=lambda found: found["request"]["operation"])
    def test_answers_as_zuora_publishes(self, example: dict[str, Members]) -> None:
        """Member for member, `upcTokenData` as a text that holds JSON; for a refund there is none."""
        published = example["response"]
        outcome = GatewayOutcome(
            Result.APPROVED,
            published["gatewayResponseCode"],
            published["gatewayResponseMessage"],
            published["gatewayTransactionId"],
            published["gatewaySecondTransactionId"],
            Secret(CHANGES),
        )
        answer = answer_to(Situation.APPROVED, in_doubt=False, outcome=outcome)
        operation = Operation(example["request"]["operation"])

        found = json.loads(encode_answer(answer, operation=operation, token_data_form="string"))

        assert with_token_data_read(found) == with_token_data_read(published)

    @pytest.mark.parametrize("operation", [Operation.VALIDATE, Operation.PAYMENT])
    def test_has_an_object_where_the_setting_says_so(self, operation: Operation) -> None:
        """Zuora's table of members names an object, its examples have a text."""
        assert answered(operation, Result.APPROVED, token_data_form="object")["upcTokenData"] == CHANGES

    @pytest.mark.parametrize("form", ["string", "object"])
    @pytest.mark.parametrize("operation", [*Operation, None])
    @pytest.mark.parametrize("in_doubt", [False, True])
    @pytest.mark.parametrize("situation", Situation)
    def test_holds_zuoras_members_alone(
        self, situation: Situation, operation: Operation | None, form: TokenDataForm, *, in_doubt: bool
    ) -> None:
        """An answer that is none of a gateway has no `responseCode`, and one constant text."""
        answer = answer_to(situation, in_doubt=in_doubt, outcome=outcome_of(Result.APPROVED, CHANGES))

        members = json.loads(encode_answer(answer, operation=operation, token_data_form=form))

        if answer.status == 200:
            assert members.keys() <= ZUORAS
            assert members["responseCode"] == answer.answer.value
        else:
            assert members == {"gatewayResponseMessage": situation.value}

    @pytest.mark.parametrize("form", ["string", "object"])
    @pytest.mark.parametrize("result", Result)
    def test_returns_no_token_data_of_a_refund(self, result: Result, form: TokenDataForm) -> None:
        """Zuora does not take any."""
        assert "upcTokenData" not in answered(Operation.REFUND, result, token_data_form=form)

    @pytest.mark.parametrize("answer", [answer for answer in Answer if STATUSES[answer] == 200])
    def test_names_its_situation_where_no_gateway_said_anything(self, answer: Answer) -> None:
        """Such as a gateway that was not called."""
        situation = next(found for found in Situation if answer_to(found, in_doubt=False).answer is answer)

        found = json.loads(
            encode_answer(answer_to(situation, in_doubt=False), operation=Operation.PAYMENT, token_data_form="string")
        )

        assert found == {"responseCode": answer.value, "gatewayResponseMessage": situation.value}

    def test_leaves_out_what_the_gateway_did_not_say(self) -> None:
        """An empty text could erase what Zuora has."""
        answer = answer_to(Situation.APPROVED, in_doubt=False, outcome=GatewayOutcome(Result.APPROVED))

        body = encode_answer(answer, operation=Operation.PAYMENT, token_data_form="string")

        assert json.loads(body) == {"responseCode": "Approved"}

    @pytest.mark.parametrize("form", ["string", "object"])
    @pytest.mark.parametrize("number", ["1.50", "1E+400", "12345678901234567890.10", "-0"])
    def test_keeps_numbers_digit_by_digit(self, number: str, form: TokenDataForm) -> None:
        """None passes through a float."""
        outcome = outcome_of(Result.APPROVED, {"Limit": JsonNumber(number), "Flag": False, "Date": None, "Name": 'é"'})
        answer = answer_to(Situation.APPROVED, in_doubt=False, outcome=outcome)

        members: Any = json.loads(
            encode_answer(answer, operation=Operation.VALIDATE, token_data_form=form), parse_float=str, parse_int=str
        )
        changes = members["upcTokenData"]
        found = json.loads(changes, parse_float=str, parse_int=str) if form == "string" else changes

        assert found == {"Limit": number, "Flag": False, "Date": None, "Name": 'é"'}
