import asyncio
import dataclasses
from typing import Any

import httpx
import pytest
from harness.clock import FakeClock
from harness.scripted_http import ScriptedTransport, answer, transport_over
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Reason
from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - which token was handed out is the subject
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.zuora.tokens import Credential, Token, TokenCache

CREDENTIAL = Credential("https://zuora.test/oauth/token", "/oauth/token", "client", Secret("canary"))
OTHER = Credential("https://zuora.test/oauth/token", "/oauth/token", "client", Secret("canary"), "entity")


def issued(name: str, expires_in: object = 3599) -> object:
    """Answer with a token."""
    return answer(200, {"access_token": name, "token_type": "bearer", "expires_in": expires_in})


def cache(wire: ScriptedTransport, clock: FakeClock, **changes: Any) -> TokenCache:
    """Make an empty cache that draws the lower end of each interval."""
    members = {"uniform": lambda low, _high: low, "tasks": TaskOwner()} | changes
    return TokenCache(transport=transport_over(wire), clock=clock, **members)


async def taken(tokens: TokenCache, credential: Credential = CREDENTIAL) -> Token:
    """Take a token."""
    return await tokens.get(credential, timeout_s=5)


async def settled(tokens: TokenCache) -> None:
    """Wait until nothing is being fetched."""
    while fetches := list(tokens._fetches.values()):
        await asyncio.gather(*fetches, return_exceptions=True)


async def name_of(tokens: TokenCache, credential: Credential = CREDENTIAL) -> str:
    """Take a token and look at it."""
    return reveal((await taken(tokens, credential)).value)


