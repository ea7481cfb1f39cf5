"""`payorch-server` with a time of day that a file sets, and with a rule that it breaks on purpose.

python -m programs.chaos.replica CLOCK_FILE BROKEN_RULE ARGUMENT ...

libfaketime would move the monotonic clock and the timers of the event loop too, or has to be kept from it, and the
machines that this runs on do not have it. Every reading of the time of day goes through `SystemClock.now`.
"""

import dataclasses
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from payorch_server.app import start  # noqa: F401 - imports the modules that use the classes
from payorch_server.cli import main
from payorch_server.rpc import payment_orchestration
from payorch_server.runtime.clock import SystemClock

from programs.simulation.broken_rules import BROKEN_RULES
from programs.simulation.instance import Parts

LOGS_CARDS: Final = "logs-cards"
"""In place of a broken rule: card numbers are written to the log."""


def command(clock: Path, ahead_s: float, *, broken: str = "") -> tuple[str, ...]:
    """Return the command, to which the arguments of `payorch-server` are added.

    Args:
        clock: The file that holds how many seconds the time of day is ahead; it is written.
        ahead_s: The seconds at the start.
        broken: A broken rule of the simulation, or `logs-cards`; empty: none.
    """
    clock.write_text(str(ahead_s))
    return sys.executable, "-m", "programs.chaos.replica", str(clock), broken


def move_clock(file: Path) -> None:
    """Have the time of day be ahead by the seconds that a file holds at each reading."""

    def now(_clock: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(file.read_text()))  # noqa: TID251 - this is the clock

    SystemClock.now = now  # type: ignore[method-assign] # the clock of this process is wrong


def log_cards() -> None:
    """Write the card number of each request to the log."""
    decode = payment_orchestration.decode_create_payment_method

    def decode_and_log(request: Any, *rest: Any) -> Any:
        os.write(sys.__stderr__.fileno(), f"{request.message.card.number}\n".encode())  # type: ignore[union-attr] # it has one
        return decode(request, *rest)

    payment_orchestration.decode_create_payment_method = decode_and_log


def break_rule(name: str) -> None:
    """Replace the classes that keep a rule by those of the simulation that break it."""
    broken = BROKEN_RULES[name]
    for part in dataclasses.fields(Parts):
        kept = part.default
        assert isinstance(kept, type)
        for module in [module for key, module in sys.modules.items() if key.startswith("payorch_server.")]:
            if getattr(module, kept.__name__, None) is kept and module.__name__ != kept.__module__:
                setattr(module, kept.__name__, getattr(broken, part.name))


if __name__ == "__main__":
    clock_file, broken_rule, *arguments = sys.argv[1:]
    move_clock(Path(clock_file))
    if broken_rule == LOGS_CARDS:
        log_cards()
    elif broken_rule:
        break_rule(broken_rule)
    sys.exit(main(arguments))
