"""The values file of the chart, with the comments that YAML's readers drop."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

FILE: Final = Path(__file__).resolve().parents[2] / "helm" / "payorch" / "values.yaml"
_KEY: Final = re.compile(r"( *)([A-Za-z_][A-Za-z0-9_.-]*):( |$)")
_ANNOTATION: Final = "@schema "
_ANNOTATIONS: Final = {"required"}
"""Keywords of ours within an annotation; all others are keywords of JSON schema."""


class ValuesError(Exception):
    """The values file is not written as the generator reads it; the text names the key."""


@dataclass(frozen=True, slots=True)
class Comment:
    """What stands above a key."""

    text: str
    keywords: Mapping[str, Any]
    """Of JSON schema, from the annotation."""
    required: bool | None
    """Whether the annotation says that the chart can or cannot do without the key; None: it says neither."""


NONE: Final = Comment("", {}, required=None)


def read(text: str) -> tuple[dict[str, Any], dict[str, Comment]]:
    """Return the values, and by path, such as `image.tag`, what stands above their keys."""
    try:
        return yaml.safe_load(text), dict(_comments(text.splitlines()))
    except yaml.YAMLError as error:
        raise ValuesError(f"cannot be read: {error}") from error


def _comments(lines: list[str]) -> Iterator[tuple[str, Comment]]:
    above: list[str] = []
    path: list[tuple[int, str]] = []
    for line in lines:
        stripped = line.strip()
        if stripped.startswith("#"):
            above.append(stripped.removeprefix("#").strip())
            continue
        key = _KEY.match(line)
        if key:
            indent = len(key[1])
            path = [*((i, name) for i, name in path if i < indent), (indent, key[2])]
            if above:
                name = ".".join(name for _, name in path)
                yield name, _comment(name, above)
        above = []


def _comment(name: str, lines: list[str]) -> Comment:
    text = " ".join(line for line in lines if not line.startswith(_ANNOTATION))
    keywords: dict[str, Any] = {}
    for line in lines:
        if line.startswith(_ANNOTATION):
            said = yaml.safe_load(line.removeprefix(_ANNOTATION))
            if not isinstance(said, dict):
                raise ValuesError(f"{name}: what follows {_ANNOTATION.strip()} is no mapping.")
            keywords |= said
    if not text:
        raise ValuesError(f"{name}: a comment must describe it, not only annotate it.")
    further = {key: value for key, value in keywords.items() if key not in _ANNOTATIONS}
    return Comment(text, further, required=keywords.get("required"))