class TestGet:
    """One token per credential, fetched by one flight."""

    @pytest.mark.asyncio
    async def test_fetches_once_for_all(self) -> None:
        """Five hundred callers of a cold cache."""
        wire = ScriptedTransport(issued("one"))
        tokens = cache(wire, FakeClock())

        names = await asyncio.gather(*(name_of(tokens) for _ in range(500)))

        assert ({*names}, len(wire.requests), repr(tokens)) == ({"one"}, 1, "TokenCache(1 tokens, 0 being fetched)")
        assert wire.form()["grant_type"] == ["client_credentials"]

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("host", "taken"), [("rest.zuora.com", [Reason.TOKEN_UNAVAILABLE]), ("rest.test.zuora.com", ["one"])]
    )
    async def test_takes_no_token_of_an_emulator_for_production(self, host: str, taken: list[object]) -> None:
        """Whoever answers there in Zuora's place would take payments that never happened."""
        wire = ScriptedTransport(answer(200, {"access_token": "one", "expires_in": 3599}, zuora_emulator="not-zuora"))
        credential = dataclasses.replace(CREDENTIAL, url=f"https://{host}/oauth/token")

        got = await asyncio.gather(name_of(cache(wire, FakeClock()), credential), return_exceptions=True)

        assert taken == [end.failure.reason if isinstance(end, CallError) else end for end in got]

    @pytest.mark.asyncio
    async def test_outlives_the_caller_that_wanted_it(self) -> None:
        """The next one finds the token."""
        gate = asyncio.Event()

        async def slow(_request: object) -> object:
            await gate.wait()
            return issued("one")

        wire = ScriptedTransport(handler=slow)
        tokens = cache(wire, FakeClock())
        with pytest.raises(CallError) as caught:
            await tokens.get(CREDENTIAL, timeout_s=0.01)
        assert caught.value.failure.reason is Reason.TOKEN_UNAVAILABLE

        gate.set()

        assert (await name_of(tokens), len(wire.requests)) == ("one", 1)

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("expires_in", "life_s", "reason"),
        [
            (3599, 3539, "a minute before its end it is not used any more"),
            ("3599", 3539, "a number as text"),
            (120, 60, "the longest life of which half is a minute"),
            (60, 30, "half of a short life"),
            (2, 1, "half of a very short one"),
            (1, 0.5, "a second"),
            ("soon", 3540, "text that is no number: the documented hour"),
            (None, 3540, "missing"),
            (-5, 3540, "negative"),
            ("NaN", 3540, "not a number"),
            (86_400, 86_340, "a day, which is the longest life that is believed"),
            (86_401, 3540, "longer than a day: the documented hour"),
            (1e99, 3540, "beyond belief"),
            (True, 3540, "no number at all"),
        ],
    )
    async def test_never_hands_out_an_expired_token(self, expires_in: object, life_s: float, reason: str) -> None:
        """Whatever Zuora says about its life."""
        clock = FakeClock()
        tokens = cache(ScriptedTransport(issued("one", expires_in), issued("two")), clock)
        await taken(tokens)
        clock.advance(life_s - 0.5)
        before = await name_of(tokens)
        clock.advance(0.5)

        assert (before, await name_of(tokens)) == ("one", "two"), reason

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("said", "expected", "reason"),
        [
            (answer(200, {"token_type": "bearer"}), Reason.TOKEN_UNAVAILABLE, "200 without a token"),
            (answer(200, {"access_token": ""}), Reason.TOKEN_UNAVAILABLE, "an empty one"),
            (answer(200, {"access_token": 5}), Reason.TOKEN_UNAVAILABLE, "one that is no text"),
            (answer(200, {"access_token": "canary\n"}), Reason.TOKEN_UNAVAILABLE, "one that would end the header"),
            (answer(200, {"access_token": "can ary"}), Reason.TOKEN_UNAVAILABLE, "one that is two words"),
            (answer(200, {"access_token": "canary\u00e9"}), Reason.TOKEN_UNAVAILABLE, "one beyond ASCII"),
            (answer(200, b"<html>"), Reason.TOKEN_UNAVAILABLE, "a page"),
            (answer(200, b"[]"), Reason.TOKEN_UNAVAILABLE, "no object"),
            (answer(429, {}), Reason.TOKEN_UNAVAILABLE, "too many"),
            (answer(503, b""), Reason.TOKEN_UNAVAILABLE, "an edge that failed"),
            (answer(500, {"access_token": "one"}), Reason.TOKEN_UNAVAILABLE, "a failure that carries one"),
            (httpx.UnsupportedProtocol("no"), Reason.UPSTREAM_UNREACHABLE, "no connection"),
            (httpx.ReadError("reset"), Reason.TOKEN_UNAVAILABLE, "no answer"),
            (answer(401, {}), Reason.UPSTREAM_CREDENTIALS_REJECTED, "refused"),
            (answer(403, {}), Reason.UPSTREAM_CREDENTIALS_REJECTED, "forbidden"),
        ],
    )
    async def test_says_not_sent_when_there_is_none(self, said: object, expected: Reason, reason: str) -> None:
        """Nothing of the caller's was sent, whatever became of the token request; a second later a call tries again."""
        clock = FakeClock()
        tokens = cache(ScriptedTransport(said, issued("two")), clock)

        with pytest.raises(CallError) as caught:
            await taken(tokens)

        assert caught.value.failure.reason is expected, reason
        assert "canary" not in str(caught.value)
        clock.advance(1)
        assert await name_of(tokens) == "two"


async def refusal(tokens: TokenCache, credential: Credential = CREDENTIAL) -> tuple[Reason, float | None]:
    """Fail to take a token; return why, and after which time another request is sent."""
    with pytest.raises(CallError) as caught:
        await taken(tokens, credential)
    failure = caught.value.failure
    return failure.reason, failure.evidence.retry_after_s


