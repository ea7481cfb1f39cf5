"""What operators and machines do to the hub's replicas, gateways, settings and store."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Final

from programs.simulation.upc.choices import DAY_S, HOUR_S
from programs.simulation.upc.hub_world import GATEWAYS, INSTANCES, HubWorld, settings_of_gateway
from programs.simulation.upc.plugin import Registered
from programs.simulation.upc.replica import settings_of_hub
from programs.simulation.upc.requests import Item, State

BURST_S: Final = HOUR_S / 2
"""The first half hour, in which most invoices are collected."""
_IDLE_S: Final = 300.0


async def crash(world: HubWorld) -> None:
    """Kill a replica in the middle of whatever it does; another takes its place soon."""
    replica = await world.next_moment()
    if not replica.accepts:
        return
    place = world.replicas.index(replica)
    world.log.add(replica.name, "CRASHES")
    await replica.kill()
    await asyncio.sleep(world.rng.choice((0.2, 1.0, 8.0)))
    world.restart(place)


async def roll_out(world: HubWorld) -> None:
    """Replace the replicas one after the other, with the next step of a key rotation."""
    world.next_keys()
    for place, replica in enumerate(tuple(world.replicas)):
        if not replica.accepts:
            continue
        world.log.add(replica.name, "drains")
        await replica.drain()
        world.restart(place)


async def change_credentials(world: HubWorld) -> None:
    """Change the password in Zuora; the replicas learn it one after the other, some only afterwards."""
    new = world.generation + 1
    world.accepted = frozenset({world.generation, new})
    is_prepared = world.rng.random() < 0.5
    if not is_prepared:
        world.generation = new
        world.log.add("zuora", f"sends the credentials of generation {new}")
    for replica in tuple(world.replicas):
        await asyncio.sleep(world.rng.choice((0.5, 20.0, 600.0)))
        replica.generations = world.accepted
    # Replicas that started meanwhile have them.
    world.generation = new


async def cut_link(world: HubWorld) -> None:
    """Cut one replica off from the gateways."""
    replica = await world.next_moment()
    world.log.add(replica.name, "reaches no gateway")
    replica.link.is_cut = True
    await asyncio.sleep(world.rng.choice((3.0, 60.0, 1_200.0)))
    replica.link.is_cut = False


async def stop_gateway(world: HubWorld) -> None:
    """Let a gateway be away for some minutes."""
    _ = await world.next_moment()
    provider = world.rng.choice(tuple(world.providers.values()))
    provider.crash()
    world.spawn(provider._restart(world.rng.uniform(10.0, 2_000.0)))
    await asyncio.sleep(1.0)


# --- settings


async def _load(world: HubWorld) -> None:
    """Let one replica after the other load the settings."""
    for replica in tuple(world.replicas):
        await asyncio.sleep(world.rng.choice((0.0, 0.5, 10.0)))
        replica.hubs = world.hubs
        replica.directory.load(world.registry)


def _change(world: HubWorld, name: str, **settings: object) -> None:
    entry = world.registry[name]
    changed = dataclasses.replace(entry.settings, **settings)  # type: ignore[arg-type] # the settings' own names
    world.registry = {**world.registry, name: dataclasses.replace(entry, settings=changed)}
    world.log.add("settings", f"{name}: {settings}")


async def rename(world: HubWorld) -> None:
    """Rename a gateway instance in Zuora and in the settings, not at the same moment."""
    instance = world.rng.choice(INSTANCES)
    old = world.names[instance]
    new = f"{instance}{world.rng.randrange(1_000)}"
    holders = [name for name, entry in world.registry.items() if old in entry.settings.names]
    keeps_old = world.rng.random() < 0.7
    for name in holders:
        names = world.registry[name].settings.names
        renamed = tuple(new if text == old else text for text in names)
        _change(world, name, names=(*renamed, old) if keeps_old else renamed)
    await _load(world)
    await asyncio.sleep(world.rng.choice((0.1, 20.0)))
    world.names[instance] = new
    world.log.add("zuora", f"renames {old} to {new}")
    await asyncio.sleep(60.0)
    for name in holders:
        if name in world.registry:
            _change(world, name, names=tuple(text for text in world.registry[name].settings.names if text != old))
    await _load(world)


async def move(world: HubWorld) -> None:
    """Serve each gateway instance by the other gateway from now on."""
    if not all(name in world.registry for name in GATEWAYS):
        return
    one, other = (world.registry[name].settings.names for name in GATEWAYS)
    _change(world, GATEWAYS[0], names=other)
    _change(world, GATEWAYS[1], names=one)
    await _load(world)


async def retarget(world: HubWorld) -> None:
    """Let a gateway of the settings be another plug-in for a while."""
    name = world.rng.choice(GATEWAYS)
    if name not in world.registry:
        return
    world.registry = {**world.registry, name: dataclasses.replace(world.registry[name], provider="spare-pay")}
    world.log.add("settings", f"{name} leads to spare-pay")
    await _load(world)
    await asyncio.sleep(world.rng.choice((5.0, 300.0, 2 * HOUR_S)))
    if name in world.registry:
        world.registry = {**world.registry, name: dataclasses.replace(world.registry[name], provider=f"{name}-pay")}
        world.log.add("settings", f"{name} leads to {name}-pay")
    await _load(world)


async def switch_off(world: HubWorld) -> None:
    """Switch a gateway or the whole hub off for a while."""
    name = world.rng.choice((*GATEWAYS, "hub"))
    for enabled in (False, True):
        if name == "hub":
            world.hubs = settings_of_hub(enabled=enabled)
            world.log.add("settings", f"hub: enabled {enabled}")
        elif name in world.registry:
            _change(world, name, enabled=enabled)
        await _load(world)
        await asyncio.sleep(world.rng.choice((5.0, 60.0, HOUR_S)))


async def remove(world: HubWorld) -> None:
    """Remove a gateway from the settings and put it back."""
    name = world.rng.choice(GATEWAYS)
    entry = world.registry.get(name)
    if entry is None:
        return
    world.registry = {other: kept for other, kept in world.registry.items() if other != name}
    world.log.add("settings", f"{name} is removed")
    await _load(world)
    await asyncio.sleep(world.rng.choice((5.0, 60.0, HOUR_S)))
    world.registry = {name: entry, **world.registry}
    world.log.add("settings", f"{name} is back")
    await _load(world)


async def restore(world: HubWorld) -> None:
    """Let the settings be as they should be: both gateways there, switched on, and every instance served."""
    served = {instance: GATEWAYS[place] for place, instance in enumerate(INSTANCES)}
    if world.rng.random() < 0.5:
        served = dict(zip(INSTANCES, reversed(GATEWAYS), strict=True))
    world.registry = {
        name: Registered(settings_of_gateway(world.names[instance]), f"{name}-pay") for instance, name in served.items()
    }
    world.hubs = settings_of_hub()
    world.generation = max(world.accepted)
    for replica in world.replicas:
        replica.generations = world.accepted
        replica.hubs = world.hubs
        replica.directory.load(world.registry)
    world.log.add("settings", "all is as it should be")


# --- the store


async def store_outage(world: HubWorld) -> None:
    """Cut the store off for a while."""
    _ = await world.next_moment()
    world.log.add("store", "cannot be reached")
    world.store.down = True
    await asyncio.sleep(world.rng.choice((0.5, 8.0, 200.0)))
    world.store.down = False
    world.log.add("store", "can be reached")


async def store_fail_over(world: HubWorld) -> None:
    """Lose the newest writes, which were acknowledged."""
    _ = await world.next_moment(("send", "doubt", "doubt"))
    world.store.fail_over(lost_s=world.rng.choice((0.05, 1.0, 10.0, 30.0)))


async def store_loss(world: HubWorld) -> None:
    """Lose all records, and the epoch with them."""
    _ = await world.next_moment()
    world.store.empty()


# --- people


async def settle_by_hand(world: HubWorld) -> None:
    """Settle in Zuora what the alarms name, as the gateways' books say."""
    for item in world.items.all:
        if item.key in world.observer.alarms:
            _settle(world, item)


