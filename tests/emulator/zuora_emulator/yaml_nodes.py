"""Reading a YAML file strictly: every problem with its line and key, all of them at once.

Every scalar is read as the text that stands in the file, so `NO` is no boolean, 100.10 keeps its digits, and a tenant's
number needs no quotes.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

import yaml

_PLAIN_NULLS = frozenset({"", "~", "null"})
_KNOWN_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str"))
_FLAGS = {"true": True, "false": False}


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
    ) -> str | None:
        """Read a text.

        Args:
            name: The key.
            required: Whether its absence is a problem.
            pattern: The regular expression that it must match as a whole.
            form: What the pattern means, as the end of "must be ...".
            allowed: The values that it may have; empty: any.
        """
        value = self._scalar(name, required=required)
        if value is None:
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
        value = self.text(name, required=required)
        try:
            number = None if value is None else Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if number is not None and not (number.is_finite() and number >= 0):
            self.refuse(name, f"must be a number that is not negative, not {value!r}")
            return None
        return number

    def integer(self, name: str, *, default: int) -> int:
        """Read a whole number that is not negative."""
        value = self.text(name, required=False, pattern=r"[0-9]{1,9}", form="a whole number")
        return default if value is None else int(value)

    def texts(self, name: str, *, required: bool = True) -> tuple[str, ...]:
        """Read a list of texts."""
        nodes = self._nodes(name, required=required)
        texts = [node.value for node in nodes if isinstance(node, yaml.ScalarNode)]
        if len(texts) < len(nodes):
            self.refuse(name, "must have texts only")
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
        """Read a list of mappings."""
        nodes = self._nodes(name, required=required)
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
        is_null = isinstance(node, yaml.ScalarNode) and node.style is None and node.value in _PLAIN_NULLS
        if node is None or is_null:
            if required:
                self.refuse(name, "is missing")
            return None
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _KNOWN_TAGS:
            self.refuse(name, "must be a plain value")
            return None
        return str(node.value)

    def _key(self, name: str) -> str:
        return ".".join(part for part in (self._path, name) if part)


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
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        raise FileError(f"{name}: is no YAML: {str(problem).splitlines()[0]}") from problem
    if node is None:
        raise FileError(f"{name}:1: is empty")
    problems = Problems(name)
    return Section(node, "", problems), problems
