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
from programs.chaos.environment import CHARGES_TWICE, UPC_TOKEN, Environment, running_environment
from programs.chaos.faults import CausedFault, Faults, wait_for_recovery
from programs.chaos.judge import UNFORESEEN, Evidence, Execution, Finding, judge, judge_hub, leaks
from programs.chaos.replica import LOGS_CARDS
from programs.chaos.report import table, write_down
from programs.chaos.schedule import KINDS, Fault, drawn_schedule, drawn_setting, kinds_of
from programs.simulation.broken_rules import BROKEN_RULES
from programs.simulation.intent import TOKEN_PARTS

_SECONDS: Final = 180.0
_SEEDS: Final = 10**9
_PROGRESS_S: Final = 10.0
_SETTLING_S: Final = 110.0
"""How long callers resend after the last fault: longer than a lease, which lasts 70 s."""
_HUB_SETTLING_S: Final = 150.0
"""How long Zuora resends after the last fault: longer than a hub's lease, which lasts 120 s."""
_MOST_SHOWN: Final = 20
_RUNS: Final = Path("build/chaos")
_STORE_RECOVERY_S: Final = 5.0
"""How long after a fault of the store a replica may take to reach it again."""
SECRETS: Final = (CARD_NUMBER, IBAN, UPC_TOKEN, PASSWORD, seed.CLIENT_A.client_secret, *TOKEN_PARTS)
"""What no process may log: payment data, and the credentials of the processes."""
_DEFECTS: Final = (b'"event":"execution_crashed"', b'"reason":"INTERNAL"', b"Traceback (most recent call last)")


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run."""

    seconds: float
    seed: int
    only: str
    broken: str
    purposes_per_s: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 0 if no rule was broken."""
    options = _options(arguments)
    # The emulators' server would warn about each request that a proxy cuts in half.
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
    # A random source of its own: a seed always gives the same schedule.
    drawn = random.Random(options.seed)  # noqa: S311 - repeatable
    setting = drawn_setting(drawn)
    schedule = drawn_schedule(drawn, seconds=options.seconds, only=options.only)
    print(f"{setting}; {len(schedule)} faults", flush=True)
    async with running_environment(setting, drawn, broken=options.broken) as environment:
        async with payorch.aio.connect(environment.target, plaintext=True) as client:
            callers = Callers(client, random.Random(options.seed), environment.now_s)  # noqa: S311 - repeatable
            faults = Faults(environment, random.Random(options.seed))  # noqa: S311 - repeatable
            await _run_load(environment, callers, faults, schedule, options)
        logs = await _stop_processes(environment)
        findings = _all_findings(environment, callers, faults.caused, logs)
        return _report(options, environment, callers, faults.caused, findings, logs)


async def _run_load(
    environment: Environment, callers: Callers, faults: Faults, schedule: Sequence[Fault], options: Options
) -> None:
    """Have callers and Zuora call while the faults are caused, and afterwards until all intents are settled."""
    environment.begin()
    stop = asyncio.Event()
    progress = asyncio.ensure_future(_print_progress(environment, callers, faults))
    try:
        async with asyncio.TaskGroup() as load:
            load.create_task(callers.run(purposes_per_s=options.purposes_per_s, stop=stop))
            hub = load.create_task(environment.hub_load.run(stop))
            async with asyncio.TaskGroup() as causes:
                causes.create_task(asyncio.sleep(options.seconds))
                for fault in schedule:
                    causes.create_task(faults.cause(fault))
            stop.set()
            await wait_for_recovery(environment)
            load.create_task(_settle(callers))
            load.create_task(_end_after(hub, _HUB_SETTLING_S))
    finally:
        progress.cancel()


async def _settle(callers: Callers) -> None:
    await callers.settle(within_s=_SETTLING_S)
    await callers.look_up_all()


async def _end_after(task: asyncio.Task[None], seconds: float) -> None:
    done, _ = await asyncio.wait([task], timeout=seconds)
    if not done:
        task.cancel()


async def _print_progress(environment: Environment, callers: Callers, faults: Faults) -> None:
    """Print the progress of a run every ten seconds."""
    while True:
        await asyncio.sleep(_PROGRESS_S)
        load = environment.hub_load
        open_payments = len(load.started) - len(load.approved) - len(load.refused)
        now = " ".join(kind for kind, count in sorted(faults.under_way.items()) if count) or "none"
        print(
            f"{environment.now_s():5.0f} s: {callers.calls} calls of {len(callers.intents)} intents, "
            f"{len(load.started)} payments, {open_payments} in Processing; faults now: {now}",
            flush=True,
        )


