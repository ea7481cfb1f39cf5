"""The command `zuora-emulator serve`."""

import argparse
import asyncio
import contextlib
import random
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from zuora_emulator import seed
from zuora_emulator.answers import NOT_JSON
from zuora_emulator.app import Emulator
from zuora_emulator.clock import FARTHEST_S, USUAL_START, Clock, StoppedClock, SystemClock, is_possible
from zuora_emulator.fixtures import Fixtures
from zuora_emulator.fixtures_file import read_fixtures
from zuora_emulator.hub_caller import HttpHubCaller
from zuora_emulator.request_lines import LineWriter, with_lines
from zuora_emulator.scenarios import Scenario, scenario_of
from zuora_emulator.server import serving
from zuora_emulator.settings import Settings
from zuora_emulator.upc_types import UpcConfiguration, UpcConfigurationError

_LARGEST_PORT = 65_535


class CommandError(Exception):
    """The command cannot do what it was asked; the message is a sentence."""


def serve(chosen: argparse.Namespace) -> None:
    """Serve until stopped.

    Raises:
        CommandError: An argument is wrong, or the address cannot be listened on.
        FaultSyntaxError: A fault is none.
        FileError: The file with the world is wrong.
        SwitchError: A switch is none.
    """
    scenarios = [scenario_of(name) for name in chosen.scenario]
    emulator = _emulator(chosen)
    for text in chosen.fault_once:
        emulator.faults.add(text)
    for text in chosen.fault:
        emulator.faults.add(text, times="always")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve_logged(emulator, scenarios, chosen))


def _emulator(chosen: argparse.Namespace) -> Emulator:
    if not 0 <= chosen.port <= _LARGEST_PORT:
        raise CommandError(f"Cannot listen on port {chosen.port}; ports go from 0 to {_LARGEST_PORT}.")
    settings = Settings()
    settings.switch({name: value for name, _, value in (text.partition("=") for text in chosen.switch)})
    try:
        return Emulator(
            clock=_clock(chosen),
            rng=None if chosen.seed is None else random.Random(chosen.seed),  # noqa: S311 - ids guard nothing
            settings=settings,
            fixtures=_fixtures(chosen, settings),
            upc=_upc(chosen.upc, chosen.hub),
            hub_caller=_hub_caller(chosen.hub_ca),
        )
    except UpcConfigurationError as problem:
        raise CommandError(str(problem)) from problem


def _hub_caller(ca_file: str | None) -> HttpHubCaller:
    try:
        return HttpHubCaller(ca_file)
    except OSError as problem:  # among them that it holds no certificate
        raise CommandError(f"Cannot read authorities from {ca_file}: {problem.strerror or problem}.") from problem


def _clock(chosen: argparse.Namespace) -> Clock:
    if not abs(chosen.clock_ahead) <= FARTHEST_S:  # neither is NaN
        raise CommandError(f"The clock can be {FARTHEST_S} seconds ahead or behind, not {chosen.clock_ahead}.")
    ahead, text = timedelta(seconds=chosen.clock_ahead), chosen.clock
    if text == "real" or (text is None and chosen.seed is None):
        return SystemClock(ahead)
    if text is None:
        return StoppedClock(USUAL_START + ahead)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no time; use one like 2026-11-20T12:00:00Z, or real.") from None
    if time.tzinfo is None:
        raise CommandError(f"{text!r} has no offset; use a time like 2026-11-20T12:00:00Z.")
    if not is_possible(time + ahead):
        raise CommandError(f"{text!r} is more than {FARTHEST_S} seconds from {USUAL_START.isoformat()}.")
    return StoppedClock(time.astimezone(UTC) + ahead)


def _fixtures(chosen: argparse.Namespace, settings: Settings) -> Fixtures | None:
    if chosen.fixtures is None:
        return None
    if chosen.hub is not None:
        raise CommandError("--hub is for the built-in world; write the hub into hub_gateways of the fixtures file.")
    return read_fixtures(chosen.fixtures, allow_local_hubs=settings.upc_allow_local_endpoints)


def _upc(file: Path | None, hub: str | None) -> UpcConfiguration | None:
    if file is None:
        return None if hub is None else seed.upc_with(hub)
    if hub is not None:
        raise CommandError("Use --upc or --hub, not both.")
    try:
        return msgspec.json.decode(file.read_bytes(), type=UpcConfiguration)
    except OSError as problem:
        raise CommandError(f"Cannot read {file}: {problem.strerror}.") from problem
    except NOT_JSON as problem:
        raise CommandError(f"{file} has no set-up of custom payment methods: {problem}.") from problem


async def _serve_logged(emulator: Emulator, scenarios: Sequence[Scenario], chosen: argparse.Namespace) -> None:
    if chosen.quiet:
        await _serve_until_stopped(emulator, scenarios, host=chosen.host, port=chosen.port)
        return
    writer = LineWriter(sys.stderr)
    emulator.app = with_lines(emulator, writer)
    try:
        await _serve_until_stopped(emulator, scenarios, host=chosen.host, port=chosen.port)
    finally:
        writer.close()


async def _serve_until_stopped(emulator: Emulator, scenarios: Sequence[Scenario], *, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # no signal handlers in loops on Windows; Ctrl-C still works
            loop.add_signal_handler(number, stopped.set)
    for scenario in scenarios:
        await emulator.start(scenario)
    async with contextlib.AsyncExitStack() as stack:
        try:
            base_url = await stack.enter_async_context(serving(emulator, host=host, port=port))
        except OSError as problem:
            reason = problem.strerror or problem
            raise CommandError(f"Cannot listen on {host}:{port}: {reason}.") from problem
        print(_welcome(emulator, base_url), flush=True)
        await stopped.wait()


def _welcome(emulator: Emulator, base_url: str) -> str:
    lines = [f"Zuora emulator (not Zuora) on {base_url}", "", *emulator.fixtures.summary(), ""]
    return "\n".join([*lines, f"Page: {base_url}   Ledger: {base_url}/_emulator/ledger   Stop with Ctrl-C."])
