"""The cases of a certification: the description, ends of payments, keys, and what LookUp says."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch.v1 import payment_gateway_service_pb2_grpc as gateway_grpc

from payorch_server.commands.certification_inputs import APPROVE, DECLINE, ERROR, PENDING, SLOW
from payorch_server.commands.certification_requests import PAYMENT, REFUND, VALIDATE, again, money
from payorch_server.commands.certification_trial import (
    APPROVED,
    DECLINED,
    FAILED,
    FINAL_RESULTS,
    NotRunError,
    Reply,
    Trial,
    amount_of,
    different,
)
from payorch_server.commands.channel import ServiceUnreachableError, health_of
from payorch_server.upc.gateway_outcome import NotSent
from payorch_server.upc.plugin_outcome import read_description

MANY: Final = 50
"""How many calls are made at once."""
_LEAST_IDEMPOTENT_FOR: Final = timedelta(hours=72)
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_LONGEST_NAME: Final = 100
_MOST_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that a plug-in has to do right."""

    name: str
    expected: str
    run: Callable[[Trial], None]
    operations: frozenset[int] = frozenset({PAYMENT})
    """A gateway without one of them need not do it."""
    section: str = ""
    """Section of the file of magic values that it needs beside `approve`."""
    is_optional: bool = False
    """Whether the section may be missing."""
    looks_up: bool = False
    """Whether it concerns gateways with LookUp alone."""
    restarts: bool = False
    """Whether it needs the command that restarts the plug-in."""
    takes_fields: bool = True
    """Whether it needs the section `approve`."""


def _describe(trial: Trial) -> None:
    stub = gateway_grpc.PaymentGatewayServiceStub(trial.conversation.channel)
    request, timeout_s = gateway_pb2.DescribeGatewayRequest(), trial.conversation.options.answer_s
    first, second = (stub.DescribeGateway(request, timeout=timeout_s) for _ in range(2))
    operations = [gateway_pb2.GatewayOperation.Name(number) for number in first.operations if number in _OPERATIONS]
    came = f"name {first.name!r}, version {first.version!r}, {', '.join(operations) or 'no operations'}"
    trial.note("DescribeGateway, twice", came)
    trial.expect(first == second, "the second description differs from the first")
    is_usable = not isinstance(read_description(first.SerializeToString()), NotSent)
    trial.expect(is_usable, f"name: {first.name!r} has not 1 to 100 characters, or control characters")
    trial.expect(len(first.version) <= _LONGEST_NAME, f"version: has {len(first.version)} characters, not at most 100")
    trial.expect(bool(first.operations), "operations: is empty, so that nothing would ever be called")
    trial.expect(set(first.operations) <= _OPERATIONS, "operations: has a value that is no operation")
    for code in first.currencies:
        trial.expect(bool(_CURRENCY.fullmatch(code)), f"currencies: {code!r} is no ISO 4217 code")
    if first.idempotent_for.ToTimedelta() < _LEAST_IDEMPOTENT_FOR:
        trial.warnings.append("idempotent_for is less than 72 hours, so that the hub never calls twice under a key")
    if not first.looks_up:
        trial.warnings.append("looks_up is false: payments that end in doubt stay open")


_OPERATIONS: Final[frozenset[int]] = frozenset({VALIDATE, PAYMENT, REFUND})


def _health(trial: Trial) -> None:
    try:
        status = health_of(trial.conversation.channel, "")
    except ServiceUnreachableError as error:
        status = f"gRPC error {error}"
    trial.note("grpc.health.v1.Health/Check, for the whole process", status)
    trial.expect(status == "SERVING", f"health: {status}, not SERVING")


def _approve(trial: Trial) -> None:
    request = trial.make.payment()
    reply = trial.call(request, "fields of approve")
    if not trial.expect_result(reply, APPROVED, of="a payment with the fields of approve"):
        trial.conversation.unpaid = f"no payment with the fields of {APPROVE} is approved: {reply}"
        if reply.result not in FINAL_RESULTS:
            trial.expect_truth(request, repeat=False)


