"""What people expect of any chart, for the pods of the service and of the hub alike."""

import re
from typing import Any

import pytest

from chart.rendering import CHART, ChartError, of_component, of_kind, pod_of, render

pytestmark = pytest.mark.timeout(60)
PLATFORM = CHART / "ci/platform-values.yaml"
OPENSHIFT = CHART / "ci/openshift-values.yaml"
HUB = {"enabled": True, "config": {"upc": {"hubs": {"main": {"tenants": ["1"], "credentials": []}}}}}
MEMORY = {"accept_memory_store": True, "store": {"kind": "memory", "url": ""}, "intents": {"keys": []}}
BOTH = pytest.mark.parametrize("component", ["service", "upc"])


def rendered(component: str, values: dict[str, Any], shared: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return the objects of service or hub, with values of its own and values of all pods."""
    own = values if component == "service" else {"upc": HUB | values}
    return of_component(render({**(shared or {}), **own}), component)


def deployment_of(objects: list[dict[str, Any]], component: str) -> dict[str, Any]:
    """Return what a component's Deployment says."""
    (deployment,) = of_kind(of_component(objects, component), "Deployment")
    spec: dict[str, Any] = deployment["spec"]
    return spec


@BOTH
class TestPods:
    def test_hold_what_values_add(self, component: str) -> None:
        """To environment, volumes and containers; what the chart has in them stays."""
        volume = {"name": "ca", "configMap": {"name": "platform-ca"}}
        mount = {"name": "ca", "mountPath": "/etc/ca"}
        values = {
            "extraEnv": [{"name": "A", "value": "1e3"}],
            "envFrom": [{"configMapRef": {"name": "all"}}],
            "extraVolumes": [volume],
            "extraVolumeMounts": [mount],
            "extraContainers": [{"name": "b", "image": "b:1"}],
            "initContainers": [{"name": "c", "image": "c:1"}],
        }

        pod, plain = (pod_of(rendered(component, given), component) for given in (values, {}))

        own, added = pod["containers"]
        (before,) = pod["initContainers"]
        (expected,) = plain["containers"]
        assert (added["name"], before["name"]) == ("b", "c")
        assert own == expected | {
            "env": [{"name": "A", "value": "1e3"}],
            "envFrom": [{"configMapRef": {"name": "all"}}],
            "volumeMounts": [*expected["volumeMounts"], mount],
        }
        assert pod["volumes"] == [*plain["volumes"], volume]

    def test_run_where_and_as_values_say(self, component: str) -> None:
        """Values that have no counterpart for the hub are for all pods."""
        own = {
            "nodeSelector": {"pool": "1e3"},
            "tolerations": [{"key": "edge", "operator": "Exists"}],
            "priorityClassName": "high",
            "runtimeClassName": "gvisor",
        }
        shared = {
            "hostAliases": [{"ip": "10.0.0.7", "hostnames": ["redis"]}],
            "dnsPolicy": "None",
            "dnsConfig": {"nameservers": ["10.0.0.10"]},
            "schedulerName": "bin-packing",
        }

        pod = pod_of(rendered(component, own, shared), component)

        assert {key: pod[key] for key in own | shared} == own | shared

    def test_are_spread_among_themselves(self, component: str) -> None:
        spread = [{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]
        objects = rendered(component, {"topologySpreadConstraints": spread})

        (found,) = pod_of(objects, component)["topologySpreadConstraints"]
        assert found == spread[0] | {"labelSelector": deployment_of(objects, component)["selector"]}

    def test_have_the_users_of_the_namespace(self, component: str) -> None:
        """Null drops a default, and a large number stays an integer."""
        none = pod_of(render(scenario=OPENSHIFT), component)["securityContext"]
        ranged = {"podSecurityContext": {"runAsUser": 1000680000, "fsGroup": None}}
        pod = pod_of(rendered(component, {}, ranged), component)

        assert none == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        assert pod["securityContext"] == none | {"runAsUser": 1000680000, "runAsGroup": 10001}

    def test_are_probed_at_the_times_of_the_values(self, component: str) -> None:
        times = {"livenessProbe": {"timeoutSeconds": 9}}

        probe = pod_of(rendered(component, {}, times), component)["containers"][0]["livenessProbe"]

        assert probe == {"httpGet": {"path": "/livez", "port": "admin"}, "periodSeconds": 10, "timeoutSeconds": 9}


@BOTH
class TestRollout:
    def test_follows_the_values(self, component: str) -> None:
        strategy = {"rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 0}}
        values = {"strategy": strategy, "terminationGracePeriodSeconds": 200, "minReadySeconds": 3}

        objects = rendered(component, values, {"revisionHistoryLimit": 0})

        spec = deployment_of(objects, component)
        assert spec["strategy"] == strategy
        assert (spec["revisionHistoryLimit"], spec["minReadySeconds"]) == (0, 3)
        assert pod_of(objects, component)["terminationGracePeriodSeconds"] == 200

    def test_number_may_be_left_to_another_autoscaler(self, component: str) -> None:
        """A Deployment with a number would reset it at every upgrade. A budget counts on several instances."""
        objects = rendered(component, {"replicas": None})

        assert "replicas" not in deployment_of(objects, component)
        assert len(of_kind(objects, "PodDisruptionBudget")) == 1


@BOTH
class TestObjects:
    def test_service_is_what_values_say(self, component: str) -> None:
        values = {
            "type": "LoadBalancer",
            "annotations": {"a": "1e3"},
            "labels": {"l": "1e3"},
            "trafficDistribution": "PreferClose",
            "externalTrafficPolicy": "Local",
            "loadBalancerClass": "internal",
            "loadBalancerSourceRanges": ["10.0.0.0/8"],
        }

        (service, *_) = of_kind(rendered(component, {"service": values}), "Service")

        metadata = service["metadata"]
        assert (metadata["annotations"], metadata["labels"]["l"]) == ({"a": "1e3"}, "1e3")
        assert values == {key: service["spec"].get(key, values[key]) for key in values}
        assert {"type", "trafficDistribution", "loadBalancerClass"} <= set(service["spec"])

    @pytest.mark.parametrize(
        ("account", "name", "made"),
        [
            ({"create": False}, "default", 0),
            ({"create": False, "name": "theirs"}, "theirs", 0),
            ({"name": "mine"}, "mine", 1),
        ],
    )
    def test_account_is_made_or_found(self, component: str, account: dict[str, Any], name: str, made: int) -> None:
        objects = rendered(component, {"serviceAccount": account})

        assert pod_of(objects, component)["serviceAccountName"] == name
        assert [one["metadata"]["name"] for one in of_kind(objects, "ServiceAccount")] == [name] * made

    def test_budget_is_what_values_say(self, component: str) -> None:
        def budget(**values: Any) -> list[dict[str, Any]]:
            objects = rendered(component, {"replicas": 4, "podDisruptionBudget": values})
            return [made["spec"] for made in of_kind(objects, "PodDisruptionBudget")]

        assert budget(enabled=False) == []
        (shares,) = budget(minAvailable="50%", unhealthyPodEvictionPolicy="IfHealthyBudget")
        assert (shares["minAvailable"], shares["unhealthyPodEvictionPolicy"]) == ("50%", "IfHealthyBudget")
        assert "maxUnavailable" not in shares
        assert budget(maxUnavailable=2)[0]["maxUnavailable"] == 2

    def test_autoscaler_behaves_as_values_say(self, component: str) -> None:
        down = {"policies": None, "selectPolicy": "Disabled"}
        scaling = {"enabled": True, "behavior": {"scaleDown": down}}

        (autoscaler,) = of_kind(rendered(component, {"autoscaling": scaling}), "HorizontalPodAutoscaler")

        assert autoscaler["spec"]["behavior"] == {
            "scaleUp": {"stabilizationWindowSeconds": 0},
            "scaleDown": {"stabilizationWindowSeconds": 600, "selectPolicy": "Disabled"},
        }

    @pytest.mark.parametrize(
        ("values", "message", "reason"),
        [
            (
                {"terminationGracePeriodSeconds": 30},
                "terminationGracePeriodSeconds: 30 is shorter than the drain",
                "executions would be killed",
            ),
            (
                {"replicas": 2, "podDisruptionBudget": {"minAvailable": 2}},
                "podDisruptionBudget.minAvailable: 2 of 2 instances leave none",
                "no node could be drained",
            ),
            (
                {"replicas": 2, "podDisruptionBudget": {"maxUnavailable": 0}},
                "podDisruptionBudget.maxUnavailable: 0 lets no node be drained",
                "no node could be drained",
            ),
            ({"replicas": None, "config": {"store": {"kind": "memory"}}}, "replicas: null, which", "several memories"),
            (
                {"strategy": {"type": "RollingUpdate"}, "config": {"store": {"kind": "memory"}}},
                "strategy.type: must be Recreate",
                "two memories during a rollout",
            ),
        ],
    )
    def test_values_that_lose_outcomes_or_block_nodes_are_refused(
        self, component: str, values: dict[str, Any], message: str, reason: str
    ) -> None:
        path = "upc." if component == "upc" else ""
        given = {**values, "config": HUB["config"] | values.get("config", {})} if path else values  # type: ignore[operator]  # dicts

        with pytest.raises(ChartError, match=re.escape(f"): {path}{message}")):
            rendered(component, given)


class TestHub:
    def test_pods_have_labels_and_annotations_of_their_own_or_of_all(self) -> None:
        def metadata(**own: Any) -> dict[str, Any]:
            shared = {"podLabels": {"zone": "inner"}, "podAnnotations": {"mesh": "on"}}
            found: dict[str, Any] = deployment_of(rendered("upc", own, shared), "upc")["template"]["metadata"]
            return found

        assert (metadata()["labels"]["zone"], metadata()["annotations"]["mesh"]) == ("inner", "on")
        own = metadata(podLabels={"zone": "edge"}, podAnnotations={"mesh": "off"})
        assert (own["labels"]["zone"], own["annotations"]["mesh"]) == ("edge", "off")

    @pytest.mark.parametrize(
        "extra",
        [
            {"extraEnv": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "payorch-zuora", "key": "k"}}}]},
            {"envFrom": [{"secretRef": {"name": "payorch-fleet"}}]},
            {"extraVolumes": [{"name": "v", "secret": {"secretName": "payorch-fleet"}}]},
            {"extraVolumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "payorch-zuora"}}]}}]},
        ],
    )
    def test_gets_no_secret_of_the_service_by_another_way(self, extra: dict[str, Any]) -> None:
        with pytest.raises(ChartError, match="holds secrets of the service, and the hub faces the internet"):
            rendered("upc", extra)

    def test_job_has_what_the_configuration_may_name(self) -> None:
        """Such as the CA of Redis."""
        values = {
            "declareFirstStart": True,
            "extraEnv": [{"name": "A", "value": "b"}],
            "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
            "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca"}],
        }

        objects = rendered("upc", values)

        job = of_kind(objects, "Job")[0]["spec"]["template"]["spec"]
        pod = pod_of(objects, "upc")
        assert job["volumes"] == pod["volumes"]
        for key in ("volumeMounts", "env"):
            assert job["containers"][0][key] == pod["containers"][0][key]


class TestExtraObjects:
    def test_are_templates(self) -> None:
        (made,) = [one for one in render(scenario=PLATFORM) if one["metadata"]["name"].endswith("-platform")]

        assert (made["metadata"]["name"], made["data"]) == ("pay-till-platform", {"namespace": "default"})
