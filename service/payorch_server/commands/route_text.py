"""Explanations in words for people."""

from collections.abc import Iterator, Mapping
from typing import Final

from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import error_reason_pb2, routing_pb2

from payorch_server.routing.explain import RouteSummary

_LABEL_CHARACTERS: Final = 12


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