def _decline(trial: Trial) -> None:
    request = trial.make.payment(DECLINE)
    reply = trial.call(request, "fields of decline")
    trial.expect_result(reply, DECLINED, FAILED, of="a payment with the fields of decline")
    if trial.conversation.refunds and reply.result in FINAL_RESULTS:
        refund = trial.call(trial.make.refund(request, amount_of(request)), "of the declined payment")
        trial.expect_not_approved(refund, of="the refund of a declined payment")


def _declined_key(trial: Trial) -> None:
    request = trial.make.payment(DECLINE)
    first = trial.call(request, "fields of decline")
    if first.result not in {DECLINED, FAILED}:
        raise NotRunError(f"the fields of {DECLINE} are not declined: {first}")
    trial.expect_same(first, trial.call(again(request), "the same again"), of="the same again")
    approvable = again(request)
    approvable.call.method.CopyFrom(trial.make.payment().call.method)
    reply = trial.call(approvable, "the same key with the fields of approve")
    trial.expect_not_approved(reply, of="the same key with the fields of approve")


def _pending(trial: Trial) -> None:
    request = trial.make.payment(PENDING)
    first = trial.call(request, "fields of pending")
    pending = gateway_pb2.GATEWAY_RESULT_PENDING
    trial.expect_result(first, pending, of="a payment with the fields of pending")
    trial.expect_result(trial.call(again(request), "the same again"), pending, *FINAL_RESULTS, of="the same again")
    if trial.conversation.description.looks_up:
        trial.expect_result(trial.look_up(request), pending, *FINAL_RESULTS, of="LookUp")


def _error(trial: Trial) -> None:
    request = trial.make.payment(ERROR)
    reply = trial.call(request, "fields of error")
    trial.expect(bool(reply.error), f"a payment with the fields of error: {reply}, not a gRPC error")
    trial.expect_truth(request, repeat=False)


def _same_key_twice(trial: Trial) -> None:
    request, first = trial.paid()
    trial.expect_same(first, trial.call(again(request), "the same again"), of="the same again")
    trial.expect_one_effect(request)


def _same_key_at_once(trial: Trial) -> None:
    _overlap(trial, 2)


def _many_with_one_key(trial: Trial) -> None:
    _overlap(trial, MANY)


def _overlap(trial: Trial, count: int) -> None:
    trial.paid("to see that payments are approved")
    request = trial.make.payment()
    replies = trial.call_at_once([request] * count, "the same key")
    answered = [reply for reply in replies if not reply.error]
    trial.expect(bool(answered), f"not one of {count} calls was answered: {replies[0]}")
    trial.expect(len(different(answered)) <= 1, f"different outcomes: {'; '.join(map(str, different(answered)))}")
    later = trial.call(again(request), "the same key again")
    trial.expect_result(later, APPROVED, of="the same key again")
    trial.expect(not answered or later.facts == answered[0].facts, f"the same key again: {later}, unlike before")
    trial.expect_one_effect(request)


def _many_keys(trial: Trial) -> None:
    trial.paid("to see that payments are approved")
    requests = [trial.make.payment() for _ in range(MANY)]
    replies = trial.call_at_once(requests, "each with its own key")
    for reply in different([reply for reply in replies if reply.result != APPROVED]):
        trial.expect_result(reply, APPROVED, of=f"one of {MANY} payments")
    ids = [reply.outcome.transaction_id for reply in replies if reply.outcome and reply.outcome.transaction_id]
    trial.expect(len(set(ids)) == len(ids), "different payments have the same transaction_id")


def _other_amount(trial: Trial) -> None:
    request, first = trial.paid()
    changed = again(request)
    currency = request.amount.currency_code
    changed.amount.CopyFrom(money(amount_of(request) + 10, currency))
    reply = trial.call(changed, "the same key with a larger amount")
    is_refused = bool(reply.error) or reply.facts == first.facts
    trial.expect(
        is_refused, f"the same key with a larger amount: {reply}, not a gRPC error or the outcome of the first call"
    )
    if trial.conversation.description.looks_up:
        trial.expect_same(first, trial.look_up(request), of="LookUp")
    trial.expect_one_effect(request)


def _deadline(trial: Trial) -> None:
    request, limit_s = trial.make.payment(SLOW), trial.conversation.options.deadline_s
    reply = trial.call(request, f"fields of slow, deadline {limit_s:g} s", timeout_s=limit_s)
    if not reply.error:
        raise NotRunError(f"the fields of {SLOW} were answered within {limit_s:g} s")
    trial.expect_truth(request)


