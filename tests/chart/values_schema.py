"""Keeps the part of values.schema.json that describes the service's configuration equal to the service's own schema.

Run as a program it rewrites that part, which is `$defs`; the rest of the file is written by hand.
"""

import json
from pathlib import Path
from typing import Any, Final

from payorch_server.config import schema

FILE: Final = Path("helm/payorch/values.schema.json")
COMMAND: Final = "PYTHONPATH=tests .venv/bin/python -m chart.values_schema"
_SET_BY_THE_CHART: Final = "client_secret_file"


def definitions() -> dict[str, Any]:
    """Return what `$defs` must be: the service's schema without the files of the secrets."""
    document = schema()
    parts: dict[str, Any] = document.pop("$defs")
    tenant = parts["TenantSettings"]
    del tenant["properties"][_SET_BY_THE_CHART]
    tenant["required"].remove(_SET_BY_THE_CHART)
    parts["Document"] = document
    return {name: _plain(part) for name, part in sorted(parts.items())}


def _plain(node: Any) -> Any:
    """Leave out what only repeats names and the service's defaults."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    is_schema = bool({"type", "$ref", "anyOf"} & set(node))
    return {key: _plain(item) for key, item in node.items() if not (is_schema and key in {"title", "default"})}


def main() -> None:
    """Rewrite the file."""
    content = json.loads(FILE.read_text())
    content["$defs"] = definitions()
    FILE.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
