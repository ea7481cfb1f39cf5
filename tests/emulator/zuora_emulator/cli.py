"""The command `zuora-emulator`."""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from zuora_emulator import seed
from zuora_emulator.app import Emulator
from zuora_emulator.apple_pay import DEFECTS
from zuora_emulator.apple_tokens import PUBLISHED_MERCHANT, minted_token
from zuora_emulator.clock import SystemClock
from zuora_emulator.currency import BY_CODE, is_exact
from zuora_emulator.faults import FaultSyntaxError, parse_fault
from zuora_emulator.hub_caller import HttpHubCaller
from zuora_emulator.server import serving
from zuora_emulator.settings import Settings, SwitchError
from zuora_emulator.upc_types import UpcConfiguration, UpcConfigurationError

DEFAULT_PORT = 9080
_DEFAULT_URL = f"http://127.0.0.1:{DEFAULT_PORT}"
_ANSWER_WITHIN_S = 5
_LARGEST_PORT = 65_535


class CommandError(Exception):
    """The command cannot do what it was asked; the message is a sentence."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        chosen.run(chosen)
    except (CommandError, FaultSyntaxError, SwitchError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zuora-emulator", description="An emulator of parts of Zuora. It is not Zuora."
    )
    shown = f"%(prog)s {metadata.version('payorch-zuora-emulator')}"
    parser.add_argument("--version", action="version", version=shown, help="print the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="listen until stopped")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=int, default=DEFAULT_PORT, help="port, 0 for any (default: %(default)s)")
    serve.add_argument("--fault", action="append", default=[], metavar="OP:KIND[:ARG]", help="misbehave always")
    serve.add_argument("--fault-once", action="append", default=[], metavar="OP:KIND[:ARG]", help="misbehave once")
    serve.add_argument("--switch", action="append", default=[], metavar="NAME=VALUE", help="set a switch")
    serve.add_argument(
        "--clock-ahead", type=float, default=0.0, metavar="SECONDS", help="set the clock wrong; negative: behind"
    )
    serve.add_argument(
        "--upc", type=Path, metavar="FILE", help="JSON file with custom payment method types and gateways of hubs"
    )
    serve.add_argument(
        "--hub", metavar="URL", help="set up the custom type AmazonPay and a gateway whose hub listens there"
    )
    serve.add_argument("--hub-ca", metavar="FILE", help="PEM file of the authorities of hubs' certificates")
    serve.set_defaults(run=_serve)

    mint = commands.add_parser("mint-apple-pay-token", help="print an Apple Pay token that the emulator can open")
    mint.add_argument("--amount", required=True, help="for instance 12.34")
    mint.add_argument("--currency", required=True, help="three letters, for instance USD")
    mint.add_argument("--merchant-id", default=PUBLISHED_MERCHANT, help="default: %(default)s")
    mint.add_argument("--level", choices=("wrapper", "inner"), default="inner", help="default: %(default)s")
    mint.add_argument("--defect", choices=sorted(DEFECTS), help="what shall be wrong with it")
    mint.set_defaults(run=_mint)

    ledger = commands.add_parser("ledger", help="print what a running emulator has executed")
    ledger.add_argument("--url", default=_DEFAULT_URL, help="default: %(default)s")
    ledger.set_defaults(run=_print_ledger)
    return parser


def _serve(chosen: argparse.Namespace) -> None:
    if not 0 <= chosen.port <= _LARGEST_PORT:
        raise CommandError(f"Cannot listen on port {chosen.port}; ports go from 0 to {_LARGEST_PORT}.")
    clock = SystemClock(timedelta(seconds=chosen.clock_ahead))
    try:
        emulator = Emulator(
            clock=clock,
            settings=_settings(chosen.switch),
            upc=_upc(chosen.upc, chosen.hub),
            hub_caller=HttpHubCaller(chosen.hub_ca),
        )
    except UpcConfigurationError as problem:
        raise CommandError(str(problem)) from problem
    for text in chosen.fault_once:
        emulator.faults.add(parse_fault(text))
    for text in chosen.fault:
        emulator.faults.add(parse_fault(text), times="always")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve_until_stopped(emulator, host=chosen.host, port=chosen.port))


def _upc(file: Path | None, hub: str | None) -> UpcConfiguration | None:
    if file is None:
        return None if hub is None else seed.upc_with(hub)
    if hub is not None:
        raise CommandError("Use --upc or --hub, not both.")
    try:
        return msgspec.json.decode(file.read_bytes(), type=UpcConfiguration)
    except OSError as problem:
        raise CommandError(f"Cannot read {file}: {problem.strerror}.") from problem
    except msgspec.DecodeError as problem:
        raise CommandError(f"{file} has no set-up of custom payment methods: {problem}.") from problem


def _settings(texts: Sequence[str]) -> Settings:
    settings = Settings()
    settings.switch({name: value for name, _, value in (text.partition("=") for text in texts)})
    return settings


async def _serve_until_stopped(emulator: Emulator, *, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # no signal handlers in loops on Windows; Ctrl-C still works
            loop.add_signal_handler(number, stopped.set)
    try:
        async with serving(emulator, host=host, port=port) as base_url:
            print(_welcome(base_url), flush=True)
            await stopped.wait()
    except OSError as problem:
        raise CommandError(f"Cannot listen on {host}:{port}: {problem}.") from problem


def _welcome(base_url: str) -> str:
    lines = [f"Zuora emulator (not Zuora) on {base_url}", ""]
    for client in seed.CLIENTS:
        orgs = f", orgs {', '.join(client.orgs)}" if client.orgs else ""
        lines.append(f"client {client.name}: {client.client_id} / {client.client_secret}, tenant {client.tenant}{orgs}")
        for entity in client.entities:
            lines += _entity_lines(entity)
    lines += ["", f"Ledger: {base_url}/_emulator/ledger   Stop with Ctrl-C."]
    return "\n".join(lines)


def _entity_lines(entity: str) -> list[str]:
    lines = [f"  entity {entity}"]
    lines += [f"    gateway {gateway.id} {gateway.name!r}" for gateway in seed.GATEWAYS if gateway.entity == entity]
    for account in seed.ACCOUNTS:
        if account.entity == entity:
            owed = [f"{i.number} {i.balance} {i.currency}" for i in seed.INVOICES if i.account_id == account.id]
            lines.append(f"    account {account.number} {account.id}: {', '.join(owed)}")
    return lines


def _mint(chosen: argparse.Namespace) -> None:
    currency = BY_CODE.get(chosen.currency.upper())
    if currency is None:
        raise CommandError(f"{chosen.currency!r} is no currency the emulator knows.")
    amount = _amount(chosen.amount)
    if not is_exact(amount=amount, currency=currency.code):
        raise CommandError(f"{currency.code} has {currency.exponent} decimals; {chosen.amount} has more.")
    try:
        token = minted_token(
            merchant_id=chosen.merchant_id,
            amount_minor=int(amount.scaleb(currency.exponent)),
            currency_numeric=currency.numeric,
            now=SystemClock().now(),
            wrapped=chosen.level == "wrapper",
            defect=chosen.defect,
        )
    except LookupError:
        raise CommandError(f"{chosen.merchant_id!r} is no merchant of the published authority.") from None
    print(json.dumps(token))


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise CommandError(f"{text!r} is no amount.") from None
    if not amount.is_finite() or amount <= 0:
        raise CommandError("The amount must be greater than 0.")
    return amount


def _print_ledger(chosen: argparse.Namespace) -> None:
    if not chosen.url.startswith(("http://", "https://")):
        raise CommandError(f"{chosen.url!r} is no http address.")
    url = f"{chosen.url.rstrip('/')}/_emulator/ledger"
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_WITHIN_S) as response:  # noqa: S310 - the scheme was checked
            entries = json.load(response)["entries"]
    except (OSError, ValueError, KeyError, urllib.error.URLError) as problem:
        raise CommandError(f"No emulator answers at {chosen.url}: {problem}.") from problem
    print(_table(entries))


_COLUMNS = ("time", "operation", "entity", "account", "amount", "currency", "track_id", "effects")


def _table(entries: list[dict[str, Any]]) -> str:
    rows = [_COLUMNS, *(tuple(_cell(entry.get(column)) for column in _COLUMNS) for entry in entries)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={text}" for name, text in value.items())
    return "-" if value is None else str(value)