async def _stop_processes(environment: Environment) -> Mapping[str, bytes]:
    """End the processes; return the log of each, and the audit log."""
    logs = {}
    for number, replica in enumerate(environment.replicas):
        status = await replica.member.end(signal.SIGTERM)
        if status:
            environment.problems.append(f"Replica {number} ended with status {status}.")
        logs[f"replica-{number}"] = b"\n".join(replica.member.logs)
    for number, member in enumerate(environment.hubs):
        status = await member.end(signal.SIGTERM)
        if status:
            environment.problems.append(f"Hub {number} ended with status {status}.")
        logs[f"hub-{number}"] = b"\n".join(member.logs)
    return logs | {"audit": environment.audit.read_bytes()}


def _all_findings(
    environment: Environment, callers: Callers, caused: Sequence[CausedFault], logs: Mapping[str, bytes]
) -> list[Finding]:
    findings = judge(
        Evidence(
            purposes=callers.purposes,
            by_track_id=callers.by_track_id,
            executions=_executions(environment),
            places=environment.places,
            moves_s=environment.moves_s,
            losses_s=[at_s for at_s, _ in environment.losses],
            away_s=[
                (hit.begin_s, hit.end_s + _STORE_RECOVERY_S) for hit in caused if hit.fault.kind.startswith("store-")
            ],
        )
    )
    load = environment.hub_load
    moved = Counter(effect.key for effect in Plugin(environment.ledger).effects)
    keys = {id_: load.key(id_) for id_ in load.started}
    findings += judge_hub(keys=keys, approved=load.approved, refused=load.refused, moved=moved)
    findings += leaks(logs, SECRETS)
    findings += [Finding(UNFORESEEN, text) for text in (*environment.problems, *callers.unforeseen)]
    findings += [
        Finding(UNFORESEEN, f"{name} has {log.count(defect)} times {defect.decode()}")
        for name, log in logs.items()
        for defect in _DEFECTS
        if defect in log
    ]
    return findings


def _executions(environment: Environment) -> list[Execution]:
    shown = ("payment_method_id", "payment_id", "session_token_sha256")
    return [
        Execution(
            time_s=(entry.time - environment.began_at).total_seconds(),
            place=place,
            account=entry.account or "",
            track_id=entry.track_id or "",
            key=entry.idempotency_key or "",
            ids=frozenset(entry.effects[name] for name in shown if name in entry.effects),
            is_paid="payment_id" in entry.effects,
        )
        for place, emulator in environment.emulators.items()
        for entry in emulator.ledger.entries
        if entry.operation != "token"
    ]


def _report(
    options: Options,
    environment: Environment,
    callers: Callers,
    caused: Sequence[CausedFault],
    findings: Sequence[Finding],
    logs: Mapping[str, bytes],
) -> int:
    broken = [finding for finding in findings if not finding.excuse]
    answers = [answer for intent in callers.intents for answer in intent.answers]
    print("\n".join(("", *table(caused, answers, findings), "")))
    outcomes = [f"{answer.seen.outcome} {answer.seen.advice}" for answer in answers if not answer.looked_up]
    allowed = [f"{finding.rule}: {finding.excuse}" for finding in findings if finding.excuse]
    for title, counts in (
        ("outcomes", Counter(outcomes)),
        ("reasons of failed attempts", callers.reasons),
        ("allowed by the documents", Counter(allowed)),
        ("answers to Zuora", environment.hub_load.answers),
    ):
        print(f"{title}: " + ("; ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"))
    for finding in broken[:_MOST_SHOWN]:
        print(f"BROKEN {finding.rule}: {finding.text}")
    facts: dict[str, Any] = asdict(options) | asdict(environment.setting)
    facts |= {"places": environment.places, "losses": environment.losses}
    if broken:
        folder = _RUNS / str(options.seed)
        write_down(
            folder, facts=facts, caused=caused, callers=callers, emulators=environment.emulators,
            findings=findings, logs=logs,
        )  # fmt: skip
        print(f"{folder} has the schedule, the ledgers and journals, the callers' view and the logs.")
    calls = callers.calls + len(environment.hub_load.started)
    print(f"{calls} calls under {len(caused)} faults, {len(broken)} broken rules; seed {options.seed}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
