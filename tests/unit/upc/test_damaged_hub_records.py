"""Records of payments that were damaged in the store: nothing is charged, and Zuora keeps the payment in Processing."""

import dataclasses
from collections.abc import Iterator

import msgspec
import pytest
from harness.hub import TENANT, FakeGateway, HubWorld, payment, virtually
from harness.keyring import keyring
from payorch_server.store.port import StoredValue, StoreUnavailable
from payorch_server.upc.answers import Answer, HubAnswer, Situation
from payorch_server.upc.hub_ledger import HubLedger
from payorch_server.upc.hub_record import (
    HubRecord,
    RecordedEnd,
    RecordUnreadable,
    decode_hub_record,
    encode_hub_record,
    fingerprint_of,
    record_key,
)
from payorch_server.upc.request import Operation, RequestName, idempotency_key

KEY = idempotency_key(RequestName(TENANT, Operation.PAYMENT, "pay-1"))
APPROVED = HubRecord(
    "owner",
    0.0,
    1.0,
    2.0,
    "k1",
    fingerprint_of(payment(), keyring("k1"), key_id="k1"),
    "amazon",
    "amazon-pay",
    259_200.0,
    end=RecordedEnd("APPROVED", "APPROVED", "601", "180404672", "20998810", 3.0),
)


def damaged(value: bytes) -> Iterator[bytes]:
    """Return a value with each of its bits inverted in turn, and cut off at each of its bytes."""
    for position, byte in enumerate(value):
        yield value[:position]
        for bit in range(8):
            yield value[:position] + bytes([byte ^ 1 << bit]) + value[position + 1 :]


async def answer_with(value: bytes) -> tuple[HubAnswer, HubWorld]:
    """Send the payment that has a value as its record."""
    world = await HubWorld(FakeGateway()).begin()
    await world.store.put_if_absent(record_key(KEY), value, ttl_s=86_400.0)
    return await world.send(world.hub(), payment()), world


class TestDamagedHubRecord:
    """A record that cannot be read."""

    @virtually
    async def test_is_met_in_a_foreseen_way_whatever_is_damaged(self) -> None:
        """It raises an alarm, stays as it is, and its payment is charged by no later send."""
        situations = set()
        for value in damaged(encode_hub_record(APPROVED)):
            answer, world = await answer_with(value)
            situations.add(answer.situation)
            if answer.situation is Situation.RECORD_UNREADABLE:
                kept = await world.store.get(record_key(KEY))
                assert (Answer.UNKNOWN, True, []) == (answer.answer, answer.needs_people, world.gateway.calls)
                assert kept is not None
                assert value == kept.value

        assert Situation.RECORD_UNREADABLE in situations
        assert Situation.DEFECT not in situations

    @virtually
    async def test_is_no_outage_where_it_is_too_short_for_this_store(self) -> None:
        """No later send helps, so that people are called."""
        world = await HubWorld(FakeGateway()).begin()

        async def foreign(key: str, value: bytes, *, ttl_s: float, version: int = 1) -> StoredValue | None:
            raise StoreUnavailable(f"{key[:3]} {len(value)} {ttl_s} {version}", is_foreign=True)

        world.store.put_if_absent = foreign  # type: ignore[method-assign] # the store of this test alone
        answer = await world.send(world.hub(), payment())

        assert (Situation.RECORD_UNREADABLE, True) == (answer.situation, answer.needs_people)
        assert [] == world.gateway.calls

    @virtually
    async def test_after_a_lost_write_is_not_taken_for_that_write(self) -> None:
        """An end that could not be written costs no answer: what the gateway approved stays approved."""
        world = await HubWorld(FakeGateway()).begin()
        inner = world.store.inner
        ledger = HubLedger(
            store=inner,
            keyring=keyring("k1"),
            clock=world.clock,
            uniform=lambda low, _high: low,
            entropy=bytes,
            keep_s=60.0,
        )
        claim = await ledger.open(KEY, APPROVED)
        assert not isinstance(claim, StoredValue)
        await inner.compare_and_set(record_key(KEY), b"\xc1", version=claim.version, ttl_s=60.0)

        assert not await ledger.end(claim, Situation.APPROVED, None)


@pytest.mark.parametrize("time_s", [float("nan"), float("inf"), -1.0, 1e15])
@pytest.mark.parametrize("member", ["lease_until_s", "first_send_s", "called_until_s", "remembered_s"])
def test_times_that_no_record_can_have_are_known(member: str, time_s: float) -> None:
    """They are no dates."""
    with pytest.raises(RecordUnreadable):
        decode_hub_record(msgspec.msgpack.encode(dataclasses.replace(APPROVED, **{member: time_s})))
