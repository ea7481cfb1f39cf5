"""The routing policy as files: explained, tested, linted and compared, without a running service."""

from payorch_server.routes.cases import CaseError
from payorch_server.routes.commands import diff, explain, lint, test

__all__ = ["CaseError", "diff", "explain", "lint", "test"]
