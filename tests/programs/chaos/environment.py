"""The processes of a run: two replicas, two hubs, a gateway, a Redis with its replica, and two Zuoras."""

import asyncio
import os
import random
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import yaml
from harness.faulty_proxy import FaultyProxy, faulty_proxy
from harness.hub_configuration import PASSWORD
from harness.hub_process import USER
from harness.keyring import new_key_file
from harness.plugin import TOKEN_FIELD
from harness.plugin_host import PluginProcess
from harness.redis_server import servers
from harness.upc_bodies import example
from harness.zuora_load import ZuoraLoad
from zuora_emulator import Emulator, Settings, seed, serving

from programs.chaos import replica
from programs.chaos.schedule import Setting
from programs.chaos.stores import StorePair, store_urls
from programs.rolling import fleet, hub
from programs.simulation.intent import open_token

PLACES: Final = ("acme", "moved")
"""Two tenants of one company, each at a Zuora of its own with the same accounts."""
CHARGES_TWICE: Final = "charges-twice"
"""In place of a broken rule: the gateway charges again under a key that it knows."""
UPC_TOKEN: Final = "tok-chaos-6f1d2b9c7a"
_PAYMENTS_PER_S: Final = 3.0


@dataclass(slots=True)
class Replica:
    """One replica of the service, with its clock and its connection to the store."""

    member: fleet.Member
    clock: Path
    skew_s: float
    store: FaultyProxy
    """Its connection to Redis."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the process is killed, frozen or started."""

    def set_clock(self, ahead_s: float) -> None:
        """Set how far its time of day is ahead."""
        replacement = self.clock.with_suffix(".new")
        replacement.write_text(str(ahead_s))
        replacement.replace(self.clock)

    def route(self, place: str, gateway: str) -> None:
        """Change the destination in its policy file, which it reloads."""
        content = yaml.safe_load(self.member.file.read_text())
        content["routing"] = rules(place, gateway)
        replacement = self.member.file.with_suffix(".new")
        replacement.write_text(yaml.safe_dump(content))
        replacement.replace(self.member.file)


@dataclass(slots=True)
class Environment:
    """The processes of a run, and what was done to them."""

    setting: Setting
    emulators: Mapping[str, Emulator]
    zuoras: Mapping[str, FaultyProxy]
    """The proxy in front of each place, one for all replicas: an intent is pinned to the address it was sent to."""
    replicas: Sequence[Replica]
    store: StorePair
    hubs: Sequence[hub.Member]
    plugin: PluginProcess
    ledger: Path
    """Of the gateway."""
    hub_load: ZuoraLoad
    audit: Path
    """What the replicas wrote to their standard output."""
    began_s: float = field(default_factory=perf_counter)
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))  # noqa: TID251 - the emulators' entries have times of day
    place: str = PLACES[0]
    gateway: str = "cards-us"
    places: list[tuple[float, str]] = field(default_factory=list)
    """The destinations of new intents: since when, and which place."""
    moves_s: list[float] = field(default_factory=list)
    """When a change of place or gateway began."""
    losses: list[tuple[float, str]] = field(default_factory=list)
    """When the store lost records, and why."""
    problems: list[str] = field(default_factory=list)
    """Unexpected exits, and processes that did not recover."""
    store_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a fault of the store itself lasts."""
    plugin_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    hub_locks: Sequence[asyncio.Lock] = field(default_factory=lambda: (asyncio.Lock(), asyncio.Lock()))

    def now_s(self) -> float:
        """Return the seconds since the start of the load."""
        return perf_counter() - self.began_s

    def begin(self) -> None:
        """Start the clock of the load."""
        self.began_s, self.began_at = perf_counter(), datetime.now(UTC)  # noqa: TID251 - as above
        self.places.append((0.0, self.place))

    def move(self, *, place: str = "", gateway: str = "") -> None:
        """Change the destination in the files of both replicas."""
        self.place, self.gateway = place or self.place, gateway or self.gateway
        self.moves_s.append(self.now_s())
        for running in self.replicas:
            running.route(self.place, self.gateway)
        self.places.append((self.now_s(), self.place))

    @property
    def target(self) -> str:
        """What a client connects to: both replicas."""
        return "ipv4:" + ",".join(f"127.0.0.1:{running.member.port}" for running in self.replicas)


def rules(place: str, gateway: str) -> list[dict[str, Any]]:
    """Return the policy that sends each entity's calls to a place."""
    return [
        {
            "name": "europe",
            "when": {"entity": ["eu"]},
            "to": {"tenant": place, "entity": "eu", "gateway": "cards-eu"},
        },
        {"name": "home", "when": {}, "to": {"tenant": place, "entity": "us", "gateway": gateway}},
    ]


