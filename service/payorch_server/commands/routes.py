"""The commands of `payorch-server routes`; each returns its exit status: 0 passed, 1 failures or findings."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from google.protobuf import json_format  # noqa: TID251 - prints an explanation, which holds no secret
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import error_reason_pb2, routing_pb2

from payorch_server.commands.route_cases import Case, CaseError, FilePolicy, read_cases, read_request
from payorch_server.config import load_document
from payorch_server.model.errors import InvalidRequestError
from payorch_server.model.names import counted
from payorch_server.routing.explain import Difference, RouteSummary, differences, summary_of
from payorch_server.routing.lint import lint as findings_in
from payorch_server.rpc.diagnostics import encode_explanation

_LABEL_CHARACTERS: Final = 12


def explain(*, config: Sequence[Path], request: Path, caller: str, as_json: bool) -> int:
    """Print how a call would be routed, or why it would be refused.

    Raises:
        ConfigError: The configuration cannot be used.
        CaseError: The request cannot be used.
    """
    policy, call = FilePolicy(load_document(*config)), read_request(request)
    try:
        explanation = policy.explain(call, caller=caller)
    except InvalidRequestError as error:
        raise CaseError(_invalid_call_text(str(request), error)) from error
    answer = encode_explanation(explanation)
    print(_json(json_format.MessageToDict(answer)) if as_json else _format_explanation(answer))
    return 0


def test(*, config: Sequence[Path], cases: Path, as_json: bool) -> int:
    """Print which cases differ from their expected results.

    Raises:
        ConfigError: The configuration, or the file of cases as YAML, cannot be used.
        CaseError: A case cannot be used.
    """
    listed = read_cases(cases)
    summaries = _summaries(FilePolicy(load_document(*config)), cases, listed)
    failed = {case.name: names for case in listed if (names := case.mismatches(summaries[case.name]))}
    if as_json:
        rows = [_test_row(case, summaries[case.name], failed.get(case.name, ())) for case in listed]
        print(_json({"cases": rows, "failed": len(failed)}))
    else:
        for case in listed:
            print(f"{'FAILED' if case.name in failed else 'passed'}  {case.name}")
            for name in failed.get(case.name, ()):
                expected, actual = _plain(case.expected[name]), _actual_text(summaries[case.name], name)
                print(f"        {name}: expected {expected}, {actual}")
        print(f"{len(listed)} cases, {len(failed)} failed")
    return int(bool(failed))


def lint(*, config: Sequence[Path], as_json: bool) -> int:
    """Print rules that never match, and destinations that no call reaches.

    Raises:
        ConfigError: The configuration cannot be used.
    """
    document = load_document(*config)
    findings = findings_in(document.routing, document.tenants)
    if as_json:
        print(_json({"findings": [dataclasses.asdict(finding) for finding in findings]}))
    else:
        _print_lines(f"{finding.kind}  {finding.subject}: {finding.text}" for finding in findings)
        print(f"{counted(len(document.routing), 'rule')}, {counted(len(findings), 'finding')}")
    return int(bool(findings))


def diff(*, old: Sequence[Path], new: Sequence[Path], cases: Path, as_json: bool) -> int:
    """Print which cases have another result under another configuration.

    Raises:
        ConfigError: A configuration, or the file of cases as YAML, cannot be used.
        CaseError: A case cannot be used.
    """
    listed = read_cases(cases)
    before, after = (_summaries(FilePolicy(load_document(*files)), cases, listed) for files in (old, new))
    found = differences(before, after)
    if as_json:
        print(_json({"differences": [_difference_row(difference) for difference in found]}))
    else:
        for difference in found:
            print(difference.case)
            print(f"  before  {_format_summary(difference.before)}")
            print(f"  after   {_format_summary(difference.after)}")
        print(f"{len(listed)} cases, {len(found)} differ")
    return int(bool(found))


def _summaries(policy: FilePolicy, path: Path, cases: Sequence[Case]) -> Mapping[str, RouteSummary]:
    summaries: dict[str, RouteSummary] = {}
    for case in cases:
        try:
            summaries[case.name] = summary_of(policy.explain(case.request))
        except InvalidRequestError as error:
            raise CaseError(_invalid_call_text(f"{path}: {case.name}", error)) from error
    return summaries


def _invalid_call_text(where: str, error: InvalidRequestError) -> str:
    listed = "; ".join(f"{violation.field} {violation.description}" for violation in error.failure.violations)
    return f"{where}: is not a possible call: {listed}"


def _actual_text(summary: RouteSummary, name: str) -> str:
    if summary.refused and name != "refused":
        return f"but refused: {summary.refused}"
    return f"not {_plain(getattr(summary, name))}"


def _test_row(case: Case, summary: RouteSummary, mismatches: Sequence[str]) -> Mapping[str, object]:
    return {"name": case.name, "passed": not mismatches, "expected": case.expected, "actual": _members(summary)}


def _difference_row(difference: Difference) -> Mapping[str, object]:
    return {
        "case": difference.case,
        "members": difference.members,
        "before": _members(difference.before),
        "after": _members(difference.after),
    }


def _members(summary: RouteSummary) -> Mapping[str, object]:
    return {name: value for name, value in dataclasses.asdict(summary).items() if value}


def _plain(value: object) -> str:
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    return text or "nothing"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True)


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _format_explanation(answer: diagnostics_pb2.ExplainRouteResponse) -> str:
    """Return an explanation as labelled lines."""
    lines, previous = [], ""
    for label, text in _rows(answer):
        shown = "" if label == previous else label
        lines.append(f"{shown:{_LABEL_CHARACTERS}}{text}")
        previous = label
    return "\n".join(lines)


def _format_summary(summary: RouteSummary) -> str:
    """Return a summary as one line."""
    if summary.refused:
        return f"refused: {summary.refused}"
    parts = {
        "tenant": f"{summary.tenant} at {summary.host}",
        "entity": _with_id(summary.entity, summary.entity_id),
        "orgs": _with_id(", ".join(summary.orgs), ", ".join(summary.org_ids)),
        "gateway": _with_id(summary.gateway, summary.gateway_sent),
    }
    return f"rule {summary.rule}: " + "; ".join(f"{name} {text}" for name, text in parts.items() if text)


def _rows(answer: diagnostics_pb2.ExplainRouteResponse) -> Iterator[tuple[str, str]]:
    yield "rule", answer.matched_rule or "none matches"
    if answer.HasField("route_taken"):
        yield "route", _format_route(answer.route_taken)
    yield from (("headers", f"{name}: {value}") for name, value in sorted(answer.headers.items()))
    if answer.gateway_sent:
        yield "gateway", f"sent as {answer.gateway_sent}"
    if answer.HasField("refusal"):
        yield "refused", _format_refusal(answer.refusal)
    yield from (
        ("not matched", f"{rule.rule}: {rule.condition} must be {rule.expected}, but is {rule.actual}")
        for rule in answer.rejected_rules
    )
    yield "policy", answer.policy_hash


def _format_route(route: routing_pb2.RouteTaken) -> str:
    parts = {"tenant": f"{route.tenant} at {route.host}", "entity": route.entity, "orgs": ", ".join(route.orgs)}
    return "; ".join(f"{name} {text}" for name, text in (parts | {"gateway": route.gateway}).items() if text)


def _format_refusal(refusal: diagnostics_pb2.RouteRefusal) -> str:
    reason = error_reason_pb2.ErrorReason.Name(refusal.error_reason).removeprefix("ERROR_REASON_")
    metadata: Mapping[str, str] = refusal.metadata
    facts = [f"{name}: {value}" for name, value in sorted(metadata.items())]
    facts += [f"field: {field}" for field in refusal.field_paths]
    return f"{reason} ({'; '.join(facts)})" if facts else reason


def _with_id(name: str, sent: str) -> str:
    return f"{name} ({sent})" if sent else name
