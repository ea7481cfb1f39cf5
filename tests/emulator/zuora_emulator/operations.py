"""The operations by the names that faults, ledger and journal use."""

from dataclasses import dataclass
from typing import Literal

Dialect = Literal["oauth", "sessions", "v1", "quickstart"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API.

    `resource` is the six-digit object code its reason codes begin with. The documents give the ranges, not the number
    of each object, so these are in range and otherwise ours.
    """

    name: str
    dialect: Dialect
    resource: int


TOKEN = Operation("token", "oauth", 900000)
SESSIONS = Operation("sessions", "sessions", 710125)
DECRYPTION = Operation("decryption", "v1", 530000)
PAYMENT_METHODS = Operation("payment_methods", "quickstart", 0)
PAYMENT_METHODS_V1 = Operation("payment_methods_v1", "v1", 530100)

ALL = (TOKEN, SESSIONS, DECRYPTION, PAYMENT_METHODS, PAYMENT_METHODS_V1)
BY_NAME = {operation.name: operation for operation in ALL}
