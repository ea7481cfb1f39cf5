"""The gRPC caller: a grpc.aio client in a process of its own, whose calls all differ in ids and deadline."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import grpc
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

from programs.bench.windows import Call, Caller, WrongAnswerError, obey
from programs.bench.workload import SESSION_TOKEN, metadata, request

_CONNECTIONS: Final = 4
# Calls give up long after any healthy one has ended, each at another moment.
_SHORTEST_DEADLINE_S: Final = 10.0
_DEADLINES: Final = 4999


@asynccontextmanager
async def _callers() -> AsyncIterator[Caller]:
    async with AsyncExitStack() as stack:
        known: dict[str, Call] = {}

        def caller(target: str) -> Call:
            if target not in known:
                known[target] = _call([_connection(target, stack) for _ in range(_CONNECTIONS)])
            return known[target]

        yield caller


def _connection(target: str, stack: AsyncExitStack) -> "service_grpc.PaymentOrchestrationServiceAsyncStub":
    options = (("grpc.use_local_subchannel_pool", 1),)
    channel = grpc.aio.insecure_channel(target, options=options)
    stack.push_async_callback(channel.close)
    return service_grpc.PaymentOrchestrationServiceStub(channel)


def _call(connections: "list[service_grpc.PaymentOrchestrationServiceAsyncStub]") -> Call:
    numbers = itertools.count()

    async def call() -> None:
        number = next(numbers)
        timeout_s = _SHORTEST_DEADLINE_S + number % _DEADLINES / 1000
        stub = connections[number % len(connections)]
        try:
            answer = await stub.CreateSession(request(), metadata=metadata(), timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise WrongAnswerError(f"{error.code().name} {error.details()}") from error
        if answer.session.token != SESSION_TOKEN:
            raise WrongAnswerError("a session without its token")

    return call


if __name__ == "__main__":
    obey(_callers)
