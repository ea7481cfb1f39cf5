"""The form of the texts: `make check` runs the same rules over every Markdown file."""

import subprocess
import sys
from pathlib import Path

import prose
import pytest

LONG = "A sentence of a hundred characters that is long enough to need a line of its own when another follows,"


class TestRules:
    """What a reader of diffs relies on."""

    @pytest.mark.parametrize(
        ("text", "rule"),
        [
            ("One sentence. Another one.\n", "two sentences"),
            ("- One sentence? Another one.\n", "two sentences"),
            ("It ends here. `code` begins the next.\n", "two sentences"),
            ("A sentence that was broken\nwithout need.\n", "fits into one line"),
            ("- An item that was broken\n  without need.\n", "fits into one line"),
            (f"{LONG} and this makes it longer\n", "longer than 120 characters"),
            ("Blanks at the end. \n", "blanks at the end"),
            ("```text\nblanks in code \n```\n", "blanks at the end"),
            ("Nobody reads this.\n", "the word 'Nobody'"),
            ("| a | the flight of an intent |\n", "the word 'flight'"),
            ("It is a *flight* of an intent.\n", "the word 'flight'"),
            ("## Other doors\n", "the word 'doors'"),
        ],
    )
    def test_find_what_is_wrong(self, text: str, rule: str) -> None:
        """Each rule is broken once and named once."""
        found = prose.violations(f"# Title\n\nA paragraph before it.\n\n{text}")

        assert [5 + text.startswith("```")] == [violation.number for violation in found]
        assert rule in found[0].rule

    @pytest.mark.parametrize(
        "text",
        [
            "One sentence.\nAnother one, e.g. `a.b`, with `A. B` in code.\n",
            f"{LONG}\nso it is broken at a clause.\n",
            "- One item\n- Another one\n\nA list follows:\n\n1. First\n2. Second\n",
            f"| a | b |\n|---|---|\n| One. Two. | {LONG} {LONG} |\n",
            f"# A heading. {LONG} {LONG}\n",
            f"```sh\necho One. Two.  # {LONG} {LONG}\n```\n",
            f"<!-- {LONG}\n{LONG} One. Two. -->\n",
            f"---\nname: One. Two. {LONG}\n---\n\nText.\n",
            f"See https://example.org/{'a' * 120} for more.\n",
            "Calls in flight, a single-flight fetch, and `nobody` in code.\n",
            "```sh\nmake gateway\n```\n",
        ],
    )
    def test_leave_the_rest_alone(self, text: str) -> None:
        """Code, tables, headings, comments, front matter and addresses are free."""
        assert [] == prose.violations(text)


class TestProgram:
    """What `make check` runs."""

    def test_names_file_and_line_and_fails(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As every other gate does."""
        (tmp_path / "page.md").write_text("# Title\n\nOne sentence. Another one.\n")
        monkeypatch.setattr(prose, "ROOT", tmp_path)
        monkeypatch.setattr(sys, "argv", ["prose.py", str(tmp_path / "page.md")])

        with pytest.raises(SystemExit) as ended:
            prose.main()

        assert "page.md:3: two sentences: give each its own line" == ended.value.code

    def test_reads_every_page(self) -> None:
        """New ones too, and none of another project."""
        found = {str(file.relative_to(prose.ROOT)) for file in prose.markdown_files()}

        assert {"README.md", "docs/errors.md", "clients/go/README.md", "helm/payorch/README.md"} <= found
        assert not [name for name in found if "node_modules" in name or ".venv" in name]

    def test_passes_over_the_repository(self) -> None:
        """The state of the tree."""
        done = subprocess.run(
            [sys.executable, "tools/prose.py"], cwd=prose.ROOT, capture_output=True, text=True, check=False
        )

        assert (0, "") == (done.returncode, done.stderr)
