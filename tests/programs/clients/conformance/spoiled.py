"""A server that executes a call and succeeds, but whose answer does not arrive as the service sends it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2

_SERVING: Final = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING).SerializeToString()
_ANSWERS: Final = {"none": (), "unreadable": (b"\xff\xff\xff\xff",)}


@dataclass(frozen=True, slots=True)
class _Handler(grpc.GenericRpcHandler):
    """Takes every RPC. As a stream, because a unary handler has to answer with one message."""

    answers: Sequence[bytes]
    received: list[bytes] = field(default_factory=list)

    def service(self, details: Any) -> Any:
        """Return what handles an RPC."""
        handlers = {"/grpc.health.v1.Health/Watch": self._watch, "/grpc.health.v1.Health/Check": self._check}
        handler = handlers.get(details.method, self._answer)
        return grpc.unary_stream_rpc_method_handler(handler)

    async def _check(self, _request: bytes, _context: Any) -> AsyncIterator[bytes]:
        yield _SERVING

    async def _watch(self, _request: bytes, _context: Any) -> AsyncIterator[bytes]:
        yield _SERVING
        await asyncio.Event().wait()  # a watch that ended would end the connection

    async def _answer(self, request: bytes, _context: Any) -> AsyncIterator[bytes]:
        self.received.append(request)
        for answer in self.answers:
            yield answer


@asynccontextmanager
async def spoiled(answers: str) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Run it until the block ends; return its port and the requests that it has received.

    Args:
        answers: none (a success without a message) or unreadable (a message that is not one of the contract).
    """
    server, handler = grpc.aio.server(), _Handler(_ANSWERS[answers])
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port, handler.received
    finally:
        await server.stop(None)
