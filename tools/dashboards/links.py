"""Links from a series to the logs and traces of the calls that it counts, in Grafana's Explore."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from panel import Panel

_VARIABLE: Final = re.compile(r"(\$\{[^}]+\})")


@dataclass(frozen=True, slots=True)
class _Sources:
    """The log lines and spans of the calls that a metric counts, with the names that its labels have there."""

    container: str
    """That writes the log lines, as the chart names it."""
    service: str
    """service.name of the spans."""
    event: str
    """Of the log lines; empty: there are none."""
    fields: Mapping[str, str]
    """Fields of the log lines by the labels of the series."""
    attributes: Mapping[str, str]
    """Attributes of the spans by the labels of the series."""


_FIELDS: Final = {name: name for name in ("rpc", "tenant", "outcome", "reason", "rule")} | {
    "disposition": "intent",
    "rpc_response_status_code": "code",
}
_ATTRIBUTES: Final = {
    "tenant": "payorch.tenant",
    "reason": "error.type",
    "rule": "payorch.rule",
    "rpc_method": "rpc.method",
    "rpc_response_status_code": "rpc.response.status_code",
}
_ATTEMPT: Final = {"server_address": "server.address", "url_template": "url.template"}
_OF_HUB: Final = ("hub", "gateway", "operation", "answer", "situation")
_CALL: Final = _Sources("payorch", "payorch", "call", _FIELDS, _ATTRIBUTES)
_SOURCES: Final = {
    "payorch_calls_total": _CALL,
    "payorch_intents_total": _CALL,
    "payorch_route_decisions_total": _CALL,
    "rpc_server_call_duration_seconds": _CALL,
    "payorch_executions_total": _Sources("payorch", "payorch", "execution", _FIELDS, _ATTRIBUTES),
    "http_client_request_duration_seconds": _Sources("payorch", "payorch", "", {}, _ATTEMPT),
    "payorch_upc_call_duration_seconds": _Sources(
        "upc",
        "payorch-upc",
        "upc_call",
        dict(zip(_OF_HUB, _OF_HUB, strict=True)),
        {n: f"payorch.upc.{n}" for n in _OF_HUB},
    ),
}


def links_of(panel: Panel) -> Iterator[tuple[str, str]]:
    """Yield title and address of what the series of a panel lead to."""
    query, legend = panel.queries[0]
    sources = next((sources for metric, sources in _SOURCES.items() if metric in query), None)
    if sources is None or panel.kind != "timeseries":
        return
    labels = re.findall(r"{{(\w+)}}", legend)
    if sources.event:
        yield "Logs", _explore("loki", "${logs}", _log_query(sources, labels))
    yield "Traces", _explore("tempo", "${traces}", _trace_query(sources, labels))


def _log_query(sources: _Sources, labels: list[str]) -> dict[str, str]:
    # Loki refuses a selector whose every condition matches nothing as well; the container's does not.
    stream = f'{{namespace=~"${{namespace:regex}}", container="{sources.container}"}}'
    chosen = [f'{sources.fields[label]}="${{__field.labels.{label}}}"' for label in labels if label in sources.fields]
    return {"expr": " | ".join((stream, "json", f'event="{sources.event}"', *chosen)), "queryType": "range"}


def _trace_query(sources: _Sources, labels: list[str]) -> dict[str, str]:
    chosen = [
        f'span.{sources.attributes[label]} = "${{__field.labels.{label}}}"'
        for label in labels
        if label in sources.attributes
    ]
    service = f'resource.service.name = "{sources.service}"'
    return {"query": f"{{ {' && '.join((service, *chosen))} }}", "queryType": "traceql"}


def _explore(kind: str, source: str, query: Mapping[str, str]) -> str:
    """Return the address of a query in Explore; Grafana puts in what the variables stand for."""
    pane = {
        "datasource": source,
        "queries": [{"refId": "A", "datasource": {"type": kind, "uid": source}, **query}],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    parts = _VARIABLE.split(json.dumps({"a": pane}, separators=(",", ":")))
    panes = "".join(part if _VARIABLE.fullmatch(part) else quote(part, safe="") for part in parts)
    return f"/explore?schemaVersion=1&panes={panes}"
