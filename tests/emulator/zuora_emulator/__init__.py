"""An emulator of the parts of Zuora that payorch uses. It is not Zuora."""

from zuora_emulator.answers import ConnectionCut
from zuora_emulator.app import Emulator
from zuora_emulator.apple_tokens import OpenedToken, TokenNotOpenedError, TokenOpener
from zuora_emulator.clock import Clock, ManualClock, SystemClock
from zuora_emulator.faults import Fault, Faults, FaultSyntaxError, Kind, parse_fault
from zuora_emulator.journal import Arrival, Journal
from zuora_emulator.ledger import Ledger, LedgerEntry
from zuora_emulator.server import serving
from zuora_emulator.settings import Settings

__all__ = [
    "Arrival",
    "Clock",
    "ConnectionCut",
    "Emulator",
    "Fault",
    "FaultSyntaxError",
    "Faults",
    "Journal",
    "Kind",
    "Ledger",
    "LedgerEntry",
    "ManualClock",
    "OpenedToken",
    "Settings",
    "SystemClock",
    "TokenNotOpenedError",
    "TokenOpener",
    "parse_fault",
    "serving",
]
