"""Checks every Markdown file: one sentence per line, no long lines, and no words that a glossary would have to explain.

python tools/prose.py          check every file of the repository
python tools/prose.py FILE...  check these

A violation is one line on standard error, `file:line: rule`, and exit status 1. Tables, headings and code may be long.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
MAX_CHARACTERS: Final = 120
"""As in .editorconfig."""

_CODE_SPAN: Final = re.compile(r"`[^`]*`")
_LIST_MARKER: Final = re.compile(r"^ *(?:[-*]|\d+\.) ")
_FENCE: Final = re.compile(r" *```")
# An abbreviation ends no sentence; what follows the end of one begins with a capital, a digit, code, a quote or a link.
_NEXT_SENTENCE: Final = re.compile(r"""(?<!e\.g)(?<!i\.e)(?<!vs)[.!?]["')*\]]* +(?=[A-Z0-9`"'*(\[])""")
_SENTENCE_END: Final = re.compile(r"""[.!?:]["')*\]]*$""")
# Words that read as translated, and private words for what the field already names; CONTRIBUTING.md has the glossary.
WORDS: Final = re.compile(
    r"\b(?:whoever|nobody|somebody|anew|telling|outlet|doors?|goes on(?! the wire)|is told|has not the|says so"
    r"|(?<!in )(?<!single[- ])(?<!pre[- ])flights?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of prose; `number` counts from 1, `opens_block` marks the first line of a paragraph or list item."""

    number: int
    text: str
    opens_block: bool


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule and the line that breaks it."""

    number: int
    rule: str


def violations(text: str) -> list[Violation]:
    """Return what is wrong with a page, in the order of its lines."""
    lines = list(_prose(text))
    found = [*_trailing_blanks(text), *_words(text), *_lines(lines), *_broken_sentences(lines)]
    return sorted(found, key=lambda violation: violation.number)


def _prose(text: str) -> Iterator[Line]:
    """Yield the lines outside of code, tables, headings, comments and front matter."""
    closed_by: re.Pattern[str] | None = None
    opens_block = True
    for number, line in enumerate(text.splitlines(), start=1):
        # Inside of a block that is no prose, only its end matters.
        if closed_by is not None:
            closed_by = None if closed_by.search(line) else closed_by
            opens_block = True
        elif (closed_by := _opened(line, number)) is not None or _is_no_prose(line):
            opens_block = True
        else:
            yield Line(number, line, opens_block or _LIST_MARKER.match(line) is not None)
            opens_block = False


def _opened(line: str, number: int) -> re.Pattern[str] | None:
    """Return what closes the block without prose that a line opens, if it opens one."""
    if _FENCE.match(line):
        return _FENCE
    if line.startswith("<!--") and "-->" not in line:
        return re.compile("-->")
    return re.compile("^---$") if line == "---" and number == 1 else None


def _is_no_prose(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith(("|", "#", "<!--"))


def _trailing_blanks(text: str) -> Iterator[Violation]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line != line.rstrip():
            yield Violation(number, "blanks at the end of the line")


def _words(text: str) -> Iterator[Violation]:
    """Yield the words to avoid, in tables and headings too; code may name anything."""
    code = False
    for number, line in enumerate(text.splitlines(), start=1):
        code ^= _FENCE.match(line) is not None
        found = None if code else WORDS.search(_without_code(line))
        if found:
            yield Violation(number, f"the word {found[0]!r}: use the field's own")


def _lines(lines: Iterable[Line]) -> Iterator[Violation]:
    for line in lines:
        # An address cannot be broken.
        if len(line.text) > MAX_CHARACTERS and "://" not in line.text:
            yield Violation(line.number, f"longer than {MAX_CHARACTERS} characters: break it at a clause")
        if _NEXT_SENTENCE.search(_without_code(line.text)):
            yield Violation(line.number, "two sentences: give each its own line")


def _without_code(text: str) -> str:
    """Return the text with equally long code spans that hold no punctuation, and without its list marker."""
    masked = _CODE_SPAN.sub(lambda span: "`" + "x" * (len(span[0]) - 2) + "`", text)
    return _LIST_MARKER.sub("", masked, count=1)


def _broken_sentences(lines: Iterable[Line]) -> Iterator[Violation]:
    """Yield the sentences that stand on several lines and would fit into one."""
    for sentence in _sentences(lines):
        joined = " ".join([sentence[0].text, *(line.text.strip() for line in sentence[1:])])
        if len(sentence) > 1 and len(joined) <= MAX_CHARACTERS:
            yield Violation(sentence[0].number, "a sentence that fits into one line is broken")


def _sentences(lines: Iterable[Line]) -> Iterator[list[Line]]:
    sentence: list[Line] = []
    for line in lines:
        if sentence and (line.opens_block or _SENTENCE_END.search(sentence[-1].text)):
            yield sentence
            sentence = []
        sentence.append(line)
    if sentence:
        yield sentence


def markdown_files() -> list[Path]:
    """Return the Markdown files that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - fixed command
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def main() -> None:
    """Check the files that are named, or all."""
    files = [Path(name).resolve() for name in sys.argv[1:]] or markdown_files()
    wrong = [
        f"{file.relative_to(ROOT)}:{violation.number}: {violation.rule}"
        for file in files
        for violation in violations(file.read_text(encoding="utf-8"))
    ]
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
