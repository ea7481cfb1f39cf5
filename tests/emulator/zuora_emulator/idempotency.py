"""Idempotency keys: the first answer of a key is kept for a day and given again.

    absent ──begin──► in flight ──finish──► stored ──24 h──► absent
                         └──────abandon──────────────────────┘

Source: Zuora developer guide "Idempotent requests", read 2026-11.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from zuora_emulator.answers import Answer
from zuora_emulator.settings import Settings

KEPT_FOR = timedelta(hours=24)
LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Scope:
    """What must be the same for a key to mean the same call."""

    tenant: str
    method: str
    url: str


class Verdict(Enum):
    """What to do with a call that carries a key."""

    EXECUTE = "execute"
    IN_FLIGHT = "in flight"
    OTHER_SCOPE = "other scope"
    OTHER_BODY = "other body"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    scope: Scope
    body_hash: bytes
    set_at: datetime
    answer: Answer | None


class Idempotency:
    """The keys of all tenants.

    Args:
        settings: say what a key with another body gets: the stored answer, a refusal, or a new execution.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.records: dict[str, _Record] = {}

    def begin(self, key: str, *, scope: Scope, body: bytes, now: datetime) -> Verdict | Answer:
        """Ask whether a call may run; EXECUTE puts the key in flight until `finish` or `abandon`.

        Returns:
            The stored answer, or a verdict.
        """
        body_hash = hashlib.sha256(body).digest()
        record = self._alive(key, now)
        if record is None:
            self.records[key] = _Record(scope=scope, body_hash=body_hash, set_at=now, answer=None)
            return Verdict.EXECUTE
        if record.scope != scope:
            return Verdict.OTHER_SCOPE
        if record.answer is None:
            return Verdict.IN_FLIGHT
        if record.body_hash != body_hash and self._settings.body_mismatch != "replay":
            return self._with_other_body(key, replace(record, body_hash=body_hash, set_at=now, answer=None))
        return record.answer

    def _alive(self, key: str, now: datetime) -> _Record | None:
        record = self.records.get(key)
        if record is not None and record.answer is not None and now - record.set_at >= KEPT_FOR:
            del self.records[key]
            return None
        return record

    def _with_other_body(self, key: str, fresh: _Record) -> Verdict:
        if self._settings.body_mismatch == "refuse":
            return Verdict.OTHER_BODY
        self.records[key] = fresh
        return Verdict.EXECUTE

    def finish(self, key: str, answer: Answer) -> None:
        """Store the answer of a key in flight; one that was forgotten meanwhile stays forgotten."""
        if key in self.records:
            self.records[key] = replace(self.records[key], answer=answer)

    def abandon(self, key: str) -> None:
        """Forget a key in flight: its call was not processed."""
        self.records.pop(key, None)

    def keep(self, key: str, answer: Answer, *, scope: Scope, body: bytes, now: datetime) -> None:
        """Store an answer that was given without execution, unless the key is in use."""
        if self.begin(key, scope=scope, body=body, now=now) is Verdict.EXECUTE:
            self.finish(key, answer)

    def clear(self) -> None:
        """Forget everything."""
        self.records.clear()
