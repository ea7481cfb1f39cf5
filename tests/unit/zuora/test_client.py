import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import pytest
import pytest_asyncio
from harness.clock import FakeClock
from harness.routes import context, route, tenant
from harness.scripted_http import ScriptedTransport, answer, transport_over
from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.errors import CallError
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.model.route import Route
from payorch_server.model.secret import Secret
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.zuora.client import MIN_REMAINING_S, ZuoraClient
from payorch_server.zuora.concurrency import ConcurrencyLimiter
from payorch_server.zuora.messages import Call
from payorch_server.zuora.settings import TenantSettings
from payorch_server.zuora.tenants import TenantDirectory
from payorch_server.zuora.tokens import TokenCache

KEY = IdempotencyKey("po1-" + "0" * 40)
SESSION = Call("sessions", "/web-payments/sessions", {"amount": Decimal("1.10"), "secret": Secret("canary")})
DECRYPTION = Call("decryption", "/v1/payment-methods/decryption", {})
METHODS = Call("payment_methods", "/v2/payment_methods", {}, (("fields[]", "id,type"), ("expand[]", "account")))
ENTITY = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
REFUSED_TOKEN = {"message": "Authentication error"}


@dataclass
class Parts:
    """A client, its far end and its clock."""

    client: ZuoraClient
    wire: ScriptedTransport
    clock: FakeClock

    async def execute(self, call: Call = SESSION, where: Route | None = None, deadline_s: float = 1020.0) -> ZuoraReply:
        """Execute a call."""
        return await self.client.execute(call, route=where or route(), context=context(deadline_s=deadline_s), key=KEY)

    @property
    def calls(self) -> list[httpx.Request]:
        """The requests that were not for tokens."""
        return [request for request in self.wire.requests if request.url.path != "/oauth/token"]


class Zuora(ScriptedTransport):
    """A far end that gives out numbered tokens and plays a script for everything else."""

    def __init__(self) -> None:
        super().__init__(handler=self._reply)
        self.script: list[httpx.Response | Exception] = []
        self.tokens: list[httpx.Response] = []
        self.given = 0
        self.seconds_per_call = 0.0
        self.clock = FakeClock()

    def _reply(self, request: httpx.Request) -> httpx.Response:
        self.clock.advance(self.seconds_per_call)
        if request.url.path == "/oauth/token":
            self.given += 1
            token = {"access_token": f"token-{self.given}", "expires_in": 3600}
            return self.tokens.pop(0) if self.tokens else answer(200, token)
        scripted = self.script.pop(0)
        if isinstance(scripted, Exception):
            raise scripted
        return scripted


def parts_for(settings: TenantSettings, *script: httpx.Response | Exception) -> tuple[Parts, TaskOwner]:
    zuora, tasks = Zuora(), TaskOwner()
    zuora.script = list(script)
    transport = transport_over(zuora)
    client = ZuoraClient(
        tenants=TenantDirectory({"acme": settings}, {"acme": Secret("s")}),
        transport=transport,
        tokens=TokenCache(transport=transport, clock=zuora.clock, tasks=tasks, uniform=lambda low, _high: low),
        in_flight=ConcurrencyLimiter(),
        clock=zuora.clock,
        uniform=lambda _low, _high: 0.0,
    )
    return Parts(client, zuora, zuora.clock), tasks


@pytest_asyncio.fixture
async def parts() -> AsyncIterator[Parts]:
    """Make a client whose script is empty."""
    made, tasks = parts_for(tenant())
    yield made
    await tasks.close()


def play(parts: Parts, *script: httpx.Response | Exception) -> Zuora:
    """Set what the far end answers."""
    assert isinstance(parts.wire, Zuora)
    parts.wire.script = list(script)
    return parts.wire


