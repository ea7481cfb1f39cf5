from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2

from payorch_server.access.callers import access_table
from payorch_server.config import Document
from payorch_server.model.caller import ANONYMOUS
from payorch_server.routing.explain import Explanation, explain
from payorch_server.routing.table import RoutingTable
from payorch_server.rpc.diagnostics import QUESTION_CHECKS, decode_question
from payorch_server.rpc.validation import Validator


class FilePolicy:
    """The policy of a configuration that no service runs with."""

    def __init__(self, document: Document) -> None:
        self._routing = RoutingTable(tenants=document.tenants, rules=document.routing)
        self._access = access_table(document.access, namespace=document.orchestration.namespace)
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
            Invalid: The request breaks rules.
        """
        self._validator.check(request)
        identity = caller or request.caller or self._everybody_is
        question = decode_question(request, caller=identity)
        return explain(question, routing=self._routing, access=self._access if identity else None)
