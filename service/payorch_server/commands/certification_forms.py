"""The cases of a certification: refunds, currencies, forms and lengths of requests and answers, secrets."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2

from payorch_server.commands.certification_cases import CASES, LAST_CASES, Case
from payorch_server.commands.certification_inputs import APPROVE, DECLINE, usable_currency
from payorch_server.commands.certification_requests import (
    OPERATIONS,
    PAYMENT,
    REFUND,
    VALIDATE,
    ProcessRequest,
    again,
    marker,
    money,
    operation_of,
    secrets_in,
)
from payorch_server.commands.certification_trial import (
    APPROVED,
    FINAL_RESULTS,
    Exchange,
    Trial,
    amount_of,
    smallest,
)
from payorch_server.upc.plugin_outcome import read_response

_MOST_FIELDS: Final = 20
_LONGEST_FIELD: Final = 8000
_LONGEST_TEXT: Final = 255
_OTHER_MEMBERS_BYTES: Final = 64 * 1024
# Four bytes in UTF-8.
_WIDE: Final = "\N{MONEY BAG}"
_UNICODE: Final = "Zo\u00eb \u6f22\u5b57 \u05e2\u05d1\u05e8\u05d9\u05ea \N{MONEY BAG} o\u0308 \u202e"
# Field 100 as a varint and field 1000 as bytes; no message of the contract has either.
_UNKNOWN: Final = b"\xa0\x06\x01" + b"\xc2\x3e\x03new"
_NOTHING: Final = gateway_pb2.GatewayOutcome()


def _refund(trial: Trial) -> None:
    request, reply = trial.paid()
    refund = trial.make.refund(request, amount_of(request))
    refund.reference_id = reply.outcome.transaction_id if reply.outcome else ""
    trial.expect_result(trial.call(refund, "the whole payment"), APPROVED, of="the refund")
    more = trial.call(trial.make.refund(request, smallest(request)), "the smallest amount more")
    trial.expect_not_approved(more, of="a refund of more than was paid")


def _wrong_reference(trial: Trial) -> None:
    request, _ = trial.paid()
    other, reply = trial.paid("another payment")
    refund = trial.make.refund(request, amount_of(request))
    refund.reference_id = reply.outcome.transaction_id if reply.outcome else ""
    answer = trial.call(refund, "of the first payment, with the reference_id of the other")
    trial.expect_result(answer, APPROVED, of="the refund of the first payment")
    whole = trial.call(trial.make.refund(other, amount_of(other)), "the whole other payment")
    trial.expect_result(whole, APPROVED, of="the refund of the other payment, which was not touched before")
    for paid in (request, other):
        more = trial.call(trial.make.refund(paid, smallest(paid)), "the smallest amount more")
        trial.expect_not_approved(more, of="a refund of more than was paid")


def _partial_refunds(trial: Trial) -> None:
    request, _ = trial.paid()
    part = (amount_of(request) / 3).quantize(smallest(request))
    for amount in (part, part, amount_of(request) - 2 * part):
        trial.expect_result(trial.call(trial.make.refund(request, amount)), APPROVED, of=f"the refund of {amount}")
    more = trial.call(trial.make.refund(request, smallest(request)), "more than is left")
    trial.expect_not_approved(more, of="a refund of more than is left")


def _over_refund(trial: Trial) -> None:
    request, _ = trial.paid()
    amount = amount_of(request)
    more = trial.call(trial.make.refund(request, amount + smallest(request)), "more than was paid")
    trial.expect_not_approved(more, of="a refund of more than was paid")
    whole = trial.call(trial.make.refund(request, amount), "the whole payment")
    trial.expect_result(whole, APPROVED, of="the refund of the whole payment afterwards")


def _refund_twice(trial: Trial) -> None:
    request, _ = trial.paid()
    # Twice the part can be refunded, and is no more than the payment: only the rest shows a second effect.
    part = (amount_of(request) / 3).quantize(smallest(request))
    refund = trial.make.refund(request, part)
    first = trial.call(refund)
    trial.expect_result(first, APPROVED, of="the refund")
    trial.expect_same(first, trial.call(again(refund), "the same again"), of="the same again")
    rest = trial.call(trial.make.refund(request, amount_of(request) - part), "what is left of the payment")
    trial.expect_result(rest, APPROVED, of="the refund of what is left, unless the first took place twice")


def _refund_unknown(trial: Trial) -> None:
    never_made = trial.make.payment()
    refund = trial.make.refund(never_made, amount_of(never_made))
    trial.expect_not_approved(trial.call(refund, "of a payment that was never made"), of="the refund")


def _zero_decimals(trial: Trial) -> None:
    _in_currency(trial, decimals=0, usual="JPY")


def _three_decimals(trial: Trial) -> None:
    _in_currency(trial, decimals=3, usual="KWD")


class DoesNotApplyError(Exception):
    """The gateway need not do what a case asks for; the text says why."""


def _in_currency(trial: Trial, *, decimals: int, usual: str) -> None:
    currency = usable_currency(trial.conversation.description, decimals=decimals, usual=usual)
    if not currency:
        raise DoesNotApplyError(f"it takes no currency with {decimals} decimals")
    request = trial.make.payment(APPROVE, currency=currency)
    if trial.expect_result(trial.call(request), APPROVED, of=f"a payment in {currency}"):
        trial.expect_one_effect(request)


def _validate(trial: Trial) -> None:
    request = trial.make.validation()
    trial.expect_result(trial.call(request, "fields of approve, no amount"), APPROVED, of="the validation")
    with_amount = trial.make.validation()
    with_amount.auth_amount.CopyFrom(money(trial.make.inputs.amount(APPROVE, trial.make.currency), trial.make.currency))
    trial.expect_result(trial.call(with_amount, "and an amount"), APPROVED, of="the validation with an amount")


def _validate_declined(trial: Trial) -> None:
    reply = trial.call(trial.make.validation(DECLINE), "fields of decline")
    trial.expect_result(reply, *FINAL_RESULTS, of="the validation with the fields of decline")
    later = trial.call(trial.make.validation(), "fields of approve")
    trial.expect_result(later, APPROVED, of="a later validation with the fields of approve")


def _unicode(trial: Trial) -> None:
    request = trial.make.payment()
    request.payment_number = request.soft_descriptor = request.call.account.number = _UNICODE
    request.call.gateway_options[_UNICODE] = _UNICODE
    request.call.other_members_json = json.dumps({_UNICODE: _UNICODE}, ensure_ascii=False).encode()
    _expect_approved(trial, request, "texts in several scripts")


def _least(trial: Trial) -> None:
    request = trial.make.payment()
    call = request.call
    for member in ("account", "gateway_options", "other_members_json"):
        call.ClearField(member)
    call.method.ClearField("id")
    request.ClearField("soft_descriptor")
    request.ClearField("soft_descriptor_phone")
    _expect_approved(trial, request, "without optional members")
    if trial.conversation.refunds:
        refund = trial.make.refund(request, amount_of(request))
        refund.call.CopyFrom(_same_parts(call, refund.call))
        refund.ClearField("account_currency")
        trial.expect_result(trial.call(refund, "without optional members"), APPROVED, of="the refund")


def _same_parts(least: gateway_pb2.GatewayCall, call: gateway_pb2.GatewayCall) -> gateway_pb2.GatewayCall:
    copied = gateway_pb2.GatewayCall()
    copied.CopyFrom(least)
    copied.idempotency_key = call.idempotency_key
    return copied


def _unknown_members(trial: Trial) -> None:
    request = trial.make.payment()
    for message in (request, request.call, request.call.method, request.amount):
        message.MergeFromString(_UNKNOWN)
    request.call.method.token_data["certification"].text = marker()
    request.call.other_members_json = b'{"payment":{"level2":{"taxAmount":1.10,"lines":[{"note":"a"}]}},"new":null}'
    _expect_approved(trial, request, "fields and members that the contract does not name")


def _longest(trial: Trial) -> None:
    request = _with_lengths(trial, fields=_MOST_FIELDS, field=_LONGEST_FIELD, text=_LONGEST_TEXT)
    _expect_approved(trial, request, "the longest texts that the hub passes on")


def _too_long(trial: Trial) -> None:
    trial.paid("to see that payments are approved")
    request = _with_lengths(trial, fields=_MOST_FIELDS + 1, field=_LONGEST_FIELD + 1, text=_LONGEST_TEXT + 1)
    reply = trial.call(request, "longer texts than the hub passes on")
    is_known = bool(reply.error) or reply.result in FINAL_RESULTS
    trial.expect(is_known, f"the payment with too long texts: {reply}, not an outcome or a gRPC error")
    trial.expect_result(
        trial.call(trial.make.payment(), "an ordinary one"), APPROVED, of="an ordinary payment after it"
    )


def _with_lengths(trial: Trial, *, fields: int, field: int, text: int) -> gateway_pb2.ProcessPaymentRequest:
    request = trial.make.payment()
    token_data = request.call.method.token_data
    for number in range(fields - len(token_data)):
        token_data[f"certification{number}"].text = _WIDE * field
    request.payment_number = request.soft_descriptor = request.call.account.number = "n" * text
    request.call.gateway_name = _WIDE * text
    for number in range(fields):
        request.call.gateway_options[f"certification{number}"] = "o" * text
    request.call.other_members_json = json.dumps({"certification": "m" * _OTHER_MEMBERS_BYTES}).encode()
    return request


def _expect_approved(trial: Trial, request: gateway_pb2.ProcessPaymentRequest, note: str) -> None:
    trial.paid("to see that payments are approved")
    trial.expect_result(
        trial.call(request, note), APPROVED, of=f"a payment with {note}".replace("with without", "without")
    )


def _answer_limits(trial: Trial) -> None:
    exchanges = _exchanges(trial)
    problems = {problem for exchange in exchanges for problem in _limits_passed(exchange)}
    trial.note(f"the {len(exchanges)} calls of all cases", f"{len(problems)} kinds of answers beyond the limits")
    for problem in sorted(problems):
        trial.expect(False, problem)


def _limits_passed(exchange: Exchange) -> Iterator[str]:
    """Yield what the hub would have to change in an answer, or could not use."""
    said = exchange.reply.outcome or _NOTHING
    for rule in _broken_rules(exchange, ()):
        member = rule.removesuffix("_invalid")
        if member == "token_data_changes":
            yield f"{member}: more than {_MOST_FIELDS} fields, or a name or value that the contract does not allow"
        else:
            yield f"{member}: {len(getattr(said, member))} characters, which is too long, or control characters"
    if said.result not in gateway_pb2.GatewayResult.values():
        yield f"result: {said.result} is unknown"


def _secrets(trial: Trial) -> None:
    exchanges = _exchanges(trial)
    requests: list[ProcessRequest] = [trial.make.payment()]
    if VALIDATE in trial.conversation.description.operations:
        requests.append(trial.make.validation())
    for request in requests:
        for value in request.call.method.token_data.values():
            if value.HasField("text"):
                value.text = marker()
        exchanges.append(Exchange(request, trial.call(request, "token data that nothing accepts")))
    names = sorted({name for exchange in exchanges for name in _echoed(exchange)})
    came = "secrets of the request" if names else "no secret of a request"
    trial.note(f"the {len(exchanges)} calls of all cases", came)
    for name in names:
        trial.expect(False, f"{name}: holds a secret of the request")


def _exchanges(trial: Trial) -> list[Exchange]:
    """Return the calls of all cases so far, and a payment with its look-up in any case."""
    request, _ = trial.paid("to see an answer")
    if trial.conversation.description.looks_up:
        trial.look_up(request)
    return [*trial.conversation.exchanges, *trial.conversation.look_ups]


def _echoed(exchange: Exchange) -> Iterator[str]:
    """Yield the members of an answer that hold a secret of its request."""
    hidden = tuple(secrets_in(exchange.request))
    for rule in _broken_rules(exchange, hidden):
        if rule.endswith("_quotes_request"):
            yield rule.removesuffix("_quotes_request")
    if any(secret in exchange.reply.details for secret in hidden):
        yield "text of the gRPC error"


def _broken_rules(exchange: Exchange, hidden: Sequence[str]) -> Sequence[str]:
    """Return the rules of the contract that an answer breaks, by the names that the hub has for them.

    Args:
        exchange: The call and its answer.
        hidden: The secret texts of the request.
    """
    response = gateway_pb2.ProcessPaymentResponse(outcome=exchange.reply.outcome)
    # The responses of all operations have their outcome in the same field.
    return read_response(
        response.SerializeToString(), OPERATIONS[operation_of(exchange.request)], secrets=hidden
    ).broken


_REFUNDS: Final = frozenset({PAYMENT, REFUND})
_VALIDATES: Final = frozenset({VALIDATE})
ALL_CASES: Final = (
    *CASES,
    Case("refund", "APPROVED, by payment_idempotency_key, and not more than was paid", _refund, _REFUNDS),
    Case("refund-wrong-reference", "the payment under the key is refunded", _wrong_reference, _REFUNDS),
    Case("partial-refunds", "three parts are APPROVED, and no more", _partial_refunds, _REFUNDS),
    Case("over-refund", "not approved, and without effect", _over_refund, _REFUNDS),
    Case("refund-same-key-twice", "one outcome and one effect", _refund_twice, _REFUNDS),
    Case("refund-unknown-payment", "not approved", _refund_unknown, _REFUNDS),
    Case("zero-decimals", "APPROVED and refunded exactly", _zero_decimals),
    Case("three-decimals", "APPROVED and refunded exactly", _three_decimals),
    Case("validate", "APPROVED, with and without an amount", _validate, _VALIDATES),
    Case("validate-declined", "an outcome, which no later validation repeats", _validate_declined, _VALIDATES, DECLINE),
    Case("unicode", "APPROVED", _unicode),
    Case("optional-members", "APPROVED without them", _least),
    Case("unknown-members", "APPROVED, and they are ignored", _unknown_members),
    Case("longest-texts", "APPROVED", _longest),
    Case("too-long-texts", "an outcome or a gRPC error, and the next payment is approved", _too_long),
    *LAST_CASES,
    Case("answer-limits", "every answer within its limits", _answer_limits),
    Case("secrets", "no secret of a request in codes, messages, ids and errors", _secrets),
)
"""All cases, in the order in which they run."""
