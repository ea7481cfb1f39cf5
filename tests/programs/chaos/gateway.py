"""A plug-in whose ledger is a file: `python -m programs.chaos.gateway once|twice ADDRESS LEDGER`.

After SIGUSR1 it dies during the next charge: after booking it, before answering it.
With `twice` it breaks its contract: it charges again under a key that it knows.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

from harness.plugin import Behaviour, Plugin, RunningPlugin
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2

_ANSWER_S: Final = 0.2
"""The delay of its answers, so that faults hit charges in progress."""


class MortalPlugin(Plugin):
    """Keeps the contract, and dies on demand."""

    def __init__(self, ledger: Path) -> None:
        super().__init__(ledger)
        self.default = Behaviour(delay_s=_ANSWER_S)
        self.dies = False
        """Whether the next charge is its last."""

    def remember(self, key: str, asked: str, outcome: gateway_pb2.GatewayOutcome) -> None:
        """Book the outcome, after which a crash loses only the answer."""
        super().remember(key, asked, outcome)
        if self.dies:
            os._exit(1)


class DoubleChargingPlugin(MortalPlugin):
    """Charges again under a key that it has already charged."""

    async def ProcessPayment(self, request: Any, context: Any) -> gateway_pb2.ProcessPaymentResponse:  # noqa: N802 - gRPC's name
        """Charge without regard to earlier charges under the key."""
        self.forget()
        return await super().ProcessPayment(request, context)


async def _serve(address: str, ledger: Path, *, twice: bool) -> None:
    plugin = DoubleChargingPlugin(ledger) if twice else MortalPlugin(ledger)
    running = RunningPlugin(plugin, None)
    running.port = int(address.rpartition(":")[2])
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, setattr, plugin, "dies", True)
    await running.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    _, charges, own_address, own_ledger = sys.argv
    asyncio.run(_serve(own_address, Path(own_ledger), twice=charges == "twice"))
