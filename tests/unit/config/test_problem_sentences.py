"""Mistakes of many kinds, each described in this project's words, with where it is and what to do."""

from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
from payorch_server.config import ConfigError, load_document
from payorch_server.config.base_document import BaseDocument
from payorch_server.config.problem_texts import near_name

BASE: Final = """\
grpc: {listen: "127.0.0.1:50051"}
accept_memory_store: true
tenants:
  acme:
    environment: us_central_sandbox
    client_id: 00000000-0000-4000-8000-000000000000
    client_secret_file: /secret
    gateways: {cards: {id: 4028801a000000000000000000000001, label: Cards}}
routing:
  - name: rest
    to: {tenant: acme, gateway: cards}
"""
ENTRIES: Final = "write each entry in a line with '-', or all as JSON in a variable"
NAMES: Final = "each name must be a text; write numbers, true, false and null in quotes"


def problems_of(file: Path, text: str) -> list[str]:
    """Return what is reported of a text, without the name of the file."""
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_document(file)
    return [line.removeprefix(f"  - {file}:").removeprefix("  - ") for line in str(caught.value).splitlines()[1:]]


class Counted(BaseDocument):
    """A document that counts how often its schema is made."""

    made: ClassVar[int] = 0

    @classmethod
    def model_json_schema(cls, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Make it."""
        cls.made += 1
        return super().model_json_schema(*arguments, **options)


class TestNearName:
    """What a name could mean that no setting has."""

    def test_costs_the_schema_once(self) -> None:
        """A file may have hundreds of such names, and each schema takes as long as the rest of the check."""
        for number in range(5):
            near_name(Counted, (f"name_{number}",))

        assert Counted.made == 1


class TestFiles:
    """What is wrong in a file."""

    @pytest.mark.parametrize(
        ("old", "new", "problem"),
        [
            ("grpc: {listen", "grpc:\n\tlisten: {listen", "line 2: begins with a tab; indent with spaces"),
            ('50051"}', '50051"', "line 2: is not YAML: expected ',' or '}', but got '<scalar>'"),
            ("label: Cards", "label: @Cards", "line 8: a text that begins with such a character needs quotes"),
            (
                "label: Cards",
                "label: *a",
                "line 8: a text that begins with * needs quotes; as an alias it has no anchor",
            ),
            ("  acme:", "  <<: {a: b}\n  acme:", "line 4: << merges nothing here; write the settings out"),
            ("routing:", "---\nrouting:", "line 9: a second document begins after ---; a file has one"),
            ("label: Cards", "label: !vault a", "line 8: a tag such as !name is not known; write the value alone"),
            ("accept_memory_store", "accept-memory-store", None),
            ("grpc:", "GRPC:", "1: GRPC: no such setting; did you mean grpc?"),
            ("accept_memory_store", "ACCEPT_MEMORY_STORE", None),
            ("  acme:", "  7:", f"3: tenants: {NAMES}"),
            ("  acme:", "  true:", f"3: tenants: {NAMES}"),
            ("grpc:", "~:", NAMES),
            ("grpc: {listen", "grpc.listen: {listen", None),
        ],
    )
    def test_is_said_with_the_fix(self, tmp_path: Path, old: str, new: str, problem: str | None) -> None:
        """One problem, and none that follows from it."""
        problems = problems_of(tmp_path / "c.yaml", BASE.replace(old, new, 1))

        assert len(problems) == 1
        assert problem in {None, problems[0]}
        assert "constructor" not in problems[0]

    @pytest.mark.parametrize(
        ("text", "advice"),
        [
            ("grpc.listen: a", "grpc.listen: no such setting; write what is in grpc below it, not after a point"),
            ("upc: {hubs: {}}", "it belongs to the hub, whose file `payorch-server upc check-config` checks"),
            ("config: {grpc: {}}", "checked by `helm template ... | payorch-server check-config -`"),
            ("apiVersion: v1\nkind: ConfigMap", "an object of Kubernetes; give a manifest to `check-config -`"),
        ],
    )
    def test_of_another_kind_says_where_it_belongs(self, tmp_path: Path, text: str, advice: str) -> None:
        """A setting after a point, and files that are none of the service."""
        assert any(problem.endswith(advice) for problem in problems_of(tmp_path / "c.yaml", text))


class TestVariables:
    """What is wrong in a variable."""

    @pytest.mark.parametrize(
        ("variable", "value", "problem"),
        [
            ("PAYORCH_TENANTS", "x", "tenants: must be JSON in a variable, or one variable for each setting in it"),
            ("PAYORCH_GRPC", "", "grpc: must be JSON in a variable, or one variable for each setting in it"),
            (
                "PAYORCH_ROUTING__0__NAME",
                "x",
                "routing.0.name: a variable replaces no entry of a list; give all of it as JSON in PAYORCH_ROUTING",
            ),
            (
                "PAYORCH_ZUORA_HTTP__EXTRA_HOSTS",
                "a,b",
                f"zuora_http.extra_hosts: must be a list; {ENTRIES}",
            ),
        ],
    )
    def test_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str
    ) -> None:
        """By the variable, and once; the rest of the file is checked all the same."""
        monkeypatch.setenv(variable, value)

        problems = problems_of(tmp_path / "c.yaml", BASE.replace("us_central", "us_centre"))

        expected: list[Any] = [f"{variable}: {problem}"]
        assert problems[:1] == expected
        assert variable == "PAYORCH_TENANTS" or "tenants.acme.environment: " in problems[1]
