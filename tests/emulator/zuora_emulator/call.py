"""One call on its way through: what arrived, who calls, and where it acts."""

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from zuora_emulator.answers import NOT_JSON
from zuora_emulator.errors import refused
from zuora_emulator.ids import Ids
from zuora_emulator.ledger import Ledger, LedgerEntry
from zuora_emulator.operations import Operation
from zuora_emulator.settings import Settings
from zuora_emulator.state import Account, Client, State
from zuora_emulator.upc import Upc

_decoder = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What arrived, before anything is believed of it; header names are in lower case."""

    operation: Operation
    method: str
    url: str
    """Path and query as sent."""
    query: tuple[tuple[str, str], ...]
    key: str
    """What the path names; empty for most operations."""
    headers: Mapping[str, str]
    repeated_headers: frozenset[str]
    raw_body: bytes = field(repr=False)
    peer: str
    request_id: str
    process_id: str
    now: datetime

    @property
    def track_id(self) -> str | None:
        """The `Zuora-Track-Id` as sent."""
        return self.headers.get("zuora-track-id")

    @property
    def idempotency_key(self) -> str | None:
        """The `Idempotency-Key` as sent."""
        return self.headers.get("idempotency-key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An authorised call with its decoded body, and the world it acts on."""

    arrived: Arrived
    client: Client
    entity: str
    orgs: tuple[str, ...]
    upc: Upc = field(repr=False)
    body: dict[str, Any] = field(repr=False)
    state: State = field(repr=False)
    ids: Ids = field(repr=False)
    ledger: Ledger = field(repr=False)
    settings: Settings
    decline: str | None = None
    """Kind of decline with which the gateway declines the payment of this call; None: it does not."""

    def account(self, key: str) -> Account | None:
        """Find an account that the caller may see: of its entity and, with Multi-Org, of its orgs."""
        account = self.state.account(
            key, tenant=self.client.tenant, entity=self.entity, by=self.settings.account_reference
        )
        return account if account is not None and self.sees(account) else None

    def sees(self, account: Account) -> bool:
        """Whether an account of the caller's entity is of its orgs, where it has any."""
        return not self.orgs or account.org is None or account.org in self.orgs

    def record(
        self,
        *,
        account: str | None,
        effects: dict[str, str],
        amount: Decimal | None = None,
        currency: str | None = None,
    ) -> None:
        """Write in the ledger that this call was executed."""
        self.ledger.record(
            LedgerEntry(
                operation=self.arrived.operation.name,
                time=self.arrived.now,
                tenant=self.client.tenant,
                entity=self.entity,
                orgs=self.orgs,
                account=account,
                track_id=self.arrived.track_id,
                idempotency_key=self.arrived.idempotency_key,
                request_id=self.arrived.request_id,
                amount=amount,
                currency=currency,
                effects=effects,
            )
        )


_LARGEST_BODY = 10_000_000


def unpacked(raw: bytes, *, encoding: str | None) -> bytes:
    """Return the body without its `Content-Encoding`.

    Raises:
        Refused: the encoding is not gzip, or the body is not what it says.
    """
    if encoding in {None, "", "identity"}:
        return raw
    if encoding != "gzip":
        raise refused(45, f"The content encoding {encoding} is not supported.")
    try:
        body = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(raw, _LARGEST_BODY)
    except zlib.error:
        raise refused(90, "The request body is not gzip.") from None
    return body


def packed(body: bytes) -> bytes:
    """Return the body as gzip, the same bytes each time."""
    return gzip.compress(body, mtime=0)


def decoded_json(raw: bytes) -> Any:
    """Decode JSON with exact decimals.

    Raises:
        Refused: it is no JSON.
    """
    try:
        return _decoder.decode(raw)
    except NOT_JSON:
        raise refused(90, "The request body is not valid JSON.") from None


def decoded_form(raw: bytes) -> dict[str, str]:
    """Decode a form; a repeated field keeps its last value."""
    return dict(parse_qsl(raw.decode("utf-8", errors="replace"), keep_blank_values=True))
