"""What was executed, once each: the proof that a retry did or did not act twice."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

_NEWEST = 200
"""How many entries are searched for those of a call that has just ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One execution with an effect; a refused call leaves none."""

    operation: str
    time: datetime
    tenant: str
    entity: str | None
    """None for a token, which may span several entities."""
    orgs: tuple[str, ...] = ()
    account: str | None = None
    """Id of the account; None for an orphan."""
    track_id: str | None = None
    idempotency_key: str | None = None
    request_id: str
    amount: Decimal | None = None
    """The amount of a session, or the amount paid."""
    currency: str | None = None
    effects: dict[str, str] = field(default_factory=dict)
    """Among `payment_method_id`, `payment_id`, `invoice`, `session_token_sha256`, `stored_credential`, `client`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The call that an execution is the work of; empty for what the emulator does by itself."""

    request_id: str = ""
    orgs: tuple[str, ...] = ()
    track_id: str | None = None
    idempotency_key: str | None = None


class Ledger:
    """The executions in their order."""

    def __init__(self, entries: list[LedgerEntry] | None = None) -> None:
        self.entries = [] if entries is None else entries

    def record(self, entry: LedgerEntry) -> None:
        """Add one execution."""
        self.entries.append(entry)

    def count(self, operation: str) -> int:
        """How often that operation was executed."""
        return sum(entry.operation == operation for entry in self.entries)

    def of(self, operation: str) -> list[LedgerEntry]:
        """The executions of one operation."""
        return [entry for entry in self.entries if entry.operation == operation]

    def of_request(self, request_id: str) -> list[LedgerEntry]:
        """The executions by one call, which are among the newest."""
        newest = self.entries[-_NEWEST:]
        return [entry for entry in newest if request_id and entry.request_id == request_id]

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """The entries with JSON values; amounts are text with their exact digits."""
        return [_entry_json(entry) for entry in self.entries]


def _entry_json(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "operation": entry.operation,
        "time": entry.time.isoformat(),
        "tenant": entry.tenant,
        "entity": entry.entity,
        "orgs": list(entry.orgs),
        "account": entry.account,
        "track_id": entry.track_id,
        "idempotency_key": entry.idempotency_key,
        "request_id": entry.request_id,
        "amount": None if entry.amount is None else str(entry.amount),
        "currency": entry.currency,
        "effects": entry.effects,
    }


def short_hash(secret: str) -> str:
    """Return 16 hex digits of SHA-256, to recognise a secret without holding it."""
    return hashlib.sha256(secret.encode()).hexdigest()[:16]
