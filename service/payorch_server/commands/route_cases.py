"""Hypothetical calls in files: one request as JSON, or a list of cases with expected results."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf import json_format  # noqa: TID251 - reads files of people, which hold no secret
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2

from payorch_server.access.callers import access_table
from payorch_server.config import Document, read_yaml
from payorch_server.model import CommandError
from payorch_server.model.caller import ANONYMOUS
from payorch_server.model.outcome import Reason
from payorch_server.routing.explain import Explanation, RouteSummary, explain
from payorch_server.routing.table import RoutingTable
from payorch_server.rpc.diagnostics import EXPLAIN_CHECKS, decode_hypothetical_call
from payorch_server.rpc.validation import Validator

_MEMBERS: Final = frozenset({"name", "request", "expect"})
_EXPECTABLE: Final = {member.name: member.default for member in dataclasses.fields(RouteSummary)}


class CaseError(CommandError):
    """A file of requests or cases that cannot be used."""

    exit_status = 2


@dataclass(frozen=True, slots=True)
class Case:
    """A hypothetical call and its expected result."""

    name: str
    request: diagnostics_pb2.ExplainRouteRequest
    expected: Mapping[str, str | tuple[str, ...]]
    """Members of the summary; those that are not named may have any value."""

    def mismatches(self, summary: RouteSummary) -> Sequence[str]:
        """Return the names of the members that differ from the expected ones."""
        return [name for name, value in self.expected.items() if getattr(summary, name) != value]


def read_request(path: Path) -> diagnostics_pb2.ExplainRouteRequest:
    """Return the ExplainRouteRequest in a file, in the JSON form of protobuf.

    Raises:
        CaseError: The file cannot be read, or is not such a request.
    """
    try:
        return json_format.Parse(path.read_text(), diagnostics_pb2.ExplainRouteRequest())
    except OSError as error:
        raise CaseError(f"{path}: cannot be read: {error.strerror}") from error
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise CaseError(f"{path}: is not an ExplainRouteRequest: {error}") from error


def read_cases(path: Path) -> Sequence[Case]:
    """Return the cases in a YAML file.

    Raises:
        CaseError: A case is malformed.
        ConfigError: The file cannot be read, or is not YAML.
    """
    content = read_yaml(path)
    if not isinstance(content, list) or not content:
        raise CaseError(f"{path}: must be a list of cases")
    cases = [_parse_case(f"{path}: case {index}", item) for index, item in enumerate(content)]
    names = [case.name for case in cases]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise CaseError(f"{path}: case {index}: the name {name!r} is used by an earlier case")
    return cases


def _parse_case(where: str, content: object) -> Case:
    if not isinstance(content, dict) or set(content) != _MEMBERS or not isinstance(content["name"], str):
        raise CaseError(f"{where}: must have the members name, request and expect")
    where = f"{where} ({content['name']})"
    if not isinstance(content["request"], dict):
        raise CaseError(f"{where}: request is not an ExplainRouteRequest: it must be a mapping")
    try:
        request = json_format.ParseDict(content["request"], diagnostics_pb2.ExplainRouteRequest())
    except (json_format.ParseError, TypeError, AttributeError) as error:
        raise CaseError(f"{where}: request is not an ExplainRouteRequest: {error}") from error
    return Case(content["name"], request, _parse_expected(where, content["expect"]))


def _parse_expected(where: str, content: Any) -> Mapping[str, str | tuple[str, ...]]:
    if not isinstance(content, dict) or not content:
        raise CaseError(f"{where}: expect must name at least one of {', '.join(_EXPECTABLE)}")
    if "refused" in content and len(content) > 1:
        raise CaseError(f"{where}: a refused call has no route; expect refused only")
    if str(content.get("refused", Reason.INTERNAL.name)) not in Reason.__members__:
        raise CaseError(f"{where}: refused must be a reason such as ROUTE_NOT_FOUND")
    return {str(name): _parse_value(f"{where}: expect.{name}", name, value) for name, value in content.items()}


def _parse_value(where: str, name: str, value: Any) -> str | tuple[str, ...]:
    if name not in _EXPECTABLE:
        raise CaseError(f"{where}: is none of {', '.join(_EXPECTABLE)}")
    if isinstance(_EXPECTABLE[name], str):
        if not isinstance(value, str):
            raise CaseError(f"{where}: must be text")
        return value
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise CaseError(f"{where}: must be a list of texts")
    return tuple(value)


class FilePolicy:
    """The policy of a configuration in files."""

    def __init__(self, document: Document) -> None:
        self._routing = RoutingTable(tenants=document.tenants, rules=document.routing)
        self._access = access_table(document.access, namespace=document.intents.namespace)
        self._default_caller = ANONYMOUS if document.access is None else ""
        self._validator = Validator(EXPLAIN_CHECKS)

    def __repr__(self) -> str:
        return f"FilePolicy({self._routing!r}, {self._access!r})"

    def explain(self, request: diagnostics_pb2.ExplainRouteRequest, *, caller: str = "") -> Explanation:
        """Explain how a hypothetical call would be routed, and whether it would be permitted.

        Args:
            request: The call, as for DiagnosticsService.ExplainRoute.
            caller: Replaces the request's caller. Without either, and with an access policy, rights are not checked.

        Raises:
            InvalidRequestError: The request breaks rules.
        """
        self._validator.check(request)
        identity = caller or request.caller or self._default_caller
        call = decode_hypothetical_call(request, caller=identity)
        return explain(call, routing=self._routing, access=self._access if identity else None)
