"""What files switch off, as far as they can be read."""

from pathlib import Path

import pytest
from payorch_server.config import switched_off


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tenants: {a: {switched_off: [CreateSession]}}", {"a": {"CreateSession"}}),
        ("tenants: {a: {switched_off: [CreateSession, Nonsense, 7]}, b: {}}", {"a": {"CreateSession"}, "b": set()}),
        ("tenants: {a: {switched_off: CreateSession}}", {"a": {"CreateSession"}}),
        ("tenants: {a: 1, 2: {switched_off: [DecryptApplePay]}}", {"a": set(), "2": {"DecryptApplePay"}}),
        ("tenants: [a]", {}),
        ("tenants: {a: {switched_off: [[CreateSession], {x: y}]}}", {"a": set()}),
        ("[]", {}),
        ("tenants: {a: {", {}),
    ],
)
def test_what_can_be_read_counts(tmp_path: Path, text: str, expected: dict[str, set[str]]) -> None:
    """Broken parts hide none of the others."""
    (tmp_path / "a.yaml").write_text(text)

    assert expected == switched_off(tmp_path / "a.yaml")


def test_files_add_up(tmp_path: Path) -> None:
    """Two files with the same section are refused as a change; neither hides what the other switches off."""
    (tmp_path / "a.yaml").write_text("tenants: {a: {switched_off: [CreateSession]}}")
    (tmp_path / "b.yaml").write_text("tenants: {a: {base_url: x}}")

    assert {"a": {"CreateSession"}} == switched_off(tmp_path / "a.yaml", tmp_path / "b.yaml")


def test_a_file_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    """The switch may stand in the second one."""
    (tmp_path / "b.yaml").write_text("tenants: {a: {switched_off: [CreateSession]}}")

    assert {"a": {"CreateSession"}} == switched_off(tmp_path / "absent.yaml", tmp_path / "b.yaml")
