"""Dashboards and alert rules ask for metrics and labels that exist, and can be read."""

import inspect
import json
import re
from itertools import combinations
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from grafana_foundation_sdk.models import units
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
from payorch_server.calls.recording import log_fields
from payorch_server.telemetry.instruments import BUCKETS_S
from payorch_server.telemetry.span_allowlist import ATTRIBUTES
from payorch_server.upc.observation import _facts

QUERIES = [*(query for _, query in rule_queries()), *dashboard_queries()]
KNOWN = known_series()
RUNBOOKS = (CHART.parents[1] / "docs" / "runbooks.md").read_text(encoding="utf-8")
UNITS = {value for name, value in vars(units).items() if name[0] != "_"}
"""All that Grafana knows."""
LOGGED = {name for function in (log_fields, _facts) for name in re.findall(r'"(\w+)":', inspect.getsource(function))}
"""Fields of the lines of ended calls, of the service and of the hub."""
CHOSEN = {"cluster", "namespace", "job"}
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
                assert defaults["unit"] in UNITS
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
            for label in CHOSEN:
                variable = jobs_of(title) if label == "job" else label
                by_label = {
                    one.series for one in query.terms.matchers if (one.label, one.value) == (label, f"${variable}")
                }
                assert query.terms.series == by_label, query.where

    def test_offer_what_is_there(self, title: str) -> None:
        """Each choice is among what the earlier ones left; all clusters stand for none as well."""
        variables = {one["name"]: one for one in dashboards()[title]["templating"]["list"]}
        choices = [one for one in variables.values() if one["type"] == "query"]

        assert {"cluster", "namespace", jobs_of(title)} <= set(variables)
        for number, one in enumerate(choices):
            terms = terms_of(one["query"]["query"].removeprefix("label_values(").rpartition(",")[0])
            assert [matcher.value for matcher in terms.matchers] == [
                f"${earlier['name']}" for earlier in choices[:number]
            ]
            label = "job" if one["name"] == jobs_of(title) else one["name"]
            assert label in KNOWN[next(iter(terms.series))]
            assert (one["multi"], one["includeAll"], one["current"]["value"]) == (True, True, "$__all")
            # What all jobs expose, such as process_*, is asked for of these jobs only.
            assert one.get("allValue") == (None if label == "job" else ".*")

    def test_mark_versions_starts_and_deployments(self, title: str) -> None:
        """On every panel with an axis of time."""
        names = [marks["name"] for marks in dashboards()[title]["annotations"]["list"] if marks["enable"]]

        assert names == ["Versions", "Starts", "Deployments"]


def jobs_of(title: str) -> str:
    """Return the name of a page's variable of jobs."""
    (name,) = (one["name"] for one in dashboards()[title]["templating"]["list"] if one.get("label") == "Job")
    assert isinstance(name, str)
    return name


def test_links_between_pages_carry_no_job_to_a_page_that_has_other_jobs() -> None:
    """A page would be empty: Grafana carries choices over by the names of variables."""
    metrics: dict[str, set[str]] = {}
    for title, page in dashboards().items():
        (variable,) = (one for one in page["templating"]["list"] if one["name"] == jobs_of(title))
        metrics.setdefault(variable["name"], set()).update(terms_of(variable["query"]["query"]).series & set(KNOWN))

    assert {name: len(found) for name, found in metrics.items()} == dict.fromkeys(metrics, 1)


def linked() -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Return every link of a panel into Explore: title, panel and pane, with a value for each variable."""
    found = []
    for page in dashboards().values():
        variables = {one["name"] for one in page["templating"]["list"]} | {"__from", "__to"}
        for panel in panels(page):
            labels = set(re.findall(r"{{(\w+)}}", str([target["legendFormat"] for target in panel.get("targets", ())])))
            for link in panel.get("fieldConfig", {}).get("defaults", {}).get("links", ()):
                known = variables | {f"__field.labels.{label}" for label in labels}
                names = {name.partition(":")[0] for name in re.findall(r"\$\{([^}]+)\}", link["url"])}
                assert names <= known, (panel["title"], names - known)
                address = urlsplit(re.sub(r"\$\{([^}]+)\}", r"\1", link["url"]))
                assert address.path == "/explore"
                found.append((link["title"], panel, json.loads(parse_qs(address.query)["panes"][0])["a"]))
    return found


class TestLinks:
    """From a series to its calls, in the data sources of the page."""

    def test_lead_to_the_log_lines_of_the_container_that_writes_them(self) -> None:
        """By fields that they have; the names of the others are those of the chart."""
        templates = "".join(path.read_text() for path in (CHART / "templates").rglob("deployment.yaml"))
        queries = [pane["queries"][0] for title, _, pane in linked() if title == "Logs"]
        fields = {field for query in queries for field in re.findall(r'\| (\w+)="', query["expr"])}

        assert len(queries) > 10
        assert {query["datasource"]["uid"] for query in queries} == {"logs"}
        for container in {re.findall(r'container="(\w+)"', query["expr"])[0] for query in queries}:
            assert f'"container" "{container}"' in templates
        assert fields - {"event"} <= LOGGED

    def test_lead_to_spans_by_attributes_that_they_have(self) -> None:
        """A trace that is looked for by another attribute is not found."""
        queries = [pane["queries"][0] for title, _, pane in linked() if title == "Traces"]
        attributes = {name for query in queries for name in re.findall(r"span\.([\w.]+) =", query["query"])}

        assert len(queries) > 10
        assert {query["datasource"]["uid"] for query in queries} == {"traces"}
        assert "error.type" in attributes
        assert attributes <= ATTRIBUTES.keys()

    def test_are_on_every_panel_of_calls_and_their_times(self) -> None:
        """Those of gauges count no calls."""
        with_links = {panel["title"] for _, panel, _ in linked()}
        wanted = {
            panel["title"]
            for page in dashboards().values()
            for panel in panels(page)
            if panel["type"] == "timeseries"
            and re.search(r"payorch_(calls|executions)_total|_(call|request)_duration", panel["targets"][0]["expr"])
        }

        assert wanted <= with_links

    def test_of_exemplars_are_asked_for_where_there_are_any(self) -> None:
        """Histograms have them, and nothing else does."""
        for page in dashboards().values():
            for panel in panels(page):
                for target in panel.get("targets", ()) if panel["type"] == "timeseries" else ():
                    assert target["exemplar"] == ("_bucket{" in target["expr"]), panel["title"]


def test_rules_keep_clusters_apart() -> None:
    """A Prometheus that has several records and alerts for each."""
    for _, query in rule_queries():
        if "namespace" in query.terms.grouped:
            assert query.expression.count("(namespace") == 0, query.where


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
