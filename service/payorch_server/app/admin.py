"""Probes and metrics over HTTP; GET only."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Readiness:
    """What the service can do now."""

    tenants: Mapping[str, bool]
    """Which of them are ready; one suffices to be ready as a whole."""
    policy_hash: str
    """Of the policy in force."""
    refused_change: Sequence[str]
    """What is wrong with files that have changed; they are not in use then."""


async def start_admin(
    *,
    host: str,
    port: int,
    ready: Callable[[], Readiness],
    exposition: Callable[[str], tuple[bytes, str]],
    stack: AsyncExitStack,
) -> int:
    """Listen until the stack closes; return the port.

    Args:
        host: Address to listen on.
        port: Port; 0 takes a free one.
        ready: Tells what is ready.
        exposition: Returns the metrics, and their content type, for an Accept header.
        stack: Closes the listener.
    """

    async def live(_request: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def ready_now(_request: web.Request) -> web.Response:
        now = ready()
        serving = any(now.tenants.values())
        body = {
            "ready": serving,
            "tenants": dict(now.tenants),
            "policy_hash": now.policy_hash,
            "refused_change": list(now.refused_change),
        }
        return web.json_response(body, status=200 if serving else 503)

    async def metrics(request: web.Request) -> web.Response:
        body, content_type = exposition(request.headers.get("accept", ""))
        return web.Response(body=body, headers={"content-type": content_type})

    app = web.Application()
    app.add_routes([web.get("/livez", live), web.get("/readyz", ready_now), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, host, port)
    await site.start()
    return int(runner.addresses[0][1])
