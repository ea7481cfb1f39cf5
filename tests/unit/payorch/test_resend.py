"""When a call is sent again, compared with a model of a few lines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch import CallError, Resend
from payorch.resend import Budget, Next, ResendLoop
from payorch.timing import Timing
from payorch.v1 import call_pb2

EPOCH_S = 1_800_000_000.0
OUTCOMES = (call_pb2.OUTCOME_NOT_SENT, call_pb2.OUTCOME_REFUSED, call_pb2.OUTCOME_PARTIAL, call_pb2.OUTCOME_UNKNOWN)
ADVICE = tuple(call_pb2.Advice.values())
RESEND = call_pb2.ADVICE_RESEND_SAME_REQUEST_ID
CODES = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.CANCELLED,
)

errors = st.builds(
    CallError,
    code=st.sampled_from(CODES),
    message=st.uuids().map(str),
    outcome=st.sampled_from(OUTCOMES),
    # Mostly what leads on.
    advice=st.sampled_from(ADVICE) | st.just(RESEND) | st.just(RESEND),
    retry_delay_s=st.none() | st.floats(-10, 10),  # a proxy may write any duration
    resend_before_time=st.none()
    | st.floats(EPOCH_S, EPOCH_S + 60).map(lambda unix_s: datetime.fromtimestamp(unix_s, UTC)),
)


@dataclass
class World:
    """A clock that tests move; the jitter is a part of the most there may be."""

    now_s: float = 0.0
    part: float = 1.0

    def timing(self) -> Timing:
        """Return it as a loop takes it."""
        return Timing(
            lambda: self.now_s, lambda: EPOCH_S + self.now_s, lambda low, high: low + self.part * (high - low)
        )

    def loop(self, policy: Resend | None, *, deadline_s: float = 1000.0, can_refresh: bool = True) -> ResendLoop:
        """Return the loop of a call."""
        return ResendLoop(policy, Budget(), self.timing(), deadline_s, can_refresh)


def played(loop: ResendLoop, world: World, ends: Sequence[CallError], lasts_s: float = 0.1) -> list[tuple[Next, float]]:
    """Let attempts end like this until the loop does."""
    steps = list[tuple[Next, float]]()
    for error in ends:
        world.now_s += lasts_s
        steps.append(loop.after(error))
        world.now_s += steps[-1][1]
        if steps[-1][0] is Next.END:
            break
    return steps


@given(
    ends=st.lists(errors, min_size=1, max_size=12),
    policy=st.none() | st.builds(Resend, attempts=st.integers(1, 6)),
    deadline_s=st.floats(0.1, 30),
    part=st.floats(0, 1),
    can_refresh=st.booleans(),
)
def test_loop_is_the_model(
    ends: list[CallError],
    policy: Resend | None,
    deadline_s: float,
    part: float,
    *,
    can_refresh: bool,
) -> None:
    """Whatever attempts end with."""
    world = World(part=part)
    loop = world.loop(policy, deadline_s=deadline_s, can_refresh=can_refresh)
    steps = played(loop, world, ends)
    seen = ends[: len(steps)]

    refreshes = [step for step, _ in steps].count(Next.REFRESH_TOKEN_AND_SEND)
    resends = [step for step, _ in steps].count(Next.WAIT_AND_SEND)
    assert refreshes <= (1 if can_refresh else 0)
    assert resends <= (policy.attempts - 1 if policy else 0)
    elapsed_s, limit_s = 0.0, math.inf
    for error, (step, wait_s) in zip(seen, steps, strict=True):
        elapsed_s += 0.1
        if error.resend_before_time:
            limit_s = min(limit_s, error.resend_before_time.timestamp() - EPOCH_S)
        wrong_credential = error.code is grpc.StatusCode.UNAUTHENTICATED
        assert (step is Next.REFRESH_TOKEN_AND_SEND) <= wrong_credential
        if step is Next.WAIT_AND_SEND:
            assert error.advice == RESEND
            assert error.code not in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.CANCELLED}
            told_s = max(0, error.retry_delay_s or 0)
            assert told_s <= wait_s <= told_s + 8
        if step is not Next.END:
            elapsed_s += wait_s
            assert elapsed_s + 1 <= deadline_s + 1e-6
            assert elapsed_s < limit_s + 1e-6

    doubts = [error for error in seen if error.outcome == call_pb2.OUTCOME_UNKNOWN]
    newest = seen[-1]
    expected = doubts[-1] if doubts and newest.outcome == call_pb2.OUTCOME_NOT_SENT else newest
    assert expected is loop.raised()


def error(outcome: int = call_pb2.OUTCOME_NOT_SENT, advice: int = RESEND, **more: object) -> CallError:
    """Return an error."""
    plain = CallError(code=grpc.StatusCode.UNAVAILABLE, message="no")
    return replace(plain, outcome=outcome, advice=advice, **more)  # type: ignore[arg-type] # members of CallError


class TestLoop:
    """What the advice says."""

    def test_sends_as_often_as_the_policy_says(self) -> None:
        """With waits that double."""
        world = World()

        steps = played(world.loop(Resend(attempts=4)), world, [error()] * 9)

        assert [0.2, 0.4, 0.8, 0.0] == pytest.approx([wait_s for _, wait_s in steps])
        assert Next.END is steps[-1][0]

    def test_waits_longer_than_retry_info_and_never_less(self) -> None:
        """Callers who wait equally long would come back together."""
        for part, expected_s in ((0.0, 3.0), (1.0, 3.2)):
            world = World(part=part)
            assert expected_s == pytest.approx(played(world.loop(Resend()), world, [error(retry_delay_s=3.0)])[0][1])

    @pytest.mark.parametrize("advice", [one for one in ADVICE if one != RESEND])
    def test_ends_on_any_other_advice(self, advice: call_pb2.Advice.ValueType) -> None:
        """Money moves twice otherwise."""
        assert Next.END is World().loop(Resend()).after(error(advice=advice))[0]

    def test_ends_without_a_policy(self) -> None:
        """Then the channel's own retries are all there is."""
        assert Next.END is World().loop(None).after(error())[0]

    def test_ends_once_the_caller_has_given_up(self) -> None:
        """A client that is closed sends nothing, and its error stays the one in doubt."""
        cancelled = error(call_pb2.OUTCOME_UNKNOWN, code=grpc.StatusCode.CANCELLED)

        assert Next.END is World().loop(Resend()).after(cancelled)[0]

    def test_ends_before_the_time_after_which_a_resend_executes_twice(self) -> None:
        """The earliest that any attempt named."""
        world = World()
        soon = error(resend_before_time=datetime.fromtimestamp(EPOCH_S + 1.0, UTC))

        steps = played(world.loop(Resend(attempts=9)), world, [soon, error(), error(), error()])

        assert [Next.WAIT_AND_SEND, Next.WAIT_AND_SEND, Next.END] == [step for step, _ in steps]

    def test_does_not_trust_a_later_attempt_that_names_more_time(self) -> None:
        """The first send is what Zuora counts from."""
        world = World()
        soon, late = (
            error(resend_before_time=datetime.fromtimestamp(EPOCH_S + seconds, UTC)) for seconds in (0.9, 60.0)
        )

        steps = played(world.loop(Resend(attempts=9)), world, [soon, late, late, late])

        assert [Next.WAIT_AND_SEND, Next.WAIT_AND_SEND, Next.END] == [step for step, _ in steps]

    def test_begins_nothing_that_could_only_time_out(self) -> None:
        """A refusal in hand is worth more than a timeout."""
        assert Next.END is World().loop(Resend(), deadline_s=1.1).after(error())[0]
        assert Next.WAIT_AND_SEND is World().loop(Resend(), deadline_s=1.2).after(error())[0]

    def test_ends_while_most_calls_fail(self) -> None:
        """Resends would make an outage longer; successes bring them back."""
        world, budget = World(), Budget()

        def resent() -> bool:
            loop = ResendLoop(Resend(attempts=2), budget, world.timing(), 1000.0, can_refresh=False)
            return loop.after(error())[0] is not Next.END

        assert [True] * 4 + [False] * 3 == [resent() for _ in range(7)]
        for _ in range(41):
            budget.succeeded()
        assert resent()


