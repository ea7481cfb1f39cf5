"""Where an issuer's keys come from, as the configuration is checked."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.authority import AUDIENCE, ISSUER, Issuer, key_set
from harness.stack import configuration, merged
from payorch_server.app.issuer_keys import report_skipped_keys
from payorch_server.cli import main
from payorch_server.config import ConfigError, load, watched_files
from structlog.testing import capture_logs

EXACTLY_ONE = "must have exactly one of key_set_file, key_set_url and discovery: true"
PROXY = {"proxy_url": "http://proxy.internal:3128"}


def document(folder: Path, issuer: dict[str, Any], **over: Any) -> Path:
    """Write a configuration with one issuer, and the files that it may name."""
    (folder / "keys.json").write_bytes(key_set(Issuer()))
    (folder / "empty.pem").write_text("nothing")
    named = {name: str(folder / value) if name.endswith("_file") else value for name, value in issuer.items()}
    corp = {"issuer": ISSUER, "audience": AUDIENCE} | named
    content = merged(
        configuration(emulator_url="http://127.0.0.1:1", folder=folder), {"identity": {"jwt": {"corp": corp}}}
    )
    file = folder / "payorch.yaml"
    file.write_text(yaml.safe_dump(merged(content, over)))
    return file


class TestSource:
    """Of one issuer."""

    @pytest.mark.parametrize(
        "issuer",
        [
            {"key_set_file": "keys.json"},
            {"key_set_url": "https://keys.example/jwks?v=1", "issuer": "any text"},
            {"discovery": True, "key_set_hosts": ["keys.example", "keys.example:8443"]},
            {"discovery": True, "through_proxy": True},
        ],
    )
    def test_is_one_of_three(self, tmp_path: Path, issuer: dict[str, Any]) -> None:
        """A file is read; nothing is fetched by reading the configuration."""
        file = document(tmp_path, issuer, zuora_http=PROXY)

        settings = load(file)

        assert ("key_set_file" in issuer) is bool(settings.key_sets)
        assert ("key_set_file" in issuer) is (tmp_path / "keys.json" in watched_files([file], settings.document))

    @pytest.mark.parametrize(
        ("issuer", "problems"),
        [
            ({}, [f": {EXACTLY_ONE}; it has none"]),
            (
                {"key_set_file": "keys.json", "discovery": True},
                [f": {EXACTLY_ONE}; it has key_set_file and discovery: true"],
            ),
            ({"key_set_url": "http://keys.example/jwks"}, [".key_set_url: must be an https URL"]),
            ({"key_set_url": "https://user@keys.example/jwks"}, [".key_set_url: must be an https URL"]),
            ({"discovery": True, "issuer": "shop"}, [".issuer: must be an https URL without a query"]),
            (
                {"discovery": True, "issuer": "https://id.example?a=b"},
                [".issuer: must be an https URL without a query"],
            ),
            ({"discovery": True, "key_set_hosts": ["https://a"]}, [".key_set_hosts.0: must be a host"]),
            ({"key_set_file": "keys.json", "key_set_hosts": ["a"]}, [".key_set_hosts: has an effect with discovery"]),
            ({"key_set_file": "keys.json", "through_proxy": True}, [": ca_file and through_proxy have an effect"]),
            ({"discovery": True, "ca_file": "none.pem"}, [".ca_file: "]),
            ({"discovery": True, "ca_file": "empty.pem"}, [".ca_file: "]),
        ],
    )
    def test_is_named_where_it_is_wrong(self, tmp_path: Path, issuer: dict[str, Any], problems: list[str]) -> None:
        """Every problem in one report."""
        with pytest.raises(ConfigError) as caught:
            load(document(tmp_path, issuer, zuora_http=PROXY))

        assert len(problems) == len(caught.value.problems), caught.value.problems
        for problem, found in zip(problems, caught.value.problems, strict=True):
            assert found.startswith(f"identity.jwt.corp{problem}")

    def test_needs_a_proxy_to_go_through_it(self, tmp_path: Path) -> None:
        """That of Zuora."""
        with pytest.raises(ConfigError, match=r"through_proxy: needs zuora_http\.proxy_url"):
            load(document(tmp_path, {"discovery": True, "through_proxy": True}))


class TestUnusableKeys:
    """Beside a good one in a file."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        """Write a configuration with such a set."""
        file = document(tmp_path, {"key_set_file": "keys.json"})
        keys = json.loads(key_set(Issuer()))["keys"]
        (tmp_path / "keys.json").write_text(json.dumps({"keys": [*keys, {"kty": "EC", "crv": "P-521", "kid": "new"}]}))
        return file

    def test_are_listed_by_the_check(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """And refuse nothing: the issuer may publish them for others."""
        assert main(["check-config", "--config", str(file)]) == 0

        good, skipped = capsys.readouterr().out.splitlines()
        assert ": OK; " in good
        assert skipped.startswith("  skipped  identity.jwt.corp.key_set_file: keys.1: must be a signing key for RS256")

    def test_are_logged_once(self, file: Path) -> None:
        """Again only when others are skipped."""
        key_sets = load(file).key_sets

        with capture_logs() as logs:
            report_skipped_keys({}, key_sets)
            report_skipped_keys(key_sets, dict(key_sets))

        assert [("issuer_keys_skipped", "corp")] == [(line["event"], line["issuer"]) for line in logs]
