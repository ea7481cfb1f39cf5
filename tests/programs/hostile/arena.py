"""What every attack finds: the service with all that surrounds it, and ordinary calls."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import aiohttp
import grpc
from harness.redis_server import RedisServer
from harness.requests import decryption_request, new_request_id, payment_method_request, session_request
from payorch import CallError
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from zuora_emulator import seed

from programs.hostile.figures import Figure, at_most
from programs.hostile.service import Service
from programs.hostile.upstreams import COUNTS_PATH, Ports

SERVICE: Final = "/payorch.v1.PaymentOrchestrationService"
_DEADLINE_S: Final = 5.0
_RECOVERY_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long and how large attacks are."""

    stall_s: float = 60.0
    """How long the log's reader stalls."""
    overload_s: float = 8.0
    """How long each load lasts."""
    black_hole_s: float = 25.0
    """How long calls go to the tenant that never answers: longer than idle connections are kept."""
    connections: int = 10_000
    """The flood of connections."""
    streams: int = 15_000
    """The floods of Watch streams and of calls without a message."""
    slack: float = 1.0
    """By how much the times that probes may take are longer, on a machine that others use too."""


@dataclass(frozen=True, slots=True)
class Arena:
    """A service with its upstreams and its store."""

    service: Service
    emulator_url: str
    redis: RedisServer
    ports: Ports
    """Of the odd upstreams."""
    lengths: Lengths

    @asynccontextmanager
    async def stub(self) -> AsyncIterator[Any]:
        """Connect a caller of its own."""
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.service.grpc_port}", options=options) as channel:
            yield service_grpc.PaymentOrchestrationServiceStub(channel)

    async def ledger(self) -> Sequence[Mapping[str, Any]]:
        """Return what the emulator has executed so far."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.emulator_url}/_emulator/ledger") as answer:
            entries: Sequence[Mapping[str, Any]] = (await answer.json())["entries"]
        return entries

    async def requests_at(self, name: str) -> dict[str, int]:
        """Return how many requests an odd upstream has got so far, by path."""
        url = f"http://127.0.0.1:{self.ports['control']}{COUNTS_PATH}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            counts: dict[str, int] = await answer.json()
        return {key.partition(" ")[2]: count for key, count in counts.items() if key.startswith(f"{name} ")}

    async def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        url = f"http://127.0.0.1:{self.service.admin_port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            text = await answer.text()
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.split("{")[0] == name)


def session_of(tenant: str, *, entity: str = "") -> service_pb2.CreateSessionRequest:
    """Return a request that a rule sends to a tenant."""
    request = session_request()
    request.route.tenant = tenant
    request.route.entity = entity
    return request


def payment_request() -> service_pb2.DecryptApplePayRequest:
    """Return a request that moves money, of an invoice that is never paid off."""
    request = decryption_request()
    request.pay_invoice.invoice = seed.INVOICE_US_LARGE.number
    return request


async def outcome_of(call: Awaitable[object]) -> CallError | None:
    """Await a call; return its error, or None if it succeeded."""
    try:
        await call
    except grpc.RpcError as error:
        return CallError.from_rpc_error(error)
    return None


def described(error: CallError | None) -> str:
    """Return an error in a few words."""
    return "success" if error is None else f"{error.code.name} {error.reason or error.message[:80]}"


def _known_intent(request_id: str) -> service_pb2.GetIntentRequest:
    return service_pb2.GetIntentRequest(request_id=request_id, operation=service_pb2.OPERATION_CREATE_SESSION)


async def recovery(arena: Arena) -> tuple[float, str]:
    """Call every RPC until each has succeeded once.

    Returns:
        The seconds until the last did, and what the last error was, if one did not in time.
    """
    began_s = perf_counter()
    async with arena.stub() as stub:
        calls: Sequence[Callable[[], Awaitable[object]]] = (
            lambda: stub.CreateSession(session_request(), timeout=_DEADLINE_S),
            lambda: stub.DecryptApplePay(payment_request(), timeout=_DEADLINE_S),
            lambda: stub.CreatePaymentMethod(payment_method_request(), timeout=_DEADLINE_S),
            lambda: stub.GetIntent(_known_intent(new_request_id()), timeout=_DEADLINE_S),
        )
        problem = ""
        for call in calls:
            while error := await outcome_of(call()):
                problem = described(error)
                if perf_counter() - began_s > _RECOVERY_S:
                    return perf_counter() - began_s, problem
                await asyncio.sleep(0.1)
    return perf_counter() - began_s, problem


async def executed_twice(arena: Arena) -> Figure:
    """Look into the emulator's ledger for intents that were executed more than once."""
    keys = [entry["idempotency_key"] for entry in await arena.ledger() if entry["operation"] != "token"]
    return Figure("intents executed twice", len(keys) - len(set(keys)), at_most(0))
