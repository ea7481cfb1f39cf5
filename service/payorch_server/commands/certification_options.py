"""What `upc certify` is asked to do; imports nothing that a fast start would notice."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class CertificationOptions(NamedTuple):
    """What is certified and how."""

    target: str
    """Host and port of the plug-in."""
    method_type: str
    """Full type of the payment methods that are sent."""
    token_data: Path | None
    """File of magic values."""
    only: Sequence[str]
    """Names of cases; empty: all."""
    restart: str
    """Command that restarts the plug-in; empty: none."""
    as_json: bool
    answer_s: float
    """Longest wait for an answer."""
    deadline_s: float
    """The short deadline, which the fields of `slow` pass."""
    settle_s: float
    """Longest wait until LookUp knows what became of a call without an answer."""


def add_certification_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Checks a plugged-in gateway, case by case. Exit status: 0 if every case passed or does not apply, 1 if one "
        "failed or could not be run, 2 for wrong usage or if the gateway cannot be reached."
    )
    parser.add_argument("address", metavar="TARGET", help="host:port of the gateway; of one with test accounts only")
    parser.add_argument("--type", default="Certification__c_99999", help="type of the method (default %(default)s)")
    parser.add_argument(
        "--token-data", type=Path, metavar="FILE", help="YAML or JSON file with the fields that approve, decline, ..."
    )
    parser.add_argument(
        "--restart", default="", metavar="CMD", help="kills and starts the gateway, and returns when it is up"
    )
    parser.add_argument("--only", action="append", default=[], metavar="CASE", help="run this case; may be repeated")
    parser.add_argument("--json", action="store_true", help="print JSON")
    for name, default, text in (
        ("answer", 30.0, "longest wait for an answer"),
        ("deadline", 1.0, "deadline that the fields of `slow` pass"),
        ("settle", 10.0, "longest wait until LookUp knows what became of a call without an answer"),
    ):
        parser.add_argument(
            f"--{name}-s", type=float, default=default, metavar="SECONDS", help=f"{text} (default %(default)s)"
        )


def certification_options(parsed: argparse.Namespace) -> CertificationOptions:
    """Return the options that were parsed."""
    return CertificationOptions(
        target=parsed.address,
        method_type=parsed.type,
        token_data=parsed.token_data,
        only=parsed.only,
        restart=parsed.restart,
        as_json=parsed.json,
        answer_s=parsed.answer_s,
        deadline_s=parsed.deadline_s,
        settle_s=parsed.settle_s,
    )
