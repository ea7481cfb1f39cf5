"""`helm template ... | payorch-server check-config -`, before anything is installed."""

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from payorch_server.cli import main

from chart.rendering import CHART, HELMS, SCENARIOS, render_text, run

pytestmark = pytest.mark.timeout(60)
EVERY_HELM = pytest.mark.parametrize("helm", HELMS)
Check = Callable[[str], tuple[int, str, str]]
WRONG = {
    "config": {
        "grpc": {"default_deadline_s": 50, "max_deadline_s": 20},
        "routing": [
            {"name": "euro", "when": {"currency": ["euro"]}, "to": {"tenant": "default", "gateway": "zuora_default"}},
            {"name": "rest", "to": {"tenant": "default", "gateway": "zuora_default"}},
        ],
    }
}


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Return what checks a manifest: exit status, standard output and standard error."""

    def checked(manifest: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(manifest.encode())))
        status = main(["check-config", "-"])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return checked


class TestScenarios:
    @EVERY_HELM
    @pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
    def test_are_good_as_their_pods_see_them(self, scenario: Path, helm: str, check: Check) -> None:
        """Service and hub, with nothing but what Secrets and others hold left to check."""
        status, said, problems = check(render_text(scenario=scenario, helm=helm))

        assert (status, problems) == (0, "")
        results = [line for line in said.splitlines() if line.startswith("Deployment ")]
        has_hub = yaml.safe_load(scenario.read_text()).get("upc", {}).get("enabled", False)
        assert len(results) == 1 + has_hub
        assert all(": OK; " in line for line in results)
        assert "not checked: " in said

    def test_name_the_secrets_that_were_not_seen(self, check: Check) -> None:
        """In one line."""
        _, said, _ = check(render_text(scenario=CHART / "ci/production-values.yaml"))

        assert said.splitlines()[1] == (
            "  not checked: Secret payorch-production (otlp-headers, key-2026-11, key-2026-05, redis-password); "
            "ConfigMap collector-ca (ca.crt); Secret zuora-north (north); Secret zuora-south (south)"
        )


class TestProblems:
    @EVERY_HELM
    def test_have_file_line_and_key(self, check: Check, helm: str) -> None:
        """What the chart itself cannot see; the line is that of the mounted file."""
        manifest = render_text(WRONG, helm=helm)

        status, said, problems = check(manifest)

        first, *listed = problems.splitlines()
        assert (status, said) == (2, "")
        assert first == "Deployment default/pay-payorch, container payorch: 2 problems"
        config = next(each for each in yaml.safe_load_all(manifest) if each and each["kind"] == "ConfigMap")
        line = 1 + config["data"]["payorch.yaml"].splitlines().index("  default_deadline_s: 50")
        assert listed[0].startswith(f"  - payorch.yaml:{line}: grpc.default_deadline_s: must be at most grpc.max_")
        assert listed[1].startswith("  - policy.yaml:")
        assert "routing.0 (euro).when.currency: " in listed[1]

    def test_of_variables_name_the_variable(self, check: Check) -> None:
        """Those of the pod count, not those of this machine; what a Secret says is unknown, and no problem."""
        variables = [
            {"name": "PAYORCH_GRPC__MAX_CONNECTIONS", "value": "many"},
            {"name": "PAYORCH_STORE__URL", "valueFrom": {"secretKeyRef": {"name": "redis", "key": "url"}}},
        ]

        _, _, problems = check(render_text({"extraEnv": variables, "config": {"store": {"url": "redis"}}}))

        (problem,) = [line for line in problems.splitlines() if line.startswith("  - ")]
        assert problem.startswith("  - PAYORCH_GRPC__MAX_CONNECTIONS: grpc.max_connections: must be a whole number")
        assert "Secret redis (variables)" in problems

    def test_of_files_name_the_volume(self, check: Check) -> None:
        """A ConfigMap of the same manifest has another key than the configuration says."""
        authority = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "authority", "namespace": "default"},
            "data": {"ca.pem": "-"},
        }
        values = {
            "extraObjects": [authority],
            "extraVolumes": [{"name": "authority", "configMap": {"name": "authority"}}],
            "extraVolumeMounts": [{"name": "authority", "mountPath": "/etc/authority"}],
            "config": {"zuora_http": {"ca_file": "/etc/authority/ca.crt"}},
        }

        status, _, problems = check(render_text(values))

        assert status == 2
        assert "zuora_http.ca_file: the pod would have no /etc/authority/ca.crt: " in problems
        values["config"] = {"zuora_http": {"ca_file": "/etc/authority/ca.pem"}}
        assert check(render_text(values))[0] == 0

    def test_of_all_releases_are_reported(self, check: Check) -> None:
        """The good ones among them too."""
        hub = CHART / "ci/upc-values.yaml"
        wrong_hub: dict[str, Any] = {"upc": {"config": {"upc": {"gateways": {"amazon": {"hub": "mane"}}}}}}
        manifests = (render_text(WRONG, release="a"), render_text(release="b"), render_text(wrong_hub, scenario=hub))

        status, said, problems = check("".join(manifests))

        assert status == 2
        assert [line.partition(": ")[0] for line in said.splitlines() if ": OK; " in line] == [
            "Deployment default/b-payorch, container payorch",
            "Deployment default/pay-payorch, container payorch",
        ]
        assert [line.partition(": ")[0] for line in problems.splitlines() if line.startswith("Deployment ")] == [
            "Deployment default/a-payorch, container payorch",
            "Deployment default/pay-payorch-upc, container upc",
        ]
        assert "hub.yaml:" in problems

    @pytest.mark.parametrize(
        ("parts", "message"),
        [
            ((), "standard input: 1 problem\n  - is empty; pass all that `helm template "),
            (("service.yaml",), "no configuration of payorch is in its 2 objects; pass all that `helm template "),
            (("deployment.yaml",), "what ConfigMap pay-payorch holds is not in the manifest; pass all that `helm "),
        ],
    )
    def test_of_the_stream_name_the_fix(self, check: Check, parts: tuple[str, ...], message: str) -> None:
        """Half a manifest is not good because nothing is wrong in it."""
        options = [option for part in parts for option in ("--show-only", f"templates/{part}")]
        manifest = run("helm", "template", "pay", str(CHART), *options) if parts else ""

        status, said, problems = check(manifest)

        assert (status, said) == (2, "")
        assert message in problems


@EVERY_HELM
def test_finds_both_of_a_chart_that_depends_on_it_twice(helm: str, tmp_path: Path, check: Check) -> None:
    """By other names, labels and namespaces, and beside objects of the chart's own."""
    shutil.copytree(CHART, tmp_path / "charts/payorch")
    dependencies = [{"name": "payorch", "version": "*", "alias": alias} for alias in ("north", "south")]
    chart = {"apiVersion": "v2", "name": "shop", "version": "1.0.0", "dependencies": dependencies}
    (tmp_path / "Chart.yaml").write_text(json.dumps(chart))
    (tmp_path / "templates").mkdir()
    own = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "own"}, "data": {"policy.yaml": "a: b: c"}}
    (tmp_path / "templates/own.yaml").write_text(json.dumps(own))
    values = {
        "north": {"fullnameOverride": "till", "namespaceOverride": "pay", "commonLabels": {"team": "pay"}},
        "south": {"nameOverride": "gate", **WRONG},
    }

    manifest = run(helm, "template", "shop", str(tmp_path), "--values", "-", given=json.dumps(values))
    status, said, problems = check(manifest)

    assert status == 2
    assert said.startswith("Deployment pay/till, container payorch: OK; ")
    assert problems.startswith("Deployment default/shop-gate, container payorch: 2 problems\n")
