"""What a client meets in a case: the service and its emulator, the double of the service, or nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import grpc
from harness.authority import AUDIENCE, ISSUER, Authority, Issuer, key_set, machine_now
from harness.ports import free_port
from harness.stack import LocalStack, running
from payorch.testing import FakePayorch
from payorch.testing.catalogue import Failure
from payorch.testing.script import Plan
from payorch.v1 import call_pb2

from programs.clients.conformance.spoiled import spoiled
from programs.clients.conformance.table import Case

AUTHORITY: Final = Authority()
TOKENS: Final = Issuer()
CALLER: Final = "spiffe://example.org/ns/shop/sa/checkout"
_WORDS_OF_A_NEWER_SERVICE: Final = 99


@dataclass(frozen=True, slots=True)
class World:
    """How to connect to it, and what happened in it."""

    target: str
    operators: str = ""
    """Target of the listener for operators."""
    connect: Mapping[str, Any] = field(default_factory=dict)
    """How a client connects unless the case says something else."""
    folder: Path = Path()
    executed: Callable[[], Mapping[str, int] | int] = dict
    sent: Callable[[], Mapping[str, int]] = dict
    received: Callable[[], int] = int


class _Newer(Failure):
    """An error with words that this version does not know."""

    def call_outcome(self, rpc: str, track_id: str) -> call_pb2.CallOutcome:
        """Return the outcome of a call."""
        told = Failure.call_outcome(self, rpc, track_id)
        told.outcome = told.advice = _WORDS_OF_A_NEWER_SERVICE  # type: ignore[assignment] # the point of it
        return told


@asynccontextmanager
async def world_of(case: Case, folder: Path) -> AsyncIterator[World]:
    """Build the world of a case, until the block ends."""
    if case.world == "fake":
        with FakePayorch() as fake:
            _plan(fake, case)
            yield World(
                fake.target,
                executed=lambda: len(fake.executed),
                received=lambda: len(fake.calls),
            )
        return
    if case.world == "spoiled":
        async with spoiled(case.plans[0]["answers"]) as (port, received):
            yield World(f"127.0.0.1:{port}", received=lambda: len(received))
        return
    if case.world == "nothing":
        yield World(f"127.0.0.1:{free_port()}")
        return
    secured = _secured(case.world, folder)
    async with running(over=secured) as stack:
        for fault in case.faults:
            stack.emulator.faults.add(fault)
        draining = asyncio.ensure_future(_drain(stack)) if case.drain else None
        yield _of_service(stack, case, folder)
        if draining is not None:
            draining.cancel()
            await asyncio.wait([draining])


def _of_service(stack: LocalStack, case: Case, folder: Path) -> World:
    tls = {"ca_file": "authority.pem"}
    if case.world == "mtls":
        tls |= {"certificate_file": "caller.pem", "key_file": "caller.key"}
    counted = ("sessions", "decryption", "payment_methods", "payment_methods_v1")
    ledger, journal = stack.emulator.ledger, stack.emulator.journal
    return World(
        stack.target,
        stack.diagnostics_target,
        {} if case.world == "service" else {"plaintext": False, "tls": tls},
        folder,
        executed=lambda: {name: count for name in counted if (count := ledger.count(name))},
        sent=lambda: {name: count for name in counted if (count := journal.count(name))},
    )


async def _drain(stack: LocalStack) -> None:
    """Drain the service once a call of a client is at the emulator."""
    while not stack.emulator.journal.count("sessions"):
        await asyncio.sleep(0.01)
    await stack.application.drain()


def _secured(world: str, folder: Path) -> dict[str, Any]:
    """Return settings for TLS and for who may call, and write the files that they name."""
    if world == "service":
        return {}
    certificate, key = AUTHORITY.issue("127.0.0.1").write(folder, "server")
    AUTHORITY.issue(CALLER).write(folder, "caller")
    (folder / "authority.pem").write_bytes(AUTHORITY.certificate)
    (folder / "nonsense.pem").write_text("nonsense")
    (folder / "keys.json").write_bytes(key_set(TOKENS))
    tls: dict[str, Any] = {"certificate_file": certificate, "key_file": key}
    if world == "tls":
        return {"grpc": {"tls": tls}}
    rights = {"tenants": {"*": {"entities": ["*"], "orgs": ["*"]}}, "move_money": True}
    callers = [
        {"caller": "jwt:checkout", "namespace": "checkout", "rpcs": ["*"], **rights},
        {"caller": "jwt:batch", "namespace": "batch", "rpcs": ["GetIntent"], **rights},
    ]
    if world == "mtls":
        tls["client_ca_file"] = str(folder / "authority.pem")
        callers.append({"caller": CALLER, "namespace": "shop", "rpcs": ["*"], **rights})
    jwt = {"key_set_file": str(folder / "keys.json"), "issuer": ISSUER, "audience": AUDIENCE}
    return {"grpc": {"tls": tls}, "identity": {"jwt": {"own": jwt}}, "access": {"callers": callers}}


def token_of(name: str) -> str:
    """Return the token that a case names; any other text is one itself."""
    made = {
        "valid": lambda: TOKENS.token("checkout"),
        "expired": lambda: TOKENS.token("checkout", now=machine_now() - timedelta(hours=3)),
        "batch": lambda: TOKENS.token("batch"),
    }
    return made[name]() if name in made else name


def _plan(fake: FakePayorch, case: Case) -> None:
    for plan in case.plans:
        if "code" in plan:
            fake.fail_without_details(grpc.StatusCode[plan["code"]], message=plan.get("message", ""))
        elif "newer" in plan:
            fake._script.plan(Plan("", 1, _Newer(reason="UPSTREAM_NO_ANSWER")))
        else:
            fake.fail_with(**plan)


def connection(case: Case, world: World) -> dict[str, Any]:
    """Return how a client connects: as the world wants it, and over it what the case says."""
    chosen: dict[str, Any] = {
        "target": world.target,
        "operators": world.operators,
        "plaintext": True,
        "tls": None,
        "tokens": None,
        "resend": None,
        **world.connect,
        **case.connect,
    }
    if chosen["target"] == "$as_localhost":
        chosen["target"] = world.target.replace("127.0.0.1", "localhost")
    if chosen["tls"] is not None:
        chosen["tls"] = {name: str(world.folder / file) for name, file in chosen["tls"].items()}
    if chosen["tokens"] is not None:
        chosen["tokens"] = [token_of(name) for name in chosen["tokens"]]
    return chosen
