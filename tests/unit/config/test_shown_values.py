"""What errors show of a configuration with everything that can be set."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from payorch_server.config import ConfigError, load_document
from payorch_server.config.hub_loading import load_hub_document
from released.full_values import full_values

SECRET: Final = "s3cret word \x1b[31m\n" + "y" * 5000
"""In the wrong place; it is no name, because it is long and has control characters."""
LOAD: Final = {"service": load_document, "hub": load_hub_document}


def document_of(process: str) -> Any:
    """Return a complete document of the service or of the hub, whose files do not exist."""
    values = full_values()
    if process == "hub":
        return values["upc"]["config"]
    document = values["config"]
    document["identity"]["jwt"]["cloud"]["ca_file"] = "/etc/payorch/ca.crt"
    document["tenants"] = {
        name: tenant | {"client_secret_file": f"/etc/payorch/{name}"}
        for name, tenant in document["tenants"].items()
        if tenant
    }
    return document


@pytest.mark.parametrize("process", LOAD)
class TestFiles:
    """Those that settings name."""

    def test_are_not_read_where_secrets_are_not(self, tmp_path: Path, process: str) -> None:
        """The machine that checks a configuration has none of them."""
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump(document_of(process)))

        assert LOAD[process](file)


Place = tuple[str | int, ...]


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    """Yield where each text is."""
    if isinstance(value, dict | list):
        for name, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(below, (*above, name))
    elif isinstance(value, str):
        yield above


def texts_of(document: Any) -> list[Place]:
    """Return where a text of each setting is; of entries that differ in their names, the last one."""
    return list({(place[0], *place[-2:]): place for place in places(document)}.values())


def changed(document: Any, place: Place, *, value: str = "", name: str = "") -> Any:
    """Return a copy in which one value, or the name of a setting, is another."""
    document = copy.deepcopy(document)
    section = document
    for part in place[:-1]:
        section = section[part]
    if name:
        section[name] = section.pop(place[-1])
    else:
        section[place[-1]] = value
    return document


def error_of(process: str, file: Path, document: Any) -> str:
    """Return the error of a document; empty if it is good."""
    file.write_text(yaml.dump(document, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))
    try:
        LOAD[process](file)
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("process", LOAD)
class TestValues:
    """In the wrong place, one after the other."""

    def test_are_not_shown(self, tmp_path: Path, process: str) -> None:
        """What is no name could be a secret, and of any length."""
        document = document_of(process)
        errors = {
            place: error_of(process, tmp_path / "c.yaml", changed(document, place, value=SECRET))
            for place in texts_of(document)
        }

        assert any(errors.values())
        assert [] == [place for place, error in errors.items() if "s3cret" in error or "yyyy" in error]

    def test_are_lines_of_bounded_length_as_names(self, tmp_path: Path, process: str) -> None:
        """The name of a setting that does not exist is shown, for it is needed to find it."""
        document = document_of(process)
        named = {place[:-1]: place for place in texts_of(document) if isinstance(place[-1], str)}
        errors = [
            error_of(process, tmp_path / "c.yaml", changed(document, place, name=SECRET)) for place in named.values()
        ]

        lines = [line for error in errors for line in error.splitlines()]
        assert any("s3cret" in line for line in lines)
        assert all(line.isprintable() and len(line) < 1200 for line in lines)
        assert all(line.startswith(("  - ", str(tmp_path))) for line in lines)


def misspelt(text: str) -> str:
    """Return a text with one character twice, in capitals."""
    return f"{text[:2]}{text[1:]}".upper()


@pytest.mark.parametrize("process", LOAD)
class TestNames:
    """Of which only some exist, misspelt."""

    def test_are_offered_as_they_should_be(self, tmp_path: Path, process: str) -> None:
        """Wherever the sentence lists the names that exist."""
        document = document_of(process)
        hints = {}
        for place in texts_of(document):
            right = document
            for part in place:
                right = right[part]
            error = error_of(process, tmp_path / "c.yaml", changed(document, place, value=misspelt(right)))
            lists_names = (
                any(words in error for words in ("one of ", "must be '", "is not in ")) and "Zuora's" not in error
            )
            if lists_names and len(right) > 1:
                hints[place] = f"did you mean {right}?" in error

        assert len(hints) > {"service": 12, "hub": 3}[process]
        assert [] == [place for place, is_hinted in hints.items() if not is_hinted]
