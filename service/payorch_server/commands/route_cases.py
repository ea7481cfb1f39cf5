"""Calls in files: one request as JSON, or a list of cases with what is expected of each."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf import json_format  # noqa: TID251 - reads files of people, which hold no secret
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2

from payorch_server.access.callers import access_table
from payorch_server.config import Document, read_yaml
from payorch_server.model.caller import ANONYMOUS
from payorch_server.model.command_error import CommandError
from payorch_server.model.outcome import Reason
from payorch_server.routing.explain import Explanation, RouteSummary, explain
from payorch_server.routing.table import RoutingTable
from payorch_server.rpc.diagnostics import QUESTION_CHECKS, decode_question
from payorch_server.rpc.validation import Validator

_MEMBERS: Final = frozenset({"name", "request", "expect"})
_EXPECTABLE: Final = {one.name: one.default for one in dataclasses.fields(RouteSummary)}


class CaseError(CommandError):
    """A file of calls that cannot be used."""

    exit_status = 2


@dataclass(frozen=True, slots=True)
class Case:
    """A call, and what is expected of it."""

    name: str
    request: diagnostics_pb2.ExplainRouteRequest
    expected: Mapping[str, str | tuple[str, ...]]
    """Members of its ending; those that are not named may be anything."""

    def surprises(self, ending: RouteSummary) -> Sequence[str]:
        """Return the expected members that the ending does not have."""
        return [name for name, value in self.expected.items() if getattr(ending, name) != value]


def read_request(path: Path) -> diagnostics_pb2.ExplainRouteRequest:
    """Return the ExplainRouteRequest in a file, in the JSON form of protobuf.

    Raises:
        CaseError: There is none.
    """
    try:
        return json_format.Parse(path.read_text(), diagnostics_pb2.ExplainRouteRequest())
    except OSError as error:
        raise CaseError(f"{path}: cannot be read: {error.strerror}") from error
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise CaseError(f"{path}: is no ExplainRouteRequest: {error}") from error


def read_cases(path: Path) -> Sequence[Case]:
    """Return the cases in a YAML file.

    Raises:
        CaseError: A case is not as it must be.
        ConfigError: The file cannot be read, or is no YAML.
    """
    content = read_yaml(path)
    if not isinstance(content, list) or not content:
        raise CaseError(f"{path}: must be a list of cases")
    cases = [_case(f"{path}: case {index}", one) for index, one in enumerate(content)]
    names = [case.name for case in cases]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise CaseError(f"{path}: case {index}: the name {name!r} is used by an earlier case")
    return cases


def _case(where: str, content: object) -> Case:
    if not isinstance(content, dict) or set(content) != _MEMBERS or not isinstance(content["name"], str):
        raise CaseError(f"{where}: must have the members name, request and expect")
    where = f"{where} ({content['name']})"
    if not isinstance(content["request"], dict):
        raise CaseError(f"{where}: request is no ExplainRouteRequest: it must be a mapping")
    try:
        request = json_format.ParseDict(content["request"], diagnostics_pb2.ExplainRouteRequest())
    except (json_format.ParseError, TypeError, AttributeError) as error:
        raise CaseError(f"{where}: request is no ExplainRouteRequest: {error}") from error
    return Case(content["name"], request, _expected(where, content["expect"]))


def _expected(where: str, content: Any) -> Mapping[str, str | tuple[str, ...]]:
    if not isinstance(content, dict) or not content:
        raise CaseError(f"{where}: expect must name at least one of {', '.join(_EXPECTABLE)}")
    if "refused" in content and len(content) > 1:
        raise CaseError(f"{where}: a call that is refused goes nowhere; expect refused alone")
    if str(content.get("refused", Reason.INTERNAL.name)) not in Reason.__members__:
        raise CaseError(f"{where}: refused must be a reason such as ROUTE_NOT_FOUND")
    return {str(name): _value(f"{where}: expect.{name}", name, value) for name, value in content.items()}


def _value(where: str, name: str, value: Any) -> str | tuple[str, ...]:
    if name not in _EXPECTABLE:
        raise CaseError(f"{where}: is none of {', '.join(_EXPECTABLE)}")
    if isinstance(_EXPECTABLE[name], str):
        if not isinstance(value, str):
            raise CaseError(f"{where}: must be text")
        return value
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise CaseError(f"{where}: must be a list of texts")
    return tuple(value)


class FilePolicy:
    """The policy of a configuration that no service runs with."""

    def __init__(self, document: Document) -> None:
        self._routing = RoutingTable(tenants=document.tenants, rules=document.routing)
        self._access = access_table(document.access, namespace=document.intents.namespace)
        self._everybody_is = ANONYMOUS if document.access is None else ""
        self._validator = Validator(QUESTION_CHECKS)

    def __repr__(self) -> str:
        return f"FilePolicy({self._routing!r}, {self._access!r})"

    def explain(self, request: diagnostics_pb2.ExplainRouteRequest, *, caller: str = "") -> Explanation:
        """Return what would become of a call.

        Args:
            request: The call, as for DiagnosticsService.ExplainRoute.
            caller: Whose call it is, in place of the request's caller. With neither, and an access policy, rights are
                not asked for.

        Raises:
            InvalidRequestError: The request breaks rules.
        """
        self._validator.check(request)
        identity = caller or request.caller or self._everybody_is
        question = decode_question(request, caller=identity)
        return explain(question, routing=self._routing, access=self._access if identity else None)
