"""Arguments that several commands have."""

import argparse
import sys
from pathlib import Path

from payorch_server import version


class ShowVersion(argparse.Action):
    """Prints the version when the command line has been read so far; looking it up takes longer than most commands."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print the version and exit."""
        sys.stdout.write(f"{parser.prog} {version()}\n")
        parser.exit()


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add where the configuration is."""
    parser.add_argument(
        "--config", type=Path, required=True, action="append", metavar="FILE", help="YAML file; may be repeated"
    )


def add_checks(parser: argparse.ArgumentParser) -> None:
    """Add what a configuration is checked against."""
    parser.add_argument(
        "--against",
        type=Path,
        action="append",
        metavar="FILE",
        help="also check that a process running with this configuration can apply it; may be repeated",
    )
    parser.add_argument("--without-secrets", action="store_true", help="do not read secrets, keys and certificates")


def add_credentials(parser: argparse.ArgumentParser) -> None:
    """Add what a call to a running service needs."""
    parser.add_argument("--ca-file", type=Path, help="CA certificates to trust (PEM); omit for plaintext")
    parser.add_argument("--certificate-file", type=Path, help="client certificate (PEM)")
    parser.add_argument("--key-file", type=Path, help="private key of the client certificate (PEM)")
