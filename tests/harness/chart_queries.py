"""The queries of the chart's dashboards and rules, and the series and labels that a query names."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from metric_names import OF_THE_SCRAPE, SERIES

CHART: Final = Path(__file__).parents[2] / "helm" / "payorch"
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_GROUPING: Final = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTION: Final = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")
_MATCHER: Final = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*§(\d+)")
_NAME: Final = re.compile(r"(?<![\w:$.])([a-zA-Z_:][\w:]*)(?!\s*\()(?![\w:])")
_WORDS: Final = {"and", "or", "unless", "offset", "bool", "by", "without", "on", "ignoring", "inf", "nan"}


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label."""

    series: str
    label: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class QueryTerms:
    """What a query names."""

    series: frozenset[str]
    matchers: tuple[Matcher, ...]
    grouped: frozenset[str]
    """Labels by which it groups."""


def terms_of(expression: str) -> QueryTerms:
    """Take a query apart; Prometheus itself checks its grammar."""
    strings: list[str] = []

    def keep(found: re.Match[str]) -> str:
        strings.append(found[1])
        return f"§{len(strings) - 1}"

    rest = _STRING.sub(keep, expression)
    grouped = {label.strip() for inside in _GROUPING.findall(rest) for label in inside.split(",")}
    rest = _GROUPING.sub(" ", rest)
    matchers = [
        Matcher(series, label, operator, strings[int(number)])
        for series, inside in _SELECTION.findall(rest)
        for label, operator, number in _MATCHER.findall(inside)
    ]
    rest = re.sub(r"\[[^]]*\]", " ", _SELECTION.sub(r" \1 ", rest))
    return QueryTerms(frozenset(_NAME.findall(rest)) - _WORDS, tuple(matchers), frozenset(grouped - {""}))


@dataclass(frozen=True, slots=True)
class Query:
    """One query of the chart."""

    where: str
    expression: str
    legend: str = ""
    terms: QueryTerms = field(init=False)

    def __post_init__(self) -> None:
        """Take it apart once."""
        object.__setattr__(self, "terms", terms_of(self.expression))


def dashboards() -> dict[str, dict[str, Any]]:
    """Return the dashboards by their titles, without the project's name."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((CHART / "dashboards").glob("*.json"))]
    return {str(one["title"]).removeprefix("payorch: "): one for one in found}


def panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the panels without the headings."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def rule_queries() -> Iterator[tuple[dict[str, Any], Query]]:
    """Yield every alert rule and recording rule with its query."""
    for file in sorted((CHART / "alerts").glob("*.yaml")):
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                yield rule, Query(rule.get("alert") or rule["record"], rule["expr"])


def dashboard_queries() -> Iterator[Query]:
    """Yield every query of every panel, and of the marks on the panels."""
    for title, dashboard in dashboards().items():
        for marks in dashboard["annotations"]["list"]:
            if "expr" in marks:
                yield Query(f"{title}, {marks['name']}", marks["expr"], marks["titleFormat"])
        for panel in panels(dashboard):
            for target in panel.get("targets", ()):
                yield Query(f"{title}, {panel['title']}", target["expr"], target["legendFormat"])


def interpolated(expression: str, variables: Mapping[str, str] | None = None) -> str:
    """Return a query with what Grafana puts in for its variables, of the intervals and of those that are given."""
    known = {"__rate_interval": "5m", "__interval_ms": "60000", "__interval": "1m", **(variables or {})}
    return re.sub(r"\$(\w+)", lambda found: known.get(found[1], found[0]), expression)


def known_series() -> dict[str, frozenset[str]]:
    """Return what the service exposes and what rules record, each with its labels."""
    known = dict(SERIES) | {"up": frozenset[str]()}
    known = {name: labels | OF_THE_SCRAPE for name, labels in known.items()}
    rules = {rule["record"]: query.terms for rule, query in rule_queries() if "record" in rule}
    return known | {name: _labels_left(rules, name) for name in rules}


def _labels_left(rules: Mapping[str, QueryTerms], name: str) -> frozenset[str]:
    """Return by what a recorded series is grouped, itself or in what it is made of."""
    return rules[name].grouped.union(*(_labels_left(rules, one) for one in rules[name].series if one in rules))