class TestFailure:
    """A failed request is remembered: the endpoint allows about a hundred a minute from one address."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("said", "wait_s", "reason"),
        [
            (answer(429, {}, retry_after="30"), 30, "what the answer demands"),
            (answer(429, {}, ratelimit_reset="40"), 40, "the end of the limit's window"),
            (answer(503, {}, retry_after="7"), 7, "of any status"),
            (answer(401, {}, retry_after="7"), 7, "of a refusal too"),
            (answer(429, {}, retry_after="3600"), 60, "a minute at most"),
            (answer(429, {}, retry_after="0"), 0.5, "no wait at all"),
            (answer(429, {}), 0.5, "no demand"),
            (answer(401, {}), 0.5, "refused credentials"),
            (answer(200, {}), 0.5, "no token in the answer"),
            (httpx.UnsupportedProtocol("no"), 0.5, "no connection"),
        ],
    )
    async def test_is_told_to_fifty_calls_and_costs_one_request(self, said: Any, wait_s: float, reason: str) -> None:
        """To half of them at once, and to half one after another, with what is left to wait."""
        clock, wire = FakeClock(), ScriptedTransport(said, issued("two"))
        tokens = cache(wire, clock)

        at_once = await asyncio.gather(*(refusal(tokens) for _ in range(25)))
        clock.advance(wait_s / 2)
        later = [await refusal(tokens) for _ in range(25)]

        assert [{left_s for _, left_s in at_once}, {left_s for _, left_s in later}] == [{wait_s}, {wait_s / 2}], reason
        assert len({why for why, _ in (*at_once, *later)}) == len(wire.requests) == 1
        clock.advance(wait_s / 2)
        assert await name_of(tokens) == "two"

    @pytest.mark.asyncio
    @pytest.mark.parametrize(("draws", "share"), [(min, 0.5), (max, 1.0)])
    async def test_is_followed_by_growing_jittered_pauses(self, draws: Any, share: float) -> None:
        """From half a second or one, up to half a minute at most, however long the endpoint fails."""
        clock = FakeClock()
        wire = ScriptedTransport(*(answer(500, {}) for _ in range(2000)))
        tokens = cache(wire, clock, uniform=draws)
        pauses = []
        for _ in range(2000):
            _, left_s = await refusal(tokens)
            pauses.append(left_s)
            clock.advance(left_s or 0.0)

        assert [pause_s / share for pause_s in pauses[:7] if pause_s] == [1, 2, 4, 8, 16, 30, 30]
        assert pauses[-1] == 30 * share

    @pytest.mark.asyncio
    async def test_is_forgotten_after_a_success(self) -> None:
        """The next failure is a first one."""
        clock = FakeClock()
        said = [answer(500, {}), answer(500, {}), issued("one", 60), answer(500, {})]
        tokens = cache(ScriptedTransport(*said), clock)
        first, _ = await refusal(tokens), clock.advance(1)
        _, _ = await refusal(tokens), clock.advance(1)
        _, _ = await taken(tokens), clock.advance(60)

        assert await refusal(tokens) == first

    @pytest.mark.asyncio
    async def test_is_forgotten_when_the_configuration_is_reloaded(self) -> None:
        """An operator who has mended something sees at once whether that helped."""
        tokens = cache(ScriptedTransport(answer(429, {}, retry_after="30"), issued("two")), FakeClock())
        await refusal(tokens)

        tokens.keep(lambda _credential: True)

        assert await name_of(tokens) == "two"

    @pytest.mark.asyncio
    async def test_concerns_its_own_credential_alone(self) -> None:
        """Another entity's token, or that of another tenant or secret, can still be had."""
        wire = ScriptedTransport(answer(429, {}, retry_after="30"), issued("other"), issued("new"))
        tokens = cache(wire, FakeClock())
        await refusal(tokens)

        names = await name_of(tokens, OTHER), await name_of(tokens, dataclasses.replace(OTHER, client_id="new"))

        assert names == ("other", "new")

    @pytest.mark.asyncio
    async def test_of_a_refresh_counts_when_the_token_ends(self) -> None:
        """Whether it ends by its time or by a 401, no request is sent before the endpoint allows it."""
        clock = FakeClock()
        wire = ScriptedTransport(issued("one", 120), answer(429, {}, retry_after="60"), issued("two"))
        tokens = cache(wire, clock)
        token = await taken(tokens)
        clock.advance(96 - 60)
        tokens._tokens[CREDENTIAL] = dataclasses.replace(token, refresh_s=clock.monotonic())
        await taken(tokens)
        await settled(tokens)
        clock.advance(20)
        tokens.note_refused(CREDENTIAL, token, since_s=clock.monotonic())

        assert (await refusal(tokens), len(wire.requests)) == ((Reason.TOKEN_UNAVAILABLE, 40), 2)

    @pytest.mark.asyncio
    async def test_of_a_refresh_is_not_followed_by_one_before_its_time(self) -> None:
        """The token before is still handed out meanwhile."""
        clock = FakeClock()
        wire = ScriptedTransport(issued("one"), answer(429, {}, retry_after="60"), issued("two"))
        tokens = cache(wire, clock)
        sent = []
        for wait_s in (0, 2900, 31, 28, 1):
            clock.advance(wait_s)
            await taken(tokens)
            await settled(tokens)
            sent.append(len(wire.requests))

        assert sent == [1, 2, 2, 2, 3]

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("said", "text"),
        [
            (answer(404, {"message": "canary"}), "answered 404 with a JSON object without access_token"),
            (answer(500, {"access_token": "canary"}), "answered 500 with a JSON object with access_token"),
            (answer(200, {"access_token": ""}), "answered 200 with a JSON object without access_token"),
            (answer(401, {"canary": 1}), "answered 401 with a JSON object without access_token"),
            (answer(429, {}), "answered 429 with a JSON object without access_token"),
            (answer(200, b"<html>canary"), "answered 200 with a body that is not a JSON object"),
            (answer(502, b"[]"), "answered 502 with a body that is not a JSON object"),
            (answer(503, b""), "answered 503 with an empty body"),
        ],
    )
    async def test_names_what_came(self, said: Any, text: str) -> None:
        """Status and kind of body, so that an operator sees a wrong host at once, and none of its values."""
        with pytest.raises(CallError) as caught:
            await taken(cache(ScriptedTransport(said), FakeClock()))

        assert text in str(caught.value)
        assert "canary" not in str(caught.value)


