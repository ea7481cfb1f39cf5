"""Orders and what became of their intents, in SQLite. Replace it by the tables of your shop."""

import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from payorch import new_request_id

_TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, account_id TEXT NOT NULL, invoice TEXT NOT NULL,
    amount TEXT NOT NULL, currency TEXT NOT NULL, country TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS intents (
    order_id TEXT NOT NULL REFERENCES orders, purpose TEXT NOT NULL, request_id TEXT NOT NULL,
    stage TEXT NOT NULL, track_id TEXT NOT NULL, PRIMARY KEY (order_id, purpose)
);
"""


class Stage(StrEnum):
    """How far an intent is. What is not known to be undone counts as done."""

    NEW = "new"
    """Nothing was asked for."""
    NOT_SENT = "not_sent"
    """It was not executed; the same request may be sent again, under the same id."""
    DECLINED = "declined"
    """The bank refused. The next attempt has a new id."""
    FAILED = "failed"
    """It was refused for now. The next attempt has a new id."""
    REFUSED = "refused"
    """It was refused, and will be again unless something changes."""
    IN_DOUBT = "in_doubt"
    """It may have been executed; a resend with the same id, or GetIntent, finds out."""
    REVIEW = "review"
    """Something was executed, or may have been, and no call finds out what: a person has to look. Never left."""
    DONE = "done"
    """Never left."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is owed, and by which account in Zuora."""

    id: str
    account_id: str
    invoice: str
    amount: str
    """Decimal text."""
    currency: str
    country: str
    """Of the shop, ISO 3166-1 alpha-2: Apple Pay asks for it."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing that is done for an order once, such as its payment."""

    order_id: str
    purpose: str
    request_id: str
    """Of its current attempt."""
    stage: Stage = Stage.NEW
    track_id: str = ""
    """Of its last call."""


class Orders:
    """Keeps both in a file, so that neither a reload nor a restart makes a second payment of the same order."""

    def __init__(self, file: Path) -> None:
        """Open the file; make it if there is none."""
        self._database = sqlite3.connect(file, isolation_level=None)
        self._database.executescript(_TABLES)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def add(self, order: Order) -> None:
        """Add an order, unless it is there."""
        values = (order.id, order.account_id, order.invoice, order.amount, order.currency, order.country)
        self._database.execute("INSERT OR IGNORE INTO orders VALUES (?, ?, ?, ?, ?, ?)", values)

    def order(self, order_id: str) -> Order | None:
        """Return an order, or None if there is none of that id."""
        row = self._database.execute("SELECT * FROM orders WHERE id = ?", [order_id]).fetchone()
        return Order(*row) if row else None

    def intent(self, order_id: str, purpose: str) -> Intent:
        """Return the intent of an order for a purpose. Its request id is made the first time, and only then."""
        new = (order_id, purpose, new_request_id(), Stage.NEW, "")
        self._database.execute("INSERT OR IGNORE INTO intents VALUES (?, ?, ?, ?, ?)", new)
        row = self._database.execute(
            "SELECT request_id, stage, track_id FROM intents WHERE order_id = ? AND purpose = ?", [order_id, purpose]
        ).fetchone()
        return Intent(order_id, purpose, row[0], Stage(row[1]), row[2])

    def begin(self, intent: Intent) -> bool:
        """Record that a call of an intent begins, so that it may be executed from now on.

        Returns False if another process has changed the intent since it was read.
        """
        changed = self._database.execute(
            "UPDATE intents SET stage = ? WHERE order_id = ? AND purpose = ? AND request_id = ? AND stage = ?",
            (Stage.IN_DOUBT, intent.order_id, intent.purpose, intent.request_id, intent.stage),
        )
        return changed.rowcount == 1

    def end(self, intent: Intent, ended: Intent) -> None:
        """Record how a call of an intent ended, unless another process knows more.

        What is over stays over, and what was done is never replaced by what was not.
        """
        values = (ended.request_id, ended.stage, ended.track_id, intent.order_id, intent.purpose, intent.request_id)
        self._database.execute(
            "UPDATE intents SET request_id = ?1, stage = ?2, track_id = ?3"
            " WHERE order_id = ?4 AND purpose = ?5 AND request_id = ?6 AND stage NOT IN ('done', 'review')"
            " AND (stage = 'in_doubt' OR ?2 IN ('done', 'review', 'in_doubt'))",
            values,
        )
