"""Probes over HTTP; GET only."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from aiohttp import web


async def start_admin(*, host: str, port: int, ready: Callable[[], Mapping[str, bool]], stack: AsyncExitStack) -> int:
    """Listen until the stack closes; return the port.

    Args:
        host: Address to listen on.
        port: Port; 0 takes a free one.
        ready: Tells which tenants are ready; one suffices to be ready as a whole.
        stack: Closes the listener.
    """

    async def live(_request: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def ready_now(_request: web.Request) -> web.Response:
        tenants = ready()
        serving = any(tenants.values())
        return web.json_response({"ready": serving, "tenants": dict(tenants)}, status=200 if serving else 503)

    app = web.Application()
    app.add_routes([web.get("/livez", live), web.get("/readyz", ready_now)])
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, host, port)
    await site.start()
    return int(runner.addresses[0][1])
