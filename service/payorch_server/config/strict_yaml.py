"""YAML 1.2 on top of PyYAML, which reads 1.1: `NO` is Norway and not false, `2025-08-12` a text and not a date.

Source: YAML 1.2.2, section 10.3, "Core Schema" (read 2026-11-25).
"""

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import yaml

from payorch_server.config.base_document import ConfigError

_TAG: Final = "tag:yaml.org,2002:"
_MAX_DEPTH: Final = 64
"""Levels; the settings have fewer than ten. The parser's time grows with the square of the depth."""


def _int(text: str) -> int:
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _float(text: str) -> float:
    # YAML's .inf and .nan are Python's without the point.
    return float(text.replace(".", "") if text[-1] in "fFnN" else text)


_SCALARS: Final[tuple[tuple[str, str, str, Callable[[str], object]], ...]] = (
    ("null", r"null|Null|NULL|~|", "nN~", lambda _: None),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF", lambda text: text in {"true", "True", "TRUE"}),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789", _int),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
        _float,
    ),
)
"""Type, form, first characters and meaning; the first that matches applies, and text if none does."""


_SENTENCES: Final = {
    f"could not determine a constructor for the tag '{_TAG}merge'": "<< merges nothing here; write the settings out",
    "could not determine a constructor for the tag": "a tag such as !name is not known; write the value alone",
    "found undefined alias": "a text that begins with * needs quotes; as an alias it has no anchor",
    "but found another document": "a second document begins after ---; a file has one",
    "found character '\\t'": "begins with a tab; indent with spaces",
    "found character": "a text that begins with such a character needs quotes",
}
"""By how the parser's own words begin."""


class _StrictLoader(yaml.SafeLoader):
    """Knows only the types of the core schema, and refuses duplicate keys, of which PyYAML drops one."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's way; filled below
    yaml_constructors = {  # noqa: RUF012 - PyYAML's way
        tag: yaml.SafeLoader.yaml_constructors[tag] for tag in (f"{_TAG}str", f"{_TAG}seq", None)
    }
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Read a value with all that it holds, down to the deepest level that is allowed."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            problem = f"is nested too deeply: more than {_MAX_DEPTH} levels"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=parent.start_mark if parent else None)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key, _ in node.value:
        name = loader.construct_object(key, deep=True)
        if not isinstance(name, Hashable):
            raise yaml.MarkedYAMLError(problem="a key must be a plain value", problem_mark=key.start_mark)
        if name in seen:
            raise yaml.MarkedYAMLError(problem=f"the key {name!r} appears twice", problem_mark=key.start_mark)
        seen.add(name)
    return loader.construct_mapping(node, deep=True)


def _add_scalar(kind: str, form: str, beginnings: str, read: Callable[[str], object]) -> None:
    pattern = re.compile(rf"({form})\Z")

    def construct(loader: _StrictLoader, node: yaml.ScalarNode) -> object:
        text = loader.construct_scalar(node)
        try:
            # A tag such as !!int may stand before any text.
            if pattern.match(text):
                return read(text)
        except ValueError:
            pass  # More digits than Python reads.
        raise yaml.MarkedYAMLError(problem=f"the value cannot be read as {kind}", problem_mark=node.start_mark)

    # An omitted value has no first character.
    _StrictLoader.add_implicit_resolver(f"{_TAG}{kind}", pattern, [*beginnings, ""])
    _StrictLoader.add_constructor(f"{_TAG}{kind}", construct)


for _scalar in _SCALARS:
    _add_scalar(*_scalar)
_StrictLoader.add_constructor(f"{_TAG}map", _mapping)
# No constructor, so that << is refused: readers who know YAML 1.1 would expect a merge.
_StrictLoader.add_implicit_resolver(f"{_TAG}merge", re.compile(r"<<\Z"), ["<"])


class TextFile(Protocol):
    """A file as far as it is needed here, such as a Path; `str` of it is how errors name it."""

    def read_text(self) -> str:
        """Return all of it."""


@dataclass(frozen=True, slots=True)
class NamedText:
    """The content of a file that is not on this machine."""

    name: str
    text: str

    def __str__(self) -> str:
        return self.name

    def read_text(self) -> str:
        """Return all of it."""
        return self.text


def read_yaml(path: TextFile) -> Any:
    """Return the content of a YAML file, by the rules of YAML 1.2; a duplicate key is refused.

    Raises:
        ConfigError: It cannot be read, or is not YAML.
    """
    try:
        return yaml.load(path.read_text(), _StrictLoader)  # noqa: S506 - a subclass of the safe loader
    except OSError as error:
        raise ConfigError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), ["is not UTF-8 text"]) from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError(str(path), [f"{line}{_sentence(error)}"]) from error
    except yaml.YAMLError as error:
        raise ConfigError(str(path), [f"is not YAML: {str(error).splitlines()[0]}"]) from error
    except (ValueError, OverflowError) as error:
        # An escape of a character that does not exist, such as "\U00110000".
        raise ConfigError(str(path), [f"contains a value that cannot be read: {error}"]) from error


def _sentence(error: yaml.MarkedYAMLError) -> str:
    """Return what is wrong in this project's words; what the parser says of the rest is about its tokens."""
    problem = error.problem or error.context or ""
    for beginning, sentence in _SENTENCES.items():
        if problem.startswith(beginning):
            return sentence
    is_ours = isinstance(error, yaml.constructor.ConstructorError) or type(error) is yaml.MarkedYAMLError
    return problem if is_ours else f"is not YAML: {problem}"


def compose(path: TextFile) -> yaml.Node | None:
    """Return the tree of a YAML file with the marks of its lines; None if it cannot be read."""
    try:
        return yaml.compose(path.read_text(), _StrictLoader)
    except (OSError, ValueError, OverflowError, yaml.YAMLError):
        return None
