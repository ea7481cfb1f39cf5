"""What a call said and what it was answered, redacted, for somebody who looks for a mistake."""

import contextlib
from typing import Any, Final

import grpc
import structlog
from payorch import redacted

from payorch_server.rpc.current import active_call
from payorch_server.rpc.interceptors._unary import Behaviour, UnaryInterceptor
from payorch_server.telemetry.settings import TelemetrySettings

# Whatever telemetry.log_level says: somebody asked for these lines.
_LOG: Final = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(0))


class PayloadInterceptor(UnaryInterceptor):
    """Writes one line with the request and one with the response of the calls of ours that are looked at closely."""

    def __init__(self, settings: TelemetrySettings) -> None:
        self._always = settings.log_level == "debug"

    def around(self, behaviour: Behaviour, method: str) -> Behaviour:
        """Return what a method does with this around it."""

        async def shown(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            now = active_call()
            if not self._always and not now.policy.is_verbose(now.context):
                return await behaviour(request, context)
            _log_payload("request", method, request)
            response = await behaviour(request, context)
            _log_payload("response", method, response)
            return response

        return shown


def _log_payload(event: str, method: str, payload: Any) -> None:
    # A line that cannot be written must not cost a caller the answer.
    with contextlib.suppress(Exception):
        _LOG.info(event, method=method, track_id=active_call().context.track_id, payload=redacted(payload))
