"""protovalidate judges the compiled pass: both accept and refuse the same requests, `--requests` of them."""

from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from harness.mutated_requests import mutated_requests
from payorch_server.rpc import request_walk, value_rules
from payorch_server.rpc.request_walk import walk_of
from payorch_server.rpc.value_rules import RuleNotCompiledError, always, rules_of
from payorch_server.rpc.violations import violations_of

SEED = 20261126
# An enum that must not be zero is required as well, so this rule alone refuses nothing.
REDUNDANT = {(value_rules._ENUM, 4)}
RULES = sorted({(kind, number) for kind, makers in value_rules._MAKERS.items() for number in makers} - REDUNDANT)


def is_good(request: Message) -> bool:
    """Return whether neither protovalidate nor the checks beside it find anything."""
    return next(iter(violations_of(request)), None) is None


def passes(request: Message) -> bool:
    """Return whether the compiled pass accepts a request."""
    return walk_of(request.DESCRIPTOR)(request, [])


def test_both_agree_on_every_request(pytestconfig: pytest.Config) -> None:
    """Whatever the rules of the protos are, on both of their sides."""
    count, seen = int(pytestconfig.getoption("--requests")), Counter[tuple[str, bool]]()

    for request in mutated_requests(count, seed=SEED):
        good = is_good(request)
        assert good == passes(request), f"{list(violations_of(request))}: {request}"
        seen[request.DESCRIPTOR.name, good] += 1

    assert len({name for name, _ in seen}) == 7
    assert min(seen.values()) > count // 2000


def finds_a_difference() -> bool:
    """Compile the pass as it is patched now, and compare."""
    walk = cache(walk_of.__wrapped__)
    requests = mutated_requests(20_000, seed=SEED)
    return any(walk(request.DESCRIPTOR)(request, []) and not is_good(request) for request in requests)


class TestEveryCheckTakesPart:
    """What the pass leaves out is found: the requests are on both sides of each rule."""

    @pytest.mark.parametrize(("kind", "number"), RULES)
    def test_that_a_value_can_break(self, kind: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """By kind and number in buf/validate/validate.proto."""
        makers = {**value_rules._MAKERS[kind], number: lambda _values, _described: always}
        monkeypatch.setattr(value_rules, "_MAKERS", {**value_rules._MAKERS, kind: makers})

        assert finds_a_difference()

    @pytest.mark.parametrize(
        ("module", "name", "broken"),
        [
            (request_walk, "is_required", lambda _oneof: False),
            (request_walk, "rules_of", lambda field: replace(value_rules.rules_of(field), required=False)),
            (request_walk, "UnknownFieldSet", lambda _message: ()),
            (request_walk, "_is_amount", always),
            (value_rules, "_expression", lambda _text, _described: always),
        ],
    )
    def test_that_a_message_can_break(
        self, module: Any, name: str, broken: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is absent, unknown, no amount, or breaks an expression."""
        monkeypatch.setattr(module, name, broken)

        assert finds_a_difference()


def field_with(rules: bytes) -> FieldDescriptor:
    """Describe a field that has rules, as an encoded buf.validate.FieldRules."""
    file = descriptor_pb2.FileDescriptorProto(name="f.proto", syntax="proto3")
    field = file.message_type.add(name="M").field.add(name="f", number=1)
    field.type, field.label = field.TYPE_STRING, field.LABEL_OPTIONAL
    # Field 1159, with a length.
    field.options.MergeFromString(b"\xba\x48" + bytes([len(rules)]) + rules)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool.FindMessageTypeByName("M").fields_by_name["f"]


class TestWhatIsNotCompiled:
    """A rule without a compiled form stops the service at its start."""

    @pytest.mark.parametrize(
        ("rules", "reason"),
        [
            (b"\xd8\x01\x03", "an option of fields: ignore"),
            (b"\x12\x00", "a kind of rules: double"),
            (b"\x72\x03\x3a\x01a", "a rule of a kind: string.prefix"),
            (b"\x1a\x04\x18\x01\x28\x02", "an inverted range: int32, at most 1, at least 2"),
            (b"\x72\x06\x32\x04^\\d$", "a pattern that means something else in Python"),
            (b"\x72\x07\x32\x05^a|b$", "a pattern that is not anchored as a whole"),
            (b"\xba\x01\x06\x1a\x04true", "an expression"),
        ],
    )
    def test_is_an_error(self, rules: bytes, reason: str) -> None:
        """It is never a rule that does not count."""
        with pytest.raises(RuleNotCompiledError, match=r"^M\.f: "):
            pytest.fail(f"{reason}: {rules_of(field_with(rules))}")

    def test_is_not_what_the_protos_have(self) -> None:
        """A length and a pattern, encoded in the same way, are compiled."""
        rules = rules_of(field_with(b"\x72\x0b\x18\x02\x32\x07^[a-z]$"))

        assert [rules.holds(text) for text in ("a", "A", "a\n", "aa")] == [True, False, False, False]
