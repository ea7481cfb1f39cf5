"""Writes the Grafana dashboards of the chart, from the pages beside this file; the gate that finds drift.

python tools/dashboards          write helm/payorch/dashboards/*.json
python tools/dashboards --check  fail if a file differs
"""

import sys
from pathlib import Path
from typing import Final

from grafana import dashboard
from hub import HUB
from overview import OVERVIEW
from tenant import TENANT
from tokens_and_quota import TOKENS_AND_QUOTA
from unknown_outcomes import UNKNOWN_OUTCOMES

PAGES: Final = (OVERVIEW, TENANT, TOKENS_AND_QUOTA, UNKNOWN_OUTCOMES, HUB)
FOLDER: Final = Path(__file__).resolve().parents[2] / "helm" / "payorch" / "dashboards"


def main() -> None:
    """Write or compare."""
    fresh = {f"{page.name}.json": dashboard(page) for page in PAGES}
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    if "--check" in sys.argv[1:]:
        if fresh != there:
            sys.exit("The dashboards in helm/payorch/dashboards differ from tools/dashboards; run `make generate`.")
        return
    FOLDER.mkdir(exist_ok=True)
    for name in there.keys() - fresh.keys():
        (FOLDER / name).unlink()
    for name, text in fresh.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
