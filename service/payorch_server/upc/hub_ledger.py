"""The hub's ledger: payments and refunds in the store, with their leases, gateways and ends."""

import asyncio
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from payorch_server.runtime.clock import Clock
from payorch_server.store.keyring import Keyring
from payorch_server.store.port import VERSION_BYTES, Store, StoredValue, StoreUnavailable
from payorch_server.upc.answers import REFUSALS_OF_HUB, Situation
from payorch_server.upc.called_requests import CalledRequest, CalledRequests
from payorch_server.upc.gateway_outcome import GatewayDescription, GatewayOutcome
from payorch_server.upc.hub_record import (
    HubRecord,
    RecordUnreadable,
    answer_key,
    decode_hub_record,
    encode_hub_record,
    end_of,
    fingerprint_of,
    outcome_of,
    record_key,
    seal_answer,
    unseal_answer,
)
from payorch_server.upc.request import HubRequest

_LOG: Final = structlog.get_logger("payorch.upc")

EPOCH_KEY: Final = "upc:epoch"
"""Declares that the store has every record since then; while it is missing, a missing record proves nothing."""
EPOCH_TTL_S: Final = 10 * 365 * 86_400.0
LEASE_S: Final = 120.0
"""How long an execution keeps others away; longer than it can take, its last writes included."""
CLOCK_SKEW_S: Final = 5.0
"""How far the clocks of two replicas may differ."""
ANSWER_KEPT_S: Final = 72 * 3_600.0
"""How long message and token data of an answer are kept."""
_POLL_S: Final = (0.05, 1.0)


@dataclass(slots=True)
class HubClaim:
    """The right of one execution to call the gateway of a request, and its duty to record how that ended."""

    key: str
    record: HubRecord
    version: int
    earlier_until_s: float = 0.0
    """Unix time: the latest deadline of calls before this execution; 0 where none is known."""
    was_refused: bool = False
    """Whether this process knows that Zuora was given an answer that means Error, which the store has lost."""
    was_called_since: bool = False
    """Whether another process, which does not know that, may have called the gateway since."""

    @property
    def in_doubt(self) -> bool:
        """Whether the gateway may have been called before."""
        return self.record.doubtful


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """The end of a request as it is replayed."""

    situation: Situation
    outcome: GatewayOutcome | None


