"""What is wrong with what a runner saw. The only place that compares, for every language."""

import base64
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final

from programs.clients.conformance.table import Case, PlannedCall
from programs.clients.conformance.worlds import World

_ERRORS: Final = frozenset({"not_sent", "refused", "partial", "unknown"})
_OUTCOMES: Final = {
    "not_sent": "OUTCOME_NOT_SENT",
    "refused": "OUTCOME_REFUSED",
    "partial": "OUTCOME_PARTIAL",
    "unknown": "OUTCOME_UNKNOWN",
}
_UUID_V7: Final = 7


def problems(case: Case, calls: list[PlannedCall], seen: Mapping[str, Any], world: World) -> list[str]:
    """Return what differs from the table, in words; nothing if the case passes."""
    return [*_of_connecting(case, seen), *_of_calls(case, calls, seen), *_of_world(case, world)]


def _of_connecting(case: Case, seen: Mapping[str, Any]) -> Iterator[str]:
    said = seen["connect_error"]
    if bool(case.connect_error) != (said is not None) or case.connect_error not in (said or ""):
        yield f"connecting ended with {said!r}, not {case.connect_error or 'well'!r}"
    if case.token_calls is not None and list(case.token_calls) != seen["token_calls"]:
        yield f"the supplier of tokens was called with {seen['token_calls']}, not {list(case.token_calls)}"


def _of_calls(case: Case, calls: list[PlannedCall], seen: Mapping[str, Any]) -> Iterator[str]:
    found = seen["calls"]
    if len(found) != len(case.expect):
        yield f"{len(found)} calls were made, not {len(case.expect)}"
        return
    for number, (call, expected, result) in enumerate(zip(calls, case.expect, found, strict=True), start=1):
        for problem in (*_differences(call, expected, result), *_of_every_call(call, result)):
            yield f"call {number}: {problem}"


def _differences(call: PlannedCall, expected: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[str]:
    for name, wanted in expected.items():
        if name == "answer":
            if result["kind"] == "ok":
                yield from _of_answer(call.answer(result["answer"]), wanted)
        elif name in {"text", "hint"}:
            said = result.get(name, "")
            yield from (f"the {name} {said!r} lacks {part!r}" for part in wanted if part not in said)
        elif name == "text_lacks":
            if wanted in result.get("text", ""):
                yield f"the text has {wanted!r}"
        else:
            value = _value(name, result)
            if not _fits(value, wanted):
                yield f"{name} is {value!r}, not {wanted!r}"


def _value(name: str, result: Mapping[str, Any]) -> Any:
    if name == "fields":
        return [violation[0] for violation in result.get("violations", ())]
    first, dot, rest = name.partition(".")
    value = result.get(first)
    if dot and value is not None:
        return value[int(rest)] if isinstance(value, list) else value.get(rest)
    return value


def _of_answer(answer: Any, wanted: Mapping[str, Any]) -> Iterator[str]:
    for path, expected in wanted.items():
        *above, last = path.split(".")
        message = answer
        for name in above:
            message = message[int(name)] if name.isdigit() else getattr(message, name)
        value, field = getattr(message, last), message.DESCRIPTOR.fields_by_name[last]
        if field.enum_type is not None:
            value = field.enum_type.values_by_number[value].name
        if not _fits(value, expected):
            yield f"{path} of the answer is {value!r}, not {expected!r}"


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, list) and wanted[:1] == ["any"]:
        return value in wanted[1:]
    if wanted in ("present", "absent"):
        return bool(value) == (wanted == "present")
    return _is_uuid_v7(value) if wanted == "uuid7" else bool(value == wanted)


def _is_uuid_v7(value: Any) -> bool:
    try:
        return uuid.UUID(str(value)).version == _UUID_V7
    except ValueError:
        return False


def _of_every_call(call: PlannedCall, result: Mapping[str, Any]) -> Iterator[str]:
    """Yield what no client may do in any case."""
    # Decoded, because languages order the fields of a message differently.
    if type(call.request).FromString(base64.b64decode(result["request_after"])) != call.request:
        yield "the caller's message was changed"
    request_id = getattr(call.request, "request_id", "")
    if result["kind"] in _ERRORS:
        yield from _of_every_error(call, request_id, result)
    elif result["kind"] == "ok":
        answer = call.answer(result["answer"])
        info = answer.call if "call" in answer.DESCRIPTOR.fields_by_name else None
        if info is not None and not (info.request_id == request_id if request_id else _is_uuid_v7(info.request_id)):
            yield f"the answer names the request id {info.request_id!r}, not {request_id!r}"


def _of_every_error(call: PlannedCall, request_id: str, result: Mapping[str, Any]) -> Iterator[str]:
    text = result["text"]
    if result["outcome"] != _OUTCOMES[result["kind"]]:
        yield f"it is raised as {result['kind']}, and its outcome is {result['outcome']}"
    if request_id and result["request_id"] != request_id:
        yield f"the error names the request id {result['request_id']!r}, not {request_id!r}"
    if result["reason"] and result["track_id"] != call.wire["track_id"]:
        yield f"the Track-Id is {result['track_id']!r}, not {call.wire['track_id']!r}"
    wanted = [
        # What is not printable is escaped; protobuf in Go puts a no-break space into some of its errors.
        f"{result['reason'] or result['code']}: {result['message'] if result['message'].isprintable() else ''}",
        *(f"{field}: {description}" for field, _, description in result["violations"][:3] if description.isprintable()),
        f"outcome {result['outcome'].removeprefix('OUTCOME_')}, advice {result['advice'].removeprefix('ADVICE_')}",
        result["request_id"],
        result["track_id"],
        f", docs/errors.md#{result['reason'].lower() or 'outcomes-and-advice'})",
    ]
    yield from (f"the text {text!r} lacks {part!r}" for part in wanted if part not in text)
    if not text.isprintable():
        yield f"the text {text!r} is not one line"


def _of_world(case: Case, world: World) -> Iterator[str]:
    for name, wanted, found in (
        ("executed", case.executed, world.executed()),
        ("sent", case.sent, world.sent()),
        ("received", case.received, world.received()),
    ):
        if wanted is not None and wanted != found:
            yield f"{name} were {found}, not {wanted}"
