import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from payorch_server.model.errors import CallError, NotSent
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - which token is handed out is the subject
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.zuora.tokens import Credential, TokenCache
from unit.support.clock import FakeClock
from unit.support.http import Wire, answer, transport_over

CREDENTIAL = Credential("https://zuora.test/oauth/token", "/oauth/token", "client", Secret("s&cret +/="))
CALLERS = 500


class Endpoint(Wire):
    """A token endpoint that answers when its gate is open, each time with another token."""

    def __init__(self) -> None:
        super().__init__(handler=self._token)
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()
        self.next: list[httpx.Response | Exception] = []
        self.expires_in: Any = 3600

    async def _token(self, _request: httpx.Request) -> httpx.Response:
        self.arrived.set()
        number = len(self.requests)
        await self.gate.wait()
        if self.next:
            scripted = self.next.pop(0)
            if isinstance(scripted, Exception):
                raise scripted
            return scripted
        return answer(200, {"access_token": f"token-{number}", "expires_in": self.expires_in})


@dataclass
class Parts:
    """A cache and what is around it."""

    cache: TokenCache
    endpoint: Endpoint
    clock: FakeClock

    async def get(self, credential: Credential = CREDENTIAL, *, timeout_s: float = 5.0) -> str:
        """Get the text of a token."""
        return reveal((await self.cache.get(credential, timeout_s=timeout_s)).value)


@pytest_asyncio.fixture
async def parts() -> AsyncIterator[Parts]:
    """Make an empty cache."""
    endpoint, clock, tasks = Endpoint(), FakeClock(), TaskOwner()
    yield Parts(TokenCache(transport=transport_over(endpoint), clock=clock, tasks=tasks), endpoint, clock)
    await tasks.close()


async def let_all_wait() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.asyncio
class TestRequest:
    """A token is asked for as Zuora documents it."""

    async def test_sends_a_form_and_no_authorization(self, parts: Parts) -> None:
        """The secret is URL-encoded; credentials in headers are forbidden there."""
        await parts.get()

        (request,) = parts.endpoint.requests
        assert parts.endpoint.form() == {
            "client_id": ["client"],
            "client_secret": ["s&cret +/="],
            "grant_type": ["client_credentials"],
        }
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert not {"authorization", "zuora-entity-ids", "idempotency-key"} & set(request.headers)

    @pytest.mark.parametrize(
        ("entity_id", "reason"),
        [
            ("2c92c0f9000000000000000000000001", "32 digits as sessions take them"),
            ("2c92c0f9-0000-0000-0000-000000000001", "a UUID"),
        ],
    )
    async def test_names_an_entity_with_hyphens(self, parts: Parts, entity_id: str, reason: str) -> None:
        """The token endpoint takes 36 characters and nothing else."""
        await parts.get(replace(CREDENTIAL, entity_id=entity_id))

        (request,) = parts.endpoint.requests
        assert request.headers["zuora-entity-ids"] == "2c92c0f9-0000-0000-0000-000000000001", reason


