"""What `payorch-server routes` does; each command returns its exit status: 0 well, 1 something was found."""

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
from payorch_server.routing.explain import Difference, RouteSummary, differences, summary_of
from payorch_server.routing.lint import lint as findings_in
from payorch_server.rpc.diagnostics import encode_explanation

_LABEL_CHARACTERS: Final = 12


def explain(*, config: Sequence[Path], request: Path, caller: str, as_json: bool) -> int:
    """Print what would become of a call; a refusal is an answer like any other.

    Raises:
        ConfigError: The configuration cannot be used.
        CaseError: The request cannot.
    """
    policy, asked = FilePolicy(load_document(*config)), read_request(request)
    try:
        explanation = policy.explain(asked, caller=caller)
    except InvalidRequestError as error:
        raise CaseError(_broken(str(request), error)) from error
    answer = encode_explanation(explanation)
    print(_json(json_format.MessageToDict(answer)) if as_json else told_explanation(answer))
    return 0


def test(*, config: Sequence[Path], cases: Path, as_json: bool) -> int:
    """Print which cases end otherwise than expected.

    Raises:
        ConfigError: The configuration, or the file of cases as YAML, cannot be used.
        CaseError: A case cannot.
    """
    listed = read_cases(cases)
    endings = _endings(FilePolicy(load_document(*config)), cases, listed)
    failed = {case.name: surprises for case in listed if (surprises := case.surprises(endings[case.name]))}
    if as_json:
        rows = [_tested(case, endings[case.name], failed.get(case.name, ())) for case in listed]
        print(_json({"cases": rows, "failed": len(failed)}))
    else:
        for case in listed:
            print(f"{'FAILED' if case.name in failed else 'passed'}  {case.name}")
            for name in failed.get(case.name, ()):
                print(f"        {name}: expected {_plain(case.expected[name])}, {_instead(endings[case.name], name)}")
        print(f"{len(listed)} cases, {len(failed)} failed")
    return int(bool(failed))


def lint(*, config: Sequence[Path], as_json: bool) -> int:
    """Print rules that never decide and places that no call reaches.

    Raises:
        ConfigError: The configuration cannot be used.
    """
    document = load_document(*config)
    findings = findings_in(document.routing, document.tenants)
    if as_json:
        print(_json({"findings": [dataclasses.asdict(one) for one in findings]}))
    else:
        _print_lines(f"{one.kind}  {one.subject}: {one.text}" for one in findings)
        print(f"{len(document.routing)} rules, {len(findings)} findings")
    return int(bool(findings))


def diff(*, old: Sequence[Path], new: Sequence[Path], cases: Path, as_json: bool) -> int:
    """Print which cases end otherwise under another configuration.

    Raises:
        ConfigError: A configuration, or the file of cases as YAML, cannot be used.
        CaseError: A case cannot.
    """
    listed = read_cases(cases)
    before, after = (_endings(FilePolicy(load_document(*files)), cases, listed) for files in (old, new))
    found = differences(before, after)
    if as_json:
        print(_json({"differences": [_differing(one) for one in found]}))
    else:
        for one in found:
            print(f"{one.case}\n  before  {told_ending(one.before)}\n  after   {told_ending(one.after)}")
        print(f"{len(listed)} cases, {len(found)} differ")
    return int(bool(found))


def _endings(policy: FilePolicy, path: Path, cases: Sequence[Case]) -> Mapping[str, RouteSummary]:
    endings: dict[str, RouteSummary] = {}
    for case in cases:
        try:
            endings[case.name] = summary_of(policy.explain(case.request))
        except InvalidRequestError as error:
            raise CaseError(_broken(f"{path}: {case.name}", error)) from error
    return endings


def _broken(where: str, error: InvalidRequestError) -> str:
    listed = "; ".join(f"{one.field} {one.description}" for one in error.failure.violations)
    return f"{where}: no such call can be: {listed}"


def _instead(ending: RouteSummary, name: str) -> str:
    if ending.refused and name != "refused":
        return f"but refused: {ending.refused}"
    return f"not {_plain(getattr(ending, name))}"


def _tested(case: Case, ending: RouteSummary, surprises: Sequence[str]) -> Mapping[str, object]:
    return {"name": case.name, "passed": not surprises, "expected": case.expected, "ended": _members(ending)}


def _differing(one: Difference) -> Mapping[str, object]:
    return {"case": one.case, "members": one.members, "before": _members(one.before), "after": _members(one.after)}


def _members(ending: RouteSummary) -> Mapping[str, object]:
    return {name: value for name, value in dataclasses.asdict(ending).items() if value}


def _plain(value: object) -> str:
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    return text or "nothing"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True)


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def told_explanation(answer: diagnostics_pb2.ExplainRouteResponse) -> str:
    """Return an explanation as lines with a label each."""
    lines, before = [], ""
    for label, text in _rows(answer):
        shown = "" if label == before else label
        lines.append(f"{shown:{_LABEL_CHARACTERS}}{text}")
        before = label
    return "\n".join(lines)


def told_ending(ending: RouteSummary) -> str:
    """Return an ending as one line."""
    if ending.refused:
        return f"refused: {ending.refused}"
    parts = {
        "tenant": f"{ending.tenant} at {ending.host}",
        "entity": _named(ending.entity, ending.entity_id),
        "orgs": _named(", ".join(ending.orgs), ", ".join(ending.org_ids)),
        "gateway": _named(ending.gateway, ending.gateway_sent),
    }
    return f"rule {ending.rule}: " + "; ".join(f"{name} {text}" for name, text in parts.items() if text)


def _rows(answer: diagnostics_pb2.ExplainRouteResponse) -> Iterator[tuple[str, str]]:
    yield "rule", answer.matched_rule or "none matches"
    if answer.HasField("route_taken"):
        yield "route", _told_route(answer.route_taken)
    yield from (("headers", f"{name}: {value}") for name, value in sorted(answer.headers.items()))
    if answer.gateway_sent:
        yield "gateway", f"sent as {answer.gateway_sent}"
    if answer.HasField("refusal"):
        yield "refused", _told_refusal(answer.refusal)
    yield from (
        ("not matched", f"{one.rule}: {one.condition} must be {one.expected}, and is {one.actual}")
        for one in answer.rejected_rules
    )
    yield "policy", answer.policy_hash


def _told_route(route: routing_pb2.RouteTaken) -> str:
    parts = {"tenant": f"{route.tenant} at {route.host}", "entity": route.entity, "orgs": ", ".join(route.orgs)}
    return "; ".join(f"{name} {text}" for name, text in (parts | {"gateway": route.gateway}).items() if text)


def _told_refusal(refusal: diagnostics_pb2.RouteRefusal) -> str:
    reason = error_reason_pb2.ErrorReason.Name(refusal.error_reason).removeprefix("ERROR_REASON_")
    metadata: Mapping[str, str] = refusal.metadata
    told = [f"{name}: {value}" for name, value in sorted(metadata.items())]
    told += [f"field: {field}" for field in refusal.field_paths]
    return f"{reason} ({'; '.join(told)})" if told else reason


def _named(name: str, sent: str) -> str:
    return f"{name} ({sent})" if sent else name
