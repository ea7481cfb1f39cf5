"""A plain upstream: HTTP/1.1 with keep-alive that answers at once, with the headers of Zuora. Not the emulator."""

import asyncio
import sys
import uuid
from email.utils import formatdate
from typing import Final, cast

import uvloop

from programs.bench.workload import (
    ACCOUNT_ID,
    DECRYPTION_PATH,
    METHODS_PATH,
    SESSION_TOKEN,
    SESSIONS_PATH,
    TOKEN_PATH,
)

_END_OF_HEAD: Final = b"\r\n\r\n"
_USER: Final = "2c92c0f80000000000000000000000ff"
_METHOD: Final = (
    f'{{"id":"4781bf64097a9b653505cf5161e6b206","created_by_id":"{_USER}","created_time":"2026-11-20T04:49:39+00:00",'
    f'"updated_by_id":"{_USER}","updated_time":"2026-11-20T04:49:39+00:00","custom_fields":{{}},'
    f'"account_id":"{ACCOUNT_ID}","state":"active","auto_generated":false,"use_default_retry_rule":true,'
    '"existing_mandate":false,"number_of_consecutive_failures":0,"total_number_of_processed_payments":0,'
    '"total_number_of_error_payments":0,"type":"sepa_debit","sepa_debit":{"IBAN":"****3000","mandate":'
    '{"id":"mandate-1"}}}'
)
_DECRYPTION: Final = (
    '{"success":true,"paymentMethodId":"4781bf64097a9b653505cf5161e6b206",'
    '"paymentId":"4781bf64097a9b653505cf5161e6b207","amount":"12.34"}'
)
_ANSWERS: Final = {
    TOKEN_PATH: (
        b"200 OK",
        '{"access_token":"92c51490a6a6b5090159dbff7ce3767f","token_type":"bearer","expires_in":3599}',
    ),
    SESSIONS_PATH: (b"200 OK", f'{{"token":"{SESSION_TOKEN}"}}'),
    DECRYPTION_PATH: (b"200 OK", _DECRYPTION),
    METHODS_PATH: (b"201 Created", _METHOD),
}
"""Status and body by path."""
_LIMITS: Final = (
    b"ratelimit-limit: 50000, 50000;w=60, 2250000;w=3600, 27000000;w=86400\r\n"
    b"ratelimit-remaining: 49999\r\nratelimit-reset: 21\r\n"
)
_CONCURRENCY: Final = (
    b"concurrency-limit-type: Default\r\nconcurrency-limit-limit: 50000\r\nconcurrency-limit-remaining: 49999\r\n"
)
"""On v1 paths alone."""


class Upstream(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for the answers."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._received += data
        while self._transport is not None:
            head, found, rest = self._received.partition(_END_OF_HEAD)
            length = int(_header(head, b"content-length") or 0)
            if not found or len(rest) < length:
                return
            self._received = rest[length:]
            self._transport.write(_answer(head))


def _header(head: bytes, name: bytes) -> bytes:
    start = head.lower().find(b"\r\n" + name + b":")
    return head[start + len(name) + 3 :].partition(b"\r\n")[0].strip() if start >= 0 else b""


def _answer(head: bytes) -> bytes:
    path = head.partition(b" ")[2].partition(b" ")[0].decode()
    status, body = _ANSWERS.get(path, (b"404 Not Found", "{}"))
    ids = (_header(head, b"zuora-track-id"), str(uuid.uuid4()).encode())
    headers = b"zuora-track-id: %s\r\nzuora-request-id: %s\r\n" % ids
    headers += _LIMITS + (_CONCURRENCY if path.startswith("/v1/") else b"")
    headers += b"date: %s\r\n" % formatdate(usegmt=True).encode()
    headers += b"content-type: application/json;charset=utf-8\r\ncontent-length: %d\r\n" % len(body)
    return b"HTTP/1.1 " + status + b"\r\n" + headers + b"\r\n" + body.encode()


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
