"""Every alert fires when it must, is silent when it must, and tells a person what to do."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.chart_queries import dashboard_queries, interpolated
from payorch_server.model.outcome import Reason

from alerts.rules import ROOT, TESTS, alerts, promtool, recorded, rule_files, rules

pytestmark = pytest.mark.timeout(60)
ALERTS = alerts()
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
SLO = (ROOT / "docs" / "slo.md").read_text(encoding="utf-8")
every_alert = pytest.mark.parametrize("name", ALERTS)


def expectations(name: str) -> list[list[Any]]:
    """Return what the test of an alert expects to fire, at each of its moments."""
    document = yaml.safe_load((TESTS / f"{name}.yaml").read_text(encoding="utf-8"))
    return [moment["exp_alerts"] for group in document["tests"] for moment in group.get("alert_rule_test", ())]


def with_expression(name: str, expression: str, folder: Path) -> Path:
    """Copy the test of an alert and its rules, with another expression in place of the alert's; return the copy."""
    document = yaml.safe_load((TESTS / f"{name}.yaml").read_text(encoding="utf-8"))
    source = (TESTS / document["rule_files"][0]).resolve()
    content = yaml.safe_load(source.read_text(encoding="utf-8"))
    for group in content["groups"]:
        for rule in group["rules"]:
            if rule.get("alert") == name:
                rule["expr"] = expression
                rule.pop("for", None)
    (folder / "rules.yaml").write_text(yaml.safe_dump(content))
    copy = folder / "test.yaml"
    copy.write_text(yaml.safe_dump(document | {"rule_files": ["rules.yaml"]}))
    return copy


def test_rules_are_rules() -> None:
    """Prometheus would load them."""
    done = promtool("check", "rules", *map(str, rule_files()))

    assert done.returncode == 0, done.stdout + done.stderr


def test_queries_of_dashboards_are_queries(tmp_path: Path) -> None:
    """With what Grafana puts in for its variables, Prometheus can read each of them."""
    queries = [interpolated(query.expression) for query in dashboard_queries()]
    group = {"name": "dashboards", "rules": [{"record": f"n{n}", "expr": query} for n, query in enumerate(queries)]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [group]}))

    done = promtool("check", "rules", str(tmp_path / "rules.yaml"))

    assert len(queries) > 50
    assert done.returncode == 0, done.stdout + done.stderr


@every_alert
class TestAlerts:
    """Each is one promise to whoever is on call."""

    def test_fires_and_stays_silent(self, name: str) -> None:
        """With the labels and the text that its test shows."""
        done = promtool("test", "rules", str(TESTS / f"{name}.yaml"))

        assert done.returncode == 0, done.stdout + done.stderr

    def test_is_tested_both_ways(self, name: str) -> None:
        """A test that expects only one of them says little."""
        expected = expectations(name)

        assert {True, False} == {bool(alerts_then) for alerts_then in expected}

    @pytest.mark.parametrize(
        ("expression", "reason"), [("vector(1)", "fires always"), ("vector(1) > 2", "fires never")]
    )
    def test_is_tested_by_a_test_that_can_fail(self, name: str, expression: str, reason: str, tmp_path: Path) -> None:
        """An alert that always fires is noticed, and so is one that never does."""
        done = promtool("test", "rules", str(with_expression(name, expression, tmp_path)))

        assert (done.returncode != 0, "FAILED" in done.stdout + done.stderr) == (True, True), reason

    def test_says_how_urgent_it_is_and_where_to_read_on(self, name: str) -> None:
        """The link leads to its own section."""
        for rule in ALERTS[name]:
            annotations = rule["annotations"]

            assert rule["labels"]["severity"] in {"ticket", "page", "critical"}
            assert set(annotations) == {"summary", "description", "runbook_url"}
            assert annotations["runbook_url"] == f"docs/runbooks.md#{name.lower()}"
            assert re.fullmatch(r"[A-Z].+\.", annotations["summary"])

    def test_has_a_runbook(self, name: str) -> None:
        """In four parts."""
        section = re.search(rf"^### {name}\n\n((?:[- ] .+\n)+)", RUNBOOKS, re.MULTILINE)

        assert section, f"no section {name} in docs/runbooks.md"
        assert re.findall(r"^- ([\w' ]+):", section[1], re.MULTILINE) == ["Money", "First look", "Do", "Don't"]


def test_runbooks_and_tests_are_of_alerts_that_exist() -> None:
    """Nothing is left over of those that were removed."""
    assert sorted(re.findall(r"^### (.+)$", RUNBOOKS, re.MULTILINE)) == sorted(ALERTS)
    assert sorted(path.stem for path in TESTS.glob("*.yaml")) == sorted(ALERTS)


def faults() -> dict[str, set[str]]:
    """Return the reasons by whose fault they are, as docs/slo.md says."""
    table = SLO.partition("## Whose fault")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|`]+) \| (`.+`) \|$", table, re.MULTILINE)
    return {whose: set(re.findall(r"`(\w+)`", reasons)) for whose, reasons in rows}


class TestObjectives:
    """docs/slo.md says what the rules do."""

    def test_every_reason_is_somebodys_fault(self) -> None:
        """And of one only."""
        named = [reason for reasons in faults().values() for reason in reasons]

        assert sorted(named) == sorted(reason.name for reason in Reason)

    def test_the_rule_counts_the_faults_of_the_service_and_of_zuora(self) -> None:
        """And no other."""
        counted = re.search(r'reason=~"([A-Z_|]+)"', recorded()["payorch:calls_faulty:rate5m"])
        ours = [reasons for whose, reasons in faults().items() if whose.startswith(("the service", "Zuora"))]

        assert counted
        assert len(ours) == 2
        assert set(counted[1].split("|")) == ours[0] | ours[1]

    def test_the_windows_are_those_of_the_page(self) -> None:
        """Factor, windows and severity of every pair."""
        rows = re.findall(r"^\| ([\d.]+) \| (\w+ \w+) \| (\w+ \w+) \| \d+ % \| (\w+) \|$", SLO, re.MULTILINE)
        page = {(factor, _duration(long), _duration(short), severity) for factor, long, short, severity in rows}

        for name in ("PayorchAvailabilityBudgetBurns", "PayorchLatencyBudgetBurns"):
            found = set()
            for rule in ALERTS[name]:
                (long, factor), (short, again) = re.findall(r"ratio_rate(\w+) > ([\d.]+) \*", rule["expr"])
                assert (factor, rule["labels"]["window"]) == (again, long)
                found.add((factor, long, short, rule["labels"]["severity"]))
            assert page == found

    def test_the_limits_are_those_of_the_page(self) -> None:
        """For every RPC that the page names."""
        page = dict(re.findall(r"^\| Latency of `(\w+)` \| 99 % within ([\d.]+) s", SLO, re.MULTILINE))
        rule = recorded()["payorch:rpcs_in_time:rate5m"]

        found = {
            rpc: limit
            for rpcs, limit in re.findall(r'\.\*/\(?([\w|]+)\)?",le="([\d.]+)"', rule)
            for rpc in rpcs.split("|")
        }
        assert {rpc: float(limit) for rpc, limit in page.items()} == {rpc: float(limit) for rpc, limit in found.items()}


def _duration(text: str) -> str:
    number, unit = text.split()
    return number + unit[0]


def test_no_rule_is_there_twice() -> None:
    """The later one would win, silently."""
    keys = [(rule.get("record") or rule["alert"], str(rule.get("labels"))) for rule in rules()]

    assert len(keys) == len(set(keys))
