"""Calls with `async: true`: answered at once with 202 and a request id, and executed later by the clock.

    POST /v2/payment_methods   async: true
    202  {"request_id": "..."}   whatever becomes of the call

Documented: the header, the status, the body, the short time until the answer. Not documented: when the call is
executed, and whether a refusal can come in place of the 202; `Settings.async_delay_seconds` is for both.

Source: Quickstart API reference, "Create a payment method", read 2026-11.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from zuora_emulator.answers import Answer, json_answer
from zuora_emulator.call import Arrived
from zuora_emulator.errors import Reason, Refused
from zuora_emulator.state import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingCall:
    """An authorised call that is not executed yet."""

    due: datetime
    """When it is executed, if it is queued."""
    arrived: Arrived
    client: Client
    entity: str
    orgs: tuple[str, ...]
    body: Mapping[str, Any] = field(repr=False)
    decline: str | None


def wants_async(arrived: Arrived) -> bool:
    """Whether a call asks to be executed later; reads, and all that is not of Quickstart, cannot.

    Raises:
        Refused: The header is neither true nor false.
    """
    if arrived.operation.dialect != "quickstart" or arrived.operation.method == "GET":
        return False
    value = arrived.headers.get("async", "false").lower()
    if value not in {"true", "false"}:
        message = "The async header must be true or false."
        reason = Reason(category=20, message=message, parameter="async", quickstart_code="invalid_parameter_boolean")
        raise Refused((reason,))
    return value == "true"


def accepted(arrived: Arrived) -> Answer:
    """Return the answer to a call that is executed apart from it."""
    return json_answer(202, {"request_id": arrived.request_id})
