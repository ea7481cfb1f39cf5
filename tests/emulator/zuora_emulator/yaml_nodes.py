"""Reading a YAML file strictly: every problem with its line and key, all of them at once.

Every scalar is read as the text that stands in the file, so `NO` is no boolean, 100.10 keeps its digits, and a tenant's
number needs no quotes.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import yaml

_PLAIN_NULLS = frozenset({"", "~", "null"})
_KNOWN_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str"))
_FLAGS = {"true": True, "false": False}
_LONGEST_TEXT = 1_000
_DECIMAL = r"[0-9]{1,15}(\.[0-9]{1,10})?"
_NO_WORDS = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0x[0-9a-fA-F]+|0o[0-7]+"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|(?i:true|false)"
)
"""What the core schema of YAML 1.2 reads as a number or a boolean where it is not in quotes."""


class FileError(ValueError):
    """A file is not as it must be; the message has a line for each problem: file, line, key, sentence."""


@dataclass(slots=True)
class Problems:
    """What is wrong with a file."""

    name: str
    """The file, as it was named."""
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, node: yaml.Node, key: str, message: str) -> None:
        """Add a problem of a key at the place of a node."""
        self.found.append((node.start_mark.line + 1, f"{key}: {message}" if key else message))

    def finish(self) -> None:
        """End the reading.

        Raises:
            FileError: There are problems; they are in the order of their lines.
        """
        if self.found:
            raise FileError("\n".join(f"{self.name}:{line}: {text}" for line, text in sorted(self.found)))


class Section:
    """A mapping, read key by key; a reading method returns None for what is absent or wrong."""

    def __init__(self, node: yaml.Node, path: str, problems: Problems) -> None:
        self.node = node
        self._path = path
        self._problems = problems
        self._values: dict[str, yaml.Node] = {}
        self._keys: dict[str, yaml.Node] = {}
        self._read: set[str] = set()
        if not isinstance(node, yaml.MappingNode):
            problems.add(node, path, "must be a mapping")
            return
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            if name in self._keys:
                problems.add(key, self._key(name), "is there twice")
            self._keys[name], self._values[name] = key, value

    def refuse(self, name: str, message: str) -> None:
        """Add a problem of a key; at the section's own line if the key is absent."""
        self._problems.add(self._keys.get(name, self.node), self._key(name), message)

    def finish(self) -> None:
        """Refuse the keys that were not read."""
        for name in self._keys.keys() - self._read:
            self.refuse(name, f"is no key of this place; there are {', '.join(sorted(self._read))}")

    def text(
        self,
        name: str,
        *,
        required: bool = True,
        pattern: str | None = None,
        form: str = "",
        allowed: Collection[str] = (),
        words: bool = False,
    ) -> str | None:
        """Read a text of at most 1,000 characters.

        Args:
            name: The key.
            required: Whether its absence is a problem.
            pattern: The regular expression that it must match as a whole.
            form: What the pattern means, as the end of "must be ...".
            allowed: The values that it may have; empty: any.
            words: Whether it is no number by its nature; one must then be in quotes, as other readers would take it
                for a number and change it.
        """
        value = self._scalar(name, required=required)
        if value is None:
            return None
        if not value:
            self.refuse(name, "must not be empty")
            return None
        if len(value) > _LONGEST_TEXT:
            self.refuse(name, f"must have at most {_LONGEST_TEXT} characters, not {len(value)}")
            return None
        if words and self._is_bare(name) and _NO_WORDS.fullmatch(value):
            self.refuse(name, f'must be text, so write it in quotes: "{value}"')
            return None
        if words and not value.isprintable():
            self.refuse(name, f"must be one line of printable characters, not {value!r}")
            return None
        if pattern is not None and not re.fullmatch(pattern, value):
            self.refuse(name, f"must be {form}, not {value!r}")
            return None
        if allowed and value not in allowed:
            self.refuse(name, f"must be one of {', '.join(allowed)}, not {value!r}")
            return None
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Read `true` or `false`."""
        value = self.text(name, required=False, allowed=tuple(_FLAGS))
        return default if value is None else _FLAGS[value]

    def decimal(self, name: str, *, required: bool = True) -> Decimal | None:
        """Read a number that is not negative, with its exact digits."""
        form = "a number that is not negative, like 100.10, with at most 15 digits before the point"
        value = self.text(name, required=required, pattern=_DECIMAL, form=form)
        return None if value is None else Decimal(value)

    def integer(self, name: str, *, default: int) -> int:
        """Read a whole number that is not negative."""
        value = self.text(name, required=False, pattern=r"[0-9]{1,9}", form="a whole number")
        return default if value is None else int(value)

    def texts(self, name: str, *, required: bool = True) -> tuple[str, ...]:
        """Read a list of texts."""
        nodes = self._nodes(name, required=required)
        texts = [node.value for node in nodes if _is_text(node)]
        if len(texts) < len(nodes):
            self.refuse(name, f"must have texts only, each of 1 to {_LONGEST_TEXT} characters")
        if len(set(texts)) < len(texts):
            self.refuse(name, "must not have a value twice")
        return tuple(texts)

    def text_mapping(self, name: str) -> dict[str, str]:
        """Read a mapping of texts to texts."""
        inner = self.section(name)
        if inner is None:
            return {}
        return {key: value for key in inner._keys if (value := inner.text(key)) is not None}

    def section(self, name: str) -> "Section | None":
        """Read a mapping."""
        self._read.add(name)
        node = self._values.get(name)
        return None if node is None else Section(node, self._key(name), self._problems)

    def sections(self, name: str, *, required: bool = False) -> list["Section"]:
        """Read a list of mappings; one that is required has at least one."""
        nodes = self._nodes(name, required=required)
        if required and not nodes and isinstance(self._values.get(name), yaml.SequenceNode):
            self.refuse(name, "must have at least one")
        return [Section(node, f"{self._key(name)}[{index}]", self._problems) for index, node in enumerate(nodes)]

    def _nodes(self, name: str, *, required: bool) -> list[yaml.Node]:
        self._read.add(name)
        node = self._values.get(name)
        if node is None and required:
            self.refuse(name, "is missing")
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.refuse(name, "must be a list")
            return []
        return list(node.value)

    def _scalar(self, name: str, *, required: bool) -> str | None:
        self._read.add(name)
        node = self._values.get(name)
        if node is None or _is_null(node):
            if required:
                self.refuse(name, "is missing")
            return None
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _KNOWN_TAGS:
            self.refuse(name, "must be a plain value, with no list, mapping or tag in its place")
            return None
        return str(node.value)

    def _is_bare(self, name: str) -> bool:
        node = self._values[name]
        return isinstance(node, yaml.ScalarNode) and node.style is None

    def _key(self, name: str) -> str:
        return ".".join(part for part in (self._path, name) if part)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value in _PLAIN_NULLS


def _is_text(node: yaml.Node) -> bool:
    is_text = isinstance(node, yaml.ScalarNode) and node.tag in _KNOWN_TAGS and not _is_null(node)
    return is_text and 1 <= len(node.value) <= _LONGEST_TEXT


def read_yaml(path: Path) -> tuple[Section, Problems]:
    """Return the mapping that a file is, and where its problems are collected.

    Raises:
        FileError: It cannot be read, or is no YAML.
    """
    try:
        return parsed_yaml(path.read_text(encoding="utf-8"), name=str(path))
    except OSError as problem:
        raise FileError(f"{path}: cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise FileError(f"{path}: is not UTF-8 text") from problem


def parsed_yaml(text: str, *, name: str) -> tuple[Section, Problems]:
    """Return the mapping that a text is, and where its problems are collected.

    Raises:
        FileError: It is no YAML.
    """
    try:
        node = yaml.compose(text, yaml.BaseLoader)
    except yaml.MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else 1
        raise FileError(f"{name}:{line}: is no YAML: {problem.problem}") from problem
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as problem:
        raise FileError(f"{name}: is no YAML: {str(problem).splitlines()[0]}") from problem
    if node is None:
        raise FileError(f"{name}:1: is empty")
    problems = Problems(name)
    return Section(node, "", problems), problems
