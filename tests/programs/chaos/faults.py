"""How the faults of a schedule are caused, and ended."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from harness.faulty_proxy import Damage, FaultyProxy

from programs.chaos.schedule import Fault
from programs.chaos.world import PLACES, World

_FULL_BYTES: Final = "1"
_FAR_S: Final = (90.0, 900.0)
_LOOK_S: Final = 0.1
_BOTH: Final = 1 / 3
"""How often the store's way of both replicas is spoiled."""
_DECLINES: Final = 0.1
"""Share of the scripted errors that are declines."""
_CHARGE_S: Final = 15.0
_READY_S: Final = 40.0
_ERRORS: Final = (
    *("drop", "drop_after", "500", "503", "429:1", "499_after", "slow:2", "slow:25", "html", "truncated"),
    *("empty", "no_id", "cut", "stale", "twice", "drip:1", "silence_after"),
)
_OPERATIONS: Final = ("*", "sessions", "decryption", "payment_methods", "token")
_OF_ANY: Final = frozenset({"drop", "500", "503", "429:1", "slow:2", "html", "empty", "truncated"})
"""What may happen to a request for a token."""
_DECLINED: Final = "decryption:declined_as_fault"


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault that was caused."""

    fault: Fault
    begin_s: float
    end_s: float
    """When its cause was gone: processes were started, damage was mended."""
    note: str


class Faults:
    """Causes the faults of a run."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        self._rng = rng
        self.happened: list[Happened] = []
        self.under_way: dict[str, int] = {}
        """How many of each kind there are now."""

    async def cause(self, fault: Fault) -> None:
        """Wait for a fault's time, cause it and end it."""
        world = self._world
        await asyncio.sleep(max(fault.begin_s - world.now_s(), 0.0))
        begin_s = world.now_s()
        self.under_way[fault.kind] = self.under_way.get(fault.kind, 0) + 1
        try:
            note = await self._CAUSES[fault.kind](self, fault)
        except (OSError, TimeoutError, RuntimeError, AssertionError) as error:
            note = f"failed: {type(error).__name__} {error}"
            world.problems.append(f"{fault.kind} at {begin_s:.1f} s {note}")
        finally:
            self.under_way[fault.kind] -= 1
        self.happened.append(Happened(fault, begin_s, world.now_s(), note))

    # --- replicas

    async def _kill_replica(self, fault: Fault) -> str:
        return await self._end_replica(fault, signal.SIGKILL)

    async def _terminate_replica(self, fault: Fault) -> str:
        return await self._end_replica(fault, signal.SIGTERM)

    async def _end_replica(self, fault: Fault, number: signal.Signals) -> str:
        replica = self._world.replicas[fault.target]
        async with replica.lock:
            status = await replica.member.end(number)
            if status != (0 if number is signal.SIGTERM else -number):
                self._world.problems.append(f"A replica ended with status {status} after {number.name}.")
            await asyncio.sleep(fault.length_s)
            await replica.member.start()
        return f"replica {fault.target}"

    async def _freeze_replica(self, fault: Fault) -> str:
        replica = self._world.replicas[fault.target]
        async with replica.lock:
            replica.member.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(fault.length_s)
            replica.member.process.send_signal(signal.SIGCONT)
        return f"replica {fault.target}"

    async def _move_clock(self, fault: Fault) -> str:
        replica = self._world.replicas[fault.target]
        ahead_s = self._rng.choice((-1, 1)) * self._rng.uniform(*_FAR_S)
        replica.set_clock(ahead_s)
        await asyncio.sleep(fault.length_s)
        replica.set_clock(replica.skew_s)
        return f"replica {fault.target} by {ahead_s:.0f} s"

    # --- the store

    async def _kill_store(self, fault: Fault) -> str:
        async with self._world.store_lock:
            primary = self._world.store.primary
            await asyncio.to_thread(primary.kill)
            await asyncio.sleep(fault.length_s)
            await asyncio.to_thread(primary.start)
        return "with its append-only file"

    async def _freeze_store(self, fault: Fault) -> str:
        async with self._world.store_lock:
            self._world.store.primary.pause()
            await asyncio.sleep(fault.length_s)
            self._world.store.primary.resume()
        return ""

    async def _flush_store(self, _fault: Fault) -> str:
        async with self._world.store_lock:
            await asyncio.to_thread(self._world.store.primary.command, "FLUSHALL")
            self._world.losses.append((self._world.now_s(), "flushed"))
        return ""

    async def _fill_store(self, fault: Fault) -> str:
        async with self._world.store_lock:
            primary = self._world.store.primary
            await asyncio.to_thread(primary.command, "CONFIG", "SET", "maxmemory", _FULL_BYTES)
            await asyncio.sleep(fault.length_s)
            await asyncio.to_thread(primary.command, "CONFIG", "SET", "maxmemory", "0")
        return ""

    async def _fail_over_store(self, fault: Fault) -> str:
        world, is_frozen = self._world, bool(fault.target)
        async with world.store_lock:
            # A replica that is still being filled would lack all that was written before.
            await world.store.until_synced()
            if not world.setting.min_replicas:
                world.losses.append((world.now_s(), "failed over without min_replicas"))
            await world.store.fail_over(frozen=is_frozen)
            await world.store.until_synced()
        return "the primary froze" if is_frozen else "the primary died"

    # --- the ways

    async def _spoil_store(self, fault: Fault) -> str:
        """Spoil the way of one replica, or those of both."""
        replicas = self._world.replicas
        hit = replicas if fault.choice < _BOTH else [replicas[fault.target]]
        who = "both replicas" if len(hit) > 1 else f"replica {fault.target}"
        return f"{await self._spoil(fault, [replica.store for replica in hit])}, {who}"

    async def _spoil_zuora(self, fault: Fault) -> str:
        return await self._spoil(fault, [self._world.zuoras[self._world.place]])

    async def _spoil(self, fault: Fault, ways: Sequence[FaultyProxy]) -> str:
        damage = self._damage(fault)
        for way in ways:
            way.spoil(damage)
        await asyncio.sleep(fault.length_s)
        for way in ways:
            way.spoil(Damage.NONE)
        return damage.value

    def _damage(self, fault: Fault) -> Damage:
        kind = fault.kind.partition("-")[2]
        if kind == "halve":
            return self._rng.choice((Damage.HALVE_ANSWERS, Damage.HALVE_REQUESTS))
        return Damage(kind)

    async def _let_zuora_fail(self, fault: Fault) -> str:
        emulator = self._world.emulators[self._world.place]
        times, caused = self._rng.randint(3, 15), []
        for _ in range(times):
            operation = self._rng.choice(_OPERATIONS)
            kinds = sorted(_OF_ANY) if operation == "token" else _ERRORS
            text = _DECLINED if self._rng.random() < _DECLINES else f"{operation}:{self._rng.choice(kinds)}"
            emulator.faults.add(text)
            caused.append(text)
        await asyncio.sleep(fault.length_s)
        emulator.faults.clear()
        return " ".join(caused)

    # --- the policy

    async def _move_tenant(self, _fault: Fault) -> str:
        world = self._world
        world.move(place=PLACES[1 - PLACES.index(world.place)])
        return f"to {world.place}"

    async def _move_gateway(self, _fault: Fault) -> str:
        world = self._world
        world.move(gateway="cards-plain" if world.gateway == "cards-us" else "cards-us")
        return f"to {world.gateway}"

    # --- the hub

    async def _kill_plugin(self, fault: Fault) -> str:
        plugin = self._world.plugin
        async with self._world.plugin_lock:
            plugin.send_signal(signal.SIGUSR1)
            died = True
            try:
                async with asyncio.timeout(_CHARGE_S):
                    while plugin.runs:
                        await asyncio.sleep(_LOOK_S)
            except TimeoutError:  # nothing was charged
                died = False
            await asyncio.sleep(fault.length_s)
            await asyncio.to_thread(plugin.restart)
        return "after a charge" if died else "between charges"

    async def _kill_hub(self, fault: Fault) -> str:
        return await self._end_hub(fault, signal.SIGKILL)

    async def _terminate_hub(self, fault: Fault) -> str:
        return await self._end_hub(fault, signal.SIGTERM)

    async def _end_hub(self, fault: Fault, number: signal.Signals) -> str:
        member = self._world.hubs[fault.target]
        async with self._world.hub_locks[fault.target]:
            status = await member.end(number)
            if status != (0 if number is signal.SIGTERM else -number):
                self._world.problems.append(f"A hub ended with status {status} after {number.name}.")
            await asyncio.sleep(fault.length_s)
            await member.start()
        return f"hub {fault.target}"

    async def _freeze_hub(self, fault: Fault) -> str:
        member = self._world.hubs[fault.target]
        async with self._world.hub_locks[fault.target]:
            member.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(fault.length_s)
            member.process.send_signal(signal.SIGCONT)
        return f"hub {fault.target}"

    _CAUSES: Final[Mapping[str, Callable[["Faults", Fault], Awaitable[str]]]] = {
        "replica-kill": _kill_replica,
        "replica-freeze": _freeze_replica,
        "replica-term": _terminate_replica,
        "store-kill": _kill_store,
        "store-freeze": _freeze_store,
        "store-flush": _flush_store,
        "store-full": _fill_store,
        "store-failover": _fail_over_store,
        "store-reset": _spoil_store,
        "store-halve": _spoil_store,
        "store-drip": _spoil_store,
        "store-stall": _spoil_store,
        "zuora-reset": _spoil_zuora,
        "zuora-halve": _spoil_zuora,
        "zuora-drip": _spoil_zuora,
        "zuora-stall": _spoil_zuora,
        "zuora-errors": _let_zuora_fail,
        "route-tenant": _move_tenant,
        "route-gateway": _move_gateway,
        "clock-far": _move_clock,
        "plugin-dies": _kill_plugin,
        "hub-kill": _kill_hub,
        "hub-freeze": _freeze_hub,
        "hub-term": _terminate_hub,
    }


async def mend(world: World) -> None:
    """Wait until everything works again after the last fault; what does not is a problem."""
    try:
        await world.store.until_synced()
    except TimeoutError:
        world.problems.append("The replica of Redis does not follow the primary after the last fault.")
    for number, replica in enumerate(world.replicas):
        try:
            async with asyncio.timeout(_READY_S):
                await replica.member.until_ready()
        except (TimeoutError, OSError):
            world.problems.append(f"Replica {number} is not ready {_READY_S:.0f} s after the last fault.")
    if not world.plugin.runs:
        world.problems.append("The plug-in does not run after the last fault.")
    with suppress(TimeoutError):
        async with asyncio.timeout(_READY_S):
            while not all(member.is_listed for member in world.hubs):
                await asyncio.sleep(_LOOK_S)
            return
    world.problems.append(f"A hub is not ready {_READY_S:.0f} s after the last fault.")
