"""A plain upstream that fails with the longest texts that are shown of Zuora's. Not the emulator, whose are shorter."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

ATTEMPTS: Final = 5
_CODES: Final = 20
# Codes of 40 and ids of 64 characters are the longest of a known form; whatever is longer is masked.
_ID: Final = "e" * 64
_MESSAGE: Final = "\u00e9" * 2000


def _code(number: int) -> str:
    # Not digits, or its end would be read as a category.
    return f"code_{chr(ord('a') + number)}_".ljust(40, "e")


def _request_id(ordinal: int) -> str:
    return f"{ordinal}-".ljust(64, "r")


CODES: Final = [_code(number) for number in range(10)]
"""Those of 20 that are shown."""
PROCESS_ID: Final = _ID
REQUEST_IDS: Final = [_request_id(ordinal) for ordinal in range(1, ATTEMPTS + 1)]
EXISTING: Final = [_ID, _ID]


class _Upstream:
    """Leaves every intent in doubt until its last attempt, which says that half of it was done."""

    def __init__(self) -> None:
        self._sends: Counter[str] = Counter()

    async def token(self, _request: web.Request) -> web.Response:
        """Grant a token."""
        return web.json_response({"access_token": "t" * 32, "token_type": "bearer", "expires_in": 3599})

    async def fail(self, request: web.Request) -> web.Response:
        """Fail at length."""
        key = request.headers["idempotency-key"]
        self._sends[key] += 1
        last = self._sends[key] >= ATTEMPTS
        headers = {"zuora-request-id": _request_id(self._sends[key]), "zuora-track-id": _ID}
        body: dict[str, Any] = {
            "success": False,
            # Ids of its own: an answer with the ids of an earlier one would be a stored one.
            "processId": _ID if last else str(self._sends[key]),
            "requestId": _ID,
            "reasons": [{"code": _code(number), "message": _MESSAGE} for number in range(_CODES)],
        }
        if last:
            headers["retry-after"] = "86400"
            body |= {"paymentMethodId": _ID, "paymentId": _ID}
        return web.json_response(body, status=200 if last else 503, headers=headers)


@asynccontextmanager
async def longest_texts() -> AsyncIterator[str]:
    """Serve the upstream on a free port until the block ends; yield its base URL."""
    upstream = _Upstream()
    app = web.Application()
    app.router.add_post("/oauth/token", upstream.token)
    app.router.add_post("/{path:.*}", upstream.fail)
    runner = web.AppRunner(app, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
