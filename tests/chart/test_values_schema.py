"""values.schema.json is generated, closed and typed, and says of every value what the values file says."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.rendering import CHART

CONTENT = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
CHECKED_BY_KUBERNETES = {
    *(f"values.Affinity.{kind}" for kind in ("nodeAffinity", "podAffinity", "podAntiAffinity")),
    *(f"values.{kind}" for kind in ("Container", "Object", "Volume")),
}
OF_ALL_CHARTS = {"values.global"}


def nodes(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk all schemas below a schema."""
    yield path, node
    for section in ("properties", "$defs"):
        for name, child in node.get(section, {}).items():
            yield from nodes(child, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            yield from nodes(node[keyword], f"{path}.{keyword}")


def swapped(key: str) -> str:
    """Return the key with its third and fourth letters in each other's place."""
    return key[:2] + key[2:4][::-1] + key[4:]


def near_another(key: str, keys: set[str]) -> bool:
    """Whether another key is so near that a name between them may mean either."""
    return any(
        abs(len(key) - len(other)) <= 1 and sum(a != b for a, b in zip(key, other, strict=False)) <= 2
        for other in keys - {key}
    )


def generate(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the generator that stands in a folder."""
    return subprocess.run(  # noqa: S603 - a program of ours
        [sys.executable, str(root / "tools/values"), *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with the generator and the chart, which may be changed."""
    shutil.copytree("tools/values", tmp_path / "tools/values")
    shutil.copytree(CHART, tmp_path / CHART)
    (tmp_path / "docs").mkdir()
    shutil.copy("docs/configuration-reference.md", tmp_path / "docs")
    return tmp_path


@pytest.mark.timeout(60)
class TestGenerator:
    def test_has_nothing_to_change(self) -> None:
        done = generate(Path.cwd(), "--check")

        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize("file", ["values.schema.json", "README.md"])
    def test_finds_drift(self, copy: Path, file: str) -> None:
        values = copy / CHART / "values.yaml"
        values.write_text(values.read_text().replace("# Labels added to the pods.", "# Labels of the pods."))

        done = generate(copy, "--check")

        assert done.returncode == 1
        assert file in done.stderr
        assert generate(copy).returncode == 0
        assert "Labels of the pods." in (copy / CHART / file).read_text()
        assert generate(copy, "--check").returncode == 0

    def test_finds_drift_of_the_reference(self, copy: Path) -> None:
        page = copy / "docs" / "configuration-reference.md"
        fresh = page.read_text()
        page.write_text(fresh.replace("number of seconds, 1 to 55", "number of seconds, 0 to 600"))

        done = generate(copy, "--check")

        assert (done.returncode, "configuration-reference.md" in done.stderr) == (1, True)
        assert generate(copy).returncode == 0
        assert page.read_text() == fresh

    @pytest.mark.parametrize(
        ("old", "new", "message", "reason"),
        [
            ("# Labels added to the pods.\n", "", "podLabels: a comment must describe it", "only annotated"),
            ("  # Empty: the chart's appVersion.\n", "", "image.tag: has no comment", "neither"),
            ("# @schema {items: {$ref: '#/$defs/HostAlias'}}\n", "", "what the items are", "a list of anything"),
            ("@schema {minimum: 0}", "@schema minimum", "what follows @schema is no mapping", "no keywords"),
            ("replicas: 1", "replicas: 1:", "cannot be read", "no YAML"),
            ("    drain_wait_s: 5", "    drain_wate_s: 5", "the service knows no setting drain_wate_s", "misspelt"),
        ],
    )
    def test_says_what_is_missing(self, copy: Path, old: str, new: str, message: str, reason: str) -> None:
        values = copy / CHART / "values.yaml"
        values.write_text(values.read_text().replace(old, new, 1))

        done = generate(copy, "--check")

        assert done.returncode == 1
        assert done.stderr.startswith("helm/payorch/values.yaml: ")
        assert message in done.stderr


class TestSchema:
    def test_gives_everything_a_type(self) -> None:
        untyped = [path for path, node in nodes(CONTENT, "values") if not {"type", "$ref"} & set(node)]

        assert untyped == []

    def test_closes_every_object(self) -> None:
        found = {
            path
            for path, node in nodes(CONTENT, "values")
            if "object" in node.get("type", "") and node.get("additionalProperties", True) is True
        }

        assert found == CHECKED_BY_KUBERNETES | OF_ALL_CHARTS

    def test_asks_about_a_key_with_a_wrong_letter(self) -> None:
        """One more, one less, another, or two that changed places; a key that exists is never asked about."""
        for path, node in nodes(CONTENT, "values"):
            patterns = {re.compile(text): said["const"] for text, said in node.get("patternProperties", {}).items()}
            keys = set(node.get("properties", {})) if patterns else set()

            def asked(name: str, patterns: dict[re.Pattern[str], str] = patterns) -> set[str]:
                return {said for pattern, said in patterns.items() if pattern.search(name)}

            assert not any(asked(key) for key in keys), path
            for key in keys:
                typos = {key[:-1], f"{key}s", key[1:], f"_{key[1:]}", f"{key[:2]}x{key[2:]}", swapped(key)} - keys
                assert [typo for typo in typos if not asked(typo) and not near_another(key, keys)] == [], path

    def test_has_no_alternatives(self) -> None:
        """Helm lists every branch of one as a mistake."""
        alternatives = {"anyOf", "oneOf", "allOf", "if", "not"}

        assert [path for path, node in nodes(CONTENT, "values") if alternatives & set(node)] == []

    def test_describes_every_value(self) -> None:
        """A section is described by what is in it."""
        silent = {
            path
            for path, node in nodes({"properties": CONTENT["properties"]}, "values")
            if path != "values" and "description" not in node and "properties" not in node
        }

        assert {path for path in silent if not path.endswith((".items", ".additionalProperties"))} == set()

    def test_has_every_value_of_the_values_file(self) -> None:
        def compare(values: dict[str, Any], node: dict[str, Any]) -> None:
            assert set(node["properties"]) == set(values)
            assert set(node["required"]) <= set(values)
            for key, child in node["properties"].items():
                if "properties" in child:
                    compare(values[key], child)

        compare(VALUES, CONTENT)

    def test_leaves_files_of_secrets_to_the_chart(self) -> None:
        assert "client_secret_file" not in CONTENT["$defs"]["TenantSettings"]["properties"]