@pytest.mark.asyncio
class TestSingleFlight:
    """However many callers want a token, one request is made."""

    async def test_serves_500_callers_with_one_request(self, parts: Parts) -> None:
        """Zuora allows 100 token requests a minute and address."""
        parts.endpoint.gate.clear()
        callers = [asyncio.ensure_future(parts.get()) for _ in range(CALLERS)]
        await let_all_wait()

        parts.endpoint.gate.set()
        tokens = await asyncio.gather(*callers)

        assert (set(tokens), len(parts.endpoint.requests)) == ({"token-1"}, 1)

    async def test_goes_on_when_its_first_caller_is_cancelled(self, parts: Parts) -> None:
        """The others wait for the same flight."""
        parts.endpoint.gate.clear()
        first = asyncio.ensure_future(parts.get())
        await parts.endpoint.arrived.wait()
        second = asyncio.ensure_future(parts.get())
        await let_all_wait()

        first.cancel()
        await let_all_wait()
        parts.endpoint.gate.set()

        assert await second == "token-1"
        assert first.cancelled()
        assert len(parts.endpoint.requests) == 1

    async def test_lands_in_the_cache_when_every_caller_left(self, parts: Parts) -> None:
        """Nothing that was paid for is thrown away."""
        parts.endpoint.gate.clear()
        only = asyncio.ensure_future(parts.get())
        await parts.endpoint.arrived.wait()

        only.cancel()
        await let_all_wait()
        parts.endpoint.gate.set()
        await let_all_wait()

        assert (await parts.get(), len(parts.endpoint.requests)) == ("token-1", 1)

    async def test_outlives_a_caller_whose_time_is_up(self, parts: Parts) -> None:
        """That caller learns that nothing was sent."""
        parts.endpoint.gate.clear()

        with pytest.raises(NotSent) as caught:
            await parts.get(timeout_s=0.0)

        assert caught.value.failure.reason is Reason.TOKEN_UNAVAILABLE
        parts.endpoint.gate.set()
        assert (await parts.get(), len(parts.endpoint.requests)) == ("token-1", 1)

    async def test_keeps_credentials_apart(self, parts: Parts) -> None:
        """Equal credentials share a token; any difference asks for another."""
        others = [
            replace(CREDENTIAL, client_id="other"),
            replace(CREDENTIAL, client_secret=Secret("other")),
            replace(CREDENTIAL, entity_id="e" * 32),
            replace(CREDENTIAL, url="https://other.test/oauth/token"),
        ]

        tokens = [await parts.get(one) for one in (CREDENTIAL, *others, replace(CREDENTIAL))]

        assert tokens == ["token-1", "token-2", "token-3", "token-4", "token-5", "token-1"]

    async def test_fails_for_every_caller_and_is_not_cached(self, parts: Parts) -> None:
        """The next call tries again."""
        parts.endpoint.next = [answer(500, b"")]
        parts.endpoint.gate.clear()
        callers = [asyncio.ensure_future(parts.get()) for _ in range(3)]
        await let_all_wait()

        parts.endpoint.gate.set()
        failed = await asyncio.gather(*callers, return_exceptions=True)

        assert [type(one) for one in failed] == [NotSent] * 3
        assert (await parts.get(), len(parts.endpoint.requests)) == ("token-2", 2)


@pytest.mark.asyncio
class TestLife:
    """A token is used until its last minute."""

    @pytest.mark.parametrize(
        ("expires_in", "life_s", "reason"),
        [
            (3600, 3600, "the documented hour"),
            (3598, 3598, "what samples show"),
            ("3599", 3599, "a string of digits"),
            (120.5, 120.5, "a fraction"),
            (None, 3600, "null"),
            ("soon", 3600, "no number"),
            (0, 3600, "no life at all"),
            (-1, 3600, "a negative life"),
            (True, 3600, "true is no number"),
            ("nan", 3600, "not a number"),
            ("inf", 3600, "for ever"),
            (86_401, 3600, "more than a day is not believed"),
            ([], 3600, "a list"),
        ],
    )
    async def test_lasts_as_long_as_zuora_says(self, parts: Parts, expires_in: Any, life_s: float, reason: str) -> None:
        """Whatever is no sensible number counts as an hour, as in Zuora's own sample."""
        parts.endpoint.expires_in = expires_in
        first = await parts.get()

        parts.clock.advance(life_s - 60.5)
        before = await parts.get()
        parts.clock.advance(1.0)
        after = await parts.get()

        assert (first, before, after) == ("token-1", "token-1", "token-2"), reason

    async def test_counts_from_the_start_of_the_request(self, parts: Parts) -> None:
        """A slow answer has used up part of the life."""
        parts.endpoint.gate.clear()
        slow = asyncio.ensure_future(parts.get())
        await parts.endpoint.arrived.wait()
        parts.clock.advance(3539.0)
        parts.endpoint.gate.set()
        await slow

        parts.clock.advance(2.0)

        assert await parts.get() == "token-2"

    async def test_is_used_once_when_it_is_too_short(self, parts: Parts) -> None:
        """A token of a minute serves those who waited for it, and is not kept."""
        parts.endpoint.expires_in = 30

        assert [await parts.get(), await parts.get()] == ["token-1", "token-2"]


