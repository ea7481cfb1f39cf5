"""The client of Zuora: it sends a call on a route, with a token and retries, and interprets the answer."""

import asyncio
import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from payorch_server.model.attempt import UpstreamFacts, UpstreamPreview, ZuoraReply
from payorch_server.model.context import CallContext
from payorch_server.model.earlier_sends import NO_EARLIER_SENDS, EarlierSends
from payorch_server.model.errors import CallError, call_error
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route
from payorch_server.model.secret import reveal  # noqa: TID251 - the token is sent here
from payorch_server.runtime.clock import Clock
from payorch_server.zuora.answer_body import read_body
from payorch_server.zuora.attempt_span import AttemptSpan
from payorch_server.zuora.attempts import Attempts, facts_of
from payorch_server.zuora.breaker import CircuitBreakers
from payorch_server.zuora.clock_offset import ClockOffsets
from payorch_server.zuora.concurrency import ConcurrencyLimiter, LimiterKey, limiter_key
from payorch_server.zuora.errors import incomplete_answer
from payorch_server.zuora.messages import (
    IDEMPOTENCY_KEY_HEADER,
    TRACK_ID_HEADER,
    Call,
    HttpResponse,
    JsonObject,
    preview_body,
    route_headers,
)
from payorch_server.zuora.metrics import UpstreamMetrics
from payorch_server.zuora.quota import Quota
from payorch_server.zuora.retry import MAX_ATTEMPTS, RetryBudget, RetryState, is_retryable, wait_before_retry
from payorch_server.zuora.tenants import TenantDirectory
from payorch_server.zuora.tokens import Credential, Token, TokenCache
from payorch_server.zuora.transport import HttpPost, Transport

MIN_REMAINING_S: Final = 0.15
"""With less time left nothing is sent: the answer would come too late, and the outcome would be unknown."""
# Reserved for encoding the response.
_ENCODING_S: Final = 0.05