class TestShortLife:
    """Some servers give tokens that live for a minute, or hand out the same one until its end."""

    @pytest.mark.asyncio
    async def test_costs_no_request_for_every_call(self) -> None:
        """Five calls at once, and five a little later, whatever the jitter draws."""
        clock, wire = FakeClock(), ScriptedTransport(issued("one", 60), issued("two", 60))
        tokens = cache(wire, clock, uniform=lambda _low, high: high)

        names = [await name_of(tokens) for _ in range(5)]
        clock.advance(20)
        names += [await name_of(tokens) for _ in range(5)]

        assert (names, len(wire.requests)) == (["one"] * 10, 1)


class TestRefresh:
    """A token is replaced before its end, and nobody waits for that."""

    @pytest.mark.asyncio
    async def test_happens_while_the_token_before_is_handed_out(self) -> None:
        """At four fifths of its life; then the new one is."""
        clock, gate = FakeClock(), asyncio.Event()

        async def slow(_request: object) -> object:
            if len(wire.requests) > 1:
                await gate.wait()
            return issued(f"token-{len(wire.requests)}")

        wire = ScriptedTransport(handler=slow)
        tokens = cache(wire, clock)
        await taken(tokens)
        clock.advance(2878)
        early = await name_of(tokens)
        clock.advance(2)

        during = [await name_of(tokens) for _ in range(3)]
        gate.set()
        await settled(tokens)

        assert ("token-1", ["token-1"] * 3, "token-2") == (early, during, await name_of(tokens))
        assert 2 == len(wire.requests)

    @pytest.mark.asyncio
    async def test_that_fails_is_tried_again_later(self) -> None:
        """Half a minute at least lies between, and the token is good for longer than that."""
        clock = FakeClock()
        wire = ScriptedTransport(issued("one"), answer(500, {}), issued("two"))
        tokens = cache(wire, clock)
        names = []
        for wait_s in (0, 2900, 29, 1):
            clock.advance(wait_s)
            names.append(await name_of(tokens))
            await settled(tokens)

        assert (["one"] * 4, "two", 3) == (names, await name_of(tokens), len(wire.requests))

    @pytest.mark.asyncio
    async def test_is_spread_over_a_minute(self) -> None:
        """Replicas that started together do not ask together, neither at first nor after a failure."""
        clock = FakeClock()
        wire = ScriptedTransport(issued("one", 3600), answer(500, {}), issued("two"))
        tokens = cache(wire, clock, uniform=lambda _low, high: high)
        sent = []
        for wait_s in (0, 2819, 1, 89, 1):
            clock.advance(wait_s)
            await taken(tokens)
            await settled(tokens)
            sent.append(len(wire.requests))

        assert sent == [1, 1, 2, 2, 3]


