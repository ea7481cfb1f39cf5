"""What the hub stores, in every state: written by its own parts, with fixed requests, keys, time and randomness."""

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Final

from payorch_server.model.secret import Secret
from payorch_server.store.keyring import Keyring
from payorch_server.upc.epoch import declare_epoch
from payorch_server.upc.gateway_outcome import GatewayOutcome, Result
from payorch_server.upc.hub_parts import HubCallNotes
from payorch_server.upc.request import (
    Defect,
    HubRequest,
    JsonNumber,
    Operation,
    RequestName,
    UnusableRequest,
    idempotency_key,
)

from harness.hub import (
    DECLINED,
    DESCRIPTION,
    ERROR,
    TENANT,
    Behaviour,
    FakeGateway,
    HubWorld,
    behave,
    never_answer,
    payment,
    refund,
    validation,
)

APPROVED: Final = GatewayOutcome(
    Result.APPROVED,
    "601",
    "Approved.",
    "180404672",
    "20998810",
    Secret({"Email": "a@b.example", "Count": JsonNumber("12.50"), "Flag": True, "Old": None}),
)
SENDS: Final[Mapping[str, tuple[HubRequest, Behaviour]]] = {
    "payment approved": (payment("pay-1"), behave(APPROVED)),
    "payment declined": (payment("pay-2"), behave(DECLINED)),
    "refund approved": (refund("ref-1"), behave(APPROVED)),
    "payment in doubt": (payment("pay-3"), behave(ERROR)),
    "payment refused by the hub": (payment("pay-4", gateway_name="Other"), behave(APPROVED)),
    "validation approved": (validation(), behave(APPROVED)),
    "payment being executed": (payment("pay-5"), never_answer),
}
REFUSED: Final = RequestName(TENANT, Operation.PAYMENT, "pay-6")
"""A payment whose send had wrong credentials."""


def key_of(request: HubRequest) -> str:
    """Return the idempotency key of a payment or refund."""
    assert request.name is not None
    return idempotency_key(request.name)


async def store_all(keyring: Keyring) -> HubWorld:
    """Store every form of the hub, in every state; on a virtual loop.

    Returns:
        Where it is stored; one execution is still under way.
    """
    gateway = FakeGateway(
        description=dataclasses.replace(DESCRIPTION, looks_up=False),
        behaviours=[behaviour for name, (_, behaviour) in SENDS.items() if "refused" not in name],
    )
    world = HubWorld(gateway, declared=False)
    await declare_epoch(world.store, by="init-store", now_s=world.clock.now().timestamp())
    hub = world.hub(keyring=keyring)
    for name, (request, _) in SENDS.items():
        if name == "payment being executed":
            send = asyncio.ensure_future(world.send(hub, request))
            await asyncio.sleep(0.1)
            send.cancel()
        else:
            await world.send(hub, request)
            await hub.wait_for_executions(timeout_s=1)
    unusable = UnusableRequest(Defect.NOT_READ, names=(REFUSED,))
    await hub.answer_refused(unusable, notes=HubCallNotes())
    return world
