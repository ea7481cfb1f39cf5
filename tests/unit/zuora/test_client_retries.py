import asyncio
from typing import Any

import httpx
import pytest
from harness.clock import FakeClock
from harness.controlled_emulator import wait_until
from harness.routes import context, route, tenant
from harness.scripted_http import ScriptedTransport, answer, transport_over
from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.earlier_sends import NO_EARLIER_SENDS, EarlierSends
from payorch_server.model.errors import CallError, call_error
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.model.secret import Secret
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.zuora.breaker import MIN_FAILURES, MIN_SILENCE_S, OPEN_S, CircuitBreakers, CircuitState
from payorch_server.zuora.client import ZuoraClient
from payorch_server.zuora.concurrency import ConcurrencyLimiter
from payorch_server.zuora.messages import Call
from payorch_server.zuora.tenants import TenantDirectory
from payorch_server.zuora.tokens import TokenCache

CALL = Call("decryption", "/v1/payment-methods/decryption", {"processPayment": True})
KEY = IdempotencyKey("po1-" + "0" * 40)
TOKEN = "/oauth/token"


def answers(*script: httpx.Response | Exception) -> ScriptedTransport:
    """Make a far end that issues tokens and otherwise follows a script."""
    waiting = list(script)
    issued = iter(range(1000))

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == TOKEN:
            return answer(200, {"access_token": f"token-{next(issued)}", "expires_in": 3599})
        said = waiting.pop(0)
        if isinstance(said, Exception):
            raise said
        return said

    return ScriptedTransport(handler=handle)


def client(wire: ScriptedTransport, clock: FakeClock, **settings: Any) -> ZuoraClient:
    """Make a client whose retries do not wait."""
    transport = transport_over(wire)
    return ZuoraClient(
        tenants=TenantDirectory(
            {"acme": tenant(), "other": tenant(base_url="https://other.test")},
            {"acme": Secret("s"), "other": Secret("s")},
        ),
        transport=transport,
        tokens=TokenCache(transport=transport, clock=clock, tasks=TaskOwner(), uniform=lambda low, _high: low),
        clock=clock,
        uniform=lambda _low, _high: 0.0,
        **{"in_flight": ConcurrencyLimiter()} | settings,
    )


async def execute(
    zuora: ZuoraClient, *, earlier: EarlierSends = NO_EARLIER_SENDS, deadline_s: float = 1055.0
) -> ZuoraReply | CallError:
    """Execute, and return what comes of it."""
    try:
        return await zuora.execute(
            CALL, route=route(), context=context(deadline_s=deadline_s), key=KEY, earlier=earlier
        )
    except CallError as error:
        return error


def sent(wire: ScriptedTransport) -> list[httpx.Request]:
    """List what was sent beside token requests."""
    return [request for request in wire.requests if request.url.path != TOKEN]


def done(request_id: str = "r1") -> httpx.Response:
    """Answer with success."""
    return answer(200, {"success": True, "paymentMethodId": "pm-1"}, zuora_request_id=request_id)


def status(code: int, body: object = None, request_id: str = "r1", **headers: str) -> httpx.Response:
    """Answer with an error status."""
    return answer(code, body or {}, zuora_request_id=request_id, **headers)


def refusal(code: int, request_id: str = "r1") -> httpx.Response:
    """Answer with a v1 refusal."""
    reasons = [{"code": code, "message": "no"}]
    return answer(200, {"success": False, "reasons": reasons}, zuora_request_id=request_id)


