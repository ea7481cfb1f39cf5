"""docs/protos-reference.md is made of the protos' comments; `make check` compares it."""

import sys
from pathlib import Path

import protos_reference
import pytest
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2


@pytest.fixture(scope="module")
def page() -> str:
    """Return a fresh page."""
    return protos_reference.page()


class TestThePage:
    """What a caller reads who does not open the protos."""

    def test_has_every_field_of_every_request(self, page: str) -> None:
        """With its comment."""
        rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}

        for method in service_pb2.DESCRIPTOR.services_by_name["PaymentOrchestrationService"].methods:
            assert f"\n### {method.input_type.name}\n" in page
            assert set() == {field.name for field in method.input_type.fields} - set(rows)
        assert "Names the intent: 16 to 128 characters" in page

    def test_shows_maps_oneofs_and_lists(self, page: str) -> None:
        """In words."""
        assert "| `attributes` | map of `string` to `string` |" in page
        assert "one of `flow`" in page
        assert "list of [`RejectedRule`](#rejectedrule)" in page

    def test_that_differs_fails_the_check(self, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As a comment that changed does."""
        stale = tmp_path / "page.md"
        stale.write_text(page.replace("Names the intent", "Names it"))
        monkeypatch.setattr(protos_reference, "PAGE", stale)
        monkeypatch.setattr(sys, "argv", ["protos_reference.py", "--check"])

        with pytest.raises(SystemExit, match="make generate"):
            protos_reference.main()
