"""What went back, secrets masked: as the journal shows what arrived."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from zuora_emulator.answers import NOT_JSON
from zuora_emulator.hub_sends import MASK
from zuora_emulator.journal import NAMED_FIELDS, SHOWN_FIELDS
from zuora_emulator.payment_method_schema import OBJECTS, TOP, Field

_LONGEST_BYTES = 65_536
"""A longer body is damaged on purpose, and only measured."""
_SHORTEST_VALUE = 4
"""Characters; shorter values of a request are in many sentences by chance."""
_LONGEST_NAME = 64
"""Characters of a name that a sentence repeats."""
_SHOWN = frozenset(
    {
        "accountId",
        "account_id",
        "amount",
        "code",
        "created_time",
        "currency",
        "effectiveDate",
        "expires_in",
        "id",
        "is_default",
        "number",
        "paymentId",
        "paymentMethodId",
        "processId",
        "requestId",
        "state",
        "status",
        "success",
        "token_type",
        "type",
        "updated_time",
    }
)
_SENTENCES = frozenset({"message", "parameter"})
"""Fields with the emulator's own words, in which a name that the caller chose may occur."""
_LISTS = frozenset({"errors", "reasons"})


def masked_answer(body: bytes, request: Callable[[], Any]) -> Any:
    """Return an answer's body with every value masked that is not listed.

    Args:
        body: As it was before it was compressed.
        request: Returns the body of the request; called only if the answer has a sentence.
    """
    try:
        answer = msgspec.json.decode(body) if 0 < len(body) <= _LONGEST_BYTES else None
    except NOT_JSON:
        answer = None
    if not isinstance(answer, dict):
        return f"<{len(body)} bytes>" if body else None
    return _masked(answer, request)


def _masked(answer: Mapping[str, Any], request: Callable[[], Any]) -> dict[str, Any]:
    return {name: _masked_value(name, value, request) for name, value in answer.items()}


def _masked_value(name: str, value: Any, request: Callable[[], Any]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if name in _SHOWN and isinstance(value, str | int | float):
        return value
    if name in _SENTENCES and isinstance(value, str):
        return MASK if any(word in value for word in _words(request())) else value
    if name in _LISTS and isinstance(value, list):
        return [_masked(each, request) if isinstance(each, Mapping) else MASK for each in value]
    return MASK


def _words(value: Any, *, is_shown: bool = False) -> Iterator[str]:
    """Yield every name and text of a request that the journal does not show."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in _KNOWN:
                yield name[:_LONGEST_NAME]
            yield from _words(inner, is_shown=name in SHOWN_FIELDS)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner)
    elif isinstance(value, str) and len(value) >= _SHORTEST_VALUE and not is_shown:
        yield value


def _names(fields: Mapping[str, Field]) -> Iterator[str]:
    for name, field in fields.items():
        yield name
        yield from _names(field.fields)


_KNOWN = NAMED_FIELDS | {*_names(TOP), *(name for fields in OBJECTS.values() for name in _names(fields))}
