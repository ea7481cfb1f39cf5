"""The command `zuora-emulator`."""

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from importlib import metadata
from pathlib import Path
from typing import Any

from zuora_emulator import seed
from zuora_emulator.apple_pay import DEFECTS, VARIANTS, VariantError
from zuora_emulator.apple_tokens import PUBLISHED_MERCHANT, minted_token
from zuora_emulator.cli_parser import SentenceParser
from zuora_emulator.cli_serve import CommandError, serve
from zuora_emulator.clock import SystemClock
from zuora_emulator.currency import BY_CODE, problem_of_amount
from zuora_emulator.faults import FaultSyntaxError
from zuora_emulator.scenarios import built_in
from zuora_emulator.settings import SwitchError
from zuora_emulator.yaml_nodes import FileError

DEFAULT_PORT = 9080
_DEFAULT_URL = f"http://127.0.0.1:{DEFAULT_PORT}"
_ANSWER_WITHIN_S = 5
_READER_LEFT = 141
"""Exit code where the reader of the output left first, as a shell counts the signal for it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    try:
        try:
            return _run(arguments)
        finally:  # also after the help, which ends the program
            print(end="", flush=True)  # unlike a flush of its own, it also works without a standard output
    except OSError as problem:
        # What is still buffered would be written at the end of the program, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(problem, BrokenPipeError):
            return _READER_LEFT
        print(f"Cannot write the output: {problem.strerror}.", file=sys.stderr)
        return 1


def _run(arguments: Sequence[str] | None) -> int:
    chosen = _parser().parse_args(arguments)
    try:
        chosen.run(chosen)
    except (CommandError, FaultSyntaxError, FileError, SwitchError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = SentenceParser(prog="zuora-emulator", description="An emulator of parts of Zuora. It is not Zuora.")
    shown = f"%(prog)s {metadata.version('payorch-zuora-emulator')}"
    parser.add_argument("--version", action="version", version=shown, help="print the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    _add_serve(commands.add_parser("serve", help="listen until stopped"))

    fixtures = commands.add_parser("fixtures", help="print the built-in world as a file for serve --fixtures")
    fixtures.set_defaults(run=lambda _chosen: print(seed.fixtures().as_yaml(), end=""))

    scenarios = commands.add_parser("scenarios", help="list the scenarios for serve --scenario")
    scenarios.set_defaults(run=_print_scenarios)

    mint = commands.add_parser("mint-apple-pay-token", help="print an Apple Pay token that the emulator can open")
    mint.add_argument("--amount", required=True, help="for instance 12.34")
    mint.add_argument("--currency", required=True, help="three letters, for instance USD")
    mint.add_argument("--merchant-id", default=PUBLISHED_MERCHANT, help="default: %(default)s")
    mint.add_argument("--level", choices=("wrapper", "inner"), default="inner", help="default: %(default)s")
    mint.add_argument("--variant", action="append", default=[], choices=VARIANTS, help="a right token of another kind")
    mint.add_argument("--application-data", metavar="TEXT", help="the request's data; the token has its hash")
    mint.add_argument("--transaction-id", metavar="HEX", help="64 digits; the same for two tokens is a replay")
    mint.add_argument("--defect", choices=sorted(DEFECTS), help="what shall be wrong with it")
    mint.set_defaults(run=_mint)

    ledger = commands.add_parser("ledger", help="print what a running emulator has executed")
    ledger.add_argument("--url", default=_DEFAULT_URL, help="default: %(default)s")
    ledger.set_defaults(run=_print_ledger)
    for command in commands.choices.values():
        command.set_defaults(parser=command)
    return parser


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port, 0 for any (default: %(default)s)")
    parser.add_argument("--quiet", action="store_true", help="write no line per request to standard error")
    parser.add_argument("--fault", action="append", default=[], metavar="OP:KIND[:ARG]", help="misbehave always")
    parser.add_argument("--fault-once", action="append", default=[], metavar="OP:KIND[:ARG]", help="misbehave once")
    parser.add_argument(
        "--scenario", action="append", default=[], metavar="NAME", help="start one of `scenarios`, or that of a file"
    )
    parser.add_argument("--switch", action="append", default=[], metavar="NAME=VALUE", help="set a switch")
    parser.add_argument(
        "--fixtures", type=Path, metavar="FILE", help="YAML file with the world to begin with; see `fixtures`"
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="make ids that follow from N, under a clock that stands still"
    )
    parser.add_argument(
        "--clock",
        metavar="TIME",
        help="let the clock stand at a time like 2026-11-20T12:00:00Z (the default with --seed), or `real`",
    )
    parser.add_argument(
        "--clock-ahead", type=float, default=0.0, metavar="SECONDS", help="set the clock wrong; negative: behind"
    )
    parser.add_argument(
        "--upc", type=Path, metavar="FILE", help="JSON file with custom payment method types and gateways of hubs"
    )
    parser.add_argument(
        "--hub", metavar="URL", help="set up the custom type AmazonPay and a gateway whose hub listens there"
    )
    parser.add_argument("--hub-ca", metavar="FILE", help="PEM file of the authorities of hubs' certificates")
    parser.set_defaults(run=serve)


def _print_scenarios(_chosen: argparse.Namespace) -> None:
    width = max(len(name) for name in built_in())
    for scenario in built_in().values():
        print(f"{scenario.name.ljust(width)}  {scenario.does}")


def _mint(chosen: argparse.Namespace) -> None:
    currency = BY_CODE.get(chosen.currency.upper())
    if currency is None:
        raise CommandError(f"{chosen.currency!r} is no currency the emulator knows.")
    amount = _amount(chosen.amount)
    if problem := problem_of_amount(amount, currency=currency.code):
        raise CommandError(problem)
    try:
        token = minted_token(
            merchant_id=chosen.merchant_id,
            amount_minor=int(amount.scaleb(currency.exponent)),
            currency_numeric=currency.numeric,
            now=SystemClock().now(),
            wrapped=chosen.level == "wrapper",
            defect=chosen.defect,
            variants=chosen.variant,
            application_data=chosen.application_data,
            transaction_id=chosen.transaction_id,
        )
    except VariantError as problem:
        raise CommandError(str(problem)) from None
    except LookupError:
        raise CommandError(f"{chosen.merchant_id!r} is no merchant of the published authority.") from None
    print(json.dumps(token))


def _amount(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise CommandError(f"{text!r} is no amount.") from None


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
