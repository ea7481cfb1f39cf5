"""values.schema.json is closed, typed, and describes the service's configuration as the service does."""

import json
from collections.abc import Iterator
from typing import Any

import yaml

from chart import values_schema
from chart.rendering import CHART

CONTENT = json.loads(values_schema.FILE.read_text())
PASSED_TO_KUBERNETES = "of Kubernetes"


def nodes(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk all schemas below a schema."""
    yield path, node
    for section in ("properties", "$defs"):
        for name, child in node.get(section, {}).items():
            yield from nodes(child, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict) and PASSED_TO_KUBERNETES not in node.get("description", ""):
            yield from nodes(node[keyword], f"{path}.{keyword}")


def test_configuration_is_described_as_the_service_does() -> None:
    assert CONTENT["$defs"] == values_schema.definitions(), f"run: {values_schema.COMMAND}"


def test_everything_has_a_type() -> None:
    untyped = [path for path, node in nodes(CONTENT, "values") if not {"type", "$ref", "anyOf"} & set(node)]

    assert untyped == []


def test_every_object_is_closed() -> None:
    """The exceptions are handed to Kubernetes as they are, and limits on top of a closed definition."""
    limits = {"values.config", "values.config.rpc", "values.config.admin"}

    found = [
        path
        for path, node in nodes(CONTENT, "values")
        if node.get("type") == "object"
        and node.get("additionalProperties", True) is True
        and PASSED_TO_KUBERNETES not in node.get("description", "")
    ]

    assert set(found) == limits


def test_every_value_is_in_the_values_file() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    assert set(CONTENT["properties"]) == set(values)
    for section in ("image", "networkPolicy", "dashboards", "alerts", "serviceMonitor"):
        assert set(CONTENT["properties"][section]["properties"]) == set(values[section])
