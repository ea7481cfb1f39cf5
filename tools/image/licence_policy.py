"""Which licences of third-party packages are allowed: requirements/licences.toml, and how packages state theirs."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import Distribution
from pathlib import Path
from typing import Final

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

POLICY: Final = Path(__file__).resolve().parents[2] / "requirements" / "licences.toml"
_LONGEST_WORDS: Final = 100
"""Characters; a longer statement is the text of a licence."""
_TOKEN: Final = re.compile(r"[()]|[^\s()]+(?: WITH [^\s()]+)?")


class LicenceError(Exception):
    """A licence is unknown or not allowed; the message is one sentence that names package, licence and what to do."""


@dataclass(frozen=True, slots=True)
class LicencePolicy:
    """What requirements/licences.toml says."""

    allowed: Mapping[str, str]
    """SPDX identifiers, or `ID WITH EXCEPTION`, each with the reason why it is allowed."""
    statements: Mapping[str, str]
    """SPDX expressions by the words of a package, or by the digest of its licence's text, that mean them."""

    def expression(self, purl: str, stated: Iterable[str]) -> str:
        """Return the licence of a package as an SPDX expression.

        Args:
            purl: Names the package in errors.
            stated: What the package states of its licence, the most exact statement first.

        Raises:
            LicenceError: No statement is understood, or the first one that is means a licence that is not allowed.
        """
        statements = [statement_key(text) for text in stated if text.strip()]
        if not statements:
            raise LicenceError(f"{purl} states no licence: find out its licence, or remove the package.")
        understood = filter(None, map(self._understood, statements))
        expression = next(understood, None)
        if expression is None:
            raise LicenceError(
                f"{purl} states the licence {statements[0]!r}, which is not an SPDX expression: "
                f"add its meaning to [statements] of requirements/licences.toml, or remove the package."
            )
        if missing := _missing(expression, self.allowed.keys()):
            raise LicenceError(
                f"{purl} has the licence {expression}, which is not allowed: "
                f"add {' and '.join(sorted(missing))} with a reason to [allowed] of requirements/licences.toml, "
                f"or remove the package."
            )
        return expression

    def _understood(self, statement: str) -> str | None:
        try:
            return canonicalize_license_expression(self.statements.get(statement, statement))
        except InvalidLicenseExpression:
            return None


def read_policy(file: Path = POLICY) -> LicencePolicy:
    """Read the list of licences."""
    return LicencePolicy(**tomllib.loads(file.read_text(encoding="utf-8")))


def statement_key(text: str) -> str:
    """Return a statement as [statements] has it: its words, or the digest of a text, whatever its line breaks."""
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST_WORDS else f"sha256:{sha256(words.encode()).hexdigest()}"


def stated_by(package: Distribution) -> list[str]:
    """Return what a Python package states: its expression, its field of free text, and its classifier if it has one."""
    classifiers = [name for name in package.metadata.get_all("Classifier") or [] if name.startswith("License ::")]
    texts = [(package.metadata.get_all(name) or [""])[0] for name in ("License-Expression", "License")]
    # Several classifiers leave open whether all of them hold, or one.
    return [*texts, *(name.rpartition(" :: ")[2] for name in classifiers if len(classifiers) == 1)]


def _missing(expression: str, allowed: Iterable[str]) -> frozenset[str]:
    """Return which licences would have to be allowed as well, the fewest that are enough."""
    tokens = [token for token in _TOKEN.findall(expression) if token != "AND"]  # noqa: S105 - no secret
    return _missing_in(iter([*tokens, ")"]), frozenset(allowed))


def _missing_in(tokens: Iterator[str], allowed: frozenset[str]) -> frozenset[str]:
    """Read until the closing parenthesis. What stands between two ORs holds as a whole."""
    alternatives: list[frozenset[str]] = [frozenset()]
    for token in tokens:
        if token == ")":  # noqa: S105 - no secret
            break
        if token == "OR":  # noqa: S105 - no secret
            alternatives.append(frozenset())
            continue
        missing = _missing_in(tokens, allowed) if token == "(" else frozenset({token}) - allowed  # noqa: S105 - no secret
        alternatives[-1] |= missing
    return min(alternatives, key=len)