class TestExecute:
    """All attempts of an execution carry one key, and prove something together."""

    @pytest.mark.asyncio
    async def test_sends_again_under_the_same_key(self) -> None:
        """A lost answer, an edge that failed, then success: three attempts, one key, one body."""
        wire = answers(httpx.ReadError("reset"), status(503), done())

        reply = await execute(client(wire, FakeClock()))

        assert isinstance(reply, ZuoraReply)
        assert [one.ordinal for one in reply.facts.attempts] == [1, 2, 3]
        assert [one.http_status for one in reply.facts.attempts] == [0, 503, 200]
        assert {one.headers["idempotency-key"] for one in sent(wire)} == {KEY}
        assert len({one.content for one in sent(wire)}) == 1

    @pytest.mark.asyncio
    async def test_gives_up_after_three(self) -> None:
        """The error carries all attempts."""
        wire = answers(*(status(503, request_id=f"r{n}") for n in range(5)))

        error = await execute(client(wire, FakeClock()))

        assert isinstance(error, CallError)
        assert (error.failure.reason, len(error.failure.facts.attempts)) == (Reason.UPSTREAM_EDGE_FAILED, 3)

    @pytest.mark.asyncio
    async def test_gives_up_after_the_number_it_was_made_with(self) -> None:
        """The client that takes its place after a reload goes by the same number."""
        wire = answers(*(status(503, request_id=f"r{n}") for n in range(9)))
        before = client(wire, FakeClock(), max_attempts=5)

        await execute(before.successor(TenantDirectory({"acme": tenant()}, {"acme": Secret("s")})))

        assert len(sent(wire)) == 5

    @pytest.mark.asyncio
    async def test_takes_a_new_token_for_a_401(self) -> None:
        """Once; the second refusal is about the credentials."""
        wire = answers(status(401, request_id="r1"), status(401, request_id="r2"), done())

        error = await execute(client(wire, FakeClock()))

        assert isinstance(error, CallError)
        assert error.failure.reason is Reason.UPSTREAM_CREDENTIALS_REJECTED
        assert [one.headers["authorization"] for one in sent(wire)] == ["Bearer token-0", "Bearer token-1"]

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            (status(401), Reason.UPSTREAM_CREDENTIALS_REJECTED),
            (httpx.UnsupportedProtocol("no"), Reason.UPSTREAM_UNREACHABLE),
            (status(429, retry_after="1"), Reason.TOKEN_UNAVAILABLE),
        ],
    )
    async def test_is_over_when_there_is_no_token(self, said: httpx.Response | Exception, expected: Reason) -> None:
        """The failure is remembered for a while, so another attempt would only wait, and add requests to the limit."""
        wire = ScriptedTransport(said)

        error = await execute(client(wire, FakeClock()))

        assert isinstance(error, CallError)
        assert (error.failure.reason, len(wire.requests)) == (expected, 1)

    @pytest.mark.asyncio
    async def test_knows_a_stored_401_by_its_request_id(self) -> None:
        """Zuora repeats it for a day: a new token does not help, a new request id does."""
        wire = answers(status(401), status(401))

        error = await execute(client(wire, FakeClock()))

        assert isinstance(error, CallError)
        assert error.failure.reason is Reason.UPSTREAM_REFUSAL_STORED
        assert dict(error.failure.metadata) == {"lastReason": "UPSTREAM_CREDENTIALS_REJECTED"}
        assert len([one for one in wire.requests if one.url.path == TOKEN]) == 2

    @pytest.mark.asyncio
    async def test_keeps_a_token_when_the_401_is_stored_from_an_earlier_flight(self) -> None:
        """Its id came with the record."""
        wire = answers(status(401), done())
        zuora = client(wire, FakeClock())

        error = await execute(zuora, earlier=EarlierSends(answer_ids=frozenset({Secret("r1")})))
        await execute(zuora)

        assert isinstance(error, CallError)
        assert error.verdict.outcome is Outcome.REFUSED
        assert {one.headers["authorization"] for one in sent(wire)} == {"Bearer token-0"}

    @pytest.mark.asyncio
    @pytest.mark.parametrize("early", [401, 403, 429])
    async def test_does_not_say_not_sent_after_a_lost_answer(self, early: int) -> None:
        """The first attempt may have been executed, whatever refuses the later ones."""
        wire = answers(httpx.ReadError("reset"), *(status(early, request_id=f"r{n}") for n in range(5)))

        error = await execute(client(wire, FakeClock()))

        assert isinstance(error, CallError)
        assert error.failure.reason is Reason.EARLIER_ATTEMPT_UNSETTLED

    @pytest.mark.asyncio
    async def test_settles_a_lost_answer_by_zuoras_refusal(self) -> None:
        """It came twice, so it is the key's own answer: nothing was executed."""
        wire = answers(httpx.ReadError("reset"), refusal(53000020), refusal(53000020))

        error = await execute(client(wire, FakeClock()))

        assert isinstance(error, CallError)
        assert error.failure.reason is Reason.UPSTREAM_REQUEST_REFUSED

    @pytest.mark.asyncio
    @pytest.mark.parametrize("body", [b'{"success"', b"{}"], ids=["broken", "whole"])
    async def test_settles_a_lost_answer_by_no_repeated_one_that_is_broken(self, body: bytes) -> None:
        """What is lost of a stored 429 could report a payment; a whole one is a stored refusal."""
        earlier = EarlierSends(doubtful=True, answer_ids=frozenset({Secret("r1")}))

        error = await execute(client(answers(*(status(429, body) for _ in range(3))), FakeClock()), earlier=earlier)

        assert isinstance(error, CallError)
        is_broken = body != b"{}"
        assert error.failure.reason is (
            Reason.EARLIER_ATTEMPT_UNSETTLED if is_broken else Reason.UPSTREAM_REFUSAL_STORED
        )

    @pytest.mark.asyncio
    @pytest.mark.parametrize("no_id", ["-", "0", "null", "N/A", "[masked]", "****", f"{0:032}", "track-1", KEY])
    async def test_does_not_take_two_answers_for_one_by_what_is_no_id(self, no_id: str) -> None:
        """What a proxy writes in the place of an id, or repeats of the request, is the same in every answer."""
        said = {"success": False, "processId": no_id, "reasons": [{"code": 53000020}]}
        wire = answers(httpx.ReadError("reset"), *(answer(200, said, zuora_request_id=no_id) for _ in range(2)))

        error = await execute(client(wire, FakeClock()))

        assert isinstance(error, CallError)
        assert error.failure.reason is Reason.EARLIER_ATTEMPT_UNSETTLED
        assert len(sent(wire)) == 3

    @pytest.mark.asyncio
    @pytest.mark.parametrize("code", [53000050, 53000060, 53000061, 53000099])
    async def test_sends_nothing_after_a_recorded_answer(self, code: int) -> None:
        """The key would only repeat it."""
        wire = answers(refusal(code), done())

        error = await execute(client(wire, FakeClock()))

        assert isinstance(error, CallError)
        assert len(sent(wire)) == 1

    @pytest.mark.asyncio
    async def test_sends_nothing_when_no_time_is_left(self) -> None:
        """An answer could hardly arrive."""
        wire = answers(done())

        error = await execute(client(wire, FakeClock()), deadline_s=1000.1)

        assert isinstance(error, CallError)
        assert (error.failure.reason, wire.requests) == (Reason.DEADLINE_TOO_SHORT, [])

    @pytest.mark.asyncio
    async def test_does_not_wait_longer_than_the_flight_lasts(self) -> None:
        """Retry-After beyond the deadline is told, not waited for."""
        wire = answers(status(429, retry_after="120"), done())

        error = await execute(client(wire, FakeClock()))

        assert isinstance(error, CallError)
        assert (error.failure.reason, error.failure.evidence.retry_after_s) == (Reason.UPSTREAM_THROTTLED, 120.0)
        assert len(sent(wire)) == 1


