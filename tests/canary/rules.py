"""Texts that satisfy the rules in the protos, as random as the rules let them be."""

import random
import re._constants as opcode
import re._parser as parser
import string
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.unknown_fields import UnknownFieldSet
from protovalidate._gen.buf.validate.validate_pb import FieldRules

_RULES = 1159  # Number of the extension; the messages of clients come without its definition.
_LENGTH = 20
_MOST_REPEATS = 24


@dataclass(frozen=True, slots=True)
class Text:
    """A text and how many of its characters were free."""

    value: str
    freedom: int


def rules_of(field: FieldDescriptor) -> FieldRules:
    """Return the rules of a field; without any, rules that allow everything."""
    found = [one.data for one in UnknownFieldSet(field.GetOptions()) if one.field_number == _RULES]
    return FieldRules.from_binary(b"".join(found))


def text_for(rules: FieldRules | None, rng: random.Random) -> Text:
    """Make a text that satisfies rules for text."""
    of_text: Any = rules.type.value if rules and rules.type and rules.type.field == "string" else None
    if of_text is None:
        return _letters(_LENGTH, rng)
    if of_text.in_:
        return Text(next(filter(None, of_text.in_)), 0)
    if of_text.pattern:
        return _matching(parser.parse(of_text.pattern), rng)
    longest = of_text.max_len if of_text.has_field("max_len") else _LENGTH
    return _letters(max(min(longest, _LENGTH), of_text.min_len if of_text.has_field("min_len") else 0), rng)


def _letters(length: int, rng: random.Random) -> Text:
    return Text("".join(rng.choices(string.ascii_letters, k=length)), length)


def _matching(pattern: Any, rng: random.Random) -> Text:
    """Make a text that matches, as long as the pattern lets it be."""
    parts = [_part(code, argument, rng) for code, argument in pattern]
    return Text("".join(part.value for part in parts), sum(part.freedom for part in parts))


def _part(code: Any, argument: Any, rng: random.Random) -> Text:
    if code is opcode.AT:
        return Text("", 0)
    if code is opcode.LITERAL:
        return Text(chr(argument), 0)
    if code is opcode.IN:
        return _one_of(argument, rng)
    if code is opcode.MAX_REPEAT:
        least, most, inner = argument
        times = max(least, min(most, _MOST_REPEATS))
        parts = [_matching(inner, rng) for _ in range(times)]
        return Text("".join(part.value for part in parts), sum(part.freedom for part in parts))
    if code is opcode.SUBPATTERN:
        return _matching(argument[-1], rng)
    if code is opcode.BRANCH:
        return max((_matching(branch, rng) for branch in argument[1]), key=lambda made: made.freedom)
    raise NotImplementedError(f"{code} is new in the patterns of the protos: teach this walk")


def _one_of(members: Any, rng: random.Random) -> Text:
    characters: list[str] = []
    for code, argument in members:
        if code is opcode.LITERAL:
            characters.append(chr(argument))
        elif code is opcode.RANGE:
            characters += map(chr, range(argument[0], argument[1] + 1))
        else:
            raise NotImplementedError(f"{code} is new in the classes of the protos: teach this walk")
    return Text(rng.choice(characters), 1 if len(characters) > 1 else 0)
