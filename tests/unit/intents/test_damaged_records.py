"""Records of intents that were damaged in the store."""

import asyncio
import dataclasses
from collections.abc import Iterator

import msgspec
import pytest
from harness.clock import START, FakeClock
from harness.intents import (
    DAY_S,
    REQUEST_ID,
    Zuora,
    call_context,
    fingerprint,
    intent_executor,
    intent_request,
    key_of,
    memory_store,
)
from harness.keyring import KEYRING, counted_entropy
from harness.routes import route
from payorch_server.intents.intent_record import (
    IntentRecord,
    IntentRecordUnreadable,
    IntentStatus,
    Settlement,
    StoredEvidence,
    decode_record,
    encode_record,
    encode_result,
)
from payorch_server.intents.token_guard import TokenGuard
from payorch_server.model.errors import CallError
from payorch_server.model.identifiers import TrackId
from payorch_server.model.outcome import Advice, Outcome, Reason
from payorch_server.rpc.encode import encode_intent
from payorch_server.rpc.status import status_of
from payorch_server.store.memory import MemoryStore
from payorch_server.store.port import StoredValue, StoreUnavailable

NOW_S = START.timestamp()
ASKED = intent_request(Zuora().send)
KEY_ID, SEALED = KEYRING.seal(encode_result("pm-1"), purpose=ASKED.key)
PAID = IntentRecord(
    fingerprint(),
    route(),
    "owner",
    0.0,
    NOW_S,
    settlement=Settlement("", key_id=KEY_ID, sealed_result=SEALED, settled_at_s=NOW_S, payment_method_id="pm-1"),
)
DECLINED = dataclasses.replace(
    PAID,
    settlement=Settlement(
        Reason.PAYMENT_DECLINED.name, evidence=StoredEvidence(("1",), retry_after_s=2.0), settled_at_s=NOW_S
    ),
)


def damaged(value: bytes) -> Iterator[bytes]:
    """Return a value with each of its bits inverted in turn, and cut off at each of its bytes."""
    for position in range(len(value)):
        yield value[:position]
        for bit in range(8):
            yield inverted(value, position, bit)


def damaged_in_each_byte(value: bytes) -> Iterator[bytes]:
    """Return a value with one bit of each of its bytes inverted, another from byte to byte, and cut off at each."""
    for position in range(len(value)):
        yield value[:position]
        yield inverted(value, position, position % 8)


def inverted(value: bytes, position: int, bit: int) -> bytes:
    """Return a value with one of its bits inverted."""
    return value[:position] + bytes([value[position] ^ 1 << bit]) + value[position + 1 :]


async def store_of(value: bytes) -> MemoryStore:
    """Return a store that holds a value as the record of the intent."""
    store = memory_store(FakeClock())
    await store.put_if_absent(key_of(ASKED), value, ttl_s=DAY_S)
    return store


async def error_of(value: bytes) -> CallError | None:
    """Call the intent that has a value as its record, and require that an unreadable one is left as it is."""
    clock, zuora, store = FakeClock(), Zuora(), await store_of(value)
    try:
        await intent_executor(clock, store=store, keys=KEYRING).run(intent_request(zuora.send), call_context(clock))
    except CallError as error:
        if error.failure.reason is Reason.INTENT_RECORD_UNREADABLE:
            kept = await store.get(key_of(ASKED))
            assert ([], value) == (zuora.sent, kept and kept.value), "nothing was sent, and nothing written"
        return error
    return None


class Foreign(MemoryStore):
    """A store in which the values are shorter than those that it writes."""

    async def get(self, key: str) -> StoredValue | None:
        """Return none of them."""
        raise StoreUnavailable(f"get of {key.partition(':')[0]}", is_foreign=True)

    async def put_if_absent(self, key: str, value: bytes, *, ttl_s: float, version: int = 1) -> StoredValue | None:
        """Replace none of them."""
        what = f"put_if_absent of {len(value)} bytes under {key.partition(':')[0]} {ttl_s} {version}"
        raise StoreUnavailable(what, is_foreign=True)


