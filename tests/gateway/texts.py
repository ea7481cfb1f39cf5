"""Programs and settings in the project's texts."""

import re
import textwrap
from typing import Final

import generate

_BLOCK: Final = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)


def blocks(file: str, language: str) -> list[str]:
    """Return the fenced blocks of a language in a file, in order."""
    text = (generate.ROOT / file).read_text(encoding="utf-8")
    return [textwrap.dedent(one["text"]) for one in _BLOCK.finditer(text) if one["language"] == language]
