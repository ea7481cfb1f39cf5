"""Logs requests and responses, redacted, to help find mistakes."""

from typing import Any, Final

import grpc
import structlog
from payorch import redacted

from payorch_server.rpc.current import active_call
from payorch_server.rpc.interceptors._unary import Behaviour, UnaryInterceptor
from payorch_server.telemetry.logging import where
from payorch_server.telemetry.settings import TelemetrySettings

_LOG: Final = structlog.get_logger("payorch.payloads")


class PayloadInterceptor(UnaryInterceptor):
    """Logs request and response of the calls that `verbose` selects, or of all calls at level debug."""

    def __init__(self, settings: TelemetrySettings) -> None:
        self._always = settings.log_level == "debug"

    def around(self, behaviour: Behaviour, method: str) -> Behaviour:
        """Return the wrapped behaviour of a method."""

        async def log_payloads(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            call = active_call()
            if not self._always and not call.policy.is_verbose(call.context):
                return await behaviour(request, context)
            _log_payload("request", method, request)
            response = await behaviour(request, context)
            _log_payload("response", method, response)
            return response

        return log_payloads


def _log_payload(event: str, method: str, payload: Any) -> None:
    try:
        _LOG.info(event, method=method, payload=redacted(payload))
    except Exception as defect:  # noqa: BLE001 - a failure to log must not cost the caller the response
        _LOG.error("payload_not_logged", type=type(defect).__name__, where=where(defect))