async def recover(world: HubWorld) -> None:
    """After a loss settle by hand whatever is in Processing; declare the epoch once nothing is."""
    if await world.is_declared():
        return
    for _ in range(20):
        for item in world.items.all:
            _settle(world, item)
        in_processing = [item for item in world.items.all if item.state is State.PROCESSING]
        if not in_processing and not world.sends_in_progress:
            await world.declare(by="people")
            world.log.add("store", "is declared complete")
            world.counts.executions["epoch declared after a loss"] += 1
            return
        await asyncio.sleep(world.rng.uniform(60.0, 900.0))


def _settle(world: HubWorld, item: Item) -> None:
    """Settle one request, unless it is being sent, or its money may still move."""
    providers = world.providers.values()
    begun = [send.began_s for send in item.sends]
    is_idle = (
        bool(begun) and world.time() > max(begun) + _IDLE_S and all(send.ended_s < world.time() for send in item.sends)
    )
    if item.state is not State.PROCESSING or not is_idle or any(one.is_undecided(item.key) for one in providers):
        return
    moved = False
    for provider in providers:
        provider.ripen()
        moved = moved or any(entry.about == item.key for entry in provider.books)
    item.settle(State.PROCESSED if moved else State.ERROR, by="people", at_s=world.time())
    world.counts.executions["settled by people"] += 1
    world.log.add("people", f"settle {item.id}: {item.state}", item.key)


