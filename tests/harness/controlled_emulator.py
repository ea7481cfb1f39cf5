"""Emulators whose clock stands still or whose answers a test sets, and waiting for what the service does with them."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from opentelemetry.sdk.trace import Span, SpanProcessor  # noqa: TID251 - to see calls arrive
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from zuora_emulator import Emulator
from zuora_emulator.clock import ManualClock
from zuora_emulator.settings import Settings

DECRYPTION = "/v1/payment-methods/decryption"
TOKEN = "/oauth/token"
Head = dict[str, str]


def frozen_emulator(**switches: Any) -> tuple[Emulator, ManualClock]:
    """Make an emulator whose slow calls wait until its clock is moved."""
    now = datetime.now(UTC)  # noqa: TID251 - tokens for it are made at a time of day
    clock = ManualClock(now, jump=False)
    return Emulator(clock=clock, settings=Settings(**{"concurrency_limit": None} | switches)), clock


def answer_path_with(emulator: Emulator, path: str, answer: Callable[[], tuple[int, Any, Head]]) -> None:
    """Let a path answer with a status, a body (bytes as they are, anything else as JSON) and headers."""
    inner: ASGIApp = emulator.app

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != path:
            await inner(scope, receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        status, body, headers = answer()
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        await Response(content, status, headers, "application/json")(scope, receive, send)

    emulator.app = app


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what another task or process does."""
    while not condition():
        await asyncio.sleep(0.005)


class ServedCalls(SpanProcessor):
    """Counts the calls that the service has begun to serve, and those it has ended: a unary client cannot tell."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    def on_start(self, span: Span, parent_context: Any = None) -> None:  # noqa: ARG002 - the interface
        """Count a beginning."""
        self.begun[span.name.rpartition("/")[2]] += 1

    def on_end(self, span: Any) -> None:
        """Count an end."""
        self.ended[span.name.rpartition("/")[2]] += 1