class HubLedger:
    """Payments and refunds in the store."""

    def __init__(
        self,
        *,
        store: Store,
        keyring: Keyring,
        clock: Clock,
        uniform: Callable[[float, float], float],
        entropy: Callable[[int], bytes],
        keep_s: float,
    ) -> None:
        """Make a ledger.

        Args:
            store: Where the records are.
            keyring: The fleet's keys.
            clock: For leases and ages.
            uniform: Returns a random number between two, for the distances of polls.
            entropy: Returns so many random bytes.
            keep_s: How long results and ids are kept.
        """
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._uniform = uniform
        self._entropy = entropy
        self._keep_s = keep_s
        self.called = CalledRequests()
        """What this process knows without the store."""

    def __repr__(self) -> str:
        return f"HubLedger({self._store!r})"

    def new_record(
        self, fingerprint: bytes, *, gateway: str, description: GatewayDescription | None, left_s: float
    ) -> HubRecord:
        """Return the record with which an execution claims a request.

        Args:
            fingerprint: Of the request; empty where the hub refuses it and reads no more than its id.
            gateway: Name in the settings of the gateway that will be called; may be empty.
            description: What the gateway says of itself; None where it will not be called.
            left_s: Seconds until the deadline of the call.
        """
        now_s = self._now_s()
        return HubRecord(
            owner=self._entropy(8).hex(),
            lease_until_s=now_s + LEASE_S,
            first_send_s=now_s,
            called_until_s=now_s + left_s,
            key_id=self._keyring.key_ids[0] if fingerprint else "",
            fingerprint=fingerprint,
            gateway=gateway,
            described_as=description.name if description else "",
            remembered_s=description.idempotent_for.total_seconds() if description else 0.0,
        )

    async def open(self, key: str, fresh: HubRecord) -> HubClaim | StoredValue:
        """Record a request and claim it, or return what is recorded of it.

        A new record is in doubt where the store may have lost another one.

        Raises:
            StoreUnavailable: Nothing is known of it.
        """
        # Random, so that a late write for a record that was lost or released cannot hit this one.
        version = int.from_bytes(self._entropy(VERSION_BYTES)) + 1
        try:
            stored = await self._store.put_if_absent(
                record_key(key), encode_hub_record(fresh), ttl_s=self._keep_s, version=version
            )
            if stored is not None:
                return stored
            # After the write: a store that is emptied later does not lose an older record unseen.
            is_declared = await self._is_declared()
        except StoreUnavailable:
            # The write may still happen; nothing was called under it.
            self.called.note_end(fresh.owner, called=False)
            raise
        earlier = self.called.find(key)
        claim = HubClaim(key, fresh, version)
        if is_declared and earlier is None:
            return claim
        if earlier is not None:
            claim.earlier_until_s, claim.was_refused = earlier.called_until_s, earlier.refused
        await self._rewrite(claim, dataclasses.replace(_pinned(fresh, earlier), doubtful=True))
        return claim

    async def take_over(
        self, key: str, stored: StoredValue, record: HubRecord, *, may_have_called: bool, left_s: float
    ) -> HubClaim | None:
        """Claim an open request whose execution has ended; return None if another replica was faster.

        That execution may have ended before it could look whether the store lost an earlier record.

        Args:
            key: Of the request.
            stored: What the store holds.
            record: The same, decoded.
            may_have_called: Whether its execution may have called the gateway, as far as the record shows.
            left_s: Seconds until the deadline of the call.

        Raises:
            StoreUnavailable: Nothing is known of it.
        """
        now_s, earlier = self._now_s(), self.called.find(key)
        may_have_called = may_have_called and self.called.called_by(record.owner) is not False
        doubtful = record.doubtful or may_have_called or earlier is not None or not await self._is_declared()
        taken = dataclasses.replace(
            _pinned(record, earlier),
            owner=self._entropy(8).hex(),
            lease_until_s=now_s + LEASE_S,
            called_until_s=max(record.called_until_s, now_s + left_s),
            attempts=record.attempts + 1,
            doubtful=doubtful,
        )
        claim = HubClaim(key, record, stored.version, record.called_until_s if doubtful else 0.0)
        if earlier is not None:
            claim.earlier_until_s = max(claim.earlier_until_s, earlier.called_until_s)
            claim.was_refused, claim.was_called_since = earlier.refused, record.owner != earlier.owner
        try:
            return claim if await self._try_rewrite(claim, taken) else None
        except StoreUnavailable:
            self.called.note_end(taken.owner, called=doubtful)
            raise

    async def _is_declared(self) -> bool:
        return await self._store.get(EPOCH_KEY) is not None

    def is_leased(self, record: HubRecord) -> bool:
        """Return whether an execution may still hold the request."""
        is_ended_here = self.called.called_by(record.owner) is not None
        return not is_ended_here and record.lease_until_s > 0 and self._now_s() < record.lease_until_s + CLOCK_SKEW_S

    def age_s(self, record: HubRecord) -> float:
        """Return the seconds since the first send of a request."""
        return self._now_s() - record.first_send_s

    def has_passed(self, time_s: float) -> bool:
        """Return whether a Unix time has passed on the clocks of all replicas."""
        return self._now_s() > time_s + CLOCK_SKEW_S

    def is_same_request(self, record: HubRecord, request: HubRequest) -> bool:
        """Return whether a request is another send of the recorded one.

        Raises:
            RecordUnreadable: The key of its fingerprint is gone.
        """
        return record.fingerprint == fingerprint_of(request, self._keyring, key_id=record.key_id)

    async def replay(self, key: str, record: HubRecord) -> RecordedAnswer:
        """Return the recorded end of a request.

        Raises:
            RecordUnreadable: This version does not know the end.
            StoreUnavailable: Nothing is known of it.
        """
        end = record.end
        if end is None or end.situation not in Situation.__members__:
            return RecordedAnswer(Situation.RECORD_UNREADABLE, None)
        place = answer_key(key, record.owner)
        stored = await self._store.get(place) if end.result else None
        sealed = unseal_answer(stored.value, self._keyring, place=place) if stored else None
        situation = Situation[end.situation]
        # Its reason concerned the send that was refused, not this one.
        situation = Situation.REFUSED_EARLIER if situation in REFUSALS_OF_HUB else situation
        return RecordedAnswer(situation, outcome_of(end, sealed))

    async def wait_before_poll(self, polls: int) -> None:
        """Wait before looking again for the end of another replica's execution."""
        most_s = min(_POLL_S[0] * 2**polls, _POLL_S[1])
        await asyncio.sleep(self._uniform(most_s / 2, most_s))

    async def may_know(self, key: str) -> bool:
        """Return whether something may have been sent under a key, as far as the store and this process know.

        Raises:
            StoreUnavailable: Nothing is known of it.
        """
        is_recorded = await self._store.get(record_key(key)) is not None or self.called.find(key) is not None
        # After the record: a store that was emptied in between has lost its declaration too.
        return is_recorded or await self._store.get(EPOCH_KEY) is None

    async def read_later(self, key: str, *, polls: int) -> StoredValue | None:
        """Wait, and return what is recorded of a request then.

        Raises:
            StoreUnavailable: Nothing is known of it.
        """
        await self.wait_before_poll(polls)
        return await self._store.get(record_key(key))

    async def end(self, claim: HubClaim, situation: Situation, outcome: GatewayOutcome | None) -> bool:
        """Record the end of a request for good; return False if its record was there no more.

        Raises:
            StoreUnavailable: It may have been recorded or not; call it again.
        """
        place = answer_key(claim.key, claim.record.owner)
        sealed = seal_answer(outcome, self._keyring, place=place) if outcome else None
        if sealed is not None:
            await self._store.put_if_absent(place, sealed, ttl_s=ANSWER_KEPT_S)
        end = end_of(situation.name, outcome, ended_at_s=self._now_s())
        return await self._try_rewrite(claim, dataclasses.replace(claim.record, lease_until_s=0.0, end=end))

    async def leave_open(self, claim: HubClaim) -> None:
        """Give up the lease of a request that may have reached its gateway; the next send takes it over."""
        try:
            await self._try_rewrite(claim, dataclasses.replace(claim.record, lease_until_s=0.0, doubtful=True))
        except StoreUnavailable as error:
            self.called.note_end(claim.record.owner, called=True)
            _LOG.warning("upc_lease_not_released", key=claim.key, detail=str(error))

    async def forget(self, claim: HubClaim) -> None:
        """Give up a request for which this execution called nothing."""
        if claim.in_doubt:
            await self.leave_open(claim)
            return
        try:
            await self._store.compare_and_delete(record_key(claim.key), version=claim.version)
        except StoreUnavailable as error:
            self.called.note_end(claim.record.owner, called=False)
            _LOG.warning("upc_lease_not_released", key=claim.key, detail=str(error))

    async def _rewrite(self, claim: HubClaim, record: HubRecord) -> None:
        if not await self._try_rewrite(claim, record):
            raise StoreUnavailable("The record of a request was lost while it was claimed.")

    async def _try_rewrite(self, claim: HubClaim, record: HubRecord) -> bool:
        """Write the record of a claim; recognise an earlier write of the same record that was not acknowledged."""
        value = encode_hub_record(record)
        written = await self._store.compare_and_set(
            record_key(claim.key), value, version=claim.version, ttl_s=self._keep_s
        )
        if not written:
            stored = await self._store.get(record_key(claim.key))
            written = stored is not None and stored.version == claim.version + 1 and _is_the_same_write(stored, record)
        if written:
            claim.record, claim.version = record, claim.version + 1
        return written

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def _pinned(record: HubRecord, earlier: CalledRequest | None) -> HubRecord:
    """Return a record with what this process knows of earlier calls: they began earlier, and had a gateway."""
    if earlier is None:
        return record
    record = dataclasses.replace(record, first_send_s=min(record.first_send_s, earlier.first_send_s))
    # Where no more than the id was read, the next send brings the fingerprint, and is pinned.
    if not earlier.described_as or not record.key_id:
        return record
    return dataclasses.replace(record, gateway=earlier.gateway, described_as=earlier.described_as)


def _is_the_same_write(stored: StoredValue, record: HubRecord) -> bool:
    """Return whether a stored record is one that the same execution wrote; it may have ended a moment earlier."""
    try:
        there = decode_hub_record(stored.value)
    except RecordUnreadable:
        return False
    same_end = (there.end is None) == (record.end is None)
    return there.owner == record.owner and same_end and there.lease_until_s == record.lease_until_s
