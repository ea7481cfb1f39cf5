"""The operations by the names that faults, ledger and journal use."""

from dataclasses import dataclass
from typing import Literal

Dialect = Literal["oauth", "sessions", "v1", "quickstart", "browser"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API.

    `resource` is the six-digit object code its reason codes begin with. The documents give the ranges, not the number
    of each object, so these are in range and otherwise ours.
    """

    name: str
    dialect: Dialect
    resource: int
    method: str = "POST"
    asks_hub: bool = False
    """Whether it may call a payment hub. It then runs to its end although its caller leaves."""


TOKEN = Operation("token", "oauth", 900000)
SESSIONS = Operation("sessions", "sessions", 710125)
REDEEM_SESSION = Operation("redeem_session", "browser", 710125)
"""The half of a session that a browser does with Zuora's script; no operation of Zuora's API."""
DECRYPTION = Operation("decryption", "v1", 530000)
PAYMENT_METHODS = Operation("payment_methods", "quickstart", 0)
PAYMENT_METHODS_V1 = Operation("payment_methods_v1", "v1", 530100, asks_hub=True)
GET_METHOD = Operation("get_payment_method", "quickstart", 0, method="GET")
LIST_METHODS = Operation("list_payment_methods", "quickstart", 0, method="GET")
UPDATE_METHOD = Operation("update_payment_method", "quickstart", 0, method="PATCH")
GET_METHOD_V1 = Operation("get_payment_method_v1", "v1", 530100, method="GET")
UPDATE_METHOD_V1 = Operation("update_payment_method_v1", "v1", 530100, method="PUT")
CREATE_PAYMENT = Operation("create_payment", "v1", 532000, asks_hub=True)
LIST_PAYMENTS = Operation("list_payments", "v1", 532000, method="GET")
GET_PAYMENT = Operation("get_payment", "v1", 532000, method="GET")
REFUND_PAYMENT = Operation("refund_payment", "v1", 533000, asks_hub=True)
LIST_REFUNDS = Operation("list_refunds", "v1", 533000, method="GET")
GET_REFUND = Operation("get_refund", "v1", 533000, method="GET")

ALL = (
    TOKEN,
    SESSIONS,
    REDEEM_SESSION,
    DECRYPTION,
    PAYMENT_METHODS,
    PAYMENT_METHODS_V1,
    GET_METHOD,
    LIST_METHODS,
    UPDATE_METHOD,
    GET_METHOD_V1,
    UPDATE_METHOD_V1,
    CREATE_PAYMENT,
    LIST_PAYMENTS,
    GET_PAYMENT,
    REFUND_PAYMENT,
    LIST_REFUNDS,
    GET_REFUND,
)
BY_NAME = {operation.name: operation for operation in ALL}
HUB_SENDS = ("hub_validate", "hub_payment", "hub_refund")
"""Names of the emulator's own requests to hubs, for faults and the ledger."""
