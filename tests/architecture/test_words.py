"""The words of code: those of the field, and none that a glossary would have to explain."""

import re
import subprocess
from pathlib import Path

import prose
import pytest
from architecture.source_files import ROOT

READ = (
    "service/payorch_server/*.py",
    "protos/*.proto",
    "clients/*.py",
    "clients/*.go",
    "clients/*.ts",
    "clients/*.java",
    "clients/*.rs",
    "clients/*.lua",
    "clients/*.yaml",
    "helm/*.yaml",
    "helm/*.tpl",
    "helm/*.txt",
    "tools/*.py",
)
"""What people read, beside Markdown, which `make check` holds to the same words."""
LEFT_OUT = re.compile(r"_pb2|/gen/|/generated/|\.pb\.go$|^tools/prose\.py$")
# Between the parts of snake_case and camelCase.
_SEAMS = re.compile(r"(?<=[a-z])(?=[A-Z])|_")


def files() -> list[str]:
    """List the files that git knows, without generated ones and the list of words itself."""
    listed = subprocess.run(["git", "ls-files", *READ], capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603, S607
    return [file for file in listed.stdout.splitlines() if not LEFT_OUT.search(file)]


def words_to_avoid(text: str) -> list[str]:
    """Return what is wrong with a text, by line."""
    lines = enumerate(text.splitlines(), start=1)
    return [f"{number}: {found[0]}" for number, line in lines if (found := prose.WORDS.search(_SEAMS.sub(" ", line)))]


class TestWords:
    """A stranger reads the code without a key."""

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("# Whoever calls must pay.", "a comment"),
            ('_LOG.info("the service goes on")', "a string"),
            ("def flight_record() -> None:", "a part of a name"),
            ("class SpanOutlet:", "a part of a name in camel case"),
        ],
    )
    def test_are_found(self, line: str, reason: str) -> None:
        """Wherever they stand."""
        assert words_to_avoid(f"x = 1\n{line}\n"), reason

    def test_leave_the_words_of_the_field_alone(self) -> None:
        """Calls in flight are what everybody calls them."""
        assert [] == words_to_avoid("in_flight = 1  # single-flight, pre-flight, in flight, singleFlight\n")

    def test_are_looked_for_in_all_code(self) -> None:
        """The walk below sees every language."""
        assert {Path(file).suffix for file in files()} >= {".py", ".proto", ".go", ".ts", ".java", ".rs", ".yaml"}

    @pytest.mark.parametrize("file", files())
    def test_are_those_of_the_field(self, file: str) -> None:
        """No file has a word to avoid."""
        assert [] == words_to_avoid((ROOT / file).read_text())
