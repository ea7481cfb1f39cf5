from typing import Final

import pytest
from harness.clock import START, FakeClock
from harness.intents import (
    FailingStore,
    Zuora,
    call_context,
    intent_executor,
    intent_request,
    key_of,
    memory_store,
)
from payorch_server.model.errors import CallError, call_error
from payorch_server.model.outcome import Reason

MINUTE_S: Final = 60.0
HOUR_S: Final = 3600.0


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("at_opening_s", "at_resend_s"),
    [
        (0.0, 0.0),
        (-90 * MINUTE_S, 0.0),
        (0.0, 70 * MINUTE_S),
        (-90 * MINUTE_S, 70 * MINUTE_S),
        (90 * MINUTE_S, 0.0),
        (0.0, -70 * MINUTE_S),
        (-1e10, 0.0),
    ],
)
async def test_an_intent_expires_by_the_clocks_that_make_it_older(at_opening_s: float, at_resend_s: float) -> None:
    """It was opened at the earlier of our time and Zuora's, and is resent until 23 hours later by the later of both."""
    clock, ahead_s = FakeClock(), at_opening_s
    zuora = Zuora([call_error(Reason.UPSTREAM_NO_ANSWER, "lost"), "pm-1"])
    executor = intent_executor(clock)
    request = intent_request(zuora.send, zuora_now_s=lambda: clock.now().timestamp() + ahead_s)
    with pytest.raises(CallError) as lost:
        await executor.run(request, call_context(clock))
    opened_s = START.timestamp() + min(at_opening_s, 0.0)
    record = await executor.ledger.look_up(request.key)

    ahead_s = at_resend_s
    clock.advance(24 * HOUR_S + 5 * MINUTE_S - max(at_resend_s, 0.0))
    with pytest.raises(CallError) as late:
        await executor.run(request, call_context(clock))

    assert record is not None
    assert record.opened_at_s == max(opened_s, 0.0)
    assert (lost.value.failure.reason, late.value.failure.reason) == (Reason.UPSTREAM_NO_ANSWER, Reason.INTENT_EXPIRED)
    assert len(zuora.sent) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("zuora_ahead_s", [None, 0.0, 50.0])
async def test_an_intent_is_resent_within_23_hours(zuora_ahead_s: float | None) -> None:
    """Whether or not Zuora's time is known."""
    clock = FakeClock()
    zuora = Zuora([call_error(Reason.UPSTREAM_NO_ANSWER, "lost"), "pm-1"])
    executor = intent_executor(clock)
    request = intent_request(
        zuora.send, zuora_now_s=lambda: None if zuora_ahead_s is None else clock.now().timestamp() + zuora_ahead_s
    )
    with pytest.raises(CallError):
        await executor.run(request, call_context(clock))
    clock.advance(23 * HOUR_S - MINUTE_S)

    assert (await executor.run(request, call_context(clock))).value == "pm-1"
    assert [earlier.first_send_s for _, _, earlier in zuora.sent] == [START.timestamp()] * 2


@pytest.mark.asyncio
@pytest.mark.parametrize("needs_record", [True, False])
async def test_an_intent_whose_record_was_lost_expires_as_well(*, needs_record: bool) -> None:
    """This process knows when it sent it, and no answer of Zuora has a Date that would show its age."""
    clock = FakeClock()
    store = memory_store(clock)
    away = FailingStore(store, fails=lambda _operation, _key: not needs_record)
    zuora = Zuora([call_error(Reason.UPSTREAM_NO_ANSWER, "lost"), "pm-1"])
    executor = intent_executor(clock, store=away)
    request = intent_request(zuora.send, needs_record=needs_record)
    with pytest.raises(CallError):
        await executor.run(request, call_context(clock))
    if (stored := await store.get(key_of(request))) is not None:
        await store.compare_and_delete(key_of(request), version=stored.version)

    clock.advance(23 * HOUR_S + 1)
    with pytest.raises(CallError) as late:
        await executor.run(request, call_context(clock))

    assert (late.value.failure.reason, len(zuora.sent)) == (Reason.INTENT_EXPIRED, 1)