@pytest.mark.asyncio
class TestDamagedRecord:
    """A record that cannot be read."""

    @pytest.mark.parametrize("value", [b"", b"\xc1", encode_record(PAID)[:-1], b"\x81\xa5owner\xa1\xff"])
    async def test_ends_a_call_as_unknown(self, value: bytes) -> None:
        """The error names the intent, and advises to look it up."""
        error = await error_of(value)

        assert error is not None
        failure = error.failure
        assert (Reason.INTENT_RECORD_UNREADABLE, {"requestId": REQUEST_ID}) == (failure.reason, failure.metadata)
        assert (Outcome.UNKNOWN, Advice.LOOK_UP) == (error.verdict.outcome, error.verdict.advice)
        assert f"the record of {ASKED.key} cannot be read: its bytes are no record" == failure.detail

    async def test_of_a_session_advises_a_new_request_id(self) -> None:
        """No operation of Zuora's reads sessions, so there is nothing to look up."""
        clock, store = FakeClock(), await store_of(b"")
        session = dataclasses.replace(intent_request(Zuora().send), rpc="CreateSession")

        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store, keys=KEYRING).run(session, call_context(clock))

        verdict = caught.value.verdict
        assert (Outcome.UNKNOWN, Advice.USE_NEW_REQUEST_ID) == (verdict.outcome, verdict.advice)

    async def test_with_a_changed_seal_keeps_its_ids(self) -> None:
        """What exists is on record in clear, and it may not be all."""
        assert PAID.settlement is not None
        changed = dataclasses.replace(PAID.settlement, sealed_result=SEALED[:-1] + bytes([SEALED[-1] ^ 1]))

        error = await error_of(encode_record(dataclasses.replace(PAID, settlement=changed)))

        assert error is not None
        assert Reason.INTENT_RECORD_UNREADABLE is error.failure.reason
        assert "pm-1" == error.failure.evidence.payment_method_id

    async def test_that_is_no_value_of_this_store_is_not_taken_for_an_outage(self) -> None:
        """Sessions would be sent in an outage, and the advice would be to resend."""
        clock, zuora = FakeClock(), Zuora()
        store = Foreign(clock=clock, max_entries=10)
        asked = intent_request(zuora.send, moves_money=False, is_disposable=True)

        with pytest.raises(CallError) as caught:
            await intent_executor(clock, store=store).run(asked, call_context(clock))

        assert (Reason.INTENT_RECORD_UNREADABLE, []) == (caught.value.failure.reason, zuora.sent)
        with pytest.raises(IntentRecordUnreadable):
            await intent_executor(clock, store=store).ledger.look_up(asked.key)

    async def test_keeps_the_token_of_its_intent(self) -> None:
        """It may have been used."""
        store = await store_of(b"\xc1")
        guard = TokenGuard(store=store, keep_s=DAY_S, entropy=counted_entropy())
        await guard.claim("t", owner=key_of(ASKED))

        assert not await guard.claim("t", owner="intent:other")

    @pytest.mark.parametrize("entry", [b"", b"intent:\xff", b"inten4:po1-1"])
    async def test_of_a_token_keeps_the_token(self, entry: bytes) -> None:
        """The intent that it belongs to cannot be found."""
        store = memory_store(FakeClock())
        await store.put_if_absent("token:t", entry, ttl_s=DAY_S)

        assert not await TokenGuard(store=store, keep_s=DAY_S, entropy=counted_entropy()).claim("t", owner="intent:b")


@pytest.mark.parametrize("record", [PAID, DECLINED], ids=["paid", "declined"])
class TestEveryDamage:
    """Inverted bits, and cuts."""

    def test_ends_a_call_in_a_foreseen_way(self, record: IntentRecord) -> None:
        """None of them is a defect, nor in the status that the caller receives."""

        async def errors() -> list[CallError | None]:
            return [await error_of(value) for value in damaged_in_each_byte(encode_record(record))]

        ended = asyncio.run(errors())

        reasons = {error.failure.reason for error in ended if error}
        assert Reason.INTENT_RECORD_UNREADABLE in reasons
        assert Reason.INTERNAL not in reasons
        assert all(status_of(error, track_id=TrackId("t")).code for error in ended if error)

    def test_is_known_when_the_intent_is_looked_up(self, record: IntentRecord) -> None:
        """Or leaves a record that an answer can be made of."""
        unreadable = 0
        for value in damaged(encode_record(record)):
            try:
                read = decode_record(value)
            except IntentRecordUnreadable:
                unreadable += 1
            else:
                for flag in (False, True):
                    encode_intent(IntentStatus(read, in_flight=flag, expired=not flag), rpc="DecryptApplePay")

        assert unreadable > len(encode_record(record))


@pytest.mark.parametrize("time_s", [float("nan"), float("inf"), -1.0, 1e12])
def test_times_that_no_record_can_have_are_known(time_s: float) -> None:
    """They are no dates, and none could be shown to a caller."""
    with pytest.raises(IntentRecordUnreadable):
        decode_record(msgspec.msgpack.encode(dataclasses.replace(PAID, opened_at_s=time_s)))
