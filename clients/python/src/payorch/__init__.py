"""Client of the payorch payment orchestration service.

`payorch.connect` gives a client for threads, `payorch.aio.connect` one for asyncio. The messages are in `payorch.v1`;
`redacted` is how one may be shown.
"""

from payorch import aio
from payorch.call_error import CallError, FieldViolation
from payorch.channel import SERVICE_CONFIG
from payorch.client import Client, DiagnosticsClient, connect, connect_diagnostics
from payorch.errors import (
    NotSentError,
    OutcomeUnknownError,
    PartialError,
    PayorchError,
    RefusedError,
)
from payorch.identifiers import new_request_id, tracked
from payorch.redaction import redacted
from payorch.resend import Resend
from payorch.tls import Tls
from payorch.values import apple_pay_token, decimal_of, money

__all__ = [
    "SERVICE_CONFIG",
    "CallError",
    "Client",
    "DiagnosticsClient",
    "FieldViolation",
    "NotSentError",
    "OutcomeUnknownError",
    "PartialError",
    "PayorchError",
    "RefusedError",
    "Resend",
    "Tls",
    "aio",
    "apple_pay_token",
    "connect",
    "connect_diagnostics",
    "decimal_of",
    "money",
    "new_request_id",
    "redacted",
    "tracked",
]