@pytest.mark.asyncio
class TestRetire:
    """A refused token is forgotten, by generation."""

    async def test_makes_room_for_a_new_one(self, parts: Parts) -> None:
        """The next call asks again."""
        token = await parts.cache.get(CREDENTIAL, timeout_s=1.0)

        parts.cache.refused(CREDENTIAL, token, since_s=0.0)

        assert await parts.get() == "token-2"

    async def test_leaves_a_newer_token_alone(self, parts: Parts) -> None:
        """Late refusals of one token must not start a stampede."""
        token = await parts.cache.get(CREDENTIAL, timeout_s=1.0)
        parts.cache.refused(CREDENTIAL, token, since_s=0.0)
        await parts.get()

        for _ in range(100):
            parts.cache.refused(CREDENTIAL, token, since_s=0.0)

        assert (await parts.get(), len(parts.endpoint.requests)) == ("token-2", 2)

    async def test_knows_nothing_of_others(self, parts: Parts) -> None:
        """Retiring for a credential that has no token changes nothing."""
        token = await parts.cache.get(CREDENTIAL, timeout_s=1.0)

        parts.cache.refused(replace(CREDENTIAL, client_id="other"), token, since_s=0.0)

        assert await parts.get() == "token-1"


@pytest.mark.asyncio
class TestFailures:
    """Whatever goes wrong here, the caller's own request was not sent."""

    @pytest.mark.parametrize(
        ("scripted", "expected", "reason"),
        [
            (answer(400, {}), Reason.UPSTREAM_CREDENTIALS_REJECTED, "refused as a bad request"),
            (answer(401, {"message": "Authentication error"}), Reason.UPSTREAM_CREDENTIALS_REJECTED, "unauthorised"),
            (answer(403, b""), Reason.UPSTREAM_CREDENTIALS_REJECTED, "forbidden"),
            (answer(429, {"reasons": [{"code": 70}]}), Reason.TOKEN_UNAVAILABLE, "too many token requests"),
            (answer(500, b""), Reason.TOKEN_UNAVAILABLE, "a fault"),
            (answer(503, b"<html></html>"), Reason.TOKEN_UNAVAILABLE, "a proxy"),
            (answer(302, b""), Reason.TOKEN_UNAVAILABLE, "a redirect is not followed"),
            (answer(200, b"<html></html>"), Reason.TOKEN_UNAVAILABLE, "HTML with status 200"),
            (answer(200, b""), Reason.TOKEN_UNAVAILABLE, "nothing"),
            (answer(200, {"token_type": "bearer"}), Reason.TOKEN_UNAVAILABLE, "no token"),
            (answer(200, {"access_token": ""}), Reason.TOKEN_UNAVAILABLE, "an empty token"),
            (answer(200, {"access_token": 7}), Reason.TOKEN_UNAVAILABLE, "a token that is no text"),
            (answer(201, {"access_token": "t"}), Reason.TOKEN_UNAVAILABLE, "an unknown success"),
            (httpx.ReadTimeout("x"), Reason.TOKEN_UNAVAILABLE, "no answer"),
            (httpx.UnsupportedProtocol("x"), Reason.UPSTREAM_UNREACHABLE, "no way to call it"),
        ],
    )
    async def test_are_never_of_unknown_outcome(
        self, parts: Parts, scripted: httpx.Response | Exception, expected: Reason, reason: str
    ) -> None:
        """A token request that may have been executed moves no money."""
        parts.endpoint.next = [scripted]

        with pytest.raises(CallError) as caught:
            await parts.get()

        assert (caught.value.failure.reason, caught.value.verdict.outcome) == (expected, Outcome.NOT_SENT), reason
        assert "s&cret" not in str(caught.value)

    async def test_leave_no_trace(self, parts: Parts) -> None:
        """The cache describes itself without its secrets."""
        await parts.get()

        assert repr(parts.cache) == "TokenCache(1 tokens, 0 being fetched)"
        assert "s&cret" not in repr(CREDENTIAL)