@pytest.mark.asyncio
class TestHeaders:
    """What Zuora documents per operation, and nothing that is not asked for."""

    async def test_are_the_least_for_a_simple_route(self, parts: Parts) -> None:
        """No entity, no orgs and no version off v1."""
        play(parts, answer(200, {"token": "x"}))

        await parts.execute()

        (request,) = parts.calls
        sent = {name: value for name, value in request.headers.items() if not name.startswith(("accept", "user-"))}
        assert sent == {
            "authorization": "Bearer token-1",
            "content-length": str(len(request.content)),
            "content-type": "application/json",
            "host": "zuora.test",
            "idempotency-key": KEY,
            "zuora-track-id": "track-1",
        }
        assert request.content == b'{"amount":1.10,"secret":"canary"}'

    async def test_name_entity_and_orgs_of_the_route(self, parts: Parts) -> None:
        """One entity; orgs joined by commas."""
        play(parts, answer(200, {"token": "x"}))

        await parts.execute(where=route(entity_id=ENTITY, org_ids=("n1", "s1")))

        (request,) = parts.calls
        assert (request.headers["zuora-entity-ids"], request.headers["zuora-org-ids"]) == (ENTITY, "n1,s1")

    async def test_have_one_form_for_an_entity(self, parts: Parts) -> None:
        """A route that was pinned with 32 digits goes out like any other."""
        play(parts, answer(200, {"token": "x"}))

        await parts.execute(where=route(entity_id="A" * 32))

        assert parts.calls[0].headers["zuora-entity-ids"] == ENTITY

    @pytest.mark.parametrize(
        ("call", "expected", "reason"),
        [
            (SESSION, None, "sessions do not list it"),
            (DECRYPTION, "2025-08-12", "v1"),
            (METHODS, None, "Quickstart has no versions"),
        ],
    )
    async def test_hold_a_version_on_v1_alone(
        self, parts: Parts, call: Call, expected: str | None, reason: str
    ) -> None:
        """Outcome classes depend on it there."""
        play(parts, answer(200, {"id": "x"}))

        await parts.execute(call)

        assert parts.calls[0].headers.get("zuora-version") == expected, reason

    async def test_leave_the_query_to_the_call(self, parts: Parts) -> None:
        """Brackets are encoded, repeated names stay."""
        play(parts, answer(201, {"id": "x"}))

        await parts.execute(METHODS)

        assert (
            str(parts.calls[0].url)
            == "https://zuora.test/v2/payment_methods?fields%5B%5D=id%2Ctype&expand%5B%5D=account"
        )

    @pytest.mark.parametrize(("scope", "expected"), [("client", None), ("entity", ENTITY)])
    async def test_of_the_token_request_follow_the_scope(self, scope: str, expected: str | None) -> None:
        """One token for all entities, or one per entity."""
        parts, tasks = parts_for(tenant(token_scope=scope), answer(200, {"token": "x"}))

        await parts.execute(where=route(entity_id="a" * 32))
        await tasks.close()

        assert parts.wire.requests[0].headers.get("zuora-entity-ids") == expected


