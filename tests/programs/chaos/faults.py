"""How the faults of a schedule are caused, and ended."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from harness.faulty_proxy import Damage, FaultyProxy

from programs.chaos.environment import PLACES, Environment
from programs.chaos.schedule import Fault

_FULL_BYTES: Final = "1"
_CLOCK_JUMPS_S: Final = (90.0, 900.0)
_POLL_S: Final = 0.1
_BOTH_SHARE: Final = 1 / 3
"""Share of the damage to connections to the store that hits both replicas."""
_DECLINED_SHARE: Final = 0.1
"""Share of the scripted errors that are declines."""
_CHARGE_S: Final = 15.0
_READY_S: Final = 40.0
_ERRORS: Final = (
    *("drop", "drop_after", "500", "503", "429:1", "499_after", "slow:2", "slow:25", "html", "truncated"),
    *("empty", "no_id", "cut", "stale", "twice", "drip:1", "silence_after"),
)
_OPERATIONS: Final = ("*", "sessions", "decryption", "payment_methods", "token")
_TOKEN_ERRORS: Final = frozenset({"drop", "500", "503", "429:1", "slow:2", "html", "empty", "truncated"})
"""The errors that a request for a token can meet."""
_DECLINED: Final = "decryption:declined_as_fault"


@dataclass(frozen=True, slots=True)
class CausedFault:
    """A fault, and when it was caused."""

    fault: Fault
    begin_s: float
    end_s: float
    """When it was undone: its processes were started again, its damage was removed."""
    note: str


class Faults:
    """Causes the faults of a run."""

    def __init__(self, environment: Environment, rng: random.Random) -> None:
        self._environment = environment
        self._rng = rng
        self.caused: list[CausedFault] = []
        self.under_way: dict[str, int] = {}
        """How many faults of each kind last now."""

    async def cause(self, fault: Fault) -> None:
        """Wait for a fault's time, cause it and end it."""
        environment = self._environment
        await asyncio.sleep(max(fault.begin_s - environment.now_s(), 0.0))
        begin_s = environment.now_s()
        self.under_way[fault.kind] = self.under_way.get(fault.kind, 0) + 1
        try:
            note = await self._CAUSES[fault.kind](self, fault)
        except (OSError, TimeoutError, RuntimeError, AssertionError) as error:
            note = f"failed: {type(error).__name__} {error}"
            environment.problems.append(f"{fault.kind} at {begin_s:.1f} s {note}")
        finally:
            self.under_way[fault.kind] -= 1
        self.caused.append(CausedFault(fault, begin_s, environment.now_s(), note))

    # --- replicas

    async def _kill_replica(self, fault: Fault) -> str:
        return await self._end_replica(fault, signal.SIGKILL)

    async def _terminate_replica(self, fault: Fault) -> str:
        return await self._end_replica(fault, signal.SIGTERM)

    async def _end_replica(self, fault: Fault, number: signal.Signals) -> str:
        replica = self._environment.replicas[fault.target]
        async with replica.lock:
            status = await replica.member.end(number)
            if status != (0 if number is signal.SIGTERM else -number):
                self._environment.problems.append(f"A replica ended with status {status} after {number.name}.")
            await asyncio.sleep(fault.length_s)
            await replica.member.start()
        return f"replica {fault.target}"

    async def _freeze_replica(self, fault: Fault) -> str:
        replica = self._environment.replicas[fault.target]
        async with replica.lock:
            replica.member.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(fault.length_s)
            replica.member.process.send_signal(signal.SIGCONT)
        return f"replica {fault.target}"

    async def _move_clock(self, fault: Fault) -> str:
        replica = self._environment.replicas[fault.target]
        ahead_s = self._rng.choice((-1, 1)) * self._rng.uniform(*_CLOCK_JUMPS_S)
        replica.set_clock(ahead_s)
        await asyncio.sleep(fault.length_s)
        replica.set_clock(replica.skew_s)
        return f"replica {fault.target} by {ahead_s:.0f} s"

    # --- the store

    async def _kill_store(self, fault: Fault) -> str:
        async with self._environment.store_lock:
            primary = self._environment.store.primary
            await asyncio.to_thread(primary.kill)
            await asyncio.sleep(fault.length_s)
            await asyncio.to_thread(primary.start)
        return "with its append-only file"

    async def _freeze_store(self, fault: Fault) -> str:
        async with self._environment.store_lock:
            self._environment.store.primary.pause()
            await asyncio.sleep(fault.length_s)
            self._environment.store.primary.resume()
        return ""

    async def _flush_store(self, _fault: Fault) -> str:
        async with self._environment.store_lock:
            await asyncio.to_thread(self._environment.store.primary.command, "FLUSHALL")
            self._environment.losses.append((self._environment.now_s(), "flushed"))
        return ""

    async def _fill_store(self, fault: Fault) -> str:
        async with self._environment.store_lock:
            primary = self._environment.store.primary
            await asyncio.to_thread(primary.command, "CONFIG", "SET", "maxmemory", _FULL_BYTES)
            await asyncio.sleep(fault.length_s)
            await asyncio.to_thread(primary.command, "CONFIG", "SET", "maxmemory", "0")
        return ""

    async def _fail_over_store(self, fault: Fault) -> str:
        environment, is_frozen = self._environment, bool(fault.target)
        async with environment.store_lock:
            # A replica that has not synchronised yet would lack earlier writes.
            await environment.store.until_synced()
            if not environment.setting.min_replicas:
                environment.losses.append((environment.now_s(), "failed over without min_replicas"))
            await environment.store.fail_over(frozen=is_frozen)
            await environment.store.until_synced()
        return "the primary froze" if is_frozen else "the primary died"

    # --- the connections

    async def _damage_store(self, fault: Fault) -> str:
        """Damage the connections of one replica to the store, or those of both."""
        replicas = self._environment.replicas
        affected = replicas if fault.choice < _BOTH_SHARE else [replicas[fault.target]]
        who = "both replicas" if len(affected) > 1 else f"replica {fault.target}"
        return f"{await self._damage_connections(fault, [replica.store for replica in affected])}, {who}"

    async def _damage_zuora(self, fault: Fault) -> str:
        return await self._damage_connections(fault, [self._environment.zuoras[self._environment.place]])

    async def _damage_connections(self, fault: Fault, proxies: Sequence[FaultyProxy]) -> str:
        damage = self._damage_of(fault)
        for proxy in proxies:
            proxy.spoil(damage)
        await asyncio.sleep(fault.length_s)
        for proxy in proxies:
            proxy.spoil(Damage.NONE)
        return damage.value

    def _damage_of(self, fault: Fault) -> Damage:
        kind = fault.kind.partition("-")[2]
        if kind == "halve":
            return self._rng.choice((Damage.HALVE_ANSWERS, Damage.HALVE_REQUESTS))
        return Damage(kind)

    async def _let_zuora_fail(self, fault: Fault) -> str:
        emulator = self._environment.emulators[self._environment.place]
        times, scripted = self._rng.randint(3, 15), []
        for _ in range(times):
            operation = self._rng.choice(_OPERATIONS)
            kinds = sorted(_TOKEN_ERRORS) if operation == "token" else _ERRORS
            text = _DECLINED if self._rng.random() < _DECLINED_SHARE else f"{operation}:{self._rng.choice(kinds)}"
            emulator.faults.add(text)
            scripted.append(text)
        await asyncio.sleep(fault.length_s)
        emulator.faults.clear()
        return " ".join(scripted)

    # --- the policy

    async def _move_tenant(self, _fault: Fault) -> str:
        environment = self._environment
        environment.move(place=PLACES[1 - PLACES.index(environment.place)])
        return f"to {environment.place}"

    async def _move_gateway(self, _fault: Fault) -> str:
        environment = self._environment
        environment.move(gateway="cards-plain" if environment.gateway == "cards-us" else "cards-us")
        return f"to {environment.gateway}"

    # --- the hub

    async def _kill_plugin(self, fault: Fault) -> str:
        plugin = self._environment.plugin
        async with self._environment.plugin_lock:
            plugin.send_signal(signal.SIGUSR1)
            is_dead = True
            try:
                async with asyncio.timeout(_CHARGE_S):
                    while plugin.runs:
                        await asyncio.sleep(_POLL_S)
            except TimeoutError:  # nothing was charged
                is_dead = False
            await asyncio.sleep(fault.length_s)
            await asyncio.to_thread(plugin.restart)
        return "after a charge" if is_dead else "between charges"

    async def _kill_hub(self, fault: Fault) -> str:
        return await self._end_hub(fault, signal.SIGKILL)

    async def _terminate_hub(self, fault: Fault) -> str:
        return await self._end_hub(fault, signal.SIGTERM)

    async def _end_hub(self, fault: Fault, number: signal.Signals) -> str:
        member = self._environment.hubs[fault.target]
        async with self._environment.hub_locks[fault.target]:
            status = await member.end(number)
            if status != (0 if number is signal.SIGTERM else -number):
                self._environment.problems.append(f"A hub ended with status {status} after {number.name}.")
            await asyncio.sleep(fault.length_s)
            await member.start()
        return f"hub {fault.target}"

    async def _freeze_hub(self, fault: Fault) -> str:
        member = self._environment.hubs[fault.target]
        async with self._environment.hub_locks[fault.target]:
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
        "store-reset": _damage_store,
        "store-halve": _damage_store,
        "store-drip": _damage_store,
        "store-stall": _damage_store,
        "zuora-reset": _damage_zuora,
        "zuora-halve": _damage_zuora,
        "zuora-drip": _damage_zuora,
        "zuora-stall": _damage_zuora,
        "zuora-errors": _let_zuora_fail,
        "route-tenant": _move_tenant,
        "route-gateway": _move_gateway,
        "clock-far": _move_clock,
        "plugin-dies": _kill_plugin,
        "hub-kill": _kill_hub,
        "hub-freeze": _freeze_hub,
        "hub-term": _terminate_hub,
    }


async def wait_for_recovery(environment: Environment) -> None:
    """Wait after the last fault until every process works again; note those that do not as problems."""
    try:
        await environment.store.until_synced()
    except TimeoutError:
        environment.problems.append("The replica of Redis does not follow the primary after the last fault.")
    for number, replica in enumerate(environment.replicas):
        try:
            async with asyncio.timeout(_READY_S):
                await replica.member.until_ready()
        except (TimeoutError, OSError):
            environment.problems.append(f"Replica {number} is not ready {_READY_S:.0f} s after the last fault.")
    if not environment.plugin.runs:
        environment.problems.append("The plug-in does not run after the last fault.")
    with suppress(TimeoutError):
        async with asyncio.timeout(_READY_S):
            while not all(member.is_listed for member in environment.hubs):
                await asyncio.sleep(_POLL_S)
            return
    environment.problems.append(f"A hub is not ready {_READY_S:.0f} s after the last fault.")
