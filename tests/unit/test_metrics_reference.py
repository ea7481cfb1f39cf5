"""docs/metrics-reference.md is made from the code; `make check` compares it."""

import sys
from pathlib import Path

import metrics_reference
import pytest
from metric_names import METRICS


class TestThePage:
    """What an operator reads."""

    def test_has_every_metric(self) -> None:
        """Once each, under its name in Prometheus."""
        rows = [line.split("`")[1] for line in metrics_reference.page().splitlines() if line.startswith("| `")]

        assert sorted(metric.family for metric in METRICS) == sorted(rows)

    def test_needs_a_description_of_each(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A new metric without one is an error that names it."""
        monkeypatch.setattr(metrics_reference, "SERVICE", Path(__file__).parent)

        with pytest.raises(metrics_reference.UndescribedError, match=r"payorch\.calls, "):
            metrics_reference.page()

    def test_that_differs_fails_the_check(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As a description that changed in the code does."""
        stale = tmp_path / "page.md"
        stale.write_text(metrics_reference.page().replace("Ended calls", "Calls"))
        monkeypatch.setattr(metrics_reference, "PAGE", stale)
        monkeypatch.setattr(sys, "argv", ["metrics_reference.py", "--check"])

        with pytest.raises(SystemExit, match="make generate"):
            metrics_reference.main()
