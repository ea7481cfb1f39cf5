"""The only reader of the environment and of files: YAML files, PAYORCH_ variables over them, files of secrets.

`PAYORCH_GRPC__LISTEN=0.0.0.0:50051` overrides `grpc: {listen: ...}`. Every problem is reported at once, with its path.
"""

import codecs
import errno
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_settings import SettingsError

from payorch_server.config.base_document import ENV_PREFIX, BaseDocument, ConfigError
from payorch_server.config.places import path_of, places_of, related, replaced_by
from payorch_server.config.problem_texts import problem_of
from payorch_server.config.salvage import Reading, salvage
from payorch_server.config.strict_yaml import TextFile, read_yaml
from payorch_server.model.secret import Secret
from payorch_server.rpc.certificate import ServerCertificate
from payorch_server.rpc.certificate import problems_of as certificate_problems
from payorch_server.runtime.interpreter_defaults import client_tls_context

D = TypeVar("D", bound=BaseDocument)
_WHITE_SPACE: Final = " \t\r\n"
"""Around a secret; editors and shells end files with some of it."""
_NO_SUCH_FILE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})
_BYTE_ORDER_MARKS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""Editors put them before texts."""
_ASSIGNMENT: Final = re.compile(
    r"(?:export\s+)?['\"]?(?:(?i:(?:[\w.-]*[_.-])?(?:secret|password|passphrase|token|key))|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"
    r"['\"]?\s*(?:=|:\s)\s*[^\s=].*",
    re.DOTALL,
)
"""What was copied whole from a file of variables, such as ZUORA_CLIENT_SECRET=... or password: ..."""


@dataclass(frozen=True, slots=True)
class Variables:
    """Variables of a process, of which those that begin with PAYORCH_ are settings."""

    values: Mapping[str, str]
    unknown: frozenset[str] = frozenset()
    """Names of those whose value only the process itself sees."""

    @classmethod
    def of_this_process(cls) -> "Variables":
        """Return the environment of this process."""
        return cls(os.environ)  # noqa: TID251 - this is the reader

    def replaced(self) -> list[str]:
        """Return the names of settings' variables, in order."""
        return sorted(name for name in {*self.values, *self.unknown} if name.startswith(ENV_PREFIX))

    def may_change(self, path: str) -> bool:
        """Whether a variable of unknown value replaces a setting, or a part of it."""
        paths = (replaced_by(name) for name in self.unknown)
        return any(related(path.lower(), replaced) for replaced in paths)


def source_of(files: Sequence[TextFile]) -> str:
    """Return how errors name some files."""
    return ", ".join(str(file) for file in files)


def failure(files: Sequence[TextFile], problems: Sequence[str], variables: Variables | None = None) -> ConfigError:
    """Return the error for problems of some files, which names the line or the variable of each."""
    variables = variables or Variables.of_this_process()
    return ConfigError(source_of(files), problems, places_of(problems, files, variables.replaced()))


def read_document(kind: type[D], files: Sequence[TextFile], variables: Variables | None = None) -> Reading[D]:
    """Read a document of a kind, without the files that it names and without the checks between its settings.

    Args:
        kind: Its class.
        files: One file or several, each top-level section in one of them.
        variables: Of the process that reads it; this one unless given.

    Returns:
        The document of what could be read, with the problems of the rest.

    Raises:
        ConfigError: Nothing could be read; it lists the problems.
    """
    return _parse(kind, files, _merge(kind, files), variables or Variables.of_this_process())