class TestDoubt:
    """The least certain of the attempts is what a caller learns."""

    def test_outlives_a_later_refusal_to_send(self) -> None:
        """Nothing of the later attempt reached Zuora; the earlier one may have."""
        world, lost = World(), error(call_pb2.OUTCOME_UNKNOWN)
        loop = world.loop(Resend())
        played(loop, world, [lost, error(advice=call_pb2.ADVICE_FIX_REQUEST)])

        assert lost is loop.raised()
        assert 2 == len(loop.attempts)

    @pytest.mark.parametrize("outcome", [call_pb2.OUTCOME_REFUSED, call_pb2.OUTCOME_PARTIAL])
    def test_ends_with_a_settled_answer(self, outcome: call_pb2.Outcome.ValueType) -> None:
        """Zuora's key speaks of the earlier attempt too."""
        world, settled = World(), error(outcome, call_pb2.ADVICE_LOOK_UP)
        loop = world.loop(Resend())
        played(loop, world, [error(call_pb2.OUTCOME_UNKNOWN), settled])

        assert settled is loop.raised()


class TestCredential:
    """A wrong one is not sent twice."""

    WRONG = replace(error(), code=grpc.StatusCode.UNAUTHENTICATED)

    @pytest.mark.parametrize("policy", [None, Resend(attempts=1), Resend()])
    def test_is_replaced_once(self, policy: Resend | None) -> None:
        """At once, and whatever the policy: nothing was sent to Zuora."""
        world = World()

        assert [(Next.REFRESH_TOKEN_AND_SEND, 0.0), (Next.END, 0.0)] == played(
            world.loop(policy), world, [self.WRONG, self.WRONG]
        )

    def test_ends_the_call_where_there_is_no_other(self) -> None:
        """A certificate stays what it is."""
        assert Next.END is World().loop(Resend(), can_refresh=False).after(self.WRONG)[0]

    def test_does_not_count_as_an_attempt(self) -> None:
        """The call still has all of its own."""
        world = World()
        steps = played(world.loop(Resend(attempts=2)), world, [self.WRONG, error(), error()])

        assert [Next.REFRESH_TOKEN_AND_SEND, Next.WAIT_AND_SEND, Next.END] == [step for step, _ in steps]


@pytest.mark.parametrize(("attempts", "within_s"), [(0, 1.0), (1, 0.0), (1, math.nan), (1, math.inf)])
def test_policy_without_sense_is_refused(attempts: int, within_s: float) -> None:
    """By name."""
    with pytest.raises(ValueError, match=r"^(attempts|within_s): "):
        Resend(attempts, within_s)
