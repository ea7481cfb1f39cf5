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


def add_config(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add where the configuration is."""
    parser.add_argument(
        "--config", type=Path, required=required, action="append", metavar="FILE", help="YAML file; may be repeated"
    )


def add_checked(parser: argparse.ArgumentParser) -> None:
    """Add where a configuration is that is to be checked, and what it is checked against."""
    add_config(parser, required=False)
    parser.add_argument(
        "standard_input",
        nargs="?",
        metavar="-",
        help="read standard input instead: one configuration, or what `helm template` prints, with all releases in it",
    )
    parser.add_argument(
        "--against",
        type=Path,
        action="append",
        metavar="FILE",
        help="also check that a process running with this configuration can apply it; may be repeated",
    )
    parser.add_argument("--without-secrets", action="store_true", help="do not read secrets, keys and certificates")


def is_standard_input(parser: argparse.ArgumentParser, parsed: argparse.Namespace) -> bool:
    """Whether what is checked comes from standard input; wrong usage ends the process."""
    if parsed.standard_input not in {None, "-"}:
        parser.error(f"{parsed.standard_input}: name a file with --config, or give - for standard input")
    if bool(parsed.config) == bool(parsed.standard_input):
        parser.error("give either --config FILE or - for standard input")
    if parsed.standard_input and parsed.against:
        parser.error("--against compares files; give the new configuration with --config")
    return bool(parsed.standard_input)


def add_credentials(parser: argparse.ArgumentParser) -> None:
    """Add what a call to a running service needs."""
    parser.add_argument("--ca-file", type=Path, help="CA certificates to trust (PEM); omit for plaintext")
    parser.add_argument("--certificate-file", type=Path, help="client certificate (PEM)")
    parser.add_argument("--key-file", type=Path, help="private key of the client certificate (PEM)")
