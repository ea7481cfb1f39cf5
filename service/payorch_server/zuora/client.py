"""Calls to Zuora on a route: headers, token, attempts, and what the answer means."""

import asyncio
import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from payorch_server.model.attempt import Attempt, UpstreamFacts, UpstreamPreview, ZuoraReply
from payorch_server.model.context import CallContext
from payorch_server.model.earlier_sends import NO_EARLIER_SENDS, EarlierSends, reason_given_earlier_sends
from payorch_server.model.errors import CallError, call_error, error_for
from payorch_server.model.identifiers import IdempotencyKey, entity_id_on_wire
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.model.route import Route
from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - the token goes on the wire here
from payorch_server.runtime.clock import Clock
from payorch_server.zuora.attempt_span import AttemptSpan
from payorch_server.zuora.concurrency import ConcurrencyLimiter, LimiterKey
from payorch_server.zuora.errors import classify, incomplete
from payorch_server.zuora.messages import (
    IDEMPOTENCY_KEY_HEADER,
    TRACK_ID_HEADER,
    Call,
    HttpResponse,
    JsonObject,
    decode_object,
    encode_body,
    preview_body,
    route_headers,
)
from payorch_server.zuora.metrics import UpstreamMetrics
from payorch_server.zuora.quota import Quota
from payorch_server.zuora.retry import MAX_ATTEMPTS, RETRYABLE, RetryBudget, RetryState, wait_before_retry
from payorch_server.zuora.settings import TenantSettings
from payorch_server.zuora.tokens import Credential, Token, TokenCache
from payorch_server.zuora.transport import HttpPost, Transport

# Below this nothing is sent: an answer could hardly arrive in time, and the outcome would be unknown.
MIN_REMAINING_S: Final = 0.15
# What is left to the service to encode the answer.
_ENCODING_S: Final = 0.05


