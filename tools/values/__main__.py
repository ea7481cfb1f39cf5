"""Writes what follows from the chart's values file and the service's schema; the gate that finds drift.

python tools/values          write the chart's schema, its README.md's table and docs/configuration-reference.md
python tools/values --check  fail if one differs
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import readme
import reference
from values_file import FILE, ValuesError, read
from values_schema import values_schema


def fresh_files() -> Iterator[tuple[Path, str]]:
    """Yield each file with what it must hold."""
    values, comments = read(FILE.read_text(encoding="utf-8"))
    yield FILE.with_name("values.schema.json"), json.dumps(values_schema(values, comments), indent=2) + "\n"
    page = FILE.with_name("README.md")
    yield page, readme.with_values(page.read_text(encoding="utf-8"), values, comments)
    page = FILE.parents[2] / "docs" / "configuration-reference.md"
    yield page, reference.with_reference(page.read_text(encoding="utf-8"))


def main() -> None:
    """Write or compare."""
    try:
        files = list(fresh_files())
    except ValuesError as error:
        sys.exit(f"helm/payorch/values.yaml: {error}")
    except reference.UndescribedError as error:
        sys.exit(f"docs/configuration-reference.md: {error}")
    if "--check" not in sys.argv[1:]:
        for file, text in files:
            file.write_text(text, encoding="utf-8")
        return
    differing = [file.name for file, text in files if not file.is_file() or file.read_text(encoding="utf-8") != text]
    if differing:
        sys.exit(f"{' and '.join(differing)} differ from values.yaml or the service's schema; run `make generate`.")


if __name__ == "__main__":
    main()
