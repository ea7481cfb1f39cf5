"""Numbers that no setting can use are refused, wherever they come from."""

import json
import math
import os
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from harness.hub_configuration import hub_configuration
from harness.settings_fields import INDEX, NAME, Setting, hub_settings, numeric_settings
from payorch_server import cli

SETTINGS: Final = [*numeric_settings(), *(setting for setting in hub_settings() if setting.is_numeric)]
NEVER: Final = (-1, math.nan, math.inf, -math.inf, 1e18, 10**5, True, "5", "", [5], {"s": 5})
"""What no setting accepts; 10**5 stands for numbers of which some settings accept greater ones."""
NEVER_A_VARIABLE: Final = ("-1", "nan", "NaN", ".nan", "inf", "-inf", "Infinity", "1e18", "true", '"5"', "5s", "0x5")


@pytest.fixture
def content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: Setting) -> dict[str, Any]:
    """Return a good configuration with every optional part, of the service or of the hub."""
    for name in [name for name in os.environ if name.startswith("PAYORCH_")]:  # noqa: TID251 - to clear it
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    if setting.path[0] == "upc":
        return hub_configuration(tmp_path)
    return {
        "tenants": {
            "acme": {
                "base_url": "https://rest.test.zuora.com",
                "client_id": "11111111-2222-3333-4444-555555555555",
                "client_secret_file": "secret",
            }
        },
        "routing": [{"name": "all", "to": {"tenant": "acme", "gateway": "zuora_default"}}],
        "accept_memory_store": True,
        "identity": {
            "jwt": {"acme": {"key_set_file": "keys.json", "issuer": "https://issuer.test", "audience": "payorch"}}
        },
    }


def path_of(setting: Setting) -> list[str]:
    """Return where the setting is in the good configuration."""
    assert INDEX not in setting.path
    return ["acme" if name == NAME else name for name in setting.path]


def check(content: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the problems that check-config reports; none if it succeeds."""
    Path("payorch.yaml").write_text(yaml.safe_dump(content))

    of_hub = ["upc"] if "upc" in content else []
    status = cli.main([*of_hub, "check-config", "--without-secrets", "--config", "payorch.yaml"])

    reported = capsys.readouterr().err
    assert status == (2 if reported else 0)
    return [line.removeprefix("  - ").partition(": ")[2] for line in reported.splitlines()[1:]]


def set_at(content: dict[str, Any], path: list[str], value: Any) -> None:
    """Put a value into a configuration."""
    *sections, last = path
    for name in sections:
        content = content.setdefault(name, {})
    content[last] = value


def rule_of(setting: Setting) -> str:
    """Return how the refusal begins: where, and what is allowed."""
    (limits,) = setting.ranges
    number = "a whole number" if setting.kind is int else "a number"
    what = f" of {limits.what}" if limits.what else ""
    place = ".".join(path_of(setting))
    return f"{place}: must be {number}{what} from {limits.at_least:.15g} to {limits.at_most:.15g}"


def outside(setting: Setting) -> list[float]:
    """Return the numbers just outside of the range."""
    (limits,) = setting.ranges
    step = 1 if setting.kind is int else 0.001
    return [limits.at_least - step, limits.at_most + step]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
class TestNumericSettings:
    """check-config on every setting that holds a number."""

    def test_refuse_values_outside_of_their_range(
        self, setting: Setting, content: dict[str, Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """One sentence with path, range and fix, for 0 too where the range begins above it."""
        for value in (*NEVER, *outside(setting)):
            if value == 10**5 and setting.ranges[0].at_most >= value:
                continue
            set_at(content, path_of(setting), value)

            (problem,) = check(content, capsys)

            assert problem.startswith(rule_of(setting)), value

    def test_refuse_such_variables(
        self,
        setting: Setting,
        content: dict[str, Any],
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The environment is read by the same rule, and by the reader of JSON where it holds a section."""
        path = path_of(setting)
        variable = f"PAYORCH_{'__'.join(path).upper()}"
        for value in (*NEVER_A_VARIABLE, *(f"{number:.15g}" for number in outside(setting))):
            monkeypatch.setenv(variable, value)

            (problem,) = check(content, capsys)

            assert problem.startswith(rule_of(setting)), value
        monkeypatch.delenv(variable)
        section: dict[str, Any] = {}
        set_at(section, path[1:], "5")
        monkeypatch.setenv(f"PAYORCH_{path[0].upper()}", json.dumps(section))
        assert any(problem.startswith(rule_of(setting)) for problem in check(content, capsys))

    def test_accept_both_ends_of_their_range(
        self,
        setting: Setting,
        content: dict[str, Any],
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """From the file and from the environment; what two settings say together is another matter."""
        (limits,) = setting.ranges
        path = path_of(setting)
        variable = f"PAYORCH_{'__'.join(path).upper()}"
        for value in (limits.at_least, limits.at_most):
            set_at(content, path, value)
            from_file = check(content, capsys)
            set_at(content, path, setting.default)
            monkeypatch.setenv(variable, f"{value:.15g}")

            assert [] == [problem for problem in (*from_file, *check(content, capsys)) if "must be a " in problem]
            monkeypatch.delenv(variable)
