"""What operators and machines do to a running fleet."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from payorch_server.model.secret import Secret
from payorch_server.routing.settings import TargetSettings
from zuora_emulator import seed

from programs.simulation.world import TARGETS, World, rules_to


async def crash(world: World) -> None:
    """Kill an instance in the middle of whatever it does; another takes its place soon."""
    name = world.rng.choice(tuple(world.instances))
    instance = world.instances[name]
    if not instance.accepts:
        return
    world.log.add(instance.name, "CRASHES")
    await instance.kill()
    await asyncio.sleep(world.rng.choice((0.2, 1.0, 8.0)))
    world.start(name)


async def reload(world: World) -> None:
    """Load a policy that moves every route, into one instance after the other."""
    await _move(world, world.rng.choice([target for target in TARGETS if target is not world.target]))


async def _move(world: World, target: TargetSettings) -> None:
    world.target = target
    world.rules = rules_to(world.target)
    for instance in tuple(world.instances.values()):
        instance.reload(world.rules)
        world.log.add(instance.name, f"reloads its policy: all goes to {world.target.gateway}")
        await asyncio.sleep(world.rng.choice((0.0, 0.5, 5.0)))


async def roll_out(world: World) -> None:
    """Replace the instances by a version with the next step of a key rotation, one after the other."""
    world.next_keys()
    for name in tuple(world.instances):
        instance = world.instances[name]
        if not instance.accepts:
            continue
        world.log.add(instance.name, "drains")
        await instance.drain()
        world.log.add(instance.name, "ends")
        world.start(name)


async def rotate_secret(world: World) -> None:
    """Change a client secret in Zuora, then in the service; Zuora may drop the old secret's tokens."""
    tenant, client = world.rng.choice((("acme", seed.CLIENT_A), ("solo", seed.CLIENT_B)))
    secret = f"rotated-{world.rng.getrandbits(32):08x}"
    drops = world.rng.random() < 0.5
    for emulator in world.emulators.values():
        emulator.state.clients[client.client_id] = replace(client, client_secret=secret)
        if drops:
            emulator.state.grants.clear()
    world.log.add("zuora", f"has a new secret of {tenant}{', old tokens are void' if drops else ''}")
    await asyncio.sleep(world.rng.uniform(0.0, 20.0))
    world.secrets[tenant] = Secret(secret)
    world.log.add("fleet", f"knows the new secret of {tenant}")


async def store_outage(world: World) -> None:
    """Cut the store off for some seconds."""
    world.log.add("store", "cannot be reached")
    world.store.down = True
    await asyncio.sleep(world.rng.uniform(0.5, 8.0))
    world.store.down = False
    world.log.add("store", "can be reached")


async def store_outage_while_routes_move(world: World) -> None:
    """Cut the store off, and load a policy that sends everything to the other tenant meanwhile."""
    world.log.add("store", "cannot be reached")
    world.store.down = True
    await asyncio.sleep(world.rng.uniform(0.5, 4.0))
    await _move(world, world.rng.choice([target for target in TARGETS if target.tenant != world.target.tenant]))
    await asyncio.sleep(world.rng.uniform(0.5, 4.0))
    world.store.down = False
    world.log.add("store", "can be reached")


async def wrong_clocks(world: World) -> None:
    """Let the time of day of some instances be wrong for a while, by up to some hours."""
    names = world.rng.sample(tuple(world.instances), world.rng.randint(1, len(world.instances)))
    world.set_clocks(names, skew_s=world.rng.choice(_SKEWS_S))
    await asyncio.sleep(world.rng.uniform(5.0, 60.0))
    world.mend_clocks()


async def store_fail_over(world: World) -> None:
    """Lose the newest writes, which were acknowledged."""
    world.store.fail_over(lost_s=world.rng.choice((0.05, 1.0, 10.0)))


async def store_loss(world: World) -> None:
    """Lose all records."""
    world.store.empty()


async def silence(world: World) -> None:
    """Let a host of Zuora's drop all connection attempts, or execute and never answer, for longer than a call lasts."""
    host, kind = world.rng.choice(tuple(world.emulators)), world.rng.choice(("connect_timeout", "hang"))
    world.log.add("zuora", f"falls silent at {host} [{kind}]")
    world.network.silent[host] = kind
    await asyncio.sleep(world.rng.uniform(20.0, 120.0))
    world.network.silent.pop(host, None)
    world.log.add("zuora", f"answers again at {host}")


_SKEWS_S: Final = (-7200.0, -4200.0, -90.0, 90.0, 3600.0, 5400.0, 10_800.0)

Act = Callable[[World], Awaitable[None]]

ACTS: Final[dict[str, tuple[Act, float, bool]]] = {
    "crash": (crash, 0.8, False),
    "reload": (reload, 0.6, False),
    "roll_out": (roll_out, 0.15, False),
    "rotate_secret": (rotate_secret, 0.15, False),
    "silence": (silence, 0.5, False),
    "store_outage": (store_outage, 0.3, True),
    "store_outage_while_routes_move": (store_outage_while_routes_move, 0.3, True),
    "wrong_clocks": (wrong_clocks, 0.6, False),
    "store_fail_over": (store_fail_over, 0.4, True),
    "store_loss": (store_loss, 0.3, True),
}
"""Name to act, probability per stretch of trouble, and whether it belongs to the store's troubles."""
_MOST_REPEATS: Final = 3


async def operate(world: World, *, for_s: float) -> None:
    """Do things at random moments of a stretch of time."""
    due: list[tuple[float, str]] = []
    for name, (act, probability, of_store) in ACTS.items():
        world.counts.opportunities["operators"] += 1
        if (of_store and not world.choices.store_trouble) or (act is wrong_clocks and world.choices.clocks == "right"):
            continue
        if world.rng.random() < probability:
            world.counts.faults[f"operators/{name}"] += 1
            due += ((world.rng.uniform(0.0, for_s), name) for _ in range(world.rng.randint(1, _MOST_REPEATS)))
    began_s = world.time()
    for at_s, name in sorted(due):
        await asyncio.sleep(max(0.0, began_s + at_s - world.time()))
        await ACTS[name][0](world)
