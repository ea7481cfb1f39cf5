from dataclasses import fields
from pathlib import Path

import zuora_emulator
from zuora_emulator.faults import Kind
from zuora_emulator.fixtures_file import read_fixtures
from zuora_emulator.operations import BY_NAME
from zuora_emulator.settings import Settings

README = (Path(zuora_emulator.__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_readme_begins_with_what_is_not_imitated() -> None:
    assert README.index("## What it does not imitate") < README.index("## What it does\n")


def test_readme_has_every_switch_with_its_default() -> None:
    rows = {line.split("`")[1]: line for line in README.splitlines() if line.startswith("| `")}

    for field in fields(Settings):
        default = str(field.default)
        shown = default.lower() if isinstance(field.default, bool) else default
        assert f"**{shown}**" in rows[field.name], field.name


def test_readme_has_every_operation_and_fault() -> None:
    assert [name for name in BY_NAME if f"`{name}`" not in README] == []
    written = {Kind.STATUS: "<400 to 599>`", Kind.STATUS_AFTER: "<400 to 599>_after`"}
    assert [kind for kind in Kind if f"`OP:{written.get(kind, kind)}" not in README] == []


def test_readme_shows_a_world_that_is_one(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(README.split("```yaml\ntenants:")[1].split("```")[0].join(["tenants:", ""]))

    world = read_fixtures(mine)

    assert [account.number for account in world.accounts] == ["A00000001"]
