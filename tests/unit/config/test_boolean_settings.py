"""Booleans are true or false, whatever else pydantic would read as one: some of them allow payments or card numbers."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from harness.settings_fields import INDEX, NAME, Setting, hub_settings, settings
from payorch_server.config import Document
from payorch_server.config.base_document import BaseDocument, ConfigError
from payorch_server.config.hub_document import HubDocument
from payorch_server.config.reading import Variables, read_document
from payorch_server.config.strict_yaml import NamedText
from pydantic import ValidationError

SETTINGS: Final = [setting for setting in (*settings(), *hub_settings()) if setting.is_boolean]
NEVER: Final = ("true", "false", "yes", "no", "on", "off", "y", "t", "1", "0", 1, 0, 1.0, "", [], {})


def document_of(setting: Setting) -> type[BaseDocument]:
    """Return the document that has a setting."""
    return HubDocument if setting.path[0] == "upc" else Document


def sentences(kind: type[BaseDocument], content: dict[str, Any]) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Yield path and kind of each error of a content."""
    try:
        kind(**content)
    except ValidationError as error:
        yield from ((detail["loc"], detail["type"]) for detail in error.errors())


def content_with(setting: Setting, value: object) -> dict[str, Any]:
    """Return a content that has nothing but one setting."""
    content: Any = value
    for name in reversed(setting.path):
        content = [content] if name == INDEX else {"acme" if name == NAME else name: content}
    found: dict[str, Any] = content
    return found


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
class TestBooleanSettings:
    """Every setting that holds a boolean."""

    def test_refuse_what_only_resembles_one(self, setting: Setting) -> None:
        """Quoted, YAML 1.1's words, and numbers."""
        path = tuple(0 if name == INDEX else "acme" if name == NAME else name for name in setting.path)
        for value in NEVER:
            found = dict(sentences(document_of(setting), content_with(setting, value)))
            assert found.get(path) == "bool_type", value

    def test_accept_both_booleans(self, setting: Setting) -> None:
        """From a file."""
        for value in (True, False):
            found = sentences(document_of(setting), content_with(setting, value))
            assert not [kind for _, kind in found if kind.startswith("bool")]


class TestVariables:
    """A boolean in the environment, where everything is text."""

    FILE: Final = NamedText("payorch.yaml", "tenants: {}\nrouting: []\n")

    @pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("false", False), ("FALSE", False)])
    def test_are_the_words_of_yaml(self, text: str, value: object) -> None:
        """In the three ways in which YAML 1.2 writes each."""
        read = read_document(Document, [self.FILE], Variables({"PAYORCH_ACCEPT_MEMORY_STORE": text}))

        assert read.document.accept_memory_store is value
        assert not read.problems

    @pytest.mark.parametrize("text", ["yes", "1", "on", "", "tRuE"])
    def test_are_no_other_words(self, text: str) -> None:
        """One sentence says what they can be."""
        variables = Variables({"PAYORCH_ACCEPT_MEMORY_STORE": text})
        try:
            problems: tuple[str, ...] = read_document(Document, [self.FILE], variables).problems
        except ConfigError as error:
            problems = error.problems

        assert problems == ("accept_memory_store: must be true or false, without quotes",)