class TestBudget:
    """A tenant whose Zuora fails gets no more retries."""

    @pytest.mark.asyncio
    async def test_ends_retries(self) -> None:
        """Three attempts a call while the budget lasts, then one."""
        wire = answers(*(httpx.ReadError("reset") for _ in range(50)))
        zuora = client(wire, FakeClock())
        attempts = []
        for _ in range(5):
            error = await execute(zuora)
            assert isinstance(error, CallError)
            assert error.verdict.outcome is Outcome.UNKNOWN
            attempts.append(len(error.failure.facts.attempts))

        assert attempts == [3, 3, 3, 1, 1]

    @pytest.mark.asyncio
    async def test_is_not_used_up_by_what_callers_get_wrong(self) -> None:
        """Fifty refused requests say that Zuora works."""
        wire = answers(*(refusal(53000020) for _ in range(50)), httpx.ReadError("reset"), done())
        zuora = client(wire, FakeClock())
        for _ in range(50):
            refused = await execute(zuora)
            assert isinstance(refused, CallError)
            assert refused.verdict.outcome is Outcome.REFUSED

        assert isinstance(await execute(zuora), ZuoraReply)


PLACE = ("acme", "")


def failed(clock: FakeClock, times: int) -> CircuitBreakers:
    """Make breakers that have seen calls fail until now, over the time that opens one."""
    circuits, lost = CircuitBreakers(), call_error(Reason.UPSTREAM_NO_ANSWER, "")
    for number in range(times):
        now_s = clock.monotonic() - MIN_SILENCE_S * (times - 1 - number) / (times - 1)
        circuits.note(PLACE, lost, answered=False, is_first=True, sent_s=now_s, now_s=now_s)
    return circuits


