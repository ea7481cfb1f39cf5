"""Writes schemas of the kinds that others define, for kubeconform, into a folder.

python tools/crds GO FOLDER

go.mod names the modules with the definitions; Go fetches them and compares them with go.sum.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).parent
FOLDERS: Final = {
    "github.com/cert-manager/cert-manager": "deploy/crds",
    "github.com/external-secrets/external-secrets": "config/crds/bases",
    "github.com/prometheus-operator/prometheus-operator": "example/prometheus-operator-crd",
    "sigs.k8s.io/gateway-api": "config/crd/standard",
}
"""Where each module has its definitions."""
_OPEN: Final = ("additionalProperties", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource")


class _Loader(yaml.SafeLoader):
    """YAML in which `=` is a text, as in the operators of Prometheus' matchers."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))


def modules(go: str) -> dict[str, Path]:
    """Return the folder of each module, fetched at the version of go.mod."""

    def run(*arguments: str) -> str:
        return subprocess.run([go, *arguments], cwd=HERE, check=True, capture_output=True, text=True).stdout  # noqa: S603 - Go

    required = json.loads(run("mod", "edit", "-json"))["Require"]
    found = {}
    for module in required:
        print(f"  {module['Path']} {module['Version']}", flush=True)
        fetched = json.loads(run("mod", "download", "-json", f"{module['Path']}@{module['Version']}"))
        found[module["Path"]] = Path(fetched["Dir"])
    return found


def closed(node: Any) -> Any:
    """Return a schema that refuses unknown fields, as the API server drops them."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    fresh = {key: closed(item) for key, item in node.items()}
    if isinstance(node.get("properties"), dict) and "type" in node and not any(key in node for key in _OPEN):
        fresh["additionalProperties"] = False
    return fresh


def schemas(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a file name and a schema for each kind and version that a module defines."""
    for file in sorted(folder.glob("*.yaml")):
        for document in yaml.load_all(file.read_text(encoding="utf-8"), _Loader):
            if not document or document["kind"] != "CustomResourceDefinition":
                continue
            spec = document["spec"]
            for version in spec["versions"]:
                name = f"{spec['names']['kind']}-{spec['group'].split('.')[0]}-{version['name']}.json".lower()
                yield name, closed(version["schema"]["openAPIV3Schema"])


def main() -> None:
    """Fetch and write."""
    _, go, target = sys.argv
    for module, folder in modules(go).items():
        for name, schema in schemas(folder / FOLDERS[module]):
            (Path(target) / name).write_text(json.dumps(schema), encoding="utf-8")


if __name__ == "__main__":
    main()
