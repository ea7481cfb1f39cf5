"""The pages under docs/ say what the code does."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from payorch_server.config import schema
from payorch_server.config.hub_loading import load_hub_document
from payorch_server.model.outcome import VERDICTS, Advice, Outcome, Reason
from payorch_server.rpc.status import CATALOGUE

ROOT = Path(__file__).parents[2]
ERRORS = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
SECTION = re.compile(
    r"^### (?P<reason>\w+)\n\n`(?P<outcome>\w+)` · `(?P<advice>\w+)` · `(?P<code>\w+)`\n\n(?P<text>(?:[- ] .*\n)+)",
    re.MULTILINE,
)
PARTS = re.compile(r"^- (Cause|Caller|Operator): (.+?)(?=^- |\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Section:
    """What the page says of a reason."""

    outcome: str
    advice: str
    code: str
    parts: dict[str, str]


def sections() -> dict[str, Section]:
    """Read the page."""
    found: dict[str, Section] = {}
    for match in SECTION.finditer(ERRORS):
        name, outcome, advice, code, text = match.groups()
        assert name not in found, f"{name} is described twice"
        found[name] = Section(outcome, advice, code, dict(PARTS.findall(text)))
    return found


class TestErrors:
    """docs/errors.md is the contract's reference for people."""

    def test_has_a_section_for_every_reason_and_for_nothing_else(self) -> None:
        """In the form that the other tests read."""
        headings = re.findall(r"^### (.+)$", ERRORS, re.MULTILINE)

        assert sorted(headings) == sorted(reason.name for reason in Reason)
        assert sorted(sections()) == sorted(headings)

    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_agrees_with_the_tables(self, reason: Reason) -> None:
        """Outcome and advice are the verdict's, the code is the catalogue's."""
        verdict, (code, _) = VERDICTS[reason], CATALOGUE[reason]
        section = sections()[reason.name]

        assert (section.outcome, section.advice, section.code) == (verdict.outcome.name, verdict.advice.name, code.name)

    @pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
    def test_tells_cause_caller_and_operator(self, reason: Reason) -> None:
        """Each in a sentence at least."""
        parts = sections()[reason.name].parts

        assert list(parts) == ["Cause", "Caller", "Operator"]
        for text in parts.values():
            assert re.fullmatch(r"[A-Z0-9`].+\.\s*", text, re.DOTALL), text

    def test_explains_every_outcome_and_advice(self) -> None:
        """But those that no error has."""
        rows = set(re.findall(r"^\| `(\w+)` \|", ERRORS, re.MULTILINE))

        words = {one.name for one in Outcome} | {one.name for one in Advice}
        assert rows == words - {"SUCCEEDED", "NONE"}

    def test_names_settings_that_exist(self) -> None:
        """An operator would look for them in vain."""
        properties = str(schema())

        for section, name in re.findall(r"`(grpc|zuora_http|intents|sessions|payment_methods|store)\.(\w+)`", ERRORS):
            assert f"'{name}'" in properties, f"{section}.{name}"

    def test_is_linked_from_the_readme(self) -> None:
        """Where a caller begins to read."""
        assert "](docs/errors.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


class TestConfiguration:
    """docs/configuration.md shows documents that work."""

    def test_shows_a_good_document_of_the_hub(self, tmp_path: Path) -> None:
        """As far as that can be checked without the files that it names."""
        page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
        sample = page.partition("\n## The hub\n")[2].partition("```yaml\n")[2].partition("```")[0]
        file = tmp_path / "hub.yaml"
        file.write_text(sample)

        assert ["amazon"] == list(load_hub_document(file).upc.gateways)


class TestSecurity:
    """docs/security.md promises nothing that no test would notice."""

    def test_names_tests_that_exist(self) -> None:
        """By file and function."""
        page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)

        missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in (ROOT / file).read_text()]

        assert len(named) > 20
        assert [] == missing

    def test_gives_every_threat_a_test(self) -> None:
        """A row without one is a wish."""
        page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
        rows = re.findall(
            r"^\| (?:spoofing|tampering|replay|cross-tenant|SSRF|exhaustion|disclosure).*$", page, re.MULTILINE
        )

        assert [] == [row for row in rows if "::test_" not in row]
        kinds = {re.match(r"\| ([\w-]+)", row)[1] for row in rows}  # type: ignore[index] # every row begins so
        assert {"spoofing", "tampering", "replay", "cross-tenant", "SSRF", "exhaustion", "disclosure"} == kinds