class TestTokenInUse:
    """What is known of a token without taking it."""

    @pytest.mark.asyncio
    async def test_can_be_handed_out_until_its_last_minute(self) -> None:
        """Then a call has to wait for another one."""
        clock = FakeClock()
        tokens = cache(ScriptedTransport(issued("one", 3600)), clock)
        before = tokens.has(CREDENTIAL), tokens.age_s(CREDENTIAL)
        await taken(tokens)
        clock.advance(3539)
        during = tokens.has(CREDENTIAL), tokens.age_s(CREDENTIAL)
        clock.advance(1)

        assert (before, during, tokens.has(CREDENTIAL)) == ((False, None), (True, 3539), False)

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            (issued("one"), None),
            (answer(401, {}), Reason.UPSTREAM_CREDENTIALS_REJECTED),
            (ZeroDivisionError(), Reason.INTERNAL),
        ],
        ids=["success", "refusal", "defect"],
    )
    async def test_is_reported_as_fetched_or_not(self, said: object, expected: Reason | None) -> None:
        """For the metrics: each fetch once, with what was wrong."""
        reported: list[tuple[Credential, Reason | None]] = []
        tokens = cache(ScriptedTransport(said), FakeClock(), fetched=lambda *fetch: reported.append(fetch))

        await asyncio.gather(taken(tokens), return_exceptions=True)

        assert reported == [(CREDENTIAL, expected)]

    @pytest.mark.asyncio
    async def test_is_not_reported_when_the_process_ends(self) -> None:
        """A fetch that was cut says nothing of Zuora."""
        loop, arrived, tasks = asyncio.get_running_loop(), asyncio.Event(), TaskOwner()
        reported: list[object] = []
        loop.set_exception_handler(lambda _loop, context: reported.append(context))

        async def stuck(_request: object) -> object:
            arrived.set()
            return await loop.create_future()

        wire = ScriptedTransport(handler=stuck)
        tokens = cache(wire, FakeClock(), tasks=tasks, fetched=lambda *fetch: reported.append(fetch))
        waiting = asyncio.ensure_future(taken(tokens))
        await arrived.wait()

        await tasks.close()
        await asyncio.gather(waiting, return_exceptions=True)

        assert reported == []


