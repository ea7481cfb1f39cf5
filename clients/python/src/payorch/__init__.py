"""Client of the payorch payment orchestration service.

`payorch.connect` gives a client for threads, `payorch.aio.connect` one for asyncio. The messages are in `payorch.v1`;
`redacted` is how one may be shown.
"""

from payorch import aio
from payorch.channel import SERVICE_CONFIG, Tls
from payorch.client import Client, connect
from payorch.errors import (
    CallError,
    FieldViolation,
    NotSentError,
    OutcomeUnknownError,
    PartialError,
    PayorchError,
    RefusedError,
)
from payorch.identifiers import new_request_id, tracked
from payorch.redaction import redacted
from payorch.values import apple_pay_token, decimal_of, money

__all__ = [
    "SERVICE_CONFIG",
    "CallError",
    "Client",
    "FieldViolation",
    "NotSentError",
    "OutcomeUnknownError",
    "PartialError",
    "PayorchError",
    "RefusedError",
    "Tls",
    "aio",
    "apple_pay_token",
    "connect",
    "decimal_of",
    "money",
    "new_request_id",
    "redacted",
    "tracked",
]
