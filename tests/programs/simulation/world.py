"""One run's world: two Zuoras, a network, a store, a fleet of the service."""

import asyncio
import math
import random
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Final

from payorch_server.model.secret import Secret
from payorch_server.routing.settings import RuleSettings, TargetSettings
from payorch_server.zuora.settings import DeclineSettings, GatewaySettings, TenantSettings
from zuora_emulator import Emulator, seed
from zuora_emulator.declines import decline_message

from programs.simulation.bookkeeping import Counts, EventLog, Notes
from programs.simulation.clock import SimulatedClock
from programs.simulation.instance import Configuration, Instance, Parts
from programs.simulation.intent import open_token
from programs.simulation.network import ForgetfulKeys, InstanceWire, Network
from programs.simulation.random_choices import RandomChoices
from programs.simulation.store import SharedStore, StoreClient

SHOP: Final = "shop"
BILLING: Final = "billing"
FLEET: Final = {"shop-1": SHOP, "shop-2": SHOP, "shop-3": SHOP, "billing-1": BILLING}
ACME_HOST: Final = "acme.zuora.test"
SOLO_HOST: Final = "solo.zuora.test"
TARGETS: Final = (
    TargetSettings(tenant="acme", entity="us", gateway="cards-us"),
    TargetSettings(tenant="acme", entity="eu", gateway="cards-eu"),
    TargetSettings(tenant="solo", gateway="cards"),
)


_DECLINE: Final = DeclineSettings(code="53000060", message=decline_message("")[:21])


def rules_to(target: TargetSettings) -> tuple[RuleSettings, ...]:
    """Return a policy that sends everything to one target."""
    return (RuleSettings(name=f"to-{target.gateway}", to=target),)


def _gateway(gateway: seed.Gateway) -> GatewaySettings:
    return GatewaySettings(gateway.id, gateway.name)


class WrongClocks:
    """When which instance's time of day was wrong by more than replicas may differ."""

    def __init__(self) -> None:
        self._spans: dict[str, list[tuple[float, float]]] = {}

    def begin(self, instance: str, *, at_s: float) -> None:
        """Note that it is wrong from now on."""
        self._spans.setdefault(instance, []).append((at_s, math.inf))

    def end(self, instance: str, *, at_s: float) -> None:
        """Note that it is right, or wrong otherwise, from now on."""
        spans = self._spans.get(instance)
        if spans and spans[-1][1] == math.inf:
            spans[-1] = (spans[-1][0], at_s)

    def met(self, instance: str, *, from_s: float, until_s: float) -> bool:
        """Return whether an instance's clock was wrong at some moment of a stretch of time."""
        return any(begin <= until_s and from_s <= end for begin, end in self._spans.get(instance, ()))


