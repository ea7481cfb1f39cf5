"""The canaries themselves: right, recognisable, and found in whatever form."""

import base64
import json
import urllib.parse
from collections import Counter

import pytest
from payorch_server.model.call_notes import CallNotes
from payorch_server.model.errors import Failure
from payorch_server.model.outcome import Reason
from payorch_server.rpc.payment_orchestration import FURTHER_CHECKS
from payorch_server.rpc.validation import Validator

from canary.canaries import (
    LEFT_OUT,
    PLAIN,
    SERVICE,
    UNRECOGNISABLE,
    Canary,
    choices,
    is_choice,
    planted_requests,
    unrecognisable_fields,
)
from canary.search import Sinks, beginnings, hits
from canary.watch import Reprs

CANARY = Canary("field", 'Kq"7/€+w9 xY?z')


class TestRequests:
    """A new field is covered without an edit, or a test fails."""

    def test_satisfy_every_rule(self) -> None:
        """What is refused at once would prove nothing about what comes after."""
        validator, checked = Validator(FURTHER_CHECKS), set()

        for planted in planted_requests():
            validator.check(planted.request)
            checked.add(planted.request.DESCRIPTOR)

        assert {method.input_type for method in SERVICE.methods} == checked

    def test_take_every_arm(self) -> None:
        """Of every oneof that a caller chooses from."""
        arms = {
            one.name
            for method in SERVICE.methods
            for one in method.input_type.fields
            if is_choice(one.containing_oneof)
        }
        taken = {arm for method in SERVICE.methods for chosen in choices(method.input_type) for arm in chosen}

        assert arms <= taken
        assert {"vault_token", "null_value", "pay_invoice"} <= taken

    def test_never_share_a_value(self) -> None:
        """A hit names one field."""
        values = Counter(canary.value for one in planted_requests() for canary in one.canaries)

        assert {1} == set(values.values())

    def test_leave_out_what_cannot_be_recognised_and_nothing_else(self) -> None:
        """Each with its reason."""
        assert set(UNRECOGNISABLE) == unrecognisable_fields()

    def test_know_no_field_that_is_gone(self) -> None:
        """The tables name fields of today."""
        left = [method.input_type for method in SERVICE.methods]
        seen = {}
        while left:
            message = left.pop()
            if message.full_name not in seen:
                seen[message.full_name] = message
                left += [one.message_type for one in message.fields if one.message_type]

        names = {one.full_name for message in seen.values() for one in message.fields}
        assert {*PLAIN, *LEFT_OUT} <= names


class TestSearch:
    """A leak is a leak in every form."""

    @pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
    @pytest.mark.parametrize("behind", ["", "z", "zz"])
    def test_finds_base64_wherever_it_begins(self, before: str, behind: str) -> None:
        """In both alphabets, with and without padding."""
        told = f"{before}{CANARY.value}{behind}".encode()

        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            assert found_in(encode(told).rstrip(b"="))

    @pytest.mark.parametrize(
        "told",
        [
            CANARY.value,
            CANARY.value.upper(),
            CANARY.value.lower(),
            CANARY.value.encode().hex(),
            CANARY.value.encode().hex().upper(),
            urllib.parse.quote(CANARY.value),
            urllib.parse.quote(CANARY.value, safe=""),
            urllib.parse.quote_plus(CANARY.value),
            json.dumps(CANARY.value),
            json.dumps(CANARY.value, ensure_ascii=False),
        ],
    )
    def test_finds_other_forms(self, told: str) -> None:
        """In the middle of something."""
        assert found_in(f"x{told}x".encode())

    def test_finds_few_digits_only_as_a_number(self) -> None:
        """Within longer numbers they occur by chance."""
        sinks = Sinks()
        sinks.add("log", "1234567890123")

        assert not hits([Canary("number", "34567890")], sinks)
        sinks.add("log", "number 34567890.")
        assert hits([Canary("number", "34567890")], sinks)

    def test_finds_few_digits_in_no_random_id(self) -> None:
        """A UUID has these eight digits once in ten million times."""
        sinks = Sinks()
        sinks.add("log", "0f7c1b52-5f0e-4d0a-9a51-0e34567890a1")

        assert not hits([Canary("number", "34567890")], sinks)

    def test_names_the_class_of_what_shows_a_value(self) -> None:
        """In whatever form: the leak is mended there."""
        sinks = Sinks()
        sinks.add("reprs", "Call('4929-1234-5678-1236')", "Attempt('')", "Card('4929123456781236')")
        number = Canary("number", "4929123456781236")

        assert {str(hit): beginnings(hit, [number], sinks) for hit in hits([number], sinks)} == {
            "number in reprs as digits in groups": ["Call", "Card"],
            "number in reprs as text": ["Card"],
        }

    def test_finds_nothing_where_nothing_is(self) -> None:
        """Another value is no hit."""
        assert not found_in(b"Kq7Aw9xYz")


class TestRepresentations:
    """Reprs: what living objects of ours show."""

    def test_are_those_of_a_test_alone(self) -> None:
        """What an earlier test left alive is none of them, until it shows something else."""
        earlier, notes = Failure(Reason.INTERNAL, "earlier"), CallNotes(trace_id="earlier")
        reprs = Reprs()
        later = Failure(Reason.INTERNAL, "later")
        notes.trace_id = "changed"

        new = list(reprs.new())

        assert repr(earlier) not in new
        assert {repr(later), repr(notes)} <= set(new)


def found_in(told: bytes) -> bool:
    """Tell whether the canary is found."""
    sinks = Sinks()
    sinks.add("log", told)
    return bool(hits([CANARY], sinks))
