"""`make chaos [DURATION=n] [SEED=n] [ONLY=fault] [BREAK=rule]`."""

import argparse
import asyncio
import logging
import random
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import SystemRandom
from typing import Any, Final

import payorch.aio
from harness.hub_configuration import PASSWORD
from harness.plugin import Plugin
from zuora_emulator import seed

from programs.chaos.callers import CARD_NUMBER, IBAN, Callers
from programs.chaos.faults import Faults, Happened, mend
from programs.chaos.judge import UNFORESEEN, Evidence, Execution, Finding, judge, judge_hub, leaks
from programs.chaos.replica import LOGS_CARDS
from programs.chaos.report import table, write_down
from programs.chaos.schedule import KINDS, Fault, drawn_schedule, drawn_setting, kinds_of
from programs.chaos.world import CHARGES_TWICE, UPC_TOKEN, World, world
from programs.simulation.broken_rules import BROKEN_RULES
from programs.simulation.intent import TOKEN_PARTS

_SECONDS: Final = 180.0
_SEEDS: Final = 10**9
_PROGRESS_S: Final = 10.0
_SETTLING_S: Final = 110.0
"""How long callers resend after the last fault: longer than a lease of 70 s lasts."""
_HUB_SETTLING_S: Final = 150.0
"""How long Zuora asks again: longer than a hub's lease of 120 s lasts."""
_MOST_SHOWN: Final = 20
_RUNS: Final = Path("build/chaos")
_AWAY_S: Final = 5.0
"""How long after a fault of the store a replica may still be without it."""
SECRETS: Final = (CARD_NUMBER, IBAN, UPC_TOKEN, PASSWORD, seed.CLIENT_A.client_secret, *TOKEN_PARTS)
"""What no process may log: of payments, and what the processes show each other."""
_DEFECTS: Final = (b'"event":"execution_crashed"', b'"reason":"INTERNAL"', b"Traceback (most recent call last)")


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was asked for."""

    seconds: float
    seed: int
    only: str
    broken: str
    purposes_per_s: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 0 if no rule was broken."""
    options = _options(arguments)
    # Of the emulators' server: the requests that the proxies halve.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    print(f"seed {options.seed}, {options.seconds:.0f} s of faults", flush=True)
    return asyncio.run(_run(options))


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="make chaos", description="Real processes under drawn faults.")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="of faults (default %(default)s)")
    parser.add_argument("--seed", type=int, help="of the schedule; random unless given")
    parser.add_argument("--only", default="", help=f"faults, or what several begin with: {', '.join(KINDS)}")
    parser.add_argument("--rate", type=float, default=12.0, help="new intents per second (default %(default)s)")
    parser.add_argument(
        "--break",
        dest="broken",
        default="",
        choices=("", CHARGES_TWICE, LOGS_CARDS, *BROKEN_RULES),
        help=f"a rule that the replicas break, or {CHARGES_TWICE} for the gateway",
    )
    parsed = parser.parse_args(arguments)
    try:
        kinds_of(parsed.only)
    except ValueError as error:
        parser.error(str(error))
    seed = SystemRandom().randrange(_SEEDS) if parsed.seed is None else parsed.seed
    return Options(parsed.seconds, seed, parsed.only, parsed.broken, parsed.rate)


async def _run(options: Options) -> int:
    # The schedule is drawn apart from all else, so that a seed always has the same.
    drawn = random.Random(options.seed)  # noqa: S311 - repeatable
    setting = drawn_setting(drawn)
    schedule = drawn_schedule(drawn, seconds=options.seconds, only=options.only)
    print(f"{setting}; {len(schedule)} faults", flush=True)
    async with world(setting, drawn, broken=options.broken) as around:
        async with payorch.aio.connect(around.target, plaintext=True) as client:
            callers = Callers(client, random.Random(options.seed), around.now_s)  # noqa: S311 - repeatable
            faults = Faults(around, random.Random(options.seed))  # noqa: S311 - repeatable
            await _live(around, callers, faults, schedule, options)
        logs = await _logs(around)
        findings = _judged(around, callers, faults.happened, logs)
        return _report(options, around, callers, faults.happened, findings, logs)


async def _live(around: World, callers: Callers, faults: Faults, schedule: Sequence[Fault], options: Options) -> None:
    """Have callers and Zuora call while the faults happen, and afterwards until all is settled."""
    around.begin()
    stop = asyncio.Event()
    showing = asyncio.ensure_future(_show(around, callers, faults))
    try:
        async with asyncio.TaskGroup() as load:
            load.create_task(callers.run(purposes_per_s=options.purposes_per_s, stop=stop))
            hub = load.create_task(around.hub_load.run(stop))
            async with asyncio.TaskGroup() as happening:
                happening.create_task(asyncio.sleep(options.seconds))
                for fault in schedule:
                    happening.create_task(faults.cause(fault))
            stop.set()
            await mend(around)
            load.create_task(_settle(callers))
            load.create_task(_end_after(hub, _HUB_SETTLING_S))
    finally:
        showing.cancel()