class TestRefused:
    """A 401 retires a token only if it proves something about it."""

    @pytest.mark.asyncio
    async def test_replaces_a_token(self) -> None:
        """Nobody had success with it since the refused attempt began."""
        clock = FakeClock()
        tokens = cache(ScriptedTransport(issued("one"), issued("two")), clock)
        first = await taken(tokens)

        tokens.note_refused(CREDENTIAL, first, since_s=clock.monotonic())

        assert await name_of(tokens) == "two"

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("accepted_at_s", "kept", "reason"),
        [
            (-1.0, False, "accepted before the attempt began: it may have been revoked since"),
            (0.0, True, "accepted when the attempt began"),
            (1.0, True, "accepted after that: the 401 is about something else"),
        ],
    )
    async def test_keeps_a_token_that_zuora_took_since(self, accepted_at_s: float, *, kept: bool, reason: str) -> None:
        """One caller's 401 must not cost all others their token."""
        clock = FakeClock()
        tokens = cache(ScriptedTransport(issued("one"), issued("two")), clock)
        token = await taken(tokens)
        began_s = clock.monotonic()
        clock.advance(accepted_at_s)
        tokens.note_accepted(CREDENTIAL, token)

        tokens.note_refused(CREDENTIAL, token, since_s=began_s)

        assert await name_of(tokens) == ("one" if kept else "two"), reason

    @pytest.mark.asyncio
    async def test_happens_at_most_once_a_minute(self) -> None:
        """The token endpoint allows a hundred requests a minute from one address, to all tenants together."""
        clock = FakeClock()
        tokens = cache(ScriptedTransport(issued("one"), issued("two"), issued("three")), clock)
        names = []
        for wait_s in (0.0, 59.0, 1.0):
            clock.advance(wait_s)
            tokens.note_refused(CREDENTIAL, await taken(tokens), since_s=clock.monotonic())
            names.append(await name_of(tokens))

        assert names == ["two", "two", "three"]

    @pytest.mark.asyncio
    async def test_spares_a_newer_generation(self) -> None:
        """Many attempts carried the first token; each of them is refused, and one new token is fetched."""
        clock = FakeClock()
        wire = ScriptedTransport(issued("one"), issued("two"))
        tokens = cache(wire, clock)
        first = await taken(tokens)
        tokens.note_refused(CREDENTIAL, first, since_s=clock.monotonic())
        await taken(tokens)
        clock.advance(120)

        tokens.note_refused(CREDENTIAL, first, since_s=0.0)

        assert (await name_of(tokens), len(wire.requests)) == ("two", 2)

    @pytest.mark.asyncio
    async def test_counts_a_success_for_its_own_generation(self) -> None:
        """That the old token was accepted says nothing about the new one."""
        clock = FakeClock()
        tokens = cache(ScriptedTransport(issued("one"), issued("two"), issued("three")), clock)
        first = await taken(tokens)
        tokens.note_refused(CREDENTIAL, first, since_s=clock.monotonic())
        second = await taken(tokens)
        clock.advance(120)
        began_s = clock.monotonic()
        tokens.note_accepted(CREDENTIAL, first)

        tokens.note_refused(CREDENTIAL, second, since_s=began_s)

        assert await name_of(tokens) == "three"

    @pytest.mark.asyncio
    async def test_leaves_other_credentials_alone(self) -> None:
        """Another entity's token is another token, with a minute of its own."""
        clock = FakeClock()
        tokens = cache(ScriptedTransport(issued("one"), issued("other"), issued("two")), clock)
        first = await taken(tokens)
        await taken(tokens, OTHER)

        tokens.note_refused(CREDENTIAL, first, since_s=clock.monotonic())

        assert (await name_of(tokens, OTHER), await name_of(tokens)) == ("other", "two")

    @pytest.mark.asyncio
    async def test_forgets_nothing_it_never_had(self) -> None:
        """A token from before a restart."""
        tokens = cache(ScriptedTransport(issued("one")), FakeClock())

        tokens.note_refused(CREDENTIAL, Token(Secret("old"), 0.0, 7, 0.0, 0.0), since_s=0.0)

        assert await name_of(tokens) == "one"


class TestKeep:
    """A credential that no tenant has any more leaves nothing behind."""

    @pytest.mark.asyncio
    async def test_forgets_all_but_the_wanted(self) -> None:
        """The wanted one's token is used on, the other's is fetched anew."""
        wire = ScriptedTransport(issued("one"), issued("other"), issued("third"))
        tokens = cache(wire, FakeClock())
        await taken(tokens)
        await taken(tokens, OTHER)

        tokens.keep(lambda credential: credential == OTHER)

        assert ("other", "third") == (await name_of(tokens, OTHER), await name_of(tokens))
