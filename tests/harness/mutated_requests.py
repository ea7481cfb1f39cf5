"""Requests on both sides of every rule in the protos: good ones, changed in a few places."""

import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice, product
from string import ascii_lowercase
from typing import Any

from canary.canaries import planted_requests
from canary.rules import rules_of, text_for
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.rpc.message_tree import messages_in

UNKNOWN = b"\xf8\xf0\x04\x01"
"""Field 9999, a varint, in any message."""
_NUMBERS = (-(2**31), -1, 0, 1, 2, 3, 4, 12, 13, 99, 100, 101, 1000, 1001, 1999, 2000, 2099, 2100, 2**31 - 1)
_TEXTS = ("", " ", "a", "EUR", "JPY", "XXX", "eur", "DE", "visa", "-0.1", "1234", "a__c", "A\n", "\u00a0A", "\ufeff")
_NANOS = (0, 1, -1, 500_000_000, 10**9, -(10**9), 999_999_999)


def mutated_requests(count: int, *, seed: int) -> Iterator[Message]:
    """Make so many requests of all request types, good and bad ones; the same for the same seed."""
    rng = random.Random(seed)  # noqa: S311 - repeatable
    bases = _good_requests()
    for _ in range(count):
        base = rng.choice(bases)
        request = type(base)()
        request.CopyFrom(base)
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
            mutate(rng.choice([message for _, message in messages_in(request)]), rng)
        yield request


@cache
def _good_requests() -> Sequence[Message]:
    explained = diagnostics_pb2.ExplainRouteRequest(operation=service_pb2.OPERATION_CREATE_SESSION, currency_code="EUR")
    asked = service_pb2.GetIntentRequest(request_id="x" * 16, operation=service_pb2.OPERATION_CREATE_SESSION)
    call, quota = diagnostics_pb2.GetCallRequest(track_id="t"), diagnostics_pb2.GetQuotaRequest(tenant="t")
    return *(planted.request for planted in planted_requests()), explained, asked, call, quota


def mutate(message: Any, rng: random.Random) -> None:
    """Change one field of a message, or add one that is unknown."""
    fields = message.DESCRIPTOR.fields
    if not fields or rng.random() < 0.03:
        message.MergeFromString(UNKNOWN)
        return
    field = rng.choice(fields)
    rules: Any = rules_of(field)
    if rng.random() < 0.1:
        message.ClearField(field.name)
    elif field.message_type is not None and field.message_type.GetOptions().map_entry:
        _mutate_map(getattr(message, field.name), field, rules, rng)
    elif field.is_repeated:
        _mutate_list(getattr(message, field.name), field, rules, rng)
    elif field.message_type is not None:
        getattr(message, field.name).SetInParent()
        mutate(getattr(message, field.name), rng)
    else:
        setattr(message, field.name, _value(field, rules, rng))


def _mutate_map(entries: Any, field: FieldDescriptor, rules: Any, rng: random.Random) -> None:
    value = field.message_type.fields_by_name["value"]
    of_map = _of_kind(rules)
    # Many entries are good ones, so that only their number can be wrong.
    for name in _names(rng.choice((20, 21, 100, 101))) if rng.random() < 0.2 else ():
        if value.message_type is None:
            entries[name] = name
        else:
            entries[name].text = name
    if value.message_type is None:
        entries[_text(of_map and of_map.keys, rng)] = _text(of_map and of_map.values, rng)
    else:
        mutate(entries[_text(of_map and of_map.keys, rng)], rng)


def _mutate_list(elements: Any, field: FieldDescriptor, rules: Any, rng: random.Random) -> None:
    of_list = _of_kind(rules)
    for name in _names(rng.choice((10, 11, 20, 21, 60, 61, 1000, 1001))) if rng.random() < 0.2 else ():
        if field.message_type is None:
            elements.append(name)
        else:
            elements.add(invoice_number=name)
    if rng.random() < 0.5:
        return
    if field.message_type is None:
        elements.append(rng.choice((_text(of_list and of_list.items, rng), *elements[:1])))
    else:
        mutate(elements.add(), rng)


def _names(count: int) -> Iterator[str]:
    """Yield different words of lower-case letters."""
    return ("".join(letters) for letters in islice(product(ascii_lowercase, repeat=3), count))


def _value(field: FieldDescriptor, rules: Any, rng: random.Random) -> Any:
    """Return a value on one of the sides of a field's rules."""
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text(rules, rng)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return rng.choice((b"", b"{}", b"x" * 16384, b"x" * 16385))
    if field.type == FieldDescriptor.TYPE_BOOL:
        return rng.random() < 0.5
    return rng.choice(_NANOS) if field.name == "nanos" else rng.choice(_NUMBERS)


def _text(rules: Any, rng: random.Random) -> str:
    of_text = _of_kind(rules)
    # A class of what is not allowed: any visible text is.
    is_visible = "[^" in getattr(of_text, "pattern", "")
    good = "A 1/b" if is_visible else text_for(rules, rng).value
    limits = [of_text.min_len, of_text.max_len] if of_text is not None and hasattr(of_text, "min_len") else [0]
    letter = rng.choice(("x", "1", "\u00fc", "\U0001f600"))
    changes: Sequence[Callable[[], str]] = (
        lambda: good,
        lambda: good,
        lambda: good[:-1],
        lambda: f"{good}{rng.choice(_TEXTS)}",
        lambda: f"{rng.choice(_TEXTS)}{good}",
        lambda: f"{good}\n",
        good.swapcase,
        lambda: letter * max(0, rng.choice(limits) + rng.choice((-1, 0, 1))),
        lambda: rng.choice(_TEXTS),
    )
    return rng.choice(changes)()


def _of_kind(rules: Any) -> Any:
    return rules.type.value if rules and rules.type else None
