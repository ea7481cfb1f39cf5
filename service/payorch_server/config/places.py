"""Finds the lines of settings in the files that they come from, and the variables that replace them."""

import re
from collections.abc import Sequence
from typing import Final

import yaml

from payorch_server.config.strict_yaml import TextFile, compose

_LABEL: Final = re.compile(r"(?<=\d) \([^)]*\)")
"""After a number in a list, the name of the entry."""


def path_of(problem: str) -> str:
    """Return the path that a problem begins with, without names of entries of lists."""
    return _LABEL.sub("", problem.partition(": ")[0])


def replaced_by(variable: str) -> str:
    """Return the path, in lower case, of the setting that a variable replaces."""
    return variable.partition("_")[2].lower().replace("__", ".")


def related(path: str, other: str) -> bool:
    """Whether two paths are the same, or one is a part of the other."""
    return f"{path}.".startswith(f"{other}.") or f"{other}.".startswith(f"{path}.")


def places_of(problems: Sequence[str], files: Sequence[TextFile], variables: Sequence[str]) -> list[str]:
    """Return where the setting of each problem stands: `file:line: `, `variable: `, or nothing if that is unknown.

    Args:
        problems: Each begins with the path of a setting.
        files: In which the settings are; they have been read before.
        variables: Paths of the settings that the environment replaces, by name of the variable.
    """
    roots = [(file, compose(file)) for file in files]
    return [_place(path_of(problem), roots, variables) for problem in problems]


def _place(path: str, roots: Sequence[tuple[TextFile, yaml.Node | None]], variables: Sequence[str]) -> str:
    for variable in variables:
        if f"{path.lower()}.".startswith(f"{replaced_by(variable)}."):
            return f"{variable}: "
    for file, root in roots:
        line = _line(root, path)
        if line is not None:
            return f"{file}:{line}: "
    return ""


def _line(node: yaml.Node | None, path: str) -> int | None:
    """Return the line of a setting, or of the innermost section around it; None if the path begins elsewhere."""
    line: int | None = None
    while path and node is not None:
        mark, node, path = _step(node, path)
        line = line if mark is None else mark.line + 1
    return line


def _step(node: yaml.Node, path: str) -> tuple[yaml.Mark | None, yaml.Node | None, str]:
    """Return the mark of the part that the path begins with, what is below it, and the rest of the path."""
    if isinstance(node, yaml.MappingNode):
        # Names may contain points: the longest that fits is meant.
        fitting = [pair for pair in node.value if f"{path}.".startswith(f"{pair[0].value}.")]
        if fitting:
            key, value = max(fitting, key=lambda pair: len(pair[0].value))
            return key.start_mark, value, path[len(key.value) + 1 :]
    head, _, rest = path.partition(".")
    if isinstance(node, yaml.SequenceNode) and head.isdecimal() and int(head) < len(node.value):
        item = node.value[int(head)]
        return item.start_mark, item, rest
    return None, None, ""