async def _settle(callers: Callers) -> None:
    await callers.settle(within_s=_SETTLING_S)
    await callers.look_up_all()


async def _end_after(task: asyncio.Task[None], seconds: float) -> None:
    done, _ = await asyncio.wait([task], timeout=seconds)
    if not done:
        task.cancel()


async def _show(around: World, callers: Callers, faults: Faults) -> None:
    """Print every ten seconds how far a run is."""
    while True:
        await asyncio.sleep(_PROGRESS_S)
        load = around.hub_load
        open_payments = len(load.started) - len(load.approved) - len(load.refused)
        now = " ".join(kind for kind, count in sorted(faults.under_way.items()) if count) or "none"
        print(
            f"{around.now_s():5.0f} s: {callers.calls} calls of {len(callers.intents)} intents, "
            f"{len(load.started)} payments, {open_payments} in Processing; faults now: {now}",
            flush=True,
        )


async def _logs(around: World) -> Mapping[str, bytes]:
    """End the processes; return what each wrote."""
    logs = {}
    for number, replica in enumerate(around.replicas):
        status = await replica.member.end(signal.SIGTERM)
        if status:
            around.problems.append(f"Replica {number} ended with status {status}.")
        logs[f"replica-{number}"] = b"\n".join(replica.member.logs)
    for number, member in enumerate(around.hubs):
        status = await member.end(signal.SIGTERM)
        if status:
            around.problems.append(f"Hub {number} ended with status {status}.")
        logs[f"hub-{number}"] = b"\n".join(member.logs)
    return logs | {"audit": around.audit.read_bytes()}


def _judged(around: World, callers: Callers, happened: Sequence[Happened], logs: Mapping[str, bytes]) -> list[Finding]:
    findings = judge(
        Evidence(
            purposes=callers.purposes,
            by_track_id=callers.by_track_id,
            executions=_executions(around),
            places=around.places,
            moves_s=around.moves_s,
            losses_s=[at_s for at_s, _ in around.losses],
            away_s=[(one.begin_s, one.end_s + _AWAY_S) for one in happened if one.fault.kind.startswith("store-")],
        )
    )
    load = around.hub_load
    moved = Counter(effect.key for effect in Plugin(around.ledger).effects)
    keys = {id_: load.key(id_) for id_ in load.started}
    findings += judge_hub(keys=keys, approved=load.approved, refused=load.refused, moved=moved)
    findings += leaks(logs, SECRETS)
    findings += [Finding(UNFORESEEN, text) for text in (*around.problems, *callers.unforeseen)]
    findings += [
        Finding(UNFORESEEN, f"{name} has {log.count(defect)} times {defect.decode()}")
        for name, log in logs.items()
        for defect in _DEFECTS
        if defect in log
    ]
    return findings


def _executions(around: World) -> list[Execution]:
    shown = ("payment_method_id", "payment_id", "session_token_sha256")
    return [
        Execution(
            time_s=(entry.time - around.began_at).total_seconds(),
            place=place,
            account=entry.account or "",
            track_id=entry.track_id or "",
            key=entry.idempotency_key or "",
            ids=frozenset(entry.effects[name] for name in shown if name in entry.effects),
            is_paid="payment_id" in entry.effects,
        )
        for place, emulator in around.emulators.items()
        for entry in emulator.ledger.entries
        if entry.operation != "token"
    ]


def _report(
    options: Options,
    around: World,
    callers: Callers,
    happened: Sequence[Happened],
    findings: Sequence[Finding],
    logs: Mapping[str, bytes],
) -> int:
    broken = [finding for finding in findings if not finding.excuse]
    answers = [answer for intent in callers.intents for answer in intent.answers]
    print("\n".join(("", *table(happened, answers, findings), "")))
    outcomes = [f"{answer.seen.outcome} {answer.seen.advice}" for answer in answers if not answer.looked_up]
    allowed = [f"{finding.rule}: {finding.excuse}" for finding in findings if finding.excuse]
    for title, counts in (
        ("outcomes", Counter(outcomes)),
        ("reasons of failed attempts", callers.reasons),
        ("allowed by the documents", Counter(allowed)),
        ("answers to Zuora", around.hub_load.answers),
    ):
        print(f"{title}: " + ("; ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"))
    for finding in broken[:_MOST_SHOWN]:
        print(f"BROKEN {finding.rule}: {finding.text}")
    facts: dict[str, Any] = asdict(options) | asdict(around.setting)
    facts |= {"places": around.places, "losses": around.losses}
    if broken:
        folder = _RUNS / str(options.seed)
        write_down(
            folder, facts=facts, happened=happened, callers=callers, emulators=around.emulators,
            findings=findings, logs=logs,
        )  # fmt: skip
        print(f"{folder} has the schedule, the ledgers and journals, the callers' view and the logs.")
    calls = callers.calls + len(around.hub_load.started)
    print(f"{calls} calls under {len(happened)} faults, {len(broken)} broken rules; seed {options.seed}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
