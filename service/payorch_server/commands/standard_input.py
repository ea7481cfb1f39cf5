"""Checks what comes from standard input: a configuration, or a manifest for Kubernetes with any number of them."""

import dataclasses
import posixpath
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from payorch_server.config import Document, load, load_document
from payorch_server.config.base_document import BaseDocument, ConfigError
from payorch_server.config.checks import problems_of
from payorch_server.config.hub_checks import hub_problems
from payorch_server.config.hub_document import HubDocument
from payorch_server.config.hub_loading import load_hub, load_hub_document
from payorch_server.config.manifest import FIX, PodConfiguration, configurations_in, objects_in
from payorch_server.config.pod_files import Missing, Unseen
from payorch_server.config.reading import failure, read_document
from payorch_server.config.strict_yaml import NamedText
from payorch_server.model import CommandError
from payorch_server.model.names import counted
from payorch_server.routing.lint import lint

_SOURCE: Final = "standard input"
_KINDS: Final[Mapping[bool, type[BaseDocument]]] = {False: Document, True: HubDocument}
"""Of documents, by whether they are the hub's."""
_BY_SETTING: Final = {"what files hold", "the image"}
"""Origins of files that are named by their settings, for their own names may be secrets; a Secret has keys."""


class ManifestError(CommandError):
    """Configurations in a manifest have problems; the text lists all of them."""

    exit_status = 2


def check_standard_input(*, of_hub: bool, without_secrets: bool) -> int:
    """Check what comes from standard input; print what is good, and what was not checked.

    Args:
        of_hub: Whether a bare configuration is the hub's; a manifest says it itself.
        without_secrets: Whether the files that a bare configuration names are not read.

    Raises:
        CommandError: There are problems; it lists all of them.
    """
    text = _read()
    objects = objects_in(text, _SOURCE)
    if objects is None:
        document = _read_bare(NamedText(_SOURCE, text), of_hub=of_hub, without_secrets=without_secrets)
        print(f"{_SOURCE}: OK; {_summary(document)}")
        return 0
    texts = [_checked(configuration) for configuration in configurations_in(objects, _SOURCE)]
    good = [text for is_good, text in texts if is_good]
    if good:
        print("\n".join(good))
    if len(good) < len(texts):
        raise ManifestError("\n".join(text for is_good, text in texts if not is_good))
    return 0


def _read() -> str:
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise ConfigError(_SOURCE, ["is not UTF-8 text"]) from error
    if not text.strip():
        raise ConfigError(_SOURCE, [f"is empty; {FIX}"])
    return text


def _read_bare(file: NamedText, *, of_hub: bool, without_secrets: bool) -> Document | HubDocument:
    if of_hub:
        return load_hub_document(file) if without_secrets else load_hub(file).document
    return load_document(file) if without_secrets else load(file).document


def _summary(document: BaseDocument) -> str:
    if isinstance(document, Document):
        return f"{counted(len(document.tenants), 'tenant')}, {counted(len(document.routing), 'rule')}"
    if isinstance(document, HubDocument):
        return f"{counted(len(document.upc.hubs), 'hub')}, {counted(len(document.upc.gateways), 'gateway')}"
    raise TypeError


def _checked(configuration: PodConfiguration) -> tuple[bool, str]:
    """Return whether a configuration of a manifest is good, and what is to be said of it."""
    if configuration.problems:
        return False, str(ConfigError(configuration.name, configuration.problems))
    try:
        reading = read_document(_KINDS[configuration.of_hub], configuration.files, configuration.variables)
    except ConfigError as error:
        return False, str(error.within(configuration.name))
    document = reading.document
    found = [*_document_problems(document), *_file_problems(document, configuration)]
    problems = reading.all_problems(found)
    if problems:
        listed = failure(configuration.files, problems, configuration.variables)
        lines = [str(listed.within(configuration.name))]
    else:
        lines = [f"{configuration.name}: OK; {_summary(document)}", *_findings(document)]
    unchecked = _unchecked(document, configuration)
    return not problems, "\n".join([*lines, f"  not checked: {unchecked}"] if unchecked else lines)


def _findings(document: BaseDocument) -> Iterator[str]:
    """List rules that never match, and destinations that no call reaches; a process starts with them."""
    if isinstance(document, Document):
        for finding in lint(document.routing, document.tenants):
            yield f"  {finding.kind}  {finding.subject}: {finding.text}"


def _document_problems(document: BaseDocument) -> Iterator[str]:
    if isinstance(document, Document):
        yield from problems_of(document)
    if isinstance(document, HubDocument):
        yield from hub_problems(document)


def _file_problems(document: BaseDocument, configuration: PodConfiguration) -> Iterator[str]:
    """List the files that the pod would not have."""
    for path, file in _named_files(document):
        found = configuration.pod.find(file) if configuration.pod else None
        if isinstance(found, Missing):
            yield f"{path}: the pod would have no {file}: {found.why}; mount it, or correct the path"


def _unchecked(document: BaseDocument, configuration: PodConfiguration) -> str:
    """Return what a pod would read from elsewhere."""
    by_origin: dict[str, list[str]] = {}
    for path, file in _named_files(document):
        found = configuration.pod.find(file) if configuration.pod else None
        if not isinstance(found, Missing):
            origin = found.origin if isinstance(found, Unseen) else "what files hold"
            by_origin.setdefault(origin, []).append(path if origin in _BY_SETTING else posixpath.basename(file))
    for origin in configuration.unseen_variables:
        by_origin.setdefault(origin, []).append("variables")
    return "; ".join(f"{origin} ({', '.join(dict.fromkeys(files))})" for origin, files in by_origin.items())


def _named_files(document: BaseDocument) -> Iterator[tuple[str, str]]:
    """Yield the settings that name a file, each with the file."""
    for name in type(document).model_fields:
        yield from _files_below(name, getattr(document, name))


def _files_below(path: str, value: Any) -> Iterator[tuple[str, str]]:
    last = path.rpartition(".")[2]
    if isinstance(value, str) and value and (last == "file" or last.endswith("_file")):
        yield path, value
    elif isinstance(value, Mapping):
        for name, below in value.items():
            yield from _files_below(f"{path}.{name}", below)
    elif isinstance(value, tuple):
        for at, below in enumerate(value):
            yield from _files_below(f"{path}.{at}", below)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _files_below(f"{path}.{field.name}", getattr(value, field.name))