class World:
    """Everything but the callers."""

    def __init__(self, *, rng: random.Random, choices: RandomChoices, counts: Counts, parts: Parts) -> None:
        loop = asyncio.get_running_loop()
        self.rng = rng
        self.choices = choices
        self.counts = counts
        self.parts = parts
        self.time = loop.time
        self.clock = SimulatedClock(loop.time)
        self.log = EventLog(loop.time)
        self.emulators = {host: self._emulator() for host in (ACME_HOST, SOLO_HOST)}
        self.network = Network(
            rng=rng, choices=choices, log=self.log, counts=counts, emulators=self.emulators, clock=self.clock
        )
        self.store = SharedStore(rng=rng, clock=self.clock, log=self.log, counts=counts)
        self.secrets = {"acme": Secret(seed.CLIENT_A.client_secret), "solo": Secret(seed.CLIENT_B.client_secret)}
        self._fleet_keys = [(f"k{number}", Secret(rng.randbytes(32))) for number in (1, 2)]
        self.keys = self._fleet_keys[:1]
        self.rules = rules_to(TARGETS[0])
        self.target = TARGETS[0]
        self.tenants = self._tenants()
        self._starts = 0
        self.wrong_clocks = WrongClocks()
        self.notes = Notes()
        self.instances: dict[str, Instance] = {}
        for name in FLEET:
            self.start(name)

    def _emulator(self) -> Emulator:
        emulator = Emulator(
            clock=self.clock, rng=self.rng, settings=self.choices.emulator_settings(), opener=open_token
        )
        emulator._world.idempotency = ForgetfulKeys(choices=self.choices)
        state = emulator.state
        # The same customer is known everywhere, so that a moved route finds it as well.
        state.accounts = {
            entity: replace(seed.ACCOUNT_US, entity=entity, org=None)
            for entity in (seed.ENTITY_US, seed.ENTITY_EU, seed.ENTITY_SINGLE)
        }
        state.invoices = {seed.INVOICE_US.id: replace(seed.INVOICE_US, balance=Decimal(10_000_000))}
        return emulator

    def _tenants(self) -> dict[str, TenantSettings]:
        version = self.choices.zuora_version
        declines = (_DECLINE,) if self.choices.knows_declines else ()
        return {
            "acme": TenantSettings(
                client_id=seed.CLIENT_A.client_id,
                client_secret_file="-",
                base_url=f"https://{ACME_HOST}",
                entities={"us": seed.ENTITY_US, "eu": seed.ENTITY_EU},
                gateways={"cards-us": _gateway(seed.GATEWAY_US), "cards-eu": _gateway(seed.GATEWAY_EU)},
                zuora_version=version,
                max_in_flight=self.choices.max_in_flight,
                declines=declines,
            ),
            "solo": TenantSettings(
                client_id=seed.CLIENT_B.client_id,
                client_secret_file="-",
                base_url=f"https://{SOLO_HOST}",
                gateways={"cards": _gateway(seed.GATEWAY_SINGLE)},
                zuora_version=version,
                max_in_flight=self.choices.max_in_flight,
                declines=declines,
            ),
        }

    def start(self, name: str) -> None:
        """Start an instance with the newest configuration."""
        self._starts += 1
        numbered = f"{name}#{self._starts}"
        skew_s = self.rng.uniform(-self.choices.skew_s, self.choices.skew_s)
        self.instances[name] = Instance(
            numbered,
            namespace=FLEET[name],
            configuration=Configuration(
                tenants=self.tenants, rules=self.rules, secrets=self.secrets, keys=tuple(self.keys)
            ),
            http=InstanceWire(self.network, numbered),
            store=StoreClient(self.store, numbered),
            clock=SimulatedClock(self.time, skew_s=skew_s),
            rng=self.rng,
            counts=self.counts,
            parts=self.parts,
            allow_unrecorded=self.choices.allow_unrecorded,
            notes=self.notes,
        )
        self.log.add(numbered, "starts")

    def set_clocks(self, names: Iterable[str], *, skew_s: float) -> None:
        """Make the time of day of some instances wrong, or right again; those that start later are right."""
        for name in names:
            instance = self.instances[name]
            self.wrong_clocks.end(instance.name, at_s=self.time())
            instance.clock.skew_s = skew_s
            if skew_s:
                self.wrong_clocks.begin(instance.name, at_s=self.time())
            self.log.add(
                instance.name, f"has a clock that is {skew_s:+.0f} s wrong" if skew_s else "has the right time"
            )

    def mend_clocks(self) -> None:
        """Make all clocks right again."""
        self.set_clocks([name for name, one in self.instances.items() if one.clock.skew_s], skew_s=0.0)

    async def somewhere(self, namespace: str) -> Instance:
        """Return an instance that accepts calls."""
        while True:
            up = [one for name, one in self.instances.items() if one.accepts and FLEET[name] == namespace]
            if up:
                return self.rng.choice(up)
            await asyncio.sleep(0.05)

    def trouble(self, *, on: bool) -> None:
        """Let things go wrong, or stop that."""
        self.network.faults_on = on
        self.store.faults_on = on and self.choices.store_trouble
        self.store.down = False

    def next_keys(self) -> None:
        """Go one step on in the rotation of the fleet's key: both understood, then the new one in use."""
        first, second = self._fleet_keys
        self.keys = [first, second] if len(self.keys) == 1 else [second, first]

    async def close(self) -> int:
        """End everything; return how many executions were cut."""
        cut = 0
        for instance in self.instances.values():
            cut += await instance.drain()
        await self.network.settle()
        return cut
