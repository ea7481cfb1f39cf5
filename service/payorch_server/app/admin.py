"""Probes and metrics over HTTP; GET only."""

import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

import structlog

from payorch_server.config.base_document import AdminSettings
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.http_connection import HttpAnswer, HttpLimits, HttpRequest, HttpService
from payorch_server.runtime.http_listener import HttpListener
from payorch_server.runtime.listen_address import split_address
from payorch_server.telemetry.logging import where

_LOG: Final = structlog.get_logger("payorch.app")
_LIMITS: Final = HttpLimits(connections=100, idle_s=75.0)
_METHODS: Final = frozenset({"GET", "HEAD"})
_TEXT: Final = "text/plain; charset=utf-8"
_MALFORMED: Final = HttpAnswer(400, b"400: Bad Request", _TEXT)
_NOT_FOUND: Final = HttpAnswer(404, b"404: Not Found", _TEXT)
_NOT_ALLOWED: Final = HttpAnswer(405, b"405: Method Not Allowed", _TEXT, {"Allow": "GET,HEAD"})
_FAILED: Final = HttpAnswer(500, b"500: Internal Server Error", _TEXT)


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a process is ready, and what it is doing."""

    ready: bool
    details: Mapping[str, Any]
    """What the page shows beside it, as JSON."""


async def start_admin(
    settings: AdminSettings,
    *,
    readiness: Callable[[], Readiness],
    exposition: Callable[[str], tuple[bytes, str]],
    clock: Clock,
    stack: AsyncExitStack,
) -> int:
    """Listen until the stack closes; return the port.

    Args:
        settings: Where to listen.
        readiness: Returns the readiness at this moment.
        exposition: Returns the metrics, and their content type, for an Accept header.
        clock: Times requests.
        stack: Closes the listener.

    Raises:
        OSError: The address cannot be listened on.
    """
    host, port = split_address(settings.listen) or ("127.0.0.1", 0)

    def live(_request: HttpRequest) -> HttpAnswer:
        return _json({"live": True})

    def ready(_request: HttpRequest) -> HttpAnswer:
        state = readiness()
        return _json({"ready": state.ready, **state.details}, status=200 if state.ready else 503)

    def metrics(request: HttpRequest) -> HttpAnswer:
        body, content_type = exposition(request.headers.get("accept", ""))
        return HttpAnswer(200, body, content_type)

    pages = {"/livez": live, "/readyz": ready, "/metrics": metrics}

    async def handle(request: HttpRequest) -> HttpAnswer:
        page = pages.get(request.target)
        if page is None:
            return _NOT_FOUND
        return page(request) if request.method in _METHODS else _NOT_ALLOWED

    service = HttpService(
        handle, malformed=_MALFORMED, failed=_FAILED, report=_report_defect, limits=_LIMITS, clock=clock
    )
    listener = HttpListener(service)
    await listener.start(host, port)
    stack.push_async_callback(listener.close)
    return listener.port


def _json(body: Mapping[str, Any], *, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status, json.dumps(body).encode(), "application/json; charset=utf-8")


def _report_defect(error: BaseException) -> None:
    _LOG.error("admin_request_failed", type=type(error).__name__, where=where(error))
