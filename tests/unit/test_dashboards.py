"""Dashboards and alert rules ask for metrics and labels that exist, and can be read."""

import re
from itertools import combinations
from typing import Any

import pytest
from harness.chart_queries import (
    CHART,
    Query,
    dashboard_queries,
    dashboards,
    known_series,
    panels,
    rule_queries,
    terms_of,
)
from metric_names import VALUES
from payorch_server.telemetry.instruments import BUCKETS_S

QUERIES = [*(query for _, query in rule_queries()), *dashboard_queries()]
KNOWN = known_series()
RUNBOOKS = (CHART.parents[1] / "docs" / "runbooks.md").read_text(encoding="utf-8")
every_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.where)
every_dashboard = pytest.mark.parametrize("title", dashboards())


@every_query
class TestQueries:
    """A query for what does not exist finds nothing and looks like peace."""

    def test_ask_for_series_that_exist(self, query: Query) -> None:
        """Of the service, of a recording rule or of Prometheus itself."""
        assert set() == query.terms.series - set(KNOWN)
        assert query.terms.series

    def test_select_by_labels_that_exist(self, query: Query) -> None:
        """On that very series."""
        assert [] == [one for one in query.terms.matchers if one.label not in KNOWN[one.series]]

    def test_group_by_labels_that_exist(self, query: Query) -> None:
        """On one of its series at least."""
        labels = frozenset[str]().union(*(KNOWN[name] for name in query.terms.series))

        assert set() == query.terms.grouped - labels

    def test_have_legends_of_labels_that_are_left(self, query: Query) -> None:
        """Grouping takes all others away."""
        recorded = [KNOWN[name] for name in query.terms.series if ":" in name]

        assert set() == set(re.findall(r"{{(\w+)}}", query.legend)) - query.terms.grouped.union(*recorded)

    def test_compare_with_values_that_exist(self, query: Query) -> None:
        """Where a label's values are fixed: outcomes, reasons, bounds of buckets and the like."""
        for one in query.terms.matchers:
            known = VALUES.get(one.series, {}).get(one.label)
            if one.label == "le":
                known = frozenset(map(str, BUCKETS_S))
            if known is not None:
                assert set() == set(one.value.split("|")) - known


class TestTakingApart:
    """The tests above see every name of a query."""

    def test_finds_series_labels_and_groups(self) -> None:
        """In all places where a query can name one."""
        found = terms_of(
            'sum by (a, b) (rate(first_total{x="}y{", z=~"p|q"}[5m] offset 1h))'
            " / on (c) group_left () second > 2 * third:x"
        )

        assert found.series == {"first_total", "second", "third:x"}
        assert [(one.label, one.operator, one.value) for one in found.matchers] == [
            ("x", "=", "}y{"),
            ("z", "=~", "p|q"),
        ]
        assert found.grouped == {"a", "b", "c"}

    @pytest.mark.parametrize(
        ("expression", "reason"),
        [
            ("sum(payorch_call_total)", "a misspelt metric"),
            ("payorch_calls_seconds_total", "a suffix that it does not have"),
            ("payorch:call:rate5m", "a series that no rule records"),
        ],
    )
    def test_would_find_a_mistake(self, expression: str, reason: str) -> None:
        """The gate can fail."""
        assert terms_of(expression).series - set(KNOWN), reason


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    across = one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]
    return across and one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"]


@every_dashboard
class TestDashboards:
    """What a person looks at under pressure."""

    def test_explain_every_panel(self, title: str) -> None:
        """In a sentence, with a unit and with colours."""
        for panel in panels(dashboards()[title]):
            assert re.fullmatch(r"[A-Z0-9].+\.", panel["description"]), panel["title"]
            if "targets" in panel:
                defaults = panel["fieldConfig"]["defaults"]
                assert defaults["unit"] in {"reqps", "short", "s", "percentunit"}
                assert defaults["thresholds"]["steps"][0]["value"] is None

    def test_lay_panels_beside_each_other(self, title: str) -> None:
        """None covers another, none reaches over the edge, and none has another's title."""
        places = [panel["gridPos"] for panel in dashboards()[title]["panels"]]
        titles = [panel["title"] for panel in dashboards()[title]["panels"]]

        assert [] == [pair for pair in combinations(places, 2) if _overlap(*pair)]
        assert all(place["x"] + place["w"] <= 24 for place in places)
        assert len(titles) == len(set(titles))

    def test_select_by_their_variables(self, title: str) -> None:
        """Every query of the service's own series follows the choice of the page."""
        queries = [query for query in dashboard_queries() if query.where.startswith(f"{title}, ")]

        for query in queries:
            chosen = {one.series for one in query.terms.matchers if one.value == "$job"}
            assert query.terms.series == chosen, query.where


def test_runbooks_name_panels_that_exist() -> None:
    """On the dashboard that they name."""
    titles = {name: {panel["title"] for panel in panels(page)} for name, page in dashboards().items()}
    text = re.sub(r"\s+", " ", RUNBOOKS)
    named = re.findall(r'[Dd]ashboard ([A-Z][a-z]+(?: [a-z]+){0,2}), ((?:panels )?"[^.;]+)', text)

    missing = [
        (page, title) for page, rest in named for title in re.findall(r'"([^"]+)"', rest) if title not in titles[page]
    ]
    assert len(named) > 12
    assert [] == missing
