"""The chart below another one, as platform teams carry a company's values: with `global`, a condition and an alias."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.rendering import CHART, HELMS, KUBERNETES, ChartError, conforms, of_kind, pod_of, render, render_text, run

pytestmark = pytest.mark.timeout(60)
EVERY_HELM = pytest.mark.parametrize("helm", HELMS)
MEMORY = {"accept_memory_store": True, "store": {"kind": "memory", "url": ""}, "intents": {"keys": []}}
Rendered = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def umbrella(tmp_path: Path) -> Rendered:
    """Return what renders a chart that depends on ours, with values of its own values.yaml."""

    def rendered(
        values: dict[str, Any], *, helm: str, alias: str = "", given: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        shutil.copytree(CHART, tmp_path / "charts/payorch", dirs_exist_ok=True)
        dependency = {"name": "payorch", "version": "*", "condition": f"{alias or 'payorch'}.enabled"}
        dependency |= {"alias": alias} if alias else {}
        chart = {"apiVersion": "v2", "name": "shop", "version": "1.0.0", "dependencies": [dependency]}
        (tmp_path / "Chart.yaml").write_text(json.dumps(chart))
        (tmp_path / "values.yaml").write_text(json.dumps(values))
        over = json.dumps(given or {})
        text = run(
            helm, "template", "pay", str(tmp_path), "--kube-version", KUBERNETES[-1], "--values", "-", given=over
        )
        conforms(text, KUBERNETES[-1])
        return [made for made in yaml.safe_load_all(text) if made]

    return rendered


@EVERY_HELM
class TestDependency:
    def test_gives_what_the_chart_gives(self, umbrella: Rendered, helm: str) -> None:
        """Without a value of its own, and with values for all charts that ours does not know."""
        shared = {"global": {"region": "eu", "storageClass": "fast"}}

        assert umbrella({}, helm=helm) == umbrella(shared, helm=helm) == render()

    def test_is_left_out_by_its_condition(self, umbrella: Rendered, helm: str) -> None:
        values = {"extra": {"a": 1}, "payorch": {"enabled": False}}

        assert umbrella(values, helm=helm) == []
        assert umbrella(values | {"payorch": {"enabled": True}}, helm=helm) == render()

    def test_is_named_by_its_alias(self, umbrella: Rendered, helm: str) -> None:
        """Selectors too, so that two of them in one release do not take each other's pods."""
        objects = umbrella({"north": {"replicas": 2}}, helm=helm, alias="north")

        assert {made["metadata"]["name"].removeprefix("pay-north") for made in objects} == {
            *("", "-headless", "-test-health")
        }
        (service, _) = of_kind(objects, "Service")
        assert service["spec"]["selector"]["app.kubernetes.io/name"] == "north"
        assert of_kind(objects, "Deployment")[0]["spec"]["replicas"] == 2

    def test_takes_registry_and_pull_secrets_of_all_charts(self, umbrella: Rendered, helm: str) -> None:
        values = {
            "global": {"imageRegistry": "registry.example", "imagePullSecrets": [{"name": "all"}]},
            "payorch": {"imagePullSecrets": [{"name": "all"}, {"name": "ours"}]},
        }

        pod = pod_of(umbrella(values, helm=helm))

        assert pod["containers"][0]["image"].startswith("registry.example/payorch:")
        assert pod["imagePullSecrets"] == [{"name": "all"}, {"name": "ours"}]

    def test_drops_a_default_that_is_null(self, umbrella: Rendered, helm: str) -> None:
        """In a file that is given; in the other chart's own values.yaml Helm 4.3 overlooks it."""
        values = {
            "payorch": {"resources": {"limits": None}, "tolerations": None, "config": MEMORY, "fleetSecret": None}
        }

        pod = pod_of(umbrella({}, helm=helm, given=values))

        assert set(pod["containers"][0]["resources"]) == {"requests"}
        assert {volume["name"] for volume in pod["volumes"]} == {"config", "client-secrets"}

    def test_refuses_a_misspelt_key(self, umbrella: Rendered, helm: str) -> None:
        with pytest.raises(ChartError, match=r"did you mean replicas\?"):
            umbrella({"payorch": {"replica": 2}}, helm=helm)