class TestCircuit:
    """Where Zuora has stopped answering, nothing is sent into the silence."""

    @pytest.mark.asyncio
    async def test_that_is_open_sends_nothing(self) -> None:
        """Not even a token request; the client that takes its place after a reload knows it too."""
        clock, wire = FakeClock(), answers(done())
        zuora = client(wire, clock, circuits=failed(clock, MIN_FAILURES))

        for sender in (zuora, zuora.successor(zuora.tenants)):
            error = await execute(sender)

            assert isinstance(error, CallError)
            assert (Reason.UPSTREAM_CIRCUIT_OPEN, Outcome.NOT_SENT) == (error.failure.reason, error.verdict.outcome)
            assert OPEN_S == error.failure.evidence.retry_after_s
        assert [] == wire.requests

    @pytest.mark.asyncio
    async def test_that_is_open_leaves_an_intent_in_doubt(self) -> None:
        """An earlier execution may have been executed; nothing is sent, waited for or taken from the budget."""
        clock, wire = FakeClock(), answers(done())
        zuora = client(wire, clock, circuits=failed(clock, MIN_FAILURES))

        error = await execute(zuora, earlier=EarlierSends(doubtful=True))

        assert isinstance(error, CallError)
        assert (Reason.EARLIER_ATTEMPT_UNSETTLED, Outcome.UNKNOWN) == (error.failure.reason, error.verdict.outcome)
        assert {"lastReason": "UPSTREAM_CIRCUIT_OPEN"} == dict(error.failure.metadata)
        assert (OPEN_S, [], 1.0) == (error.failure.evidence.retry_after_s, wire.requests, zuora.budgets()["acme"])

    @pytest.mark.asyncio
    async def test_does_not_refuse_the_retries_of_the_call_that_opened_it(self) -> None:
        """Its first attempt was the last straw; its second one settles it, and closes the circuit."""
        clock, wire = FakeClock(), answers(httpx.ReadError("reset"), done())
        circuits = failed(clock, MIN_FAILURES - 1)

        reply = await execute(client(wire, clock, circuits=circuits))

        assert isinstance(reply, ZuoraReply)
        assert ([1, 2], CircuitState.CLOSED) == (
            [attempt.ordinal for attempt in reply.facts.attempts], circuits.state(PLACE)
        )  # fmt: skip

    @pytest.mark.asyncio
    async def test_lets_one_call_try_when_its_time_has_come(self) -> None:
        """With the answer all others are sent again."""
        clock, wire = FakeClock(), answers(done(), done())
        zuora = client(wire, clock, circuits=failed(clock, MIN_FAILURES))
        clock.advance(OPEN_S)

        assert isinstance(await execute(zuora), ZuoraReply)
        assert isinstance(await execute(zuora), ZuoraReply)

    @pytest.mark.asyncio
    async def test_is_tried_by_a_call_that_is_sent(self) -> None:
        """One that gets no token, or has no time left, keeps no other from trying."""
        clock, wire = FakeClock(), answers(done())
        circuits = failed(clock, MIN_FAILURES)
        clock.advance(OPEN_S)
        without_token = client(ScriptedTransport(httpx.UnsupportedProtocol("no")), clock, circuits=circuits)

        ends = [
            await execute(without_token),
            await execute(client(wire, clock, circuits=circuits), deadline_s=clock.monotonic() + 0.1),
            await execute(client(wire, clock, circuits=circuits)),
        ]

        assert [Reason.UPSTREAM_UNREACHABLE, Reason.DEADLINE_TOO_SHORT, None] == [
            end.failure.reason if isinstance(end, CallError) else None for end in ends
        ]

    @pytest.mark.asyncio
    async def test_that_opens_meanwhile_refuses_what_waited_for_a_slot(self) -> None:
        """It has sent nothing yet, and gives its slot back."""
        clock, wire = FakeClock(), answers(done())
        circuits, in_flight = failed(clock, MIN_FAILURES - 1), ConcurrencyLimiter()
        zuora = client(wire, clock, circuits=circuits, in_flight=in_flight)
        slots = [await in_flight.enter(PLACE, limit=40, wait_s=1.0) for _ in range(40)]
        waiting = asyncio.ensure_future(execute(zuora))
        await wait_until(lambda: 1 == in_flight.by_tenant()[1]["acme"])
        lost = call_error(Reason.UPSTREAM_NO_ANSWER, "")
        circuits.note(PLACE, lost, answered=False, is_first=True, sent_s=clock.monotonic(), now_s=clock.monotonic())

        in_flight.leave(PLACE, slots.pop())
        error = await waiting

        assert isinstance(error, CallError)
        assert (Reason.UPSTREAM_CIRCUIT_OPEN, []) == (error.failure.reason, sent(wire))
        assert 39 == in_flight.by_tenant()[0]["acme"]


class TestServes:
    """Whether a pinned route can still be taken."""

    @pytest.mark.parametrize(
        ("changes", "expected", "reason"),
        [
            ({}, True, "unchanged"),
            ({"tenant": "gone"}, False, "the tenant is not configured"),
            ({"host": "old.zuora.test"}, False, "the tenant moved to another host"),
            ({"client_id": "another client"}, False, "the name stands for another Zuora tenant"),
            ({"entity": "us", "entity_id": "a" * 32}, True, "one of its entities"),
            (
                {"entity": "us", "entity_id": "AAAAAAAA-aaaa-aaaa-aaaa-aaaaaaaaaaaa"},
                True,
                "the same entity, pinned in the other form",
            ),
            ({"entity": "us", "entity_id": "c" * 32}, False, "an entity that is gone"),
        ],
    )
    def test_compares_tenant_host_and_entity(self, changes: dict[str, str], *, expected: bool, reason: str) -> None:
        """Another host or tenant would execute the intent a second time."""
        assert TenantDirectory({"acme": tenant()}, {}).serves(route(**changes)) is expected, reason
