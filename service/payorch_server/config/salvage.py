"""Makes a document of the parts of a configuration that could be read, so that every problem is found in one round.

Such a document is for checks alone: what could not be read is replaced by its default or by nothing.
"""

import copy
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import ValidationError

from payorch_server.config.base_document import BaseDocument
from payorch_server.config.places import path_of, related
from payorch_server.config.problem_texts import dotted, is_unknown, near_name

D = TypeVar("D", bound=BaseDocument)
_MOST_ROUNDS: Final = 30
_FILLINGS: Final[tuple[Any, ...]] = ("", {}, [])
"""Tried in this order where a setting is required."""
_DEPENDENCIES: Final = (
    (
        r"(grpc|admin|diagnostics)\.listen",
        r"(grpc|admin|diagnostics)(\.listen)?|(grpc\.tls|grpc\.plaintext_beyond_loopback|identity|access)(\..*)?",
    ),
    (r"(upc|admin)\.(listen|plaintext_behind_proxy)", r"(upc|admin)\.(listen|tls|plaintext_behind_proxy)(\..*)?"),
    (r"store\..*", r"store\.(kind|url)|accept_memory_store|upc\.accept_memory_store"),
    (r"(intents\.)?keys", r"store\.kind|(intents\.)?keys\..*"),
    (
        r"(routing|access)\..*",
        r"tenants(\.[^.]+|\..*\b(entities|orgs|gateways|legacy_session_amount|switched_off)\b.*)?",
    ),
    (r"access\..*", r"(identity|grpc\.tls|payment_methods|access\.anonymous_may_move_money)(\..*)?"),
    (r"access\..*\.caller", r"access\..*\.caller"),
    (r"routing\..*\.name", r"routing\..*\.name"),
    (r"tenants\..*\.base_url", r"zuora_http\.extra_hosts(\..*)?"),
    (r"grpc\.default_deadline_s", r"grpc\.max_deadline_s"),
    (r"identity\.jwt\..*", r"identity\.jwt\..*"),
    (r"zuora_http\.proxy_.*", r"zuora_http\.proxy_.*"),
    (r"upc\.(hubs|gateways)\b.*", r"upc\.(hubs|gateways)(\.[^.]+|\..*\.(hub|names|types|enabled)(\..*)?)?"),
)
"""What a problem is about, and settings without which it may be none; both are regular expressions of paths."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[D]):
    """What a reader could make of a configuration."""

    document: D
    """Without the settings that have problems; it may be used only if there are none."""
    problems: tuple[str, ...]
    """Of settings that could not be read."""
    left_out: frozenset[str] = frozenset()
    """Their paths."""

    def all_problems(self, found: Iterable[str]) -> list[str]:
        """Return the problems of the reading, and those of the document that do not follow from them.

        Args:
            found: What checks say about the document.
        """
        return [*self.problems, *(problem for problem in found if not self._may_follow(path_of(problem)))]

    def _may_follow(self, path: str) -> bool:
        """Whether a problem may exist only because of what was left out."""
        for left in self.left_out:
            if related(path.lower(), left.lower()):
                return True
            if any(re.fullmatch(about, path) and re.fullmatch(needs, left) for about, needs in _DEPENDENCIES):
                return True
        return False


def salvage(kind: type[D], content: dict[str, Any]) -> tuple[D | None, frozenset[str]]:
    """Return the document without the settings that cannot be read, and their paths.

    Args:
        kind: Class of the document.
        content: The configuration.

    Returns:
        None as the document if nothing can be made of the rest, such as with a variable that cannot be read.
    """
    content = copy.deepcopy(content)
    left_out: set[str] = set()
    tries: dict[tuple[int | str, ...], int] = {}
    for _ in range(_MOST_ROUNDS):
        try:
            return kind(**content), frozenset(left_out)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                parts = tuple(part for part in detail["loc"] if part != "[key]")
                left_out.add(dotted(parts))
                if is_unknown(detail) and (near := near_name(kind, parts)):
                    left_out.add(dotted((*parts[:-1], near)))
                tries[parts] = tries.get(parts, -1) + 1
                _replace(content, parts, tries[parts])
    return None, frozenset(left_out)


def _replace(content: dict[str, Any], parts: tuple[int | str, ...], round_: int) -> None:
    """Remove a setting, or fill it with the next value that could do; in the end remove what it is in."""
    section: Any = content
    for part in parts[:-1]:
        if isinstance(section, dict) and part not in section:
            return
        section = section[part]
    last = parts[-1]
    is_container = type(section) in {dict, list}
    if round_ == 0 and type(section) is dict and last in section:
        del section[last]
    elif round_ <= len(_FILLINGS) and is_container:
        section[last] = copy.copy(_FILLINGS[round_ - 1])
    elif len(parts) > 1:
        _replace(content, parts[:-1], 0)
