"""docs/configuration-reference.md is what the code says."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
from harness.settings_fields import INDEX, Setting, settings
from payorch_server import version
from payorch_server.config.hub_document import HubDocument
from values import reference

PAGE: Final = Path("docs/configuration-reference.md").read_text(encoding="utf-8")
SERVICE, HUB = (PAGE.partition(f"<!-- {name}: begin -->")[2].partition("<!--")[0] for name in ("service", "hub"))


def rows(table: str) -> dict[str, list[str]]:
    """Return the other cells by setting."""
    cells = [re.split(r"(?<!\\) \| ", line[2:-2]) for line in table.splitlines() if line.startswith("| `")]
    return {first.strip("`"): rest for first, *rest in cells}


def path_of(setting: Setting) -> str:
    """Return how the page names a setting; a list of texts has one row."""
    parts = ["N" if part == INDEX else part for part in setting.path]
    return ".".join(parts[:-1] if parts[-1] in {"N", "NAME"} else parts)


def with_rows(*processes: tuple[str, str]) -> str:
    """Return a page with tables."""
    return "".join(f"<!-- {name}: begin -->\n{table}<!-- {name}: end -->\n" for name, table in processes)


class TestReference:
    """Every setting has a row."""

    def test_has_every_setting_of_the_service(self) -> None:
        """As the types of the settings name them."""
        assert {path_of(setting) for setting in settings()} <= rows(SERVICE).keys()

    def test_has_every_setting_of_the_hub(self) -> None:
        """Those that the service has too are repeated."""
        assert {path_of(setting) for setting in settings(HubDocument)} <= rows(HUB).keys()

    def test_leaves_no_cell_empty(self) -> None:
        """But a default that is empty, and when a section changes that is always there."""
        for table in (SERVICE, HUB):
            for name, (kind, _, applies, since, description) in rows(table).items():
                assert all((kind, since, description)), name
                assert applies or kind == "section", name

    @pytest.mark.parametrize(
        ("setting", "kind", "default", "applies"),
        [
            ("grpc.max_deadline_s", "number of seconds, 1 to 55", "55", "restart"),
            ("grpc.tls", "section", "none", "restart"),
            ("grpc.tls.key_file", "text", "required", "restart; its content: reload"),
            ("intents.keys.N.file", "text", "required", "restart"),
            ("access.callers.N.namespace", "text", "required", "restart"),
            ("access.callers.N.tenants", "sections by name", "", "reload"),
            ("tenants.NAME.client_secret_file", "text", "required", "reload"),
            ("tenants.NAME.token_scope", "one of `client`, `entity`", "`client`", "reload"),
            ("routing.N.when.amount", "section", "none", "reload"),
        ],
    )
    def test_says_what_the_code_does(self, setting: str, kind: str, default: str, applies: str) -> None:
        """One row of each sort."""
        assert rows(SERVICE)[setting][:3] == [kind, default, applies]

    def test_names_the_default_that_the_hub_has(self) -> None:
        """Not that of the section, which it shares with the service."""
        assert rows(HUB)["telemetry.service_name"][1] == "`payorch-upc`"
        assert rows(HUB)["upc.tls"][2] == "restart"
        assert rows(HUB)["upc.tls.key_file"][2] == "reload"


class TestGenerator:
    """The tables are made from the schemas, and keep since when a setting exists."""

    def test_keeps_the_version_of_a_row(self) -> None:
        """What is new gets the present one."""
        old = "| `grpc.listen` | text | `x` | restart | 0.0.9 | Any text \\| of then. |\n"

        page = reference.with_reference(with_rows(("service", old), ("hub", "")))

        assert "| 0.0.9 | Host and port" in page
        assert page.count("0.0.9") == 1
        assert f"| {version()} | Concurrent calls on one connection" in page

    def test_refuses_a_setting_without_description(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It names the setting."""
        bare: dict[str, Any] = {"properties": {"colour": {"type": "string", "default": ""}}, "$defs": {}}
        monkeypatch.setattr(reference, "_SERVICE", reference._Process(HubDocument, bare, lambda *_: iter(()), set))

        with pytest.raises(reference.UndescribedError, match="colour: has no description"):
            reference.with_reference(with_rows(("service", ""), ("hub", "")))
