"""Probes and metrics over HTTP; GET only."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, cast

from aiohttp import web

from payorch_server.config.base_document import AdminSettings
from payorch_server.runtime.listen_address import split_address

_MAX_CONNECTIONS: Final = 100


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the service is ready, and with which configuration."""

    tenants: Mapping[str, bool]
    """Whether each tenant is ready; one suffices for the service to be ready."""
    money_obstacles: Sequence[str]
    """Why no money moves at present; it does not count for readiness, because every replica has the same obstacles."""
    policy_hash: str
    """Hash of the policy in force."""
    refused_change: Sequence[str]
    """Problems of changed configuration files, which are then not in use."""


async def start_admin(
    settings: AdminSettings,
    *,
    readiness: Callable[[], Readiness],
    exposition: Callable[[str], tuple[bytes, str]],
    stack: AsyncExitStack,
) -> int:
    """Listen until the stack closes; return the port.

    Args:
        settings: Where to listen.
        readiness: Returns the readiness at this moment.
        exposition: Returns the metrics, and their content type, for an Accept header.
        stack: Closes the listener.

    Raises:
        OSError: The address cannot be listened on.
    """
    host, port = split_address(settings.listen) or ("127.0.0.1", 0)

    async def live(_request: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def ready(_request: web.Request) -> web.Response:
        state = readiness()
        serving = any(state.tenants.values())
        body = {
            "ready": serving,
            "tenants": dict(state.tenants),
            "money": {"accepted": not state.money_obstacles, "obstacles": list(state.money_obstacles)},
            "policy_hash": state.policy_hash,
            "refused_change": list(state.refused_change),
        }
        return web.json_response(body, status=200 if serving else 503)

    async def metrics(request: web.Request) -> web.Response:
        body, content_type = exposition(request.headers.get("accept", ""))
        return web.Response(body=body, headers={"content-type": content_type})

    app = web.Application()
    app.add_routes([web.get("/livez", live), web.get("/readyz", ready), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    serve = cast("web.Server", runner.server)
    listener = await asyncio.get_running_loop().create_server(lambda: _connect(serve), host, port)
    stack.callback(listener.close)
    return int(listener.sockets[0].getsockname()[1])


def _connect(serve: web.Server) -> asyncio.Protocol:
    """Return the handler of a new connection; beyond the limit the oldest are closed.

    aiohttp waits for ever for the rest of a request. Probes and scrapes take milliseconds, so an old connection is one
    that is idle or never sends it.
    """
    connections = serve.connections
    # A closed one stays in the list until the loop has time.
    for connection in connections[: max(len(connections) - _MAX_CONNECTIONS + 1, 0)]:
        connection.force_close()
    return serve()
