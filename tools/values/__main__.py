"""Writes what follows from the chart's values file and the service's schema; the gate that finds drift.

python tools/values          write the chart's schema, and the tables of its README.md and of docs/configuration.md
python tools/values --check  fail if one differs
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import ranges
import readme
from payorch_server.config import schema
from payorch_server.config.hub_document import hub_schema
from values_file import FILE, ValuesError, read
from values_schema import values_schema


def fresh_files() -> Iterator[tuple[Path, str]]:
    """Yield each file with what it must hold."""
    values, comments = read(FILE.read_text(encoding="utf-8"))
    yield FILE.with_name("values.schema.json"), json.dumps(values_schema(values, comments), indent=2) + "\n"
    page = FILE.with_name("README.md")
    yield page, readme.with_values(page.read_text(encoding="utf-8"), values, comments)
    page = FILE.parents[2] / "docs" / "configuration.md"
    text = ranges.with_ranges(page.read_text(encoding="utf-8"), schema())
    yield page, ranges.with_ranges(text, hub_schema(), table="hub ranges", below="upc.")


def main() -> None:
    """Write or compare."""
    try:
        files = list(fresh_files())
    except ValuesError as error:
        sys.exit(f"helm/payorch/values.yaml: {error}")
    if "--check" not in sys.argv[1:]:
        for file, text in files:
            file.write_text(text, encoding="utf-8")
        return
    differing = [file.name for file, text in files if not file.is_file() or file.read_text(encoding="utf-8") != text]
    if differing:
        sys.exit(f"{' and '.join(differing)} differ from values.yaml or the service's schema; run `make generate`.")


if __name__ == "__main__":
    main()