@pytest.mark.asyncio
class TestExecute:
    """One send, or two when the first token is refused."""

    async def test_returns_the_answer_with_its_facts(self, parts: Parts) -> None:
        """Ids for support, the echo for the evidence of a replay."""
        headers = {"zuora_request_id": "r1", "zuora_track_id": "track-0"}
        play(parts, answer(200, {"token": "x", "processId": "p1"}, **headers)).seconds_per_call = 0.25

        reply = await parts.execute()

        assert (reply.status, dict(reply.payload)) == (200, {"token": "x", "processId": "p1"})
        facts = reply.facts
        assert (facts.zuora_request_id, facts.zuora_process_id, facts.echoed_track_id) == ("r1", "p1", "track-0")
        (attempt,) = facts.attempts
        assert (attempt.ordinal, attempt.http_status, attempt.zuora_request_id) == (1, 200, "r1")
        assert (attempt.duration_s, attempt.outcome) == (0.25, Outcome.SUCCEEDED)

    @pytest.mark.parametrize(
        ("status", "body"),
        [(401, REFUSED_TOKEN), (401, b""), (200, {"success": False, "reasons": [{"code": 90000011}]})],
    )
    async def test_sends_once_more_with_a_new_token_and_the_same_key(
        self, parts: Parts, status: int, body: Any
    ) -> None:
        """A 401 is given before anything is executed."""
        play(parts, answer(status, body), answer(200, {"token": "x"}))

        reply = await parts.execute()

        first, second = parts.calls
        assert (first.headers["authorization"], second.headers["authorization"]) == ("Bearer token-1", "Bearer token-2")
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == KEY
        assert first.content == second.content
        assert [attempt.outcome for attempt in reply.facts.attempts] == [Outcome.NOT_SENT, Outcome.SUCCEEDED]

    async def test_gives_up_at_the_second_refused_token(self, parts: Parts) -> None:
        """The operator must act; the caller's request was never looked at."""
        play(parts, answer(401, REFUSED_TOKEN), answer(401, REFUSED_TOKEN))

        with pytest.raises(CallError) as caught:
            await parts.execute()

        assert caught.value.verdict.outcome is Outcome.NOT_SENT

        failed = caught.value.failure
        assert (failed.reason, len(failed.facts.attempts)) == (Reason.UPSTREAM_CREDENTIALS_REJECTED, 2)
        assert len(parts.calls) == 2

    @pytest.mark.parametrize(
        ("make", "expected", "attempts", "reason"),
        [
            (lambda: answer(500, {"reasons": [{"code": "SystemError"}]}), Reason.UPSTREAM_INTERNAL, 1, "recorded"),
            (lambda: answer(200, {"success": False, "reasons": [{"code": 53000099}]}), Reason.UPSTREAM_GATEWAY_FAILED,
             1, "money may have moved"),
            (lambda: answer(400, {"reasons": [{"code": 53000020}]}), Reason.UPSTREAM_REQUEST_REFUSED, 1, "recorded"),
            (lambda: answer(502, b""), Reason.UPSTREAM_EDGE_FAILED, 3, "an edge"),
            (lambda: answer(429, {"reasons": [{"code": 70}]}), Reason.UPSTREAM_THROTTLED, 3, "a limit"),
            (lambda: answer(409, b""), Reason.UPSTREAM_IN_PROGRESS, 3, "a first send that runs"),
            (lambda: httpx.ReadError("reset"), Reason.UPSTREAM_NO_ANSWER, 3, "a reset"),
        ],
    )  # fmt: skip
    async def test_repeats_with_its_key_only_what_was_not_recorded(
        self, parts: Parts, make: Callable[[], httpx.Response | Exception], expected: Reason, attempts: int, reason: str
    ) -> None:
        """A recorded answer would only come back."""
        play(parts, make(), make(), make())

        with pytest.raises(CallError) as caught:
            await parts.execute()

        failed = caught.value.failure
        assert (failed.reason, len(failed.facts.attempts), len(parts.calls)) == (expected, attempts, attempts), reason
        assert {call.headers["idempotency-key"] for call in parts.calls} == {KEY}

    async def test_tells_of_the_first_send_when_no_second_token_comes(self, parts: Parts) -> None:
        """Every error knows every attempt."""
        zuora = play(parts, answer(401, REFUSED_TOKEN))
        zuora.tokens = [answer(200, {"access_token": "t"}), answer(503, b"")]

        with pytest.raises(CallError) as caught:
            await parts.execute()

        assert caught.value.verdict.outcome is Outcome.NOT_SENT

        failed = caught.value.failure
        assert (failed.reason, len(failed.facts.attempts)) == (Reason.TOKEN_UNAVAILABLE, 1)

    async def test_is_of_unknown_outcome_when_the_second_send_breaks(self, parts: Parts) -> None:
        """What counts is the send that may have been executed."""
        play(parts, answer(401, REFUSED_TOKEN), httpx.ReadError("reset"), httpx.ReadError("reset"))

        with pytest.raises(CallError) as caught:
            await parts.execute()

        assert caught.value.verdict.outcome is Outcome.UNKNOWN

        outcomes = [attempt.outcome for attempt in caught.value.failure.facts.attempts]
        assert outcomes == [Outcome.NOT_SENT, Outcome.UNKNOWN, Outcome.UNKNOWN]