class ZuoraClient:
    """Sends calls to the tenants of a policy."""

    def __init__(
        self,
        *,
        tenants: TenantDirectory,
        transport: Transport,
        tokens: TokenCache,
        in_flight: ConcurrencyLimiter,
        clock: Clock,
        uniform: Callable[[float, float], float],
        metrics: UpstreamMetrics | None = None,
        quota: Quota | None = None,
        circuits: CircuitBreakers | None = None,
        clocks: ClockOffsets | None = None,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> None:
        self.tenants = tenants
        """Whom it sends to."""
        self._transport = transport
        self._tokens = tokens
        self._in_flight = in_flight
        self._clock = clock
        self._uniform = uniform
        self._metrics = metrics or UpstreamMetrics()
        self._quota = quota or Quota()
        self._circuits = circuits or CircuitBreakers()
        self.clocks = clocks or ClockOffsets(clock=clock)
        """What is known of the clocks of the tenants."""
        self._max_attempts = max_attempts
        self._budgets: defaultdict[str, RetryBudget] = defaultdict(RetryBudget)

    def successor(self, tenants: TenantDirectory) -> "ZuoraClient":
        """Return a client for changed tenants that shares the connections, tokens and budgets of this client.

        This client does not change, so that calls in progress end with the tenants that they began with.
        """
        successor = ZuoraClient(
            tenants=tenants,
            transport=self._transport,
            tokens=self._tokens,
            in_flight=self._in_flight,
            clock=self._clock,
            uniform=self._uniform,
            metrics=self._metrics,
            quota=self._quota,
            circuits=self._circuits,
            clocks=self.clocks,
            max_attempts=self._max_attempts,
        )
        successor._budgets = self._budgets
        return successor

    def forget_other_tokens(self) -> None:
        """Forget the tokens of credentials that no tenant has any more."""
        in_use = [self.tenants.credential(name) for name in self.tenants.names]
        self._tokens.keep(lambda credential: replace(credential, entity_id="") in in_use)

    async def warm(self, tenant: str, *, timeout_s: float) -> None:
        """Fetch a token, unless there is one, which proves that the tenant's credentials work."""
        await self._tokens.get(self.tenants.credential(tenant), timeout_s=timeout_s)

    async def renew_token(self, tenant: str, *, timeout_s: float) -> None:
        """Fetch another token, whose answer shows Zuora's clock."""
        await self._tokens.fetch(self.tenants.credential(tenant), timeout_s=timeout_s)

    async def execute(
        self,
        call: Call,
        *,
        route: Route,
        context: CallContext,
        key: IdempotencyKey,
        earlier: EarlierSends = NO_EARLIER_SENDS,
    ) -> ZuoraReply:
        """Send the call, with retries under the same key where they are safe and useful; return its successful answer.

        Args:
            call: What to send.
            route: Where to.
            context: Track-Id and deadline.
            key: The intent's key; every attempt carries it.
            earlier: What is known of sends before this execution.

        Raises:
            CallError: With any outcome, and everything known about the attempts.
        """
        declines = self.tenants.of(route).declines
        attempts = Attempts(call, self._headers(call, route, context, key), earlier, declines)
        budget = self._budgets[route.tenant]
        # 1. Nothing is begun where Zuora has stopped answering.
        try:
            self._circuits.check(limiter_key(route), now_s=self._clock.monotonic())
        except CallError as cause:
            raise attempts.error_given_earlier(cause, UpstreamFacts()) from cause
        while True:
            # 2. Send. A success ends the call.
            try:
                reply = await self._attempt(call, route, context, attempts)
            except CallError as error:
                # 3. Only failures that a retry can help cost budget: a final refusal does not make Zuora unhealthy, and
                # must not cost other calls their retries.
                if is_retryable(error.failure.reason, cut_off=error.failure.cut_off):
                    budget.note_failure()
                # 4. Retry after a wait, or give up with the error.
                await self._wait_or_raise(error, context, attempts, budget)
                self._metrics.count_retry(route.tenant, error.failure.reason)
            else:
                budget.note_success()
                return reply

    async def _wait_or_raise(
        self, error: CallError, context: CallContext, attempts: Attempts, budget: RetryBudget
    ) -> None:
        state = RetryState(
            reason=error.failure.reason,
            attempts=attempts.tries,
            remaining_s=self._awaited_s(context, attempts) - MIN_REMAINING_S,
            budget_left=budget.allows,
            retry_after_s=error.failure.evidence.retry_after_s,
            cut_off=error.failure.cut_off,
        )
        wait_s = wait_before_retry(state, uniform=self._uniform, max_attempts=self._max_attempts)
        if wait_s is None:
            raise error
        await asyncio.sleep(wait_s)

    async def _attempt(self, call: Call, route: Route, context: CallContext, attempts: Attempts) -> ZuoraReply:
        """Send once, and add the attempt to those before it."""
        place = limiter_key(route)
        credential = self.tenants.credential(*place)
        attempts.tries += 1
        # 1. Wait for a token and a free slot, as long as a call waits for the result; if either fails, nothing is sent.
        try:
            token = await self._token(credential, route.tenant, context, attempts)
            slot = await self._slot(place, context, attempts)
        except CallError as cause:
            raise attempts.error_given_earlier(cause, UpstreamFacts(attempts.sent)) from cause
        # 2. Send.
        try:
            post = self._post(call, route, attempts, token)
            started_at, started_s = self._clock.now(), self._clock.monotonic()
            connect_s = self._awaited_s(context, attempts)
            answer, payload, error = await self._exchange(post, context, attempts, connect_s)
        finally:
            self._in_flight.leave(place, slot)
        # 3. Note the attempt, whatever its end.
        duration_s = self._clock.monotonic() - started_s
        self._note(route, post, context, answer, error, duration_s)
        attempts.add(answer, error, started_at=started_at, duration_s=duration_s)
        facts = facts_of(answer, payload, attempts, context)
        # 4. A success.
        if answer is not None and error is None:
            self._tokens.note_accepted(credential, token)
            return ZuoraReply(answer.status, payload or {}, facts)
        # 5. A failure, which may mean more or less after earlier sends. A 401 retires the token, also where it leaves
        # the intent in doubt; not a stored 401, which is about a token of long ago.
        answered_at_s = self.clocks.answered_at_s(route.tenant, answer)
        failed = error or incomplete_answer("an answer", facts)
        combined = attempts.error_given_earlier(failed, facts, answered_at_s=answered_at_s)
        rejected = error is not None and error.failure.reason is Reason.UPSTREAM_CREDENTIALS_REJECTED
        if rejected and combined.failure.reason is not Reason.UPSTREAM_REFUSAL_STORED:
            self._tokens.note_refused(credential, token, since_s=started_s)
        raise combined from error

    async def _token(self, credential: Credential, tenant: str, context: CallContext, attempts: Attempts) -> Token:
        """Return a token; note the wait if there was one."""
        waits, started_s = not self._tokens.has(credential), self._clock.monotonic()
        try:
            return await self._tokens.get(credential, timeout_s=self._time_to_send_s(context, attempts))
        except CallError:
            # The failure is remembered for a while, so further attempts of this call would only wait.
            attempts.tries = self._max_attempts
            raise
        finally:
            if waits:
                wait_s = self._clock.monotonic() - started_s
                context.notes.add_phase("token", wait_s)
                self._metrics.record_token_wait(tenant, wait_s)

    async def _slot(self, key: LimiterKey, context: CallContext, attempts: Attempts) -> object:
        """Wait for a free slot and return it; note the wait if there was one.

        Raises:
            CallError: There was none in time, no call waits any more, the intent is too old by Zuora's clock, or Zuora
                has stopped answering; nothing was sent.
        """
        tenant, started_s = self.tenants.named(key[0]), self._clock.monotonic()
        waits = self._in_flight.is_full(key, limit=tenant.max_in_flight)
        max_wait_s = min(tenant.max_queue_s, self._time_to_send_s(context, attempts))
        try:
            slot = await self._in_flight.enter(key, limit=tenant.max_in_flight, wait_s=max_wait_s)
        finally:
            if waits:
                wait_s = self._clock.monotonic() - started_s
                context.notes.add_phase("queue", wait_s)
                self._metrics.record_queue_wait(key[0], wait_s)
        # Nothing is awaited from here to the send: a call that leaves later leaves an intent that may be executed.
        try:
            self._time_to_send_s(context, attempts)
            self.clocks.check_age(key[0], attempts.first_send_s, doubtful=attempts.doubtful)
            # Retries pass: failures of the intent itself may have opened the circuit, and the retry budget bounds them.
            if not attempts.sent:
                self._circuits.admit(key, now_s=self._clock.monotonic())
        except CallError:
            self._in_flight.leave(key, slot)
            raise
        return slot

    def _note(
        self,
        route: Route,
        post: HttpPost,
        context: CallContext,
        answer: HttpResponse | None,
        error: CallError | None,
        duration_s: float,
    ) -> None:
        """Note how long a request took, whether Zuora answers, and how much of its limits an answer reports as left."""
        context.notes.add_phase("zuora", duration_s)
        failed = error.failure.reason if error else None
        self._metrics.record_request(duration_s, template=post.template, host=route.host, answer=answer, failed=failed)
        now_s, key = self._clock.monotonic(), limiter_key(route)
        sent_s, answered, is_first = now_s - duration_s, answer is not None, post.ordinal == 1
        self._circuits.note(key, error, answered=answered, is_first=is_first, sent_s=sent_s, now_s=now_s)
        if answer is not None:
            self._quota.update(key, answer.headers, now_s=now_s)
            self.clocks.note(route.tenant, answer, operation=post.template, duration_s=duration_s)

    def budgets(self) -> Mapping[str, float]:
        """Return what is left of the tenants' retry budgets, from 0 to 1."""
        return {name: self._budgets[name].left / RetryBudget.MAX for name in self.tenants.names}

    def token_ages_s(self) -> Mapping[str, float]:
        """Return how old the tenants' tokens are, for those that have one."""
        ages = {name: self._tokens.age_s(self.tenants.credential(name)) for name in self.tenants.names}
        return {name: age_s for name, age_s in ages.items() if age_s is not None}

    async def _exchange(
        self, post: HttpPost, context: CallContext, attempts: Attempts, connect_s: float
    ) -> tuple[HttpResponse | None, JsonObject | None, CallError | None]:
        """Send once; return the answer, what its body says and the error that it means, each if there is one."""
        with AttemptSpan(self._transport.tracer, post) as span:
            try:
                timeout_s = context.deadline_s - self._clock.monotonic() - _ENCODING_S
                answer = await self._transport.post(
                    post, timeout_s=timeout_s, connect_within_s=connect_s, span=span.otel_span
                )
            except CallError as error:
                span.note_error(error)
                return None, None, error
            body = read_body(answer)
            failed = attempts.error_of(answer, body)
            if failed is not None:
                span.note_error(failed)
            span.note_answer(answer, quotes=attempts.quotes, sent=context.track_id_on_wire)
            return answer, body.members, failed

    def preview(self, call: Call, *, route: Route, context: CallContext, key: IdempotencyKey) -> UpstreamPreview:
        """Return what execute would send, without its token and with every secret replaced."""
        headers = self._headers(call, route, context, key)
        return UpstreamPreview(
            "POST", self.tenants.url(call, route), tuple(sorted(headers.items())), preview_body(call.body)
        )

    def _awaited_s(self, context: CallContext, attempts: Attempts) -> float:
        """Return how long the latest of the waiting calls still waits.

        Where none waits, an intent in doubt is settled within the execution's own limit, and any other is given up.
        """
        until_s = context.awaited_until_s
        if until_s == -math.inf and attempts.doubtful:
            until_s = context.deadline_s
        return until_s - self._clock.monotonic() - _ENCODING_S

    def _time_to_send_s(self, context: CallContext, attempts: Attempts) -> float:
        """Return how long an attempt may wait before it is sent.

        Raises:
            CallError: Too little time is left, or no call waits for the result; NOT_SENT.
        """
        awaited_s = self._awaited_s(context, attempts)
        if awaited_s == -math.inf:
            raise call_error(Reason.DEADLINE_TOO_SHORT, "no call waits for the result any more")
        if awaited_s < MIN_REMAINING_S:
            raise call_error(Reason.DEADLINE_TOO_SHORT, f"{awaited_s:.3f} s are left before the deadline")
        return awaited_s

    def _headers(self, call: Call, route: Route, context: CallContext, key: IdempotencyKey) -> dict[str, str]:
        return {
            "content-type": "application/json",
            TRACK_ID_HEADER: context.track_id_on_wire,
            IDEMPOTENCY_KEY_HEADER: key,
            **route_headers(route, self.tenants.of(route), versioned=call.versioned),
        }

    def _post(self, call: Call, route: Route, attempts: Attempts, token: Token) -> HttpPost:
        headers = {**attempts.headers, "authorization": f"Bearer {reveal(token.value)}"}
        return HttpPost(self.tenants.url(call, route), headers, attempts.body, call.path, len(attempts.sent) + 1)
