"""An emulator of the parts of Zuora that payorch uses. It is not Zuora."""

from zuora_emulator.answers import ConnectionCut
from zuora_emulator.app import Emulator
from zuora_emulator.apple_tokens import OpenedToken, TokenNotOpenedError, TokenOpener
from zuora_emulator.clock import Clock, ManualClock, StoppedClock, SystemClock
from zuora_emulator.faults import Fault, Faults, FaultSyntaxError, Kind, parse_fault
from zuora_emulator.fixtures import Entity, Fixtures, Tenant
from zuora_emulator.fixtures_file import read_fixtures
from zuora_emulator.hub_caller import HttpHubCaller, HubCaller, NoHubAnswerError
from zuora_emulator.journal import Arrival, Journal
from zuora_emulator.ledger import Ledger, LedgerEntry
from zuora_emulator.server import serving
from zuora_emulator.settings import Settings
from zuora_emulator.upc import Upc
from zuora_emulator.upc_records import HubSend, UpcPayment, UpcRefund
from zuora_emulator.upc_types import CustomField, CustomType, UpcConfiguration, UpcConfigurationError, UpcGateway
from zuora_emulator.yaml_nodes import FileError

__all__ = [
    "Arrival",
    "Clock",
    "ConnectionCut",
    "CustomField",
    "CustomType",
    "Emulator",
    "Entity",
    "Fault",
    "FaultSyntaxError",
    "Faults",
    "FileError",
    "Fixtures",
    "HttpHubCaller",
    "HubCaller",
    "HubSend",
    "Journal",
    "Kind",
    "Ledger",
    "LedgerEntry",
    "ManualClock",
    "NoHubAnswerError",
    "OpenedToken",
    "Settings",
    "StoppedClock",
    "SystemClock",
    "Tenant",
    "TokenNotOpenedError",
    "TokenOpener",
    "Upc",
    "UpcConfiguration",
    "UpcConfigurationError",
    "UpcGateway",
    "UpcPayment",
    "UpcRefund",
    "parse_fault",
    "read_fixtures",
    "serving",
]
