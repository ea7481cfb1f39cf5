"""Client of the payorch payment orchestration service.

The messages and stubs are in `payorch.v1`; `CallError.from_rpc_error` reads what an error carries, and `redacted` is
how a message may be shown.
"""

from payorch.errors import CallError, FieldViolation
from payorch.redaction import redacted

__all__ = ["CallError", "FieldViolation", "redacted"]
