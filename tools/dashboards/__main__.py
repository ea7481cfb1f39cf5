"""Writes the Grafana dashboards of the chart, from the pages beside this file; the gate that finds drift.

python tools/dashboards          write helm/payorch/dashboards/*.json
python tools/dashboards --check  fail if a file differs
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hub import HUB
from overview import OVERVIEW
from panel import Page, Panel, Row
from tenant import TENANT
from tokens_and_quota import TOKENS_AND_QUOTA
from unknown_outcomes import UNKNOWN_OUTCOMES

PAGES: Final = (OVERVIEW, TENANT, TOKENS_AND_QUOTA, UNKNOWN_OUTCOMES, HUB)
FOLDER: Final = Path(__file__).resolve().parents[2] / "helm" / "payorch" / "dashboards"
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS: Final = 24
# JOB and TENANT in a query stand for what the variables select.
_SELECTED: Final = {"JOB": 'job=~"$job"', "TENANT": 'job=~"$job", tenant=~"$tenant"'}


def dashboard(page: Page) -> dict[str, Any]:
    """Return what Grafana reads."""
    return {
        "uid": f"payorch-{page.name}",
        "title": f"payorch: {page.title}",
        "description": page.description,
        "tags": ["payorch"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "links": [
            {"type": "dashboards", "title": "payorch", "tags": ["payorch"], "keepTime": True, "includeVars": True}
        ],
        "templating": {"list": list(_variables(page))},
        "panels": list(_laid_out(page)),
    }


def _variables(page: Page) -> Iterator[dict[str, Any]]:
    yield {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    yield _variable("job", "Job", f"label_values({page.jobs_of}, job)")
    if page.by_tenant:
        yield _variable("tenant", "Tenant", 'label_values(payorch_tenant_ready{job=~"$job"}, tenant)')


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _laid_out(page: Page) -> Iterator[dict[str, Any]]:
    """Yield the panels from left to right, row by row."""
    x = y = height = 0
    for number, item in enumerate(page.items, 1):
        wide = _COLUMNS if isinstance(item, Row) else item.width
        if x + wide > _COLUMNS:
            x, y, height = 0, y + height, 0
        tall = 1 if isinstance(item, Row) else item.height
        place = {"x": x, "y": y, "w": wide, "h": tall}
        yield {"id": number, "gridPos": place, **(_row(item) if isinstance(item, Row) else _panel(item))}
        x, height = x + wide, max(height, tall)


def _row(row: Row) -> dict[str, Any]:
    return {"type": "row", "title": row.title, "collapsed": False, "panels": []}


def _panel(panel: Panel) -> dict[str, Any]:
    common = {"type": panel.kind, "title": panel.title, "description": panel.description}
    if panel.kind == "text":
        return common | {"options": {"mode": "markdown", "content": panel.text}}
    if panel.kind == "alertlist":
        chosen = {"firing": True, "pending": True, "noData": False, "normal": False, "error": True}
        return common | {"options": {"alertName": "Payorch", "stateFilter": chosen, "viewMode": "list"}}
    return common | {
        "datasource": _SOURCE,
        "targets": [_target(number, query, legend, panel) for number, (query, legend) in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
    }


def _target(number: int, query: str, legend: str, panel: Panel) -> dict[str, Any]:
    for word, selection in _SELECTED.items():
        query = query.replace(word, selection)
    once = panel.kind in {"stat", "table"}
    return {
        "refId": chr(ord("A") + number),
        "datasource": _SOURCE,
        "expr": query,
        "legendFormat": legend,
        "instant": once,
        "range": not once,
        "format": "table" if panel.kind == "table" else "time_series",
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": panel.base, "value": None}]
    steps += [{"color": color, "value": value} for value, color in panel.thresholds]
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "min": panel.least,
        "thresholds": {"mode": "absolute", "steps": steps},
        "noValue": panel.nothing,
    }
    if panel.kind == "timeseries":
        style = "area" if panel.thresholds else "off"
        stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
        fill = 30 if panel.stacked else 5
        defaults["custom"] = {"thresholdsStyle": {"mode": style}, "stacking": stacking, "fillOpacity": fill}
    return defaults


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        return {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background", "graphMode": "none"}
    if panel.kind == "table":
        return {"showHeader": True}
    return {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def main() -> None:
    """Write or compare."""
    fresh = {f"{page.name}.json": json.dumps(dashboard(page), indent=2) + "\n" for page in PAGES}
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    if "--check" in sys.argv[1:]:
        if fresh != there:
            sys.exit("The dashboards in helm/payorch/dashboards differ from tools/dashboards; run `make generate`.")
        return
    FOLDER.mkdir(exist_ok=True)
    for name in there.keys() - fresh.keys():
        (FOLDER / name).unlink()
    for name, text in fresh.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