def _merge(kind: type[BaseDocument], files: Sequence[TextFile]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    origin: dict[str, TextFile] = {}
    for file in files:
        for section, value in _read_mapping(kind, file).items():
            if section in content:
                problem = f"{section}: is also defined in {origin[section]}; define each section in one file"
                raise ConfigError(str(file), [problem])
            content[section], origin[section] = value, file
    return content


def _read_mapping(kind: type[BaseDocument], path: TextFile) -> dict[str, Any]:
    content = read_yaml(path)
    if not isinstance(content, dict):
        required = [name for name, field in kind.model_fields.items() if field.is_required()]
        what = f"the section{'s' if len(required) > 1 else ''} {' and '.join(required)}"
        raise ConfigError(str(path), [f"must be a mapping with {what}"])
    if not all(isinstance(name, str) for name in content):
        raise ConfigError(str(path), ["each name must be a text; write numbers, true, false and null in quotes"])
    return content


def _parse(kind: type[D], files: Sequence[TextFile], content: dict[str, Any], variables: Variables) -> Reading[D]:
    problems = [
        f"{name}: no such setting; variables are named {ENV_PREFIX}SECTION__SETTING"
        for name in variables.replaced()
        if replaced_by(name).partition(".")[0] not in kind.model_fields
    ]
    # pydantic-settings would take such names for its own options, or for settings in spite of their case.
    misspelt = [
        name
        for name in content
        if name.startswith("_") or (name not in kind.model_fields and name.lower() in kind.model_fields)
    ]
    problems += [
        f"{name}: no such setting" + (f"; did you mean {name.lower()}?" if name.lower() in kind.model_fields else "")
        for name in misspelt
    ]
    content = {name: value for name, value in content.items() if name not in misspelt}
    values, unusable = _usable(kind, content, variables.values)
    problems += unusable
    document: D | None = None
    left_out: frozenset[str] = frozenset()
    try:
        content = _overlaid(content, kind.set_by(values))
        document = kind(**content)
    except ValidationError as error:
        problems += [problem_of(problem, kind) for problem in error.errors(include_url=False)]
        document, left_out = salvage(kind, content)
    if document is None:
        raise failure(files, problems, variables)
    known = tuple(problem for problem in problems if not variables.may_change(path_of(problem)))
    left_out |= {name.lower() for name in misspelt}
    left_out |= {replaced_by(name) for name in {*variables.unknown, *variables.values} - values.keys()}
    return Reading(document, known, left_out)


def _usable(
    kind: type[BaseDocument], content: Mapping[str, Any], variables: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Return the variables that can be laid over a content, and the problems of the others."""
    usable: dict[str, str] = {}
    problems: list[str] = []
    for name, value in variables.items():
        if not name.startswith(ENV_PREFIX):
            continue
        path = replaced_by(name)
        try:
            kind.set_by({name: value})
        except SettingsError:
            problems.append(f"{path}: must be JSON in a variable, or one variable for each setting in it")
            continue
        if whole := _list_above(content, path):
            variable = f"{ENV_PREFIX}{whole.upper().replace('.', '__')}"
            problems.append(f"{path}: a variable replaces no entry of a list; give all of it as JSON in {variable}")
            continue
        usable[name] = value
    return usable, problems


def _list_above(content: Any, path: str) -> str:
    """Return the path of the list that a path leads into; empty if there is none."""
    parts = path.split(".")
    for at, part in enumerate(parts):
        if isinstance(content, list):
            return ".".join(parts[:at])
        content = content.get(part) if isinstance(content, dict) else None
    return ""


def _overlaid(content: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content with other values over it, which replace all but sections."""
    merged = dict(content)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = _overlaid(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def read_text(path: str, file: str, problems: list[str]) -> str:
    """Return the text of a file without white space around it; empty if there is a problem, which is then listed."""
    before = len(problems)
    content = read_bytes(path, file, problems)
    if len(problems) > before:
        return ""
    try:
        text = content.decode().strip(_WHITE_SPACE)
    except UnicodeDecodeError:
        problems.append(f"{path}: {file} cannot be read: not text in UTF-8; save it in that encoding")
        return ""
    if not text:
        problems.append(f"{path}: {file} is empty")
        return ""
    problem = _line_problem(text)
    if problem:
        problems.append(f"{path}: {file} {problem}")
        return ""
    return text


def _line_problem(text: str) -> str:
    """Return what is wrong with a secret that is a line of text; empty if nothing is."""
    if looks_like_assignment(text):
        return "contains name=value; write the value alone"
    if "\n" in text or "\r" in text:
        return "has several lines; write the secret as one line"
    if not text.isprintable():
        return "contains a character that is not printable; write the text as one line"
    return ""


def looks_like_assignment(text: str) -> bool:
    """Whether the content of a file of a secret is a name and a value instead of the value alone."""
    return _ASSIGNMENT.fullmatch(text) is not None


def read_password(path: str, file: str, problems: list[str]) -> Secret[str] | None:
    """Return the password in a file, None if there is no file; adds what is wrong with it to the problems."""
    if not file:
        return None
    text = read_text(path, file, problems)
    return Secret(text) if text else None


def read_certificate(
    path: str, *, chain: str, key: str, client_authorities: str, problems: list[str], now: datetime
) -> ServerCertificate | None:
    """Return the certificate of a listener, or None where a file cannot be read; adds what is wrong to the problems.

    Args:
        path: Of the settings in the document.
        chain: File of the certificate and its chain.
        key: File of the private key.
        client_authorities: File of the authorities of client certificates; empty: none.
        problems: Found so far.
        now: The certificate must be valid at this time.
    """
    read = [
        read_bytes(f"{path}.{name}", file, problems) for name, file in (("certificate_file", chain), ("key_file", key))
    ]
    authorities = read_bytes(f"{path}.client_ca_file", client_authorities, problems) if client_authorities else b""
    if not all(read):
        return None
    certificate = ServerCertificate(chain=read[0], key=Secret(read[1]), client_authorities=authorities)
    problems += [f"{path}.{problem}" for problem in certificate_problems(certificate, now)]
    return certificate


def check_authorities(path: str, file: str, problems: list[str]) -> None:
    """Add to the problems what is wrong with a file of certificate authorities, if one is named."""
    try:
        if file and read_bytes(path, file, problems):
            client_tls_context(file)
    except OSError as error:
        problems.append(f"{path}: {file} contains no readable certificates: {error.strerror or error}")


def read_bytes(path: str, file: str, problems: list[str]) -> bytes:
    """Return the content of a file; empty if there is a problem, which is then listed."""
    try:
        content = Path(file).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a name of a file has no null character"
        problems.append(f"{path}: {_shown_name(file, error)} cannot be read: {reason}")
        return b""
    if not content:
        problems.append(f"{path}: {file} is empty")
    elif content.startswith(_BYTE_ORDER_MARKS):
        problems.append(f"{path}: {file} begins with a byte order mark; save it without one")
        return b""
    return content


def _shown_name(file: str, error: Exception) -> str:
    """Return a name of a file as problems may show it: what names no file may be the secret itself."""
    exists = isinstance(error, OSError) and error.errno not in _NO_SUCH_FILE
    folders = Path(file).parents
    try:
        is_in_folder = len(folders) > 1 and folders[-2].is_dir()
    except OSError:
        is_in_folder = False
    return file if exists or is_in_folder else "the file (its name is not shown, in case it is the secret itself)"
