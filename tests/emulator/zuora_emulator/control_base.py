"""What the control endpoints have in common: one table of them, JSON in and out, and every mistake as a sentence."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zuora_emulator.answers import MARKER, NOT_JSON, json_bytes
from zuora_emulator.control_guard import foreign_page
from zuora_emulator.settings import Settings

INDEX_PATH = "/_emulator"
_METHODS = ["DELETE", "GET", "PATCH", "POST", "PUT"]


class ControlError(Exception):
    """A control endpoint cannot do what it was asked; the message is a sentence."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One control endpoint; its handler returns what becomes JSON, or a `Response`."""

    method: str
    path: str
    does: str
    """What it is for, and what it takes; for people."""
    handler: Callable[[Request], Awaitable[Any]]
    for_any_page: bool = False
    """Whether pages of every origin may call it, as it needs a secret of its own."""


def index_of(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return what the index of control endpoints shows."""
    listed = [{"method": each.method, "path": each.path, "does": each.does} for each in endpoints]
    return {"zuora": False, "endpoints": listed}


def control_routes(endpoints: Sequence[Endpoint], settings: Settings) -> list[Route]:
    """Return the routes of control endpoints, of their index, and of everything else below its path."""

    async def index(_request: Request) -> Any:
        return index_of(endpoints)

    async def missing(request: Request) -> Any:
        raise ControlError(f"There is no {request.scope['path']}; GET {INDEX_PATH} lists the endpoints.", status=404)

    by_path: dict[str, dict[str, Endpoint]] = {
        INDEX_PATH: {"GET": Endpoint("GET", INDEX_PATH, "list the control endpoints", index)}
    }
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    routes = [Route(path, _answering(of_path, settings), methods=_METHODS) for path, of_path in by_path.items()]
    every = dict.fromkeys(_METHODS, Endpoint("", "", "", missing))
    return [*routes, Route(f"{INDEX_PATH}/{{rest:path}}", _answering(every, settings), methods=_METHODS)]


def _answering(endpoints: Mapping[str, Endpoint], settings: Settings) -> Callable[[Request], Awaitable[Response]]:
    async def answering(request: Request) -> Response:
        # Starlette serves HEAD wherever it serves GET.
        endpoint = endpoints.get("GET" if request.method == "HEAD" else request.method)
        if endpoint is None:
            allowed = ", ".join(sorted(endpoints))
            message = f"{request.scope['path']} has no {request.method}; it has {allowed}."
            return control_answer(405, {"message": message}, allow=allowed)
        if not endpoint.for_any_page and (foreign := foreign_page(request.headers, settings)):
            return control_answer(403, {"message": foreign})
        try:
            answer = await endpoint.handler(request)
        except ControlError as problem:
            return control_answer(problem.status, {"message": str(problem)})
        return answer if isinstance(answer, Response) else control_answer(200, answer)

    return answering


async def read_body(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request; without a body an empty one.

    Raises:
        ControlError: It is something else.
    """
    raw = await request.body()
    try:
        body = msgspec.json.decode(raw or b"{}")
    except NOT_JSON:
        body = None
    if not isinstance(body, dict):
        raise ControlError("The body must be a JSON object.")
    return body


def check_names(body: Mapping[str, Any], known: Sequence[str]) -> None:
    """Refuse members that the endpoint does not know.

    Raises:
        ControlError: There is one.
    """
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise ControlError(f"There is no {unknown[0]!r}; the body may have {', '.join(known)}.")


def control_answer(status: int, value: Any, **headers: str) -> Response:
    """Return a JSON answer of the emulator's own."""
    return Response(
        json_bytes(value), status_code=status, headers=dict([MARKER]) | headers, media_type="application/json"
    )