class TestNames:
    def test_follow_the_overrides(self) -> None:
        def names(**values: str) -> set[str]:
            return {made["metadata"]["name"] for made in of_kind(render(values), "Service")}

        assert names() == {"pay-payorch", "pay-payorch-headless"}
        assert names(nameOverride="gate") == {"pay-gate", "pay-gate-headless"}
        assert names(fullnameOverride="till", nameOverride="gate") == {"till", "till-headless"}

    def test_override_selects_what_it_names(self) -> None:
        (service, _) = of_kind(render({"nameOverride": "gate"}), "Service")

        assert service["spec"]["selector"]["app.kubernetes.io/name"] == "gate"

    def test_namespace_is_that_of_every_object(self) -> None:
        """Of the release by default."""
        everything = {
            "emulator": {"enabled": True},
            "dashboards": {"enabled": True},
            "alerts": {"enabled": True},
            "serviceMonitor": {"enabled": True},
            "upc": {
                "enabled": True,
                "declareFirstStart": True,
                "host": "hub.example",
                "ingress": {"enabled": True},
                "route": {"enabled": True, "parents": [{"name": "public"}]},
                "config": {"upc": {"hubs": {"main": {"tenants": ["1"], "credentials": []}}}},
            },
        }

        assert {made["metadata"]["namespace"] for made in render(everything)} == {"default"}
        moved = render(everything | {"namespaceOverride": "payments"})
        assert {made["metadata"]["namespace"] for made in moved} == {"payments"}
        assert {made["kind"] for made in moved} >= {"Job", "TLSRoute", "PrometheusRule", "NetworkPolicy", "Pod"}

    def test_are_short_enough_for_the_longest_release(self) -> None:
        """Names of Services and Jobs have 63 characters at most, and a release's 53."""
        values = {
            "serviceMonitor": {"enabled": True},
            "fullnameOverride": "n" * 47,
            "upc": {
                "enabled": True,
                "declareFirstStart": True,
                "config": {"upc": {"hubs": {"main": {"tenants": ["1"], "credentials": []}}}},
            },
        }

        objects = render(values)

        named = of_kind(objects, "Service") + of_kind(objects, "Job")
        assert max(len(made["metadata"]["name"]) for made in named) == 63


COMMON = {"commonLabels": {"team": "payments"}, "commonAnnotations": {"owner": "till"}}


class TestCommon:
    def test_labels_are_on_every_object_and_pod(self) -> None:
        objects = render(COMMON)
        (deployment,) = of_kind(objects, "Deployment")

        assert {made["metadata"]["labels"]["team"] for made in objects} == {"payments"}
        assert deployment["spec"]["template"]["metadata"]["labels"]["team"] == "payments"

    def test_labels_select_nothing(self) -> None:
        """Selectors cannot be changed."""
        objects = render(COMMON)

        assert (
            of_kind(objects, "Deployment")[0]["spec"]["selector"]
            == (of_kind(render(), "Deployment")[0]["spec"]["selector"])
        )
        assert all("team" not in made["spec"]["selector"] for made in of_kind(objects, "Service"))

    def test_annotations_are_on_every_object(self) -> None:
        """And do not roll the pods."""
        objects = render(COMMON)

        assert {made["metadata"]["annotations"]["owner"] for made in objects} == {"till"}
        template = of_kind(objects, "Deployment")[0]["spec"]["template"]
        assert "owner" not in template["metadata"]["annotations"]


def nothing(values: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return null for each value that the schema lets go and that is nothing by default."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        node = schema["properties"][key]
        if key not in schema["required"] and not value:
            found[key] = None
        elif "properties" in node and isinstance(value, dict):
            found[key] = nothing(value, node)
    return {key: value for key, value in found.items() if value != {}}


@EVERY_HELM
@pytest.mark.parametrize("scenario", ["default", "upc"])
def test_null_is_no_value(helm: str, scenario: str) -> None:
    """Each value that means nothing by default may be null, all at once, and the objects stay the same."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    nulls = nothing(defaults, schema)
    file = CHART / f"ci/{scenario}-values.yaml"
    given = yaml.safe_load(file.read_text())

    def beside(made: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
        return {
            key: beside(value, said[key]) if isinstance(value, dict) and isinstance(said.get(key), dict) else value
            for key, value in made.items()
            if key not in said or (isinstance(value, dict) and isinstance(said[key], dict))
        }

    assert len(nulls) > 10
    assert render_text(beside(nulls, given), scenario=file, helm=helm) == render_text(scenario=file, helm=helm)