@pytest.mark.asyncio
class TestDeadline:
    """Nothing is sent that can hardly be answered in time."""

    @pytest.mark.parametrize("left_s", [-5.0, 0.0, MIN_REMAINING_S, 0.199])
    async def test_sends_nothing_when_it_is_near(self, parts: Parts, left_s: float) -> None:
        """Not even a token request."""
        with pytest.raises(CallError) as caught:
            await parts.execute(deadline_s=1000.0 + left_s)

        assert caught.value.failure.reason is Reason.DEADLINE_TOO_SHORT
        assert parts.wire.requests == []

    async def test_sends_nothing_when_the_token_took_too_long(self, parts: Parts) -> None:
        """The time is measured again before the call itself."""
        play(parts).seconds_per_call = 5.0

        with pytest.raises(CallError) as caught:
            await parts.execute(deadline_s=1005.1)

        assert caught.value.failure.reason is Reason.DEADLINE_TOO_SHORT
        assert parts.calls == []

    async def test_stops_after_a_refused_token_when_no_time_is_left(self, parts: Parts) -> None:
        """The first send is not forgotten."""
        play(parts, answer(401, REFUSED_TOKEN)).seconds_per_call = 5.0

        with pytest.raises(CallError) as caught:
            await parts.execute(deadline_s=1010.1)

        assert caught.value.verdict.outcome is Outcome.NOT_SENT

        failed = caught.value.failure
        assert (failed.reason, len(failed.facts.attempts)) == (Reason.UPSTREAM_CREDENTIALS_REJECTED, 1)


class TestPreview:
    """A dry run shows what would be sent, without token and secrets."""

    @pytest.mark.asyncio
    async def test_shows_url_headers_and_body(self, parts: Parts) -> None:
        """Headers are sorted, so that two previews can be compared."""
        preview = parts.client.preview(SESSION, route=route(), context=context(), key=KEY)

        assert (preview.method, preview.url) == ("POST", "https://zuora.test/web-payments/sessions")
        assert preview.headers == (
            ("content-type", "application/json"),
            ("idempotency-key", KEY),
            ("zuora-track-id", "track-1"),
        )
        assert preview.body == '{"amount":1.10,"secret":"[redacted]"}'
        assert parts.wire.requests == []


@pytest.mark.asyncio
class TestInFlight:
    """What Zuora would answer with 429 is not sent."""

    async def test_refuses_beyond_the_limit_and_recovers(self) -> None:
        """A call that is over makes room, whatever became of it."""
        gate, arrived = asyncio.Event(), asyncio.Event()

        async def slow(request: httpx.Request) -> httpx.Response:
            if request.url.path == "/oauth/token":
                return answer(200, {"access_token": "t", "expires_in": 3599})
            arrived.set()
            await gate.wait()
            raise httpx.ReadError("reset")

        parts, tasks = parts_for(tenant(max_in_flight=1, max_queue_s=0.0))
        usual, parts.wire._handler = parts.wire._handler, slow
        first = asyncio.ensure_future(parts.execute())
        await arrived.wait()

        with pytest.raises(CallError) as caught:
            await parts.execute()

        assert (caught.value.failure.reason, len(parts.calls)) == (Reason.OVERLOADED, 1)
        assert caught.value.failure.metadata == {"tenant": "acme"}
        parts.wire._handler = usual
        play(parts, answer(200, {"token": "x"}))
        gate.set()
        assert (await first).status == 200
        play(parts, answer(200, {"token": "y"}))
        assert (await parts.execute()).status == 200
        await tasks.close()
