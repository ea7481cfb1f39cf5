"""Intents under any order of calls, failures, losses and hours, against a Zuora that keeps answers for a day."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from harness.clock import FakeClock
from harness.intents import (
    DAY_S,
    FailingStore,
    SendResult,
    call_context,
    fingerprint,
    intent_executor,
    intent_request,
    memory_store,
    upstream_facts,
)
from harness.routes import route
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from payorch_server.intents.executor import IntentExecutor, IntentResult
from payorch_server.model.context import CallContext
from payorch_server.model.earlier_sends import EarlierSends
from payorch_server.model.errors import CallError, call_error
from payorch_server.model.outcome import Advice, Outcome, Reason
from payorch_server.model.route import Route

DAY, LIMIT = timedelta(days=1), timedelta(hours=23)
BODIES = {"one": {"k1": fingerprint()}, "other": {"k1": fingerprint(account_id="bb")}}
# What happens to a send: whether it is executed, and what the caller of Zuora sees of it.
FATES = {
    "done": (True, None),
    "lost before": (False, Reason.UPSTREAM_NO_ANSWER),
    "lost after": (True, Reason.UPSTREAM_NO_ANSWER),
    "no connection": (False, Reason.UPSTREAM_UNREACHABLE),
    "declined": (False, Reason.PAYMENT_DECLINED),
    "recorded doubt": (True, Reason.UPSTREAM_GATEWAY_FAILED),
}
RECORDED = {"declined", "recorded doubt"}


@dataclass(slots=True)
class Books:
    """Zuora's side: executions, and the answers it keeps by key."""

    clock: FakeClock
    fate: str = "done"
    executions: list[tuple[float, str, str]] = field(default_factory=list)
    """When, on which tenant, with which body."""
    kept: dict[str, tuple[float, str, Reason | None]] = field(default_factory=dict)
    """By tenant: since when, result, refusal."""

    def send(self, body: str) -> Any:
        """Return what executes a body."""

        async def execute(pinned: Route, _call: CallContext, earlier: EarlierSends) -> SendResult:
            executed, seen = FATES[self.fate]
            if self.fate in {"no connection", "lost before"}:
                # The client's own rule: what sends nothing proves nothing about an earlier send.
                unsettled = earlier.doubtful and seen is Reason.UPSTREAM_UNREACHABLE
                raise call_error(Reason.EARLIER_ATTEMPT_UNSETTLED if unsettled else seen, self.fate)
            since_s, result, refusal = self.kept.get(pinned.tenant, (-DAY_S, "", None))
            now_s = self.clock.monotonic()
            if now_s - since_s >= DAY.total_seconds():
                result, refusal = f"pm-{len(self.executions)}", seen if self.fate in RECORDED else None
                if executed:
                    self.executions.append((now_s, pinned.tenant, body))
                self.kept[pinned.tenant] = (now_s, result, refusal)
            if self.fate == "lost after":
                raise call_error(Reason.UPSTREAM_NO_ANSWER, self.fate)
            if refusal is not None:
                raise call_error(refusal, "Zuora's answer")
            return result, upstream_facts()

        return execute


class IntentsMachine(RuleBasedStateMachine):
    """One intent, two processes, one store."""

    @initialize()
    def begin(self) -> None:
        """Start with nothing."""
        self.clock = FakeClock()
        self.books = Books(self.clock)
        self.failing = ""
        self.tenant = "acme"
        self.wipe_store()
        self.first_s: float | None = None
        self.body = ""
        self.moved = False
        self.lost_store = False

    def wipe_store(self) -> None:
        """Lose everything that was stored."""
        self.store = memory_store(self.clock)
        failing = FailingStore(self.store, fails=lambda operation, _key: operation == self.failing)
        self.processes = [self.process(failing) for _ in range(2)]

    def process(self, store: Any) -> IntentExecutor:
        """Start a process that waits for leases by letting time pass."""

        def uniform(_low: float, high: float) -> float:
            self.clock.advance(high)
            return 0.0

        return intent_executor(self.clock, store=store, uniform=uniform)

    @rule(operation=st.sampled_from(["", "", "compare_and_set", "put_if_absent", "get"]))
    def store_changes(self, operation: str) -> None:
        """Some operation of the store fails from now on, or none."""
        self.failing = operation

    # The pinned route is in the record alone: if the policy moved as well, nothing is left that knows it.
    @precondition(lambda self: not self.moved)
    @rule()
    def store_is_lost(self) -> None:
        """Every record is gone; the route is as it was."""
        self.lost_store = True
        self.wipe_store()

    @rule(
        which=st.integers(0, 1),
        wait_s=st.sampled_from([0.0, 0.0, 80.0, 22.9 * 3600, DAY_S]),
        policy_moves=st.booleans(),
        fate=st.sampled_from(sorted(FATES)),
        body=st.sampled_from(["one", "one", "one", "other"]),
    )
    def calls(self, which: int, wait_s: float, fate: str, body: str, *, policy_moves: bool) -> None:
        """A caller sends the intent, sooner or later, to one of the processes; a send meets its fate."""
        self.clock.advance(wait_s)
        if policy_moves and not self.lost_store:
            self.moved = True
            self.tenant = "other" if self.tenant == "acme" else "acme"
        self.books.fate = fate
        # Once its record may be gone, only the caller's own clock guards what is older than the limit.
        too_old = self.first_s is not None and self.clock.monotonic() - self.first_s > LIMIT.total_seconds()
        if self.lost_store and (too_old or body != (self.body or body)):
            return
        started_s = self.clock.monotonic()
        before = len(self.books.executions)
        paid = intent_request(self.books.send(body), fingerprints=BODIES[body], to=route(tenant=self.tenant))
        ended = asyncio.run(self.answer(self.processes[which], paid))
        if self.books.kept and self.first_s is None:
            # A body of which Zuora has kept nothing may be followed by another.
            self.first_s, self.body = started_s, body
        self.judge(ended, body, executed_now=len(self.books.executions) > before)

    async def answer(self, process: IntentExecutor, paid: Any) -> IntentResult[str] | CallError:
        """Run the call."""
        try:
            return await process.run(paid, call_context(self.clock))
        except CallError as error:
            return error

    def judge(self, ended: IntentResult[str] | CallError, body: str, *, executed_now: bool) -> None:
        """Check what the caller was told against the books."""
        if isinstance(ended, IntentResult):
            assert [one[2] for one in self.books.executions] == [body], "a success is of the one body that was executed"
            return
        if executed_now:
            assert ended.verdict.outcome is Outcome.UNKNOWN
        if ended.verdict.outcome is Outcome.REFUSED:
            assert not self.books.executions, "what was executed is never called refused"
        if ended.verdict.advice is Advice.USE_NEW_REQUEST_ID:
            assert not self.books.executions

    @invariant()
    def is_executed_at_most_once(self) -> None:
        """Whatever was lost, whenever it came, wherever the policy points."""
        assert len(getattr(self, "books", Books(FakeClock())).executions) <= 1


IntentsMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=20, deadline=None)
TestIntentsMachine = IntentsMachine.TestCase
