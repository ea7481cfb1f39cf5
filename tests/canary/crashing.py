"""A service whose first call ends the process; run as `python -m canary.crashing CONFIG [unhooked]`."""

import sys
from typing import Any, NoReturn

from payorch_server import cli
from payorch_server.rpc.payment_orchestration import PaymentOrchestrationServicer
from payorch_server.telemetry import logging

from canary.scenarios import UNFORESEEN


class Fatal(KeyboardInterrupt):
    """One of the two kinds that the event loop lets end it."""


async def _fatal(_self: Any, _request: Any, _context: Any) -> NoReturn:
    raise Fatal(UNFORESEEN)


if __name__ == "__main__":
    if "unhooked" in sys.argv:
        logging._log_process_crash = sys.__excepthook__
    PaymentOrchestrationServicer.CreateSession = _fatal  # type: ignore[method-assign] # what the test is about
    sys.exit(cli.main(["serve", "--config", sys.argv[1]]))
