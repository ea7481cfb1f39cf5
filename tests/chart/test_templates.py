"""How values get into YAML: texts as texts, whatever they look like, and zero as a number."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from chart.rendering import CHART, containers_of, of_kind, pod_of, render

pytestmark = pytest.mark.timeout(60)
TEMPLATES = sorted([*(CHART / "templates").rglob("*.yaml"), *(CHART / "templates").rglob("*.tpl")])
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
CONDITION = re.compile(r"\{\{-?\s*(?:if|else if|with)\s+(.*?)-?\}\}")

COMPARED = re.compile(r"(int|toString|kindIs \"invalid\") \$?[\w.]+")
"""A number that is compared with another, or asked whether it is there."""


def numbers(values: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the paths of all values that are numbers."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from numbers(value, f"{path}.{key}")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{path}.{key}"


@pytest.mark.parametrize("text", ["1e3", "true", "null", "~", "0x10", 'a: "b" #c', "- x", "{{ .Values }}"])
def test_text_stays_text(text: str) -> None:
    """In every place that takes one."""
    values = {
        "image": {"repository": "r", "tag": text},
        "imagePullSecrets": [{"name": text}],
        "commonLabels": {"c": text},
        "commonAnnotations": {"c": text},
        "podAnnotations": {"a": text},
        "podLabels": {"l": text},
        "nodeSelector": {"n": text},
        "priorityClassName": text,
        "serviceAccount": {"annotations": {"s": text}},
        "clientSecrets": {"default": {"name": text, "key": text}},
        "fleetSecret": text,
        "tlsSecret": text,
        "keySetConfigMap": text,
        "config": {"grpc": {"tls": {"certificate_file": text, "key_file": "k"}}},
        "alerts": {"enabled": True, "labels": {"l": text}},
        "serviceMonitor": {"enabled": True, "labels": {"l": text}},
        "dashboards": {"enabled": True, "labels": {"l": text}},
        "emulator": {"enabled": True, "image": {"tag": text}, "arguments": [text]},
    }

    objects = render(values)

    pod = pod_of(objects)
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    (source,) = volumes["client-secrets"]["projected"]["sources"]
    emulator, service = containers_of(pod)
    assert (emulator["image"], emulator["args"][-1]) == (f"payorch-zuora-emulator:{text}", text)
    assert service["image"] == f"r:{text}"
    assert pod["imagePullSecrets"] == [{"name": text}]
    assert (pod["nodeSelector"], pod["priorityClassName"]) == ({"n": text}, text)
    assert (source["secret"]["name"], source["secret"]["items"][0]["key"]) == (text, text)
    assert volumes["fleet"]["secret"]["secretName"] == volumes["tls"]["secret"]["secretName"] == text
    assert volumes["key-set"]["configMap"]["name"] == text
    metadata = of_kind(objects, "Deployment")[0]["spec"]["template"]["metadata"]
    assert (metadata["annotations"]["a"], metadata["labels"]["l"]) == (text, text)
    for kind in ("PrometheusRule", "ServiceMonitor"):
        assert of_kind(objects, kind)[0]["metadata"]["labels"]["l"] == text
    assert of_kind(objects, "ServiceAccount")[0]["metadata"]["annotations"] == {"c": text, "s": text}


def asked(text: str) -> list[str]:
    """Return the conditions of a template that ask a number of the chart's whether it is true."""
    names = {path.rpartition(".")[2] for path in numbers(VALUES)}
    number = re.compile(rf"\.({'|'.join(sorted(names))})\b")
    return [one for one in CONDITION.findall(text) if number.search(COMPARED.sub("", one))]


def test_zero_is_a_number() -> None:
    """No template asks a number whether it is true: 0 is not."""
    assert [(file.name, asked(file.read_text())) for file in TEMPLATES if asked(file.read_text())] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{{- if .Values.replicas }}", True),
        ("{{ with .callsInFlight -}}", True),
        ("{{- else if and .enabled (not .Values.shutdownMarginSeconds) }}", True),
        ("{{- if gt (int .Values.replicas) 1 }}", False),
        ("{{- if .Values.autoscaling.enabled }}", False),
    ],
)
def test_number_that_is_asked_whether_it_is_true_is_found(text: str, found: bool) -> None:  # noqa: FBT001 - a row
    assert bool(asked(text)) is found
