"""The floor of the gRPC stack: bytes in, the same number of bytes out as the service sends, nothing else."""

import asyncio
import sys

import grpc
import uvloop

from programs.bench.workload import METHOD, response


async def _serve() -> None:
    answer = response().SerializeToString()

    async def echo(_request: bytes, _context: object) -> bytes:
        return answer

    service, name = METHOD.removeprefix("/").split("/")
    handler = grpc.method_handlers_generic_handler(service, {name: grpc.unary_unary_rpc_method_handler(echo)})
    server = grpc.aio.server(handlers=(handler,), options=(("grpc.so_reuseport", 0),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
