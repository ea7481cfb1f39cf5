"""Calls at a steady pace, whatever becomes of those before."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import cycle
from time import perf_counter
from typing import Final

import grpc
from harness.requests import new_request_id, payment_method_request, session_request
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

_DEADLINE_S: Final = 10.0
_MOST_SENDS: Final = 5
Send = Callable[[str], Awaitable[object]]


@dataclass(slots=True)
class Load:
    """What was sent and what came of it."""

    channel: grpc.aio.Channel
    calls_per_s: float
    resend: bool
    """Whether an error is followed by the same request under the same id."""
    sent: int = 0
    ended: list[tuple[float, float]] = field(default_factory=list)
    """When each call was answered well, by `perf_counter`, and how many seconds after it was begun."""
    errors: list[str] = field(default_factory=list)
    """Every send that was answered by an error."""
    lost: int = 0
    """Calls without a good answer in the end."""

    async def run(self, stop: asyncio.Event) -> None:
        """Send until the event, and wait for the last answers."""
        stub = service_grpc.PaymentOrchestrationServiceStub(self.channel)
        kinds: cycle[Send] = cycle(
            (
                lambda request_id: stub.CreateSession(session_request(request_id), timeout=_DEADLINE_S),
                lambda request_id: stub.CreatePaymentMethod(payment_method_request(request_id), timeout=_DEADLINE_S),
            )
        )
        next_s = perf_counter()
        async with asyncio.TaskGroup() as calls:
            while not stop.is_set():
                self.sent += 1
                calls.create_task(self._call(next(kinds)))
                next_s += 1 / self.calls_per_s
                await asyncio.sleep(max(next_s - perf_counter(), 0.0))

    async def _call(self, send: Send) -> None:
        request_id, began_s = new_request_id(), perf_counter()
        for _ in range(_MOST_SENDS if self.resend else 1):
            try:
                await send(request_id)
            except grpc.aio.AioRpcError as error:
                self.errors.append(f"{error.code().name}: {error.details()}")
            else:
                ended_s = perf_counter()
                self.ended.append((ended_s, ended_s - began_s))
                return
        self.lost += 1

    def latencies_s(self, begin_s: float, end_s: float) -> list[float]:
        """Return how long each call took that was answered well in a window, in order of length."""
        return sorted(latency_s for moment, latency_s in self.ended if begin_s <= moment < end_s)
