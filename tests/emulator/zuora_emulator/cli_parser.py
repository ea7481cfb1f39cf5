"""A parser of arguments whose mistakes are one sentence, with what was probably meant."""

import argparse
import re
from collections.abc import Sequence
from typing import NoReturn

from zuora_emulator.suggestions import did_you_mean

_USAGE_ERROR = 2
_CHOICE = re.compile(r"(argument .*): invalid choice: '(.*)' \(choose from (.*)\)", re.DOTALL)
_UNKNOWN = re.compile(r"unrecognized arguments: (\S+)")
_VALUE = re.compile(r"argument (.*): invalid (int|float) value: (.*)", re.DOTALL)
_NUMBERS = {"int": "a whole number", "float": "a number"}


class SentenceParser(argparse.ArgumentParser):
    """Writes one line instead of the usage; subcommands have their own names and options."""

    def parse_args(  # type: ignore[override]  # without the overloads for a namespace
        self, args: Sequence[str] | None = None
    ) -> argparse.Namespace:
        """Read the arguments; what a subcommand does not know is refused in its name."""
        chosen, unknown = self.parse_known_args(args)
        if unknown:
            parser: SentenceParser = getattr(chosen, "parser", self)
            parser.error(f"unrecognized arguments: {unknown[0]}")
        return chosen

    def error(self, message: str) -> NoReturn:
        """Write the sentence and end the program."""
        self.exit(_USAGE_ERROR, f"{self.prog}: {self._sentence(message)} See {self.prog} --help.\n")

    def _sentence(self, message: str) -> str:
        """Return what is wrong; what argparse says otherwise is taken as it is."""
        if found := _CHOICE.fullmatch(message):
            known = re.findall(r"'([^']*)'|([^', ]+)", found[3])
            names = [quoted or bare for quoted, bare in known]
            return f"{found[1]}: {found[2]!r} is none of {', '.join(names)}{did_you_mean(found[2], names)}"
        if found := _UNKNOWN.match(message):
            return f"there is no argument {found[1]!r}{did_you_mean(found[1], self._option_string_actions)}"
        if found := _VALUE.fullmatch(message):
            return f"argument {found[1]}: {found[3]} is not {_NUMBERS[found[2]]}."
        return f"{message}."
