"""OAuth tokens: cached by credential, fetched single-flight, replaced before they expire."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from opentelemetry import trace
from opentelemetry.context import Context

from payorch_server.model.errors import CallError, call_error, error_for
from payorch_server.model.identifiers import entity_id_on_wire
from payorch_server.model.outcome import Reason
from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - the secret goes into the token request here
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.lifecycle import TaskOwner, ignore
from payorch_server.telemetry.spans import start_child, use_span
from payorch_server.zuora.attempt_span import AttemptSpan
from payorch_server.zuora.messages import ENTITY_IDS_HEADER, HttpResponse
from payorch_server.zuora.quotes import Quotes
from payorch_server.zuora.token_answers import read_token, refuse_emulator
from payorch_server.zuora.transport import HttpPost, Transport

# Ten seconds are what Zuora's own sample allows a token call.
_FETCH_TIMEOUT_S: Final = 10.0
# A token is not used in its last minute, in which a request could arrive too late; of a short life it is half.
_MAX_MARGIN_S: Final = 60.0
_MARGIN_OF_LIFE: Final = 0.5
# At four fifths of its life; the jitter spreads replicas that started together.
_REFRESH_AT: Final = 0.8
_REFRESH_JITTER_S: Final = 60.0
_JITTER_OF_LIFE: Final = 0.1
_REFRESH_RETRY_S: Final = 30.0
_RETIRE_INTERVAL_S: Final = 60.0
# After a failed request none is sent for a while, as Zuora allows about a hundred a minute from one address, whatever
# the tenant. What the answer demands is obeyed up to a minute; a longer wait would be an outage of our own making.
_PAUSE_S: Final = 1.0
_MAX_PAUSE_S: Final = 30.0
_MAX_DOUBLINGS: Final = 5
_MAX_DEMANDED_PAUSE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Credential:
    """What a token is requested with. Equal credentials share one token."""

    url: str
    """Full URL of the token endpoint."""
    path: str
    """Its path."""
    client_id: str
    client_secret: Secret[str]
    entity_id: str = ""
    """The entity the token is narrowed to; empty: all of the client's."""


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token."""

    value: Secret[str]
    expires_s: float
    """On the monotonic clock, margin already taken off."""
    generation: int
    issued_s: float
    """On the monotonic clock."""
    refresh_s: float
    """From then on a new token is fetched while this one is still handed out; on the monotonic clock."""


@dataclass(frozen=True, slots=True)
class _FailedFetch:
    """The last request for a token, which failed."""

    error: CallError
    until_s: float
    """Until then no other request is sent; on the monotonic clock."""
    in_a_row: int
    """How many have failed since the last success."""


class TokenCache:
    """Tokens by credential, and for a while the failures to get one."""

    def __init__(
        self,
        *,
        transport: Transport,
        clock: Clock,
        tasks: TaskOwner,
        uniform: Callable[[float, float], float],
        fetched: Callable[[Credential, Reason | None], None] = ignore,
        answered: Callable[[Credential, HttpResponse, float], None] = ignore,
    ) -> None:
        """Have no token yet.

        Args:
            transport: Sends the requests.
            clock: For the lives of tokens.
            tasks: Owns the fetches.
            uniform: Draws from an interval.
            fetched: Called after every fetch, with the reason if it failed.
            answered: Called for every answer, with the seconds that it took.
        """
        self._transport = transport
        self._clock = clock
        self._tasks = tasks
        self._uniform = uniform
        self._fetched = fetched
        self._answered = answered
        self._tokens: dict[Credential, Token] = {}
        self._fetches: dict[Credential, asyncio.Task[Token]] = {}
        self._spans: dict[Credential, trace.Span] = {}
        self._failures: dict[Credential, _FailedFetch] = {}
        self._accepted_s: dict[Credential, tuple[int, float]] = {}
        self._retired_s: dict[Credential, float] = {}
        self._generation = 0

    def __repr__(self) -> str:
        return f"TokenCache({len(self._tokens)} tokens, {len(self._fetches)} being fetched)"

    async def get(self, credential: Credential, *, timeout_s: float) -> Token:
        """Return a token that is not about to expire.

        Args:
            credential: Whose token.
            timeout_s: How long the caller can wait; the fetch itself continues for others.

        Raises:
            CallError: No token could be fetched, now or shortly before; NOT_SENT.
        """
        token = self._tokens.get(credential)
        now_s = self._clock.monotonic()
        if token is not None and now_s < token.expires_s:
            if now_s >= token.refresh_s and not self._pause_left_s(credential):
                self._refresh(credential, token)
            return token
        return await self.fetch(credential, timeout_s=timeout_s)

    async def fetch(self, credential: Credential, *, timeout_s: float) -> Token:
        """Return a new token, even if there is one that can be used.

        Args:
            credential: Whose token.
            timeout_s: How long the caller can wait.

        Raises:
            CallError: No token could be fetched, now or shortly before; NOT_SENT.
        """
        fetch = self._fetches.get(credential)
        if fetch is None:
            if pause_s := self._pause_left_s(credential):
                raise _retry_after(self._failures[credential].error, pause_s)
            fetch = self._start(credential)
        return await self._wait(fetch, self._spans[credential], timeout_s)

    async def _wait(self, fetch: asyncio.Task[Token], fetch_span: trace.Span, timeout_s: float) -> Token:
        span = start_child(self._transport.tracer, "token wait", links=[trace.Link(fetch_span.get_span_context())])
        try:
            return await self._transport.deadlines.result_of(fetch, within_s=timeout_s)
        except TimeoutError as error:
            span.set_attribute("error.type", Reason.TOKEN_UNAVAILABLE.name)
            raise call_error(Reason.TOKEN_UNAVAILABLE, f"no token within {timeout_s:.1f} s") from error
        except CallError as error:
            span.set_attribute("error.type", error.failure.reason.name)
            raise
        finally:
            span.end()

    def _pause_left_s(self, credential: Credential) -> float:
        """Return for how long no request is sent after a failed one; 0 when one may be sent."""
        failed = self._failures.get(credential)
        return max(failed.until_s - self._clock.monotonic(), 0.0) if failed else 0.0

    def has(self, credential: Credential) -> bool:
        """Return whether a token can be handed out at once."""
        token = self._tokens.get(credential)
        return token is not None and self._clock.monotonic() < token.expires_s

    def age_s(self, credential: Credential) -> float | None:
        """Return how old the token in use is, or None if there is none."""
        token = self._tokens.get(credential)
        return self._clock.monotonic() - token.issued_s if token else None

    def _start(self, credential: Credential) -> asyncio.Task[Token]:
        # In a trace of its own: many calls may wait for it, each for a part of it.
        span = self._transport.tracer.start_span("token fetch", context=Context())
        fetch = self._tasks.start_shared(self._fetch(credential, span), name="token fetch")
        self._fetches[credential], self._spans[credential] = fetch, span
        fetch.add_done_callback(lambda task: self._on_fetched(credential, task))
        return fetch

    def _on_fetched(self, credential: Credential, task: asyncio.Task[Token]) -> None:
        self._fetches.pop(credential, None)
        span = self._spans.pop(credential)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if isinstance(error, CallError):
            span.set_attribute("error.type", error.failure.reason.name)
        span.end()
        if not task.cancelled():
            failed = error.failure.reason if isinstance(error, CallError) else Reason.INTERNAL if error else None
            self._fetched(credential, failed)

    def _refresh(self, credential: Credential, token: Token) -> None:
        """Fetch the next token while the present one is still valid; if that fails, try again a little later."""
        if credential not in self._fetches:
            wait_s = _REFRESH_RETRY_S + self._uniform(0.0, _REFRESH_JITTER_S)
            self._tokens[credential] = replace(token, refresh_s=self._clock.monotonic() + wait_s)
            _ = self._start(credential)

    def note_accepted(self, credential: Credential, token: Token) -> None:
        """Note that Zuora has just accepted a token."""
        self._accepted_s[credential] = (token.generation, self._clock.monotonic())

    def note_refused(self, credential: Credential, token: Token, *, since_s: float) -> None:
        """Retire a token that Zuora refused.

        A 401 may have another cause, and a fetch for every failing call would exhaust the token endpoint, so some
        refusals retire nothing.

        Args:
            credential: Whose token.
            token: The refused token.
            since_s: When the refused attempt began, on the monotonic clock.
        """
        # 1. A newer token has replaced it already.
        current = self._tokens.get(credential)
        if current is None or current.generation != token.generation:
            return
        # 2. Zuora accepted it after the refused attempt began.
        generation, accepted_s = self._accepted_s.get(credential, (0, 0.0))
        if generation == token.generation and accepted_s >= since_s:
            return
        # 3. A token of this credential was retired less than a minute ago.
        now_s = self._clock.monotonic()
        if now_s - self._retired_s.get(credential, -_RETIRE_INTERVAL_S) < _RETIRE_INTERVAL_S:
            return
        # 4. The token is no longer accepted: the next call fetches another.
        self._retired_s[credential] = now_s
        del self._tokens[credential]

    def keep(self, wanted: Callable[[Credential], bool]) -> None:
        """Forget every token except those of the wanted credentials, and every failure."""
        self._failures.clear()
        for by_credential in (self._tokens, self._accepted_s, self._retired_s):
            for credential in [credential for credential in by_credential if not wanted(credential)]:
                del by_credential[credential]

    async def _fetch(self, credential: Credential, span: trace.Span) -> Token:
        try:
            with use_span(span):
                token = await self._request(credential)
        except CallError as error:
            raise self._remember(credential, error) from error
        self._failures.pop(credential, None)
        self._tokens[credential] = token
        return token

    def _remember(self, credential: Credential, error: CallError) -> CallError:
        """Start the pause after a failed request; return its error with what is left of the pause."""
        before = self._failures.get(credential)
        in_a_row = before.in_a_row + 1 if before else 1
        ceiling_s = min(_PAUSE_S * 2.0 ** min(in_a_row - 1, _MAX_DOUBLINGS), _MAX_PAUSE_S)
        demanded_s = min(error.failure.evidence.retry_after_s or 0.0, _MAX_DEMANDED_PAUSE_S)
        pause_s = max(self._uniform(ceiling_s / 2, ceiling_s), demanded_s)
        self._failures[credential] = _FailedFetch(error, self._clock.monotonic() + pause_s, in_a_row)
        return _retry_after(error, pause_s)

    async def _request(self, credential: Credential) -> Token:
        started_s = self._clock.monotonic()
        form = {
            "client_id": credential.client_id,
            "client_secret": reveal(credential.client_secret),
            "grant_type": "client_credentials",
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if credential.entity_id:
            headers[ENTITY_IDS_HEADER] = entity_id_on_wire(credential.entity_id)
        post = HttpPost(credential.url, headers, urlencode(form).encode(), credential.path)
        try:
            with AttemptSpan(self._transport.tracer, post) as attempt:
                answer = await self._transport.post(post, timeout_s=_FETCH_TIMEOUT_S, span=attempt.otel_span)
                attempt.note_answer(answer, quotes=Quotes({"client_secret": credential.client_secret}))
        except CallError as error:
            raise _not_sent(error) from error
        self._answered(credential, answer, self._clock.monotonic() - started_s)
        refuse_emulator(post.url, answer)
        value, life_s = read_token(answer)
        self._generation += 1
        return Token(
            value=Secret(value),
            issued_s=started_s,
            refresh_s=started_s
            + _REFRESH_AT * life_s
            - self._uniform(0.0, min(_REFRESH_JITTER_S, _JITTER_OF_LIFE * life_s)),
            expires_s=started_s + life_s - min(_MAX_MARGIN_S, _MARGIN_OF_LIFE * life_s),
            generation=self._generation,
        )


def _not_sent(error: CallError) -> CallError:
    """Return the error of the call, which was not sent, whatever happened to the token request."""
    reason = error.failure.reason
    if reason in {Reason.UPSTREAM_UNREACHABLE, Reason.UPSTREAM_TLS_FAILED}:
        return error
    return call_error(Reason.TOKEN_UNAVAILABLE, f"the token request failed: {error.failure.detail}")


def _retry_after(error: CallError, wait_s: float) -> CallError:
    """Return an error with the time after which a request for a token is sent again."""
    failure = error.failure
    return error_for(replace(failure, evidence=replace(failure.evidence, retry_after_s=wait_s)))