Act = Callable[[HubWorld], Awaitable[None]]

ACTS: Final[dict[str, tuple[Act, float, bool]]] = {
    "crash": (crash, 4.0, False),
    "roll_out": (roll_out, 0.7, False),
    "change_credentials": (change_credentials, 0.4, False),
    "cut_link": (cut_link, 1.5, False),
    "stop_gateway": (stop_gateway, 1.0, False),
    "rename": (rename, 0.4, False),
    "move": (move, 0.7, False),
    "retarget": (retarget, 0.5, False),
    "switch_off": (switch_off, 0.4, False),
    "remove": (remove, 0.4, False),
    "settle_by_hand": (settle_by_hand, 0.7, False),
    "store_outage": (store_outage, 1.0, True),
    "store_fail_over": (store_fail_over, 2.0, True),
    "store_loss": (store_loss, 0.5, True),
    "recover": (recover, 0.7, True),
}
"""Name to act, how often it comes in a stretch of trouble, and whether it belongs to the store's troubles."""


async def operate(world: HubWorld, *, for_s: float, factor: float = 1.0) -> None:
    """Do things at random moments of a stretch of time."""
    due: list[tuple[float, str]] = []
    for name, (_, times, of_store) in ACTS.items():
        if of_store and not world.choices.store_trouble:
            continue
        world.counts.opportunities["operators"] += 1
        whole, rest = divmod(times * factor * 2 * world.rng.random(), 1.0)
        number = int(whole) + (world.rng.random() < rest)
        world.counts.faults[f"operators/{name}"] += bool(number)
        due += ((world.rng.uniform(0.0, for_s), name) for _ in range(number))
    acting = [world.spawn(_act_later(world, name, at_s)) for at_s, name in due]
    if acting:
        await asyncio.wait(acting)
    for task in acting:
        task.result()


async def _act_later(world: HubWorld, name: str, after_s: float) -> None:
    await asyncio.sleep(after_s)
    await ACTS[name][0](world)


async def operate_for_days(world: HubWorld) -> None:
    """Make trouble densely while most invoices are collected, and now and then afterwards."""
    await operate(world, for_s=BURST_S, factor=2.0)
    left_s = world.choices.trouble_days * DAY_S - world.time()
    await operate(world, for_s=max(left_s - 4 * HOUR_S, HOUR_S))
