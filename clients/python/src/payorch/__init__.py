"""Client of the payorch payment orchestration service.

The messages and stubs are in `payorch.v1`; `CallError.from_rpc_error` reads what an error carries.
"""

from payorch.errors import CallError, FieldViolation

__all__ = ["CallError", "FieldViolation"]
