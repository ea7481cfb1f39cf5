"""The gRPC caller: a grpc.aio client in a process of its own, whose calls all differ in ids and deadline."""

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

from programs.bench.calls import RPCS, metadata
from programs.bench.windows import Call, Caller, Order, WrongAnswerError, obey

_CONNECTIONS: Final = 4
# Calls give up long after any healthy one has ended, each at another moment.
_SHORTEST_DEADLINE_S: Final = 20.0
_DEADLINES: Final = 4999


@asynccontextmanager
async def _callers() -> AsyncIterator[Caller]:
    async with AsyncExitStack() as stack:
        known: dict[str, Sequence[Any]] = {}

        def caller(order: Order) -> Call:
            if order.target not in known:
                known[order.target] = [_connection(order, stack) for _ in range(_CONNECTIONS)]
            return _call(known[order.target], order.rpc)

        yield caller


def _connection(order: Order, stack: AsyncExitStack) -> "service_grpc.PaymentOrchestrationServiceAsyncStub":
    options = (("grpc.use_local_subchannel_pool", 1),)
    if order.ca_file:
        trusted = grpc.ssl_channel_credentials(Path(order.ca_file).read_bytes())
        channel = grpc.aio.secure_channel(order.target, trusted, options=options)
    else:
        channel = grpc.aio.insecure_channel(order.target, options=options)
    stack.push_async_callback(channel.close)
    return service_grpc.PaymentOrchestrationServiceStub(channel)


def _call(connections: Sequence[Any], name: str) -> Call:
    numbers, rpc = itertools.count(), RPCS[name]
    methods = [getattr(stub, name) for stub in connections]

    async def call() -> None:
        number = next(numbers)
        timeout_s = _SHORTEST_DEADLINE_S + number % _DEADLINES / 1000
        try:
            answer = await methods[number % len(methods)](rpc.request(), metadata=metadata(), timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise WrongAnswerError(f"{error.code().name} {error.details()}") from error
        if not rpc.result_of(answer):
            raise WrongAnswerError(f"an answer to {name} without its result")

    return call


if __name__ == "__main__":
    obey(_callers)
