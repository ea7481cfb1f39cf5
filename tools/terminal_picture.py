"""Shows `make run` on a terminal while calls succeed and fail, as a page that a browser can photograph."""

import asyncio
import contextlib
import html
import os
import pty
import re
import sys
from pathlib import Path
from typing import Final

import grpc
from harness.requests import session_request
from payorch.v1 import payment_orchestration_service_pb2 as pb
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

_TARGET: Final = "127.0.0.1:50051"
_STYLE: Final = re.compile(r"\x1b\[([0-9;]*)m")
_CSS: Final = {
    "1": "font-weight:bold",
    "2": "opacity:.6",
    "31": "color:#ff6b6b",
    "32": "color:#69db7c",
    "33": "color:#ffd43b",
    "34": "color:#74c0fc",
    "36": "color:#66d9e8",
}
_PAGE: Final = """<!doctype html><meta charset="utf-8"><style>
body {{ background: #16181d; color: #e9ecef; margin: 16px; }} pre {{ font: 13px/1.5 "DejaVu Sans Mono", monospace; }}
</style><pre>{}</pre>"""


async def page_of_make_run(folder: Path) -> Path:
    """Run it until the calls have ended; return the page."""
    ours, its = pty.openpty()
    variables = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": "tests"}  # noqa: TID251 - handed through
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "programs.run", stdout=its, stderr=its, env=variables
    )
    os.close(its)
    reading = asyncio.create_task(asyncio.to_thread(_everything, ours))  # noqa: TID251 - awaited below
    try:
        await _call()
    finally:
        process.terminate()
        await process.wait()
    text = await reading
    begun = text.index("Ctrl-C stops both.")
    page = folder / "run.html"
    page.write_text(_PAGE.format(_as_html("$ make run\n...\n" + text[begun:].replace("\r", ""))), encoding="utf-8")
    return page


def _everything(descriptor: int) -> str:
    """Read a terminal until its program has ended."""
    parts = []
    with contextlib.suppress(OSError):
        while part := os.read(descriptor, 65_536):
            parts.append(part)
    os.close(descriptor)
    return b"".join(parts).decode()


async def _call() -> None:
    """Make a call that succeeds, one that Zuora refuses, and one that breaks rules."""
    unknown, wrong = session_request(), pb.CreateSessionRequest(request_id="order-4711")
    unknown.one_time_payment.account_id = "2c92c0f8000000000000000000000099"
    async with grpc.aio.insecure_channel(_TARGET) as channel:
        await asyncio.wait_for(channel.channel_ready(), 30)
        create = service_grpc.PaymentOrchestrationServiceStub(channel).CreateSession
        for request, timeout_s in ((session_request(), 10), (unknown, 10), (wrong, 10)):
            with contextlib.suppress(grpc.RpcError):
                await create(request, timeout=timeout_s)


def _as_html(text: str) -> str:
    parts = _STYLE.split(html.escape(text))
    shown, opened = [parts[0]], False
    for codes, following in zip(parts[1::2], parts[2::2], strict=True):
        css = ";".join(_CSS[code] for code in codes.split(";") if code in _CSS)
        shown.append(("</span>" if opened else "") + (f'<span style="{css}">' if css else "") + following)
        opened = bool(css)
    return "".join(shown) + ("</span>" if opened else "")
