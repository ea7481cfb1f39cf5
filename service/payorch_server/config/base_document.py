"""What the documents of the service and of the hub share: sections, how the environment overrides them, and errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from payorch_server import version
from payorch_server.model import CommandError
from payorch_server.runtime import FORBID_EXTRA
from payorch_server.runtime.ranges import VariableText

ENV_PREFIX: Final = "PAYORCH_"
_MAX_CHARACTERS: Final = 1000
"""Of a problem."""


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """The HTTP listener for probes."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    listen: str = "127.0.0.1:9464"
    """Host and port; port 0 takes a free one."""


class _Variables(EnvSettingsSource):
    """Variables, whose values are marked: a number there is text, and may be text nowhere else."""

    def __init__(self, document: type[BaseSettings], variables: Mapping[str, str]) -> None:
        self._variables = variables
        super().__init__(document)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): VariableText(value) for name, value in self._variables.items()}


class BaseDocument(BaseSettings):
    """A configuration as people write it; it reads neither files nor the environment itself."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use what is given, and nothing else."""
        return (init_settings,)

    @classmethod
    def set_by(cls, variables: Mapping[str, str]) -> dict[str, Any]:
        """Return what variables say, by section.

        Raises:
            SettingsError: The value of one that holds a section is not JSON.
        """
        return _Variables(cls, variables)()


def described_schema(document: type[BaseDocument], name: str) -> dict[str, Any]:
    """Return the JSON schema of a document, with the text below each setting as its description.

    Such texts are read from the source, which would take a third of the time in which a process reads its
    configuration; so they are left out until they are asked for.

    Args:
        document: Its class.
        name: Of the schema; with the version it identifies it. Nothing can be fetched by that.
    """
    FORBID_EXTRA["use_attribute_docstrings"] = True
    document.model_rebuild(force=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://payorch.internal/schemas/{version()}/{name}.json",
        **document.model_json_schema(),
    }


class ConfigError(CommandError):
    """A configuration that cannot be used."""

    exit_status = 2

    def __init__(self, source: str, problems: Sequence[str], places: Sequence[str] = ()) -> None:
        """Make the message.

        Args:
            source: What has the problems, such as names of files.
            problems: Each begins with the path of a setting.
            places: What to put before each problem, such as its file and line; empty: nothing.
        """
        self.problems = tuple(map(_shown, problems))
        placed = zip(places or ("",) * len(problems), self.problems, strict=True)
        listed = "".join(f"\n  - {place}{problem}" for place, problem in placed)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{source}: {count}{listed}")
        self._source, self._places = source, tuple(places)

    def within(self, object_name: str) -> "ConfigError":
        """Return the error for an object that contains the files."""
        places = self._places or (f"{self._source}: ",) * len(self.problems)
        return ConfigError(object_name, self.problems, places)


def _shown(problem: str) -> str:
    """Return a problem as one line of bounded length: it may have the name of any setting in it."""
    line = "".join(character if character.isprintable() else " " for character in problem)
    left_out = len(line) - _MAX_CHARACTERS
    if left_out <= 0:
        return line
    return f"{line[: _MAX_CHARACTERS // 2]}... ({left_out} more characters) ...{line[-_MAX_CHARACTERS // 2 :]}"
