"""Words what is wrong with a request that its pass refused: all violations at once, each with the path of its field.

Only a refused request is worth the import of protovalidate, and its rules.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

import protovalidate
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from google.type.money_pb2 import Money

from payorch_server.model.errors import Violation
from payorch_server.model.money import problem_with_amount
from payorch_server.rpc.message_tree import messages_in

_RULES: Final = protovalidate.Validator()
_PATTERN: Final = "string.pattern"
_LEAST: Final = frozenset({"string.min_len", "bytes.min_len", "map.min_pairs", "repeated.min_items"})
_MAX_UNKNOWN_FIELDS: Final = 100
_VISIBLE: Final = "[^\\x00-\\x20\\x7f-\\xa0\u00ad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
_FIELD_NAME: Final = "must be the name of a field in Zuora: 1 to 64 lower-case letters and underscores"

PATTERN_TEXTS: Final[Mapping[str, str]] = {
    f"^({_VISIBLE}(.*{_VISIBLE})?)?$": (
        "must not begin or end with a blank or an invisible character, nor contain a line break; remove it"
    ),
    "^-?[0-9]{1,30}([.][0-9]{1,30})?$": (
        "must be a number in decimal digits, such as -12.50, with at most 30 digits before the point and 30 after it"
    ),
    "^[0-9]{12,19}$": "must be 12 to 19 digits; remove blanks and hyphens",
    "^([0-9]{3,4})?$": "must be 3 or 4 digits",
    "^[A-Z][A-Za-z0-9]{0,18}__c_[0-9]{1,20}$": (
        "must be the internal name of a custom type in Zuora with the number of the tenant, such as AmazonPay__c_12368"
    ),
    "^[a-z_]{1,64}$": _FIELD_NAME,
    "^[a-z_.]{1,64}$": f"{_FIELD_NAME}, with points between the names of nested ones",
    "^[A-Za-z][A-Za-z0-9_]{0,254}$": (
        "must be the name of a custom field: a letter, then at most 254 letters, digits and underscores"
    ),
    "^([0-9]{6}|[0-9]{8})?$": "must be the first 6 or 8 digits of the number",
    "^([A-Z]{3})?$": "must be a currency code of three capital letters, such as EUR",
    "^[0-9]{9}$": "must be 9 digits",
    "^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$": (
        "must be an IBAN: two capital letters, two digits, then 11 to 30 capital letters and digits; remove blanks"
    ),
    "^([A-Z0-9]{8}([A-Z0-9]{3})?)?$": "must be a BIC of 8 or 11 capital letters and digits",
    "^([A-Z]{2})?$": "must be a country code of two capital letters, such as DE",
}
"""What the patterns in the protos require, in words: callers are not shown a regular expression. By pattern."""
_OTHER_PATTERN: Final = "does not have the form that its description requires"


def violations_of(request: Message) -> Iterator[Violation]:
    """Find every violation of the rules in the protos; of very many unknown fields the first."""
    yield from islice(_unknown_fields(request), _MAX_UNKNOWN_FIELDS)
    yield from _rule_violations(request)
    yield from _amount_violations(request)


def _rule_violations(request: Message) -> Iterator[Violation]:
    for found in _RULES.collect_violations(request):
        proto = found.proto
        path = "".join(_element(element) for element in (proto.field.elements if proto.field else ())).removeprefix(".")
        yield Violation(path, proto.rule_id, _text_of(proto.rule_id, found.rule_value, proto.message))


def _text_of(rule: str, value: object, message: str) -> str:
    """Return what a rule requires.

    Args:
        rule: Its id.
        value: Its value in the proto, such as a pattern.
        message: The text of protovalidate.
    """
    if rule == _PATTERN:
        return PATTERN_TEXTS.get(str(value), _OTHER_PATTERN)
    # The text would be "must be at least 1 characters".
    return "must not be empty" if rule in _LEAST and value == 1 else message


def _element(element: object) -> str:
    name, subscript = element.field_name, element.subscript  # type: ignore[attr-defined] # protovalidate ships no types for it
    if subscript is None:
        return f".{name}"
    return f".{name}[{subscript.value}]" if subscript.field == "index" else f'.{name}["{subscript.value}"]'


def _unknown_fields(request: Message) -> Iterator[Violation]:
    description = "is not known to this version of the service; omit it, or upgrade the service"
    for path, message in messages_in(request):
        unknown = UnknownFieldSet(message)
        for index in range(len(unknown)):
            yield Violation(f"{path}{unknown[index].field_number}", "field.known", description)


def _amount_violations(request: Message) -> Iterator[Violation]:
    for path, message in messages_in(request):
        if isinstance(message, Money):
            problem = problem_with_amount(currency=message.currency_code, units=message.units, nanos=message.nanos)
            if problem:
                yield Violation(f"{path}{problem.member}", problem.rule, problem.description)