class ZuoraClient:
    """The tenants' Zuora, by route."""

    def __init__(
        self,
        *,
        tenants: Mapping[str, TenantSettings],
        secrets: Mapping[str, Secret[str]],
        transport: Transport,
        tokens: TokenCache,
        in_flight: ConcurrencyLimiter,
        clock: Clock,
        uniform: Callable[[float, float], float],
        metrics: UpstreamMetrics | None = None,
        quota: Quota | None = None,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> None:
        self._tenants = tenants
        self._secrets = secrets
        self._transport = transport
        self._tokens = tokens
        self._in_flight = in_flight
        self._clock = clock
        self._uniform = uniform
        self._metrics = metrics or UpstreamMetrics()
        self._quota = quota or Quota()
        self._max_attempts = max_attempts
        self._budgets: defaultdict[str, RetryBudget] = defaultdict(RetryBudget)

    def successor(self, tenants: Mapping[str, TenantSettings], secrets: Mapping[str, Secret[str]]) -> "ZuoraClient":
        """Return a client of other tenants with the connections, tokens and budgets of this one.

        This one stays as it is, for the calls that began with it: they must end where they began.
        """
        after = ZuoraClient(
            tenants=tenants,
            secrets=secrets,
            transport=self._transport,
            tokens=self._tokens,
            in_flight=self._in_flight,
            clock=self._clock,
            uniform=self._uniform,
            metrics=self._metrics,
            quota=self._quota,
            max_attempts=self._max_attempts,
        )
        after._budgets = self._budgets
        return after

    def credential(self, tenant: str) -> Credential:
        """Return what the tenant's tokens for the whole client are requested with."""
        return self._credential(tenant, "")

    def forget_token(self, tenant: str) -> None:
        """Forget the tenant's token for the whole client."""
        mine = self.credential(tenant)
        self._tokens.keep(lambda one: one != mine)

    def forget_other_tokens(self) -> None:
        """Forget the tokens of credentials that no tenant has any more."""
        mine = [self._credential(tenant, "") for tenant in self._tenants]
        self._tokens.keep(lambda one: replace(one, entity_id="") in mine)

    def tenant(self, route: Route) -> TenantSettings:
        """Return the settings of the route's tenant."""
        return self._tenants[route.tenant]

    def uses_multi_org(self, route: Route) -> bool:
        """Tell whether a call without orgs on the route goes to several; where the tenant is gone, that is assumed."""
        tenant = self._tenants.get(route.tenant)
        return tenant is None or bool(tenant.orgs)

    def serves(self, route: Route) -> bool:
        """Tell whether a route that was taken earlier can still be taken: its tenant, on its host, with its entity."""
        tenant = self._tenants.get(route.tenant)
        if tenant is None or tenant.host != route.host:
            return False
        if route.client_id and route.client_id not in {tenant.client_id, *tenant.previous_client_ids}:
            return False
        entity_ids = {entity_id_on_wire(value) for value in tenant.entities.values()}
        return not route.entity_id or entity_id_on_wire(route.entity_id) in entity_ids

    async def warm(self, tenant: str, *, timeout_s: float) -> float | None:
        """Fetch a token for the whole client, to learn whether the tenant's credentials work.

        Returns:
            How many seconds Zuora's clock is ahead of ours, or None if it did not say.
        """
        token = await self._tokens.get(self._credential(tenant, ""), timeout_s=timeout_s)
        return token.clock_offset_s

    async def execute(
        self,
        call: Call,
        *,
        route: Route,
        context: CallContext,
        key: IdempotencyKey,
        earlier: EarlierSends = NO_EARLIER_SENDS,
    ) -> ZuoraReply:
        """Send the call, again with the same key where that is safe and useful, and return its successful answer.

        Args:
            call: What to send.
            route: Where to.
            context: Track-Id and deadline.
            key: The intent's key; every attempt carries it.
            earlier: What is known of sends before this flight.

        Raises:
            CallError: Any of its kinds, with everything known about the attempts.
        """
        flight = _Flight(encode_body(call.body), self._headers(call, route, context, key), earlier)
        budget = self._budgets[route.tenant]
        while True:
            try:
                reply = await self._attempt(call, route, context, flight)
            except CallError as error:
                # What Zuora refuses for good says nothing about its health, and must not cost others their retries.
                if error.failure.reason in RETRYABLE:
                    budget.failed()
                await self._wait_or_raise(error, context, flight, budget)
                self._metrics.retried(route.tenant, error.failure.reason)
            else:
                budget.succeeded()
                return reply

    async def _wait_or_raise(
        self, error: CallError, context: CallContext, flight: "_Flight", budget: RetryBudget
    ) -> None:
        tried = RetryState(
            reason=error.failure.reason,
            attempts=flight.tries,
            remaining_s=context.deadline_s - self._clock.monotonic() - _ENCODING_S - MIN_REMAINING_S,
            budget_left=budget.allows,
            retry_after_s=error.failure.evidence.retry_after_s,
        )
        wait_s = wait_before_retry(tried, uniform=self._uniform, max_attempts=self._max_attempts)
        if wait_s is None:
            raise error
        await asyncio.sleep(wait_s)

    async def _attempt(self, call: Call, route: Route, context: CallContext, flight: "_Flight") -> ZuoraReply:
        """Send once; note the attempt in the flight whatever becomes of it."""
        entity_id = entity_id_on_wire(route.entity_id)
        credential, place = self._credential(route.tenant, entity_id), (route.tenant, entity_id)
        flight.tries += 1
        try:
            token = await self._token(credential, route.tenant, context)
            turn = await self._turn(place, context)
        except CallError as error:
            raise flight.judged(error, UpstreamFacts(flight.attempts)) from error
        try:
            post = self._post(call, route, flight, token)
            started_at, started_s = self._clock.now(), self._clock.monotonic()
            answer, payload, wrong = await self._exchange(post, context, call.body)
        finally:
            self._in_flight.leave(place, turn)
        self._note(route, post, context, answer, wrong, self._clock.monotonic() - started_s)
        flight.attempts += (
            Attempt(
                ordinal=post.ordinal,
                http_status=answer.status if answer else 0,
                zuora_request_id=answer.zuora_request_id if answer else "",
                started_at=started_at,
                duration_s=self._clock.monotonic() - started_s,
                outcome=wrong.verdict.outcome if wrong else Outcome.SUCCEEDED,
            ),
        )
        facts = _facts(answer, payload, flight.attempts)
        if answer is not None and wrong is None:
            self._tokens.accepted(credential, token)
            return ZuoraReply(answer.status, payload or {}, facts)
        judged = flight.judged(wrong or incomplete("an answer", facts), facts)
        # Also where the 401 leaves the intent in doubt; a stored one is about a token of long ago.
        rejected = wrong is not None and wrong.failure.reason is Reason.UPSTREAM_CREDENTIALS_REJECTED
        if rejected and judged.failure.reason is not Reason.UPSTREAM_REFUSAL_STORED:
            self._tokens.refused(credential, token, since_s=started_s)
        raise judged from wrong

    async def _token(self, credential: Credential, tenant: str, context: CallContext) -> Token:
        """Return a token, and note for how long it was waited for if it was."""
        waits, started_s = not self._tokens.has(credential), self._clock.monotonic()
        try:
            return await self._tokens.get(credential, timeout_s=self._remaining(context))
        finally:
            if waits:
                wait_s = self._clock.monotonic() - started_s
                context.notes.add_phase("token", wait_s)
                self._metrics.waited_for_token(tenant, wait_s)

    async def _turn(self, place: LimiterKey, context: CallContext) -> object:
        """Wait until one more call may go to a place, note for how long if there was a wait, and return its turn."""
        tenant, started_s = self._tenants[place[0]], self._clock.monotonic()
        waits = self._in_flight.is_full(place, most=tenant.max_in_flight)
        wait_s = min(tenant.max_queue_s, self._remaining(context))
        try:
            return await self._in_flight.enter(place, most=tenant.max_in_flight, wait_s=wait_s)
        finally:
            if waits:
                context.notes.add_phase("queue", self._clock.monotonic() - started_s)
                self._metrics.queued(place[0], self._clock.monotonic() - started_s)

    def _note(
        self,
        route: Route,
        post: HttpPost,
        context: CallContext,
        answer: HttpResponse | None,
        wrong: CallError | None,
        duration_s: float,
    ) -> None:
        """Note what a request to Zuora took, and what its answer says of Zuora's limits."""
        context.notes.add_phase("zuora", duration_s)
        failed = wrong.failure.reason if wrong else None
        self._metrics.answered(duration_s, template=post.template, host=route.host, answer=answer, failed=failed)
        if answer is not None:
            self._quota.update(route.tenant, answer.headers, now_s=self._clock.monotonic())

    def budgets(self) -> Mapping[str, float]:
        """Return what is left of the tenants' allowance for retries, from 0 to 1."""
        return {name: self._budgets[name].left / RetryBudget.MAX for name in self._tenants}

    def token_ages_s(self) -> Mapping[str, float]:
        """Return how old the tenants' tokens are, for those that have one."""
        ages = {name: self._tokens.age_s(self.credential(name)) for name in self._tenants}
        return {name: age_s for name, age_s in ages.items() if age_s is not None}

    def tenant_of(self, credential: Credential) -> str:
        """Return the tenant that a credential belongs to; empty if it is none's any more."""
        whole = replace(credential, entity_id="")
        return next((name for name in self._tenants if self.credential(name) == whole), "")

    async def _exchange(
        self, post: HttpPost, context: CallContext, sent: JsonObject
    ) -> tuple[HttpResponse | None, JsonObject | None, CallError | None]:
        """Send once; return the answer, its payload and what is wrong, each if there is one."""
        with AttemptSpan(self._transport.tracer, post) as attempt:
            try:
                answer = await self._transport.post(post, timeout_s=self._remaining(context), span=attempt.span)
            except CallError as error:
                attempt.refused(error)
                return None, None, error
            payload = decode_object(answer.body)
            wrong = classify(answer, payload, UpstreamFacts(), sent=sent)
            if wrong is not None:
                attempt.refused(wrong)
            attempt.answered(answer, sent=context.track_id)
            return answer, payload, wrong

    def preview(self, call: Call, *, route: Route, context: CallContext, key: IdempotencyKey) -> UpstreamPreview:
        """Return what execute would send, without its token and with every secret replaced."""
        headers = self._headers(call, route, context, key)
        return UpstreamPreview("POST", self._url(call, route), tuple(sorted(headers.items())), preview_body(call.body))

    def _remaining(self, context: CallContext) -> float:
        remaining_s = context.deadline_s - self._clock.monotonic() - _ENCODING_S
        if remaining_s < MIN_REMAINING_S:
            raise call_error(Reason.DEADLINE_TOO_SHORT, f"{remaining_s:.3f} s are left before the deadline")
        return remaining_s

    def _credential(self, tenant_name: str, entity_id: str) -> Credential:
        tenant = self._tenants[tenant_name]
        narrowed = entity_id if tenant.token_scope == "entity" else ""  # noqa: S105 - not a password
        url = tenant.origin + tenant.paths.token
        return Credential(url, tenant.paths.token, tenant.client_id, self._secrets[tenant_name], narrowed)

    def _url(self, call: Call, route: Route) -> str:
        query = f"?{urlencode(call.query)}" if call.query else ""
        return f"{self._tenants[route.tenant].origin}{call.path}{query}"

    def _headers(self, call: Call, route: Route, context: CallContext, key: IdempotencyKey) -> dict[str, str]:
        return {
            "content-type": "application/json",
            TRACK_ID_HEADER: context.track_id,
            IDEMPOTENCY_KEY_HEADER: key,
            **route_headers(route, self._tenants[route.tenant], versioned=call.versioned),
        }

    def _post(self, call: Call, route: Route, flight: "_Flight", token: Token) -> HttpPost:
        headers = {**flight.headers, "authorization": f"Bearer {reveal(token.value)}"}
        return HttpPost(self._url(call, route), headers, flight.body, call.path, len(flight.attempts) + 1)


class _Flight:
    """The attempts of one execution, and what they prove together."""

    def __init__(self, body: bytes, headers: Mapping[str, str], earlier: EarlierSends) -> None:
        self.body = body
        self.headers = headers
        self.attempts: tuple[Attempt, ...] = ()
        self.tries = 0
        """Attempts, and those that ended at the token endpoint."""
        self._doubtful = earlier.doubtful
        self._answer_ids = set(earlier.answer_ids)

    def judged(self, error: CallError, facts: UpstreamFacts) -> CallError:
        """Return what a failed attempt means in the light of those before it."""
        ids = {facts.zuora_request_id, facts.zuora_process_id} - {""}
        reason = reason_given_earlier_sends(
            error.failure, doubtful=self._doubtful, repeated=bool(ids & self._answer_ids)
        )
        self._answer_ids |= ids
        self._doubtful |= error.verdict.outcome is Outcome.UNKNOWN
        last = error.failure.reason.name
        metadata = error.failure.metadata if reason is error.failure.reason else {"lastReason": last}
        return error_for(dataclasses.replace(error.failure, reason=reason, metadata=metadata, facts=facts))


def _facts(
    answer: HttpResponse | None, payload: Mapping[str, object] | None, attempts: tuple[Attempt, ...]
) -> UpstreamFacts:
    if answer is None:
        return UpstreamFacts(attempts)
    process_id = (payload or {}).get("processId")
    return UpstreamFacts(
        attempts=attempts,
        zuora_request_id=answer.zuora_request_id,
        zuora_process_id=process_id if isinstance(process_id, str) else "",
        echoed_track_id=answer.track_id,
    )
