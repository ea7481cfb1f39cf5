import asyncio
import contextlib
import dataclasses
from collections.abc import Callable

import httpx
import pytest
from harness.clock import FakeClock
from harness.routes import context, route, tenant
from harness.scripted_http import ScriptedTransport, answer, transport_over
from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.context import WaitingCalls
from payorch_server.model.earlier_sends import NO_EARLIER_SENDS, EarlierSends
from payorch_server.model.errors import CallError
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.model.secret import Secret
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.zuora.client import ZuoraClient
from payorch_server.zuora.concurrency import ConcurrencyLimiter
from payorch_server.zuora.messages import Call
from payorch_server.zuora.tenants import TenantDirectory
from payorch_server.zuora.tokens import TokenCache

CALL = Call("decryption", "/v1/payment-methods/decryption", {"processPayment": True})
TOKEN = "/oauth/token"
EXECUTION_S = 55.0
LOST = httpx.ReadError("reset")
IN_DOUBT = EarlierSends(doubtful=True)


Answer = httpx.Response | Exception


def done() -> httpx.Response:
    """Answer with success."""
    return answer(200, {"success": True, "paymentMethodId": "pm-1"})


def throttled(retry_after_s: int) -> httpx.Response:
    """Answer that Zuora takes no more calls for a while."""
    return answer(429, {}, retry_after=str(retry_after_s))


class Execution:
    """One execution over a scripted Zuora, with the calls that wait for it."""

    def __init__(self, *script: Answer, earlier: EarlierSends = NO_EARLIER_SENDS) -> None:
        self.clock = FakeClock()
        self.sent: list[Answer] = []
        """What each attempt was answered with."""
        self.before: dict[str, Callable[[], None]] = {}
        """What happens before an answer, by the path of its request."""
        self._waiting = WaitingCalls()
        self._calls = contextlib.ExitStack()
        self._script = list(script)
        self._earlier = earlier

    def call(self, *, seconds: float) -> None:
        """Make a call wait that has so many seconds left."""
        self._calls.enter_context(self._waiting.include(self.clock.monotonic() + seconds))

    def end_calls(self) -> None:
        """Make all calls leave."""
        self._calls.close()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.before.get(request.url.path, lambda: None)()
        if request.url.path == TOKEN:
            return answer(200, {"access_token": "token", "expires_in": 3599})
        self.sent.append(self._script.pop(0))
        if isinstance(self.sent[-1], Exception):
            raise self.sent[-1]
        return self.sent[-1]

    async def run(self) -> ZuoraReply | CallError:
        """Execute, and return what comes of it."""
        transport = transport_over(ScriptedTransport(handler=self._answer))
        zuora = ZuoraClient(
            tenants=TenantDirectory({"acme": tenant()}, {"acme": Secret("s")}),
            transport=transport,
            tokens=TokenCache(transport=transport, clock=self.clock, tasks=TaskOwner(), uniform=lambda low, _high: low),
            in_flight=ConcurrencyLimiter(),
            clock=self.clock,
            uniform=lambda _low, _high: 0.0,
        )
        own = dataclasses.replace(context(deadline_s=self.clock.monotonic() + 55.0), waiting=self._waiting)
        key = IdempotencyKey("po1-0")
        try:
            return await zuora.execute(CALL, route=route(), context=own, key=key, earlier=self._earlier)
        except CallError as error:
            return error


def meaning(end: ZuoraReply | CallError) -> tuple[Reason, Outcome, float | None]:
    """Return what a failed execution means, and the wait that it advises."""
    assert isinstance(end, CallError)
    return end.failure.reason, end.verdict.outcome, end.failure.evidence.retry_after_s


class TestWaitBeforeRetry:
    """A wait is begun only if a call is still there at its end."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("wait_s", [4, 8, 30, 54])
    async def test_is_not_begun_beyond_the_latest_deadline(self, wait_s: int) -> None:
        """The callers learn at once that nothing was sent and when to resend; nothing is sent after they left."""
        execution = Execution(throttled(wait_s), done())
        execution.call(seconds=1.0)
        execution.call(seconds=4.0)

        end = await execution.run()

        assert meaning(end) == (Reason.UPSTREAM_THROTTLED, Outcome.NOT_SENT, wait_s)
        assert len(execution.sent) == 1

    @pytest.mark.asyncio
    async def test_is_begun_for_the_latest_deadline(self) -> None:
        """One patient call is enough."""
        execution = Execution(throttled(8), done())
        execution.call(seconds=4.0)
        execution.call(seconds=20.0)

        run = asyncio.ensure_future(execution.run())
        for _ in range(50):
            await asyncio.sleep(0)

        assert (len(execution.sent), run.done()) == (1, False)
        run.cancel()

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("script", "earlier"), [((LOST, throttled(8)), NO_EARLIER_SENDS), ((throttled(8),), IN_DOUBT)]
    )
    async def test_does_not_settle_a_doubt(self, script: tuple[Answer, ...], earlier: EarlierSends) -> None:
        """An attempt of this execution or of an earlier one may have been executed, so NOT_SENT would be a guess."""
        execution = Execution(*script, done(), earlier=earlier)
        execution.call(seconds=4.0)

        end = await execution.run()

        assert meaning(end) == (Reason.EARLIER_ATTEMPT_UNSETTLED, Outcome.UNKNOWN, 8.0)

    @pytest.mark.asyncio
    async def test_keeps_the_meaning_of_a_lost_answer(self) -> None:
        """There is no time for another attempt: the call learns what this one means."""
        execution = Execution(LOST, done())
        execution.call(seconds=4.0)
        execution.before[CALL.path] = lambda: execution.clock.advance(3.9)

        end = await execution.run()

        assert meaning(end) == (Reason.UPSTREAM_NO_ANSWER, Outcome.UNKNOWN, None)


class TestAbandonedExecution:
    """An execution whose calls have all left sends nothing new, but settles what it began."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("moment", ["before it began", "at the token", "after a refused attempt"])
    async def test_sends_nothing_more(self, moment: str) -> None:
        """Its intent is as new as before, whenever the last call left."""
        execution = Execution(throttled(0), done())
        execution.call(seconds=4.0)
        if moment == "before it began":
            execution.end_calls()
        execution.before[TOKEN if moment == "at the token" else CALL.path] = execution.end_calls

        end = await execution.run()

        assert meaning(end)[1] is Outcome.NOT_SENT
        assert len(execution.sent) == (1 if moment == "after a refused attempt" else 0)

    @pytest.mark.asyncio
    @pytest.mark.parametrize(("script", "earlier"), [((LOST, done()), NO_EARLIER_SENDS), ((done(),), IN_DOUBT)])
    async def test_settles_a_doubt(self, script: tuple[Answer, ...], earlier: EarlierSends) -> None:
        """The next call of the intent receives the outcome from the record."""
        execution = Execution(*script, earlier=earlier)
        execution.call(seconds=4.0)
        execution.before[TOKEN if earlier.doubtful else CALL.path] = execution.end_calls

        assert isinstance(await execution.run(), ZuoraReply)


class TestWaitForToken:
    """The wait for a token, a slot or a connection ends with the latest of the calls."""

    @pytest.mark.asyncio
    async def test_ends_before_the_latest_deadline(self) -> None:
        """What is left then is too little to send, and the answer still reaches the caller."""
        execution = Execution(done())
        execution.call(seconds=4.0)
        execution.before[TOKEN] = lambda: execution.clock.advance(3.9)

        end = await execution.run()

        assert meaning(end)[:2] == (Reason.DEADLINE_TOO_SHORT, Outcome.NOT_SENT)
        assert execution.sent == []