def _unknown_key(trial: Trial) -> None:
    for request in (trial.make.payment(), trial.make.refund(trial.make.payment(), amount_of(trial.make.payment()))):
        reply = trial.look_up(request)
        trial.expect(reply == Reply(), f"LookUp of a key that was never used: {reply}, not an absent outcome")


def _restart(trial: Trial) -> None:
    request, first = trial.paid()
    _restart_plugin(trial)
    if trial.conversation.description.looks_up:
        trial.expect_same(first, trial.look_up(request), of="LookUp after the restart")
    trial.expect_same(first, trial.call(again(request), "the same key again"), of="the same key after the restart")
    trial.expect_one_effect(request)


def _kill_after_charging(trial: Trial) -> None:
    request = trial.make.payment(SLOW)
    call = trial.start(request)
    before = trial.wait_until_known(request, within_s=trial.conversation.options.deadline_s)
    _restart_plugin(trial)
    trial.finish(request, call, "fields of slow, before the restart")
    if before != Reply():
        is_known = trial.look_up(request) != Reply()
        trial.expect(is_known, f"LookUp does not know the key after the restart; before it said: {before}")
    trial.expect_truth(request)


def _restart_plugin(trial: Trial) -> None:
    if trial.conversation.restart is None:
        raise NotRunError("no command was named that restarts the plug-in")
    trial.conversation.restart()
    trial.note("the command that restarts", "the plug-in is back")


def _look_up_agrees(trial: Trial) -> None:
    trial.paid("to look it up")
    known: set[str] = set()
    wrong = []
    for exchange in trial.conversation.exchanges:
        key = exchange.request.call.idempotency_key
        is_validation = isinstance(exchange.request, gateway_pb2.ValidatePaymentMethodRequest)
        if is_validation or key in known or exchange.reply.result not in FINAL_RESULTS:
            continue
        known.add(key)
        said = trial.look_up(exchange.request, quiet=True)
        if said.facts != exchange.reply.facts:
            wrong.append(f"LookUp of {key}: {said}, but the first answer was {exchange.reply}")
    trial.note(f"LookUp of {len(known)} keys that were used and answered", f"{len(wrong)} differ")
    trial.problems += wrong[:_MOST_SHOWN]
    trial.expect(len(wrong) <= _MOST_SHOWN, f"and {len(wrong) - _MOST_SHOWN} more")


CASES: Final = (
    Case("describe", "valid members, the same in both answers", _describe, frozenset(), takes_fields=False),
    Case("health", "SERVING", _health, frozenset(), takes_fields=False),
    Case("approve", "APPROVED", _approve),
    Case("decline", "DECLINED or FAILED, and its refund is not approved", _decline, section=DECLINE),
    Case("pending", "PENDING, and LookUp knows it", _pending, section=PENDING, is_optional=True),
    Case("error", "a gRPC error, and LookUp knows whether money moved", _error, section=ERROR, is_optional=True),
    Case("same-key-twice", "one outcome and one effect", _same_key_twice),
    Case("same-key-at-once", "one outcome and one effect", _same_key_at_once),
    Case("same-key-other-amount", "an error or the first outcome, and no further effect", _other_amount),
    Case("declined-key", "the key stays declined, also with other token data", _declined_key, section=DECLINE),
    Case("unknown-key", "LookUp answers without an outcome", _unknown_key, looks_up=True, takes_fields=False),
    Case("deadline", "no answer in time, and then the truth", _deadline, section=SLOW),
    Case("restart", "the key is known after a restart, and has had one effect", _restart, restarts=True),
    Case(
        "kill-after-charging",
        "the truth after a restart during the call",
        _kill_after_charging,
        section=SLOW,
        restarts=True,
    ),
    Case("many-keys", f"{MANY} payments at once are approved, each for itself", _many_keys),
    Case("many-with-one-key", f"{MANY} calls at once have one outcome and one effect", _many_with_one_key),
)
"""In the order in which they run."""
LAST_CASES: Final = (
    Case("look-up-agrees", "LookUp says of every key what was answered", _look_up_agrees, looks_up=True),
)
"""Those that look back at all calls."""
