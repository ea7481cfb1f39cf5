"""The command `upc certify`: checks a plugged-in gateway against the rules of its contract, case by case."""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Final

import grpc
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch.v1 import payment_gateway_service_pb2_grpc as gateway_grpc

from payorch_server.commands.certification_cases import Case
from payorch_server.commands.certification_forms import ALL_CASES, DoesNotApplyError
from payorch_server.commands.certification_inputs import (
    APPROVE,
    CertificationError,
    CertificationInputs,
    read_inputs,
    usable_currency,
)
from payorch_server.commands.certification_ledger import MovedMoney, moved_money
from payorch_server.commands.certification_options import CertificationOptions
from payorch_server.commands.certification_requests import RequestFactory
from payorch_server.commands.certification_trial import Conversation, NotRunError, Step, Trial
from payorch_server.model.money import EXPONENTS
from payorch_server.runtime.clock import SystemClock

_POLL_S: Final = 0.1
_RESTART_S: Final = 120.0
_USUAL_CURRENCY: Final = "USD"
_NOTICE: Final = "Certification charges and refunds wherever the plug-in does: use test accounts only."


class Status(StrEnum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "FAILED"
    NOT_RUN = "not run"
    """Something is missing that it needs: magic values, the command that restarts, an approved payment."""
    DOES_NOT_APPLY = "does not apply"
    """The gateway does not offer what it checks."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How a case ended, for the report."""

    name: str
    status: Status
    expected: str
    steps: Sequence[Step] = ()
    problems: Sequence[str] = ()
    """What is wrong, or why it was not run."""
    warnings: Sequence[str] = field(default=())


def certify(options: CertificationOptions, channel: grpc.Channel) -> int:
    """Run the cases against a plug-in, one after another, and print what came of them.

    Returns:
        0 if every case passed or does not apply; 1 if one failed or was not run.

    Raises:
        CertificationError: An option cannot be used, or the plug-in cannot be reached.
        ConfigError: The file of magic values cannot be read.
    """
    cases = _chosen(options.only)
    inputs = read_inputs(options.token_data) if options.token_data else CertificationInputs()
    print(_NOTICE, file=sys.stderr)
    conversation = _begin(options, inputs, channel)
    results = []
    for case in cases:
        _show_progress(case.name)
        results.append(result := _run(case, conversation))
        _show_progress("")
        if not options.as_json:
            print(_report(result), flush=True)
    moved = moved_money(conversation)
    print(_document(options, conversation, results, moved) if options.as_json else _summary(results, moved))
    return int(any(result.status in {Status.FAILED, Status.NOT_RUN} for result in results))


def _chosen(names: Sequence[str]) -> Sequence[Case]:
    known = [case.name for case in ALL_CASES]
    if unknown := [name for name in names if name not in known]:
        raise CertificationError(f"--only: {', '.join(unknown)}: is none of {', '.join(known)}")
    return [case for case in ALL_CASES if not names or case.name in names]


def _begin(options: CertificationOptions, inputs: CertificationInputs, channel: grpc.Channel) -> Conversation:
    try:
        grpc.channel_ready_future(channel).result(timeout=options.answer_s)
    except grpc.FutureTimeoutError:
        raise CertificationError(f"{options.target}: cannot be reached within {options.answer_s:g} s") from None
    description = _description(channel, options.answer_s)
    named = [code for code in description.currencies if code in EXPONENTS]
    currency = usable_currency(description, decimals=2, usual=_USUAL_CURRENCY) or next(iter(named), _USUAL_CURRENCY)
    make = RequestFactory(method_type=options.method_type, inputs=inputs, currency=currency)
    conversation = Conversation(channel, options, make, description)
    if options.restart:
        conversation.restart = lambda: _restart(options, channel)
    return conversation


def _description(channel: grpc.Channel, timeout_s: float) -> gateway_pb2.DescribeGatewayResponse:
    """Return what the gateway says of itself; nothing where it does not answer, which a case finds."""
    stub = gateway_grpc.PaymentGatewayServiceStub(channel)
    try:
        return stub.DescribeGateway(gateway_pb2.DescribeGatewayRequest(), timeout=timeout_s)
    except grpc.RpcError:
        return gateway_pb2.DescribeGatewayResponse()


def _restart(options: CertificationOptions, channel: grpc.Channel) -> None:
    """Run the command that restarts the plug-in; return when the plug-in answers."""
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command
            shlex.split(options.restart), check=False, stdout=subprocess.DEVNULL, timeout=_RESTART_S
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise CertificationError(f"--restart: {error}") from error
    if done.returncode:
        raise CertificationError(f"--restart: the command ended with status {done.returncode}")
    clock = SystemClock()
    until_s = clock.monotonic() + options.answer_s
    while not _description(channel, options.answer_s).name:
        if clock.monotonic() >= until_s:
            raise CertificationError(f"{options.target}: cannot be reached {options.answer_s:g} s after --restart")
        time.sleep(_POLL_S)


def _run(case: Case, conversation: Conversation) -> CaseResult:
    if text := _why_it_does_not_apply(case, conversation):
        return CaseResult(case.name, Status.DOES_NOT_APPLY, case.expected, problems=(text,))
    if text := _what_is_missing(case, conversation):
        return CaseResult(case.name, Status.NOT_RUN, case.expected, problems=(text,))
    trial = Trial(conversation)
    status, problems = Status.PASSED, trial.problems
    try:
        case.run(trial)
    except DoesNotApplyError as error:
        status, problems = Status.DOES_NOT_APPLY, [str(error)]
    except NotRunError as error:
        status, problems = Status.NOT_RUN, [str(error)]
    except grpc.RpcError as error:
        trial.problems.append(f"gRPC error {error.code().name}")
    if trial.problems:
        status, problems = Status.FAILED, trial.problems
    return CaseResult(case.name, status, case.expected, trial.steps, problems, trial.warnings)


def _why_it_does_not_apply(case: Case, conversation: Conversation) -> str:
    described = conversation.description
    if case.operations - set(described.operations):
        return "the gateway does not offer the operation"
    if case.looks_up and not described.looks_up:
        return "the gateway does not look up"
    if case.is_optional and case.section not in conversation.make.inputs.fields:
        return f"the file names no fields of {case.section}"
    return ""


def _what_is_missing(case: Case, conversation: Conversation) -> str:
    named = conversation.make.inputs.fields
    if case.takes_fields and APPROVE not in named:
        return f"--token-data names no fields of {APPROVE}"
    if case.takes_fields and conversation.unpaid:
        return conversation.unpaid
    if case.section and case.section not in named:
        return f"--token-data names no fields of {case.section}"
    if case.restarts and conversation.restart is None:
        return "--restart names no command"
    return ""


def _show_progress(name: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{name}", end="", file=sys.stderr, flush=True)


def _report(result: CaseResult) -> str:
    problem = "wrong" if result.status is Status.FAILED else "why"
    rows = [(result.status, result.name), ("expected", result.expected)]
    for step in result.steps:
        rows += [("sent", step.sent), ("came", step.came)]
    rows += [(problem, text) for text in result.problems]
    rows += [("warning", text) for text in result.warnings]
    first, *others = rows
    return "\n".join([f"{first[0]:14}  {first[1]}", *(f"{label:>14}  {text}" for label, text in others)])


def _counts(results: Sequence[CaseResult]) -> dict[str, int]:
    return {status.lower(): sum(result.status is status for result in results) for status in Status}


def _summary(results: Sequence[CaseResult], moved: Sequence[MovedMoney]) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in _counts(results).items() if count)
    bad = [result.name for result in results if result.status is Status.FAILED]
    lines = ["The test account at the provider must show exactly this, beside what is pending:"] if moved else []
    lines += [f"  {sums}" for sums in moved]
    return "\n".join([*lines, f"{len(results)} cases: {counts}" + (f"; failed: {', '.join(bad)}" if bad else "")])


def _document(
    options: CertificationOptions,
    conversation: Conversation,
    results: Sequence[CaseResult],
    moved: Sequence[MovedMoney],
) -> str:
    described = conversation.description
    content = {
        "target": options.target,
        "gateway": {"name": described.name, "version": described.version},
        "counts": _counts(results),
        "moved": [asdict(sums) for sums in moved],
        "cases": [asdict(result) | {"status": result.status.lower()} for result in results],
    }
    return json.dumps(content, indent=2)
