from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from payorch_server.config.document import ConfigError


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that is given twice, which YAML would drop silently."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key, _ in node.value:
        name = loader.construct_object(key, deep=True)
        if not isinstance(name, Hashable):
            raise yaml.MarkedYAMLError(problem="a key must be a plain value", problem_mark=key.start_mark)
        if name in seen:
            raise yaml.MarkedYAMLError(problem=f"the key {name!r} is given twice", problem_mark=key.start_mark)
        seen.add(name)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds; a key that is given twice is refused.

    Raises:
        ConfigError: It cannot be read, or is no YAML.
    """
    try:
        return yaml.load(path.read_text(), _StrictLoader)  # noqa: S506 - a subclass of the safe loader
    except OSError as error:
        raise ConfigError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except RecursionError as error:
        raise ConfigError(str(path), ["is nested too deeply"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), ["is not UTF-8 text"]) from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError(str(path), [f"{line}{error.problem}"]) from error
    except yaml.YAMLError as error:
        raise ConfigError(str(path), [f"is not YAML: {str(error).splitlines()[0]}"]) from error
    except ValueError as error:
        # A value that looks like a date and is none, such as 2025-06-31 without quotes.
        raise ConfigError(str(path), [f"holds a value that cannot be read: {error}"]) from error