def _tenant(folder: Path, port: int) -> dict[str, Any]:
    gateways = {"cards-us": seed.GATEWAY_US, "cards-plain": seed.GATEWAY_US_PLAIN, "cards-eu": seed.GATEWAY_EU}
    return {
        "base_url": f"http://127.0.0.1:{port}",
        "client_id": seed.CLIENT_A.client_id,
        "client_secret_file": str(folder / seed.CLIENT_A.client_id),
        "entities": {"us": seed.ENTITY_US, "eu": seed.ENTITY_EU},
        "gateways": {name: {"id": gateway.id, "label": gateway.name} for name, gateway in gateways.items()},
    }


@asynccontextmanager
async def running_environment(setting: Setting, rng: random.Random, *, broken: str = "") -> AsyncIterator[Environment]:
    """Start all processes, and end them after the block.

    Args:
        setting: The conditions of the run.
        rng: For the emulators' ids.
        broken: The rule that the replicas or the gateway break; empty: none.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="payorch-chaos-")))
        (folder / "key").write_text(new_key_file())
        emulators = {place: _emulator(setting, random.Random(rng.random())) for place in PLACES}  # noqa: S311 - ids
        zuoras = {place: await _proxy_to(stack, emulator) for place, emulator in emulators.items()}
        store = await asyncio.to_thread(StorePair, stack.enter_context(servers()))
        await store.until_synced()
        breaks_gateway = broken == CHARGES_TWICE
        replicas = [
            await _replica(stack, folder, store, zuoras, setting, number, "" if breaks_gateway else broken)
            for number in range(2)
        ]
        ledger = folder / "ledger"
        charges = "twice" if breaks_gateway else "once"
        plugin = PluginProcess([sys.executable, "-m", "programs.chaos.gateway", charges], ledger)
        stack.callback(plugin.kill)
        await asyncio.to_thread(plugin.start)
        store_proxy = await stack.enter_async_context(faulty_proxy(store.primary.port))
        url = store_urls(store, [store_proxy])[0]
        commands = [
            replica.command(folder / f"clock-hub-{number}", ahead_s) for number, ahead_s in enumerate(setting.skews_s)
        ]
        hubs = await stack.enter_async_context(hub.fleet(plugin.target, store_url=url, commands=commands))
        balancing = asyncio.ensure_future(hub.balance(hubs))
        stack.callback(balancing.cancel)
        yield Environment(
            setting, emulators, zuoras, replicas, store, hubs, plugin, ledger, _hub_load(hubs), folder / "audit",
        )  # fmt: skip


def _emulator(setting: Setting, rng: random.Random) -> Emulator:
    settings = Settings(
        body_mismatch=setting.body_mismatch,  # type: ignore[arg-type] # one of its words
        rate_limit_per_minute=None,
        token_limit_per_minute=None,
        most_methods_per_account=None,
    )
    return Emulator(rng=rng, settings=settings, opener=open_token)


async def _proxy_to(stack: AsyncExitStack, emulator: Emulator) -> FaultyProxy:
    url = await stack.enter_async_context(serving(emulator))
    return await stack.enter_async_context(faulty_proxy(int(url.rpartition(":")[2])))


async def _replica(
    stack: AsyncExitStack,
    folder: Path,
    store: StorePair,
    zuoras: Mapping[str, FaultyProxy],
    setting: Setting,
    number: int,
    broken: str,
) -> Replica:
    store_proxy = await stack.enter_async_context(faulty_proxy(store.primary.port))
    over = {
        "tenants": {place: _tenant(folder, proxy.port) for place, proxy in zuoras.items()},
        "routing": rules(PLACES[0], "cards-us"),
        "payment_methods": {"raw_card_data": True},
        "store": {"min_replicas": setting.min_replicas},
    }
    (folder / seed.CLIENT_A.client_id).write_text(seed.CLIENT_A.client_secret + "\n")
    member = fleet.new_member(
        folder, f"http://127.0.0.1:{zuoras[PLACES[0]].port}", store_urls(store, [store_proxy])[0], over
    )
    clock = member.file.with_name("clock")
    member.command = replica.command(clock, setting.skews_s[number], broken=broken)
    member.audit = os.open(folder / "audit", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    stack.callback(os.close, member.audit)
    await member.start()
    stack.push_async_callback(_kill_if_running, member)
    await member.until_ready()
    return Replica(member, clock, setting.skews_s[number], store_proxy)


async def _kill_if_running(member: fleet.Member) -> None:
    if member.process.returncode is None:
        await member.end(signal.SIGKILL)


def _hub_load(hubs: Sequence[hub.Member]) -> ZuoraLoad:
    return ZuoraLoad(
        addresses=lambda: [("127.0.0.1", member.endpoint.upc_port) for member in hubs if member.is_listed],
        path="/upc/acme",
        user=USER,
        password=PASSWORD,
        payments_per_s=_PAYMENTS_PER_S,
        changes={"paymentMethod": example("Payment")["paymentMethod"] | {"upcTokenData": {TOKEN_FIELD: UPC_TOKEN}}},
    )
