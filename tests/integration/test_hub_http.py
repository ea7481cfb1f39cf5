"""The hub over real sockets: what Zuora may send, and what strangers do."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from harness.clock import FakeClock
from harness.hub import FakeGateway, approve
from harness.hub_http import (
    GOOD,
    OLD_PASSWORD,
    TARGET,
    ServedHub,
    authorization,
    message_of,
    payment_body,
    post,
    served_hub,
)
from harness.raw_http import CANARY, body_of, broken_requests, connect, headers_of, listening_to_logs, status_of
from payorch_server.runtime.http_connection import HttpLimits
from payorch_server.upc.answers import HubAnswer, Situation, answer_to
from payorch_server.upc.exchange import Caller
from payorch_server.upc.gateway_outcome import CallFacts, GatewayOutcome
from payorch_server.upc.hub_parts import REQUEST_LIMIT_S, HubCallNotes
from payorch_server.upc.request import Defect, HubRequest, UnusableRequest

pytestmark = pytest.mark.asyncio
WRONG = authorization(f"{CANARY}-wrong")
LARGE = b" " * 2**21


@pytest_asyncio.fixture
async def hub() -> AsyncIterator[ServedHub]:
    """A hub whose gateway approves."""
    async with served_hub() as served:
        yield served


def chunked(content: bytes, size: int = 100) -> bytes:
    """Write a body in chunks."""
    parts = [content[begin : begin + size] for begin in range(0, len(content), size)]
    return b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts) + b"0\r\n\r\n"


def in_chunks(content: bytes, *lines: str) -> bytes:
    """Write a request with a body in chunks."""
    return post(b"", GOOD, "Transfer-Encoding: chunked", *lines, length=-1) + chunked(content)


class TestPayments:
    """What Zuora sends."""

    @pytest.mark.parametrize(
        ("name", "request_"),
        [
            ("a length", post(payment_body(), GOOD)),
            ("chunks", in_chunks(payment_body())),
            ("HTTP/1.0", post(payment_body(), GOOD, version="1.0")),
            ("the old password", post(payment_body(), authorization(OLD_PASSWORD))),
            ("the scheme in lower case", post(payment_body(), GOOD.replace("Basic", "basic"))),
            ("no coding, named", post(payment_body(), GOOD, "Content-Encoding: identity")),
            ("a query", post(payment_body(), GOOD, target=f"{TARGET}?x=1")),
        ],
    )
    async def test_are_approved(self, hub: ServedHub, name: str, request_: bytes) -> None:
        """In each form that HTTP allows."""
        answer = await hub.send(request_)

        assert 200 == status_of(answer), name
        assert "Approved" == json.loads(body_of(answer))["responseCode"]
        assert not {"server", "x-powered-by"} & headers_of(answer).keys()
        (reported,) = hub.reports.exchanges
        assert ("main", Caller.KNOWN, 200) == (reported.hub, reported.caller, reported.status)
        assert reported.notes.key

    async def test_wait_for_an_invitation_if_they_say_so(self, hub: ServedHub) -> None:
        """`Expect: 100-continue` is answered before the body comes."""
        content = payment_body()
        connection = await connect(hub.port)
        connection.send(post(content, GOOD, "Expect: 100-continue")[: -len(content)])
        invitation = await connection.answer()
        connection.send(content)
        answer = await connection.answer()
        await connection.close()

        assert (b"HTTP/1.1 100 Continue\r\n\r\n", 200) == (invitation, status_of(answer))

    async def test_in_one_packet_are_answered_in_order(self, hub: ServedHub) -> None:
        """Pipelining is rare, and still must not mix them up."""
        requests = b"".join(post(payment_body(f"p{number}"), GOOD, close=False) for number in range(3))
        connection = await connect(hub.port)
        connection.send(requests)
        statuses = [status_of(await connection.answer()) for _ in range(3)]
        await connection.close()

        assert [200] * 3 == statuses
        assert ["p0", "p1", "p2"] == [
            report.request.subject.id for report in hub.reports.exchanges if isinstance(report.request, HubRequest)
        ]

    async def test_are_executed_although_the_peer_leaves(self) -> None:
        """The connection is not what owns a payment."""
        called, finish = asyncio.Event(), asyncio.Event()

        async def slowly(gateway: FakeGateway, request: HubRequest, facts: CallFacts) -> GatewayOutcome:
            called.set()
            await finish.wait()
            return await approve(gateway, request, facts)

        async with served_hub(FakeGateway(behaviours=[slowly])) as hub:
            connection = await connect(hub.port)
            connection.send(post(payment_body(), GOOD))
            await called.wait()
            await connection.close()
            assert 200 == await hub.pay()
            finish.set()
            answer = await hub.send(post(payment_body(), GOOD))

            assert 200 == status_of(answer)
            assert 2 == len(hub.world.gateway.charges)

    async def test_are_timed_from_the_first_byte(self) -> None:
        """What the head took is no longer there for the gateway."""
        clock, seen = _loop_clock(), _Deadlines()
        async with served_hub(hub=seen, clock=clock) as hub:
            request, began_s = post(payment_body(), GOOD), clock.monotonic()
            connection = await connect(hub.port)
            connection.send(request[:10])
            await _until(lambda: any(one.is_within_head for one in hub.listener._connections.open))
            clock.advance(7)
            connection.send(request[10:])
            await connection.answer()
            await connection.close()

        assert [began_s + REQUEST_LIMIT_S] == seen.deadlines_s
        assert [7.0] == [report.duration_s for report in hub.reports.exchanges]


class _Deadlines:
    """A hub that remembers deadlines, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.deadlines_s: list[float] = []
        self._error = error

    async def answer(
        self, hub: str, request: HubRequest | UnusableRequest, *, deadline_s: float, notes: HubCallNotes
    ) -> HubAnswer:
        """Remember."""
        del hub, request, notes
        self.deadlines_s.append(deadline_s)
        if self._error:
            raise self._error
        return answer_to(Situation.NO_OUTCOME, in_doubt=False)

    async def answer_refused(
        self, request: UnusableRequest, *, notes: HubCallNotes, has_credentials: bool = True
    ) -> HubAnswer:
        """Never called."""
        raise NotImplementedError


def _loop_clock() -> FakeClock:
    """Return a clock that stands at the loop's time."""
    return FakeClock(asyncio.get_running_loop().time())


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


class TestBrokenRequests:
    """What is no HTTP request, or none that may be trusted."""

    @pytest.mark.parametrize("name", broken_requests(TARGET))
    async def test_never_mean_error(self, hub: ServedHub, name: str) -> None:
        """Nothing comes back, nothing is logged, and the next payment is served."""
        with listening_to_logs() as said:
            answer = await hub.send(broken_requests(TARGET)[name])
            next_one = await hub.pay()

        assert (503, "This is no HTTP request that the hub can read.") == (status_of(answer), message_of(answer))
        assert "server" not in headers_of(answer)
        assert CANARY not in f"{answer!r}{said}"
        assert 200 == next_one

    @pytest.mark.parametrize(
        ("name", "request_", "situation"),
        [
            ("2 MiB", post(LARGE, GOOD), Situation.ID_ILLEGIBLE),
            ("more than 1 MiB in chunks", in_chunks(LARGE[: 2**20 + 1]), Situation.ID_ILLEGIBLE),
            ("2 MiB of a stranger", post(LARGE, WRONG), Situation.ID_ILLEGIBLE),
            ("compressed", post(gzip.compress(payment_body()), GOOD, "Content-Encoding: gzip"), Situation.ID_ILLEGIBLE),
            ("no JSON", post(CANARY.encode(), GOOD), Situation.ID_ILLEGIBLE),
            ("no body", post(b"", GOOD), Situation.ID_ILLEGIBLE),
        ],
    )
    async def test_without_a_legible_id_never_mean_error(
        self, hub: ServedHub, name: str, request_: bytes, situation: Situation
    ) -> None:
        """Whatever their credentials are."""
        with listening_to_logs() as said:
            answer = await hub.send(request_)
            next_one = await hub.pay()

        assert (503, situation.value) == (status_of(answer), message_of(answer)), name
        assert CANARY not in f"{answer!r}{said}"
        assert 200 == next_one

    async def test_that_are_compressed_are_not_decompressed(self, hub: ServedHub) -> None:
        """A megabyte could become a gigabyte."""
        await hub.send(post(gzip.compress(LARGE), GOOD, "Content-Encoding: gzip"))

        (report,) = hub.reports.exchanges
        assert UnusableRequest(Defect.ENCODED) == report.request

    async def test_in_the_packet_of_a_payment_stop_it(self, hub: ServedHub) -> None:
        """Where the payment ends is then not certain, so nothing is executed."""
        sent = post(payment_body(), GOOD, close=False) + f"{CANARY}\x00 / HTTP/1.1\r\n\r\n".encode()
        with listening_to_logs() as said:
            answer = await hub.send(sent)

        assert (503, []) == (status_of(answer), hub.world.gateway.charges)
        assert 1 == answer.count(b"HTTP/1.")
        assert CANARY not in f"{answer!r}{said}"
        assert 200 == await hub.pay()

    async def test_behind_a_payment_do_not_touch_it(self) -> None:
        """The payment is answered first."""
        called, finish = asyncio.Event(), asyncio.Event()

        async def slowly(gateway: FakeGateway, request: HubRequest, facts: CallFacts) -> GatewayOutcome:
            called.set()
            await finish.wait()
            return await approve(gateway, request, facts)

        async with served_hub(FakeGateway(behaviours=[slowly])) as hub:
            connection = await connect(hub.port)
            connection.send(post(payment_body(), GOOD, close=False))
            await called.wait()
            with listening_to_logs() as said:
                connection.send(f"{CANARY}\x00 / HTTP/1.1\r\n\r\n".encode())
                (open_one,) = hub.listener._connections.open
                await _until(lambda: bool(open_one._messages))
                finish.set()
                first, second = await connection.answer(), await connection.everything()
            await connection.close()

        assert (200, 503) == (status_of(first), status_of(second))
        assert CANARY not in f"{first!r}{second!r}{said}"

    @pytest.mark.parametrize("length", [20, -20], ids=["within the head", "within the body"])
    async def test_that_end_early_take_nothing_along(self, hub: ServedHub, length: int) -> None:
        """The peer leaves in the middle."""
        with listening_to_logs() as said:
            connection = await connect(hub.port)
            connection.send(post(payment_body(), WRONG)[:length])
            await connection.close()
            next_one = await hub.pay()
            await _until(lambda: not hub.reports.open)

        assert 200 == next_one
        assert 1 == len(hub.world.gateway.charges)
        assert [] == said.events
        assert CANARY not in str(said)

    async def test_that_break_within_the_body_are_given_up_at_once(self) -> None:
        """A chunk without a size ends the request; nothing waits for more."""
        async with served_hub(limits=HttpLimits(connections=10, idle_s=3600, body_s=3600)) as hub:
            connection = await connect(hub.port)
            connection.send(post(b"", GOOD, "Transfer-Encoding: chunked", length=-1))
            await _until(lambda: bool(hub.reports.open))
            connection.send(f"{CANARY}\r\n".encode())
            with listening_to_logs() as said:
                answer = await connection.everything()
            await connection.close()

            assert (503, Situation.INCOMPLETE.value) == (status_of(answer), message_of(answer))
            assert CANARY not in f"{answer!r}{said}"
            assert 200 == await hub.pay()

    async def test_of_an_unfinished_body_are_given_up(self) -> None:
        """A slow body is answered, and the connection closed."""
        async with served_hub(limits=HttpLimits(connections=10, idle_s=60, body_s=0.05)) as hub:
            answer = await hub.send(post(payment_body(), GOOD)[:-20])

            assert (503, Situation.INCOMPLETE.value) == (status_of(answer), message_of(answer))
            assert "close" == headers_of(answer)["connection"]
            assert 200 == await hub.pay()


class TestCallers:
    """Who may call."""

    @pytest.mark.parametrize(
        ("name", "lines"),
        [
            ("wrong", [WRONG]),
            ("two that are right", [GOOD, GOOD]),
            ("a token", [f"Authorization: Bearer {CANARY}"]),
            ("another user", [authorization(user="other")]),
        ],
    )
    async def test_with_wrong_credentials_are_refused_for_good(
        self, hub: ServedHub, name: str, lines: list[str]
    ) -> None:
        """A 401 means Error, so the same id is never charged afterwards."""
        with listening_to_logs() as said:
            answer = await hub.send(post(payment_body(), *lines))
            again = await hub.send(post(payment_body(), GOOD))

        assert (401, Situation.CREDENTIALS_REFUSED.value) == (status_of(answer), message_of(answer)), name
        assert 'Basic realm="payorch"' == headers_of(answer)["www-authenticate"]
        assert (400, []) == (status_of(again), hub.world.gateway.charges)
        assert CANARY not in str(said)

    async def test_without_credentials_are_asked_for_them(self, hub: ServedHub) -> None:
        """An HTTP client may send them only then, so the id stays usable."""
        answer = await hub.send(post(payment_body()))
        again = await hub.send(post(payment_body(), GOOD))

        assert (401, Situation.CREDENTIALS_MISSING.value) == (status_of(answer), message_of(answer))
        assert 'Basic realm="payorch"' == headers_of(answer)["www-authenticate"]
        assert (200, 1) == (status_of(again), len(hub.world.gateway.charges))

    async def test_of_unknown_hubs_hear_the_same(self, hub: ServedHub) -> None:
        """Names of hubs cannot be guessed."""
        unknown = await hub.send(post(payment_body("a"), GOOD, target=f"/upc/{CANARY}"))
        wrong = await hub.send(post(payment_body("b"), WRONG))

        assert body_of(wrong) == body_of(unknown)
        assert (status_of(wrong), sorted(headers_of(wrong))) == (status_of(unknown), sorted(headers_of(unknown)))
        assert ["", "main"] == [report.hub for report in hub.reports.exchanges]

    async def test_with_wrong_credentials_are_read_five_times_a_second(self) -> None:
        """Beyond that nothing is recorded, and so nothing may mean Error."""
        clock = _loop_clock()
        async with served_hub(clock=clock) as hub:
            answers = [await hub.send(post(payment_body(f"p{number}"), WRONG)) for number in range(6)]
            clock.advance(1)
            later = await hub.send(post(payment_body("p6"), WRONG))

            assert [401] * 5 + [503] == [status_of(answer) for answer in answers]
            assert Situation.REFUSED_TOO_OFTEN.value == message_of(answers[5])
            assert hub.reports.exchanges[5].request is None
            assert 401 == status_of(later)
            assert 200 == await hub.pay()

    async def test_with_wrong_credentials_are_not_waited_for_beyond_that(self) -> None:
        """The connection is closed at once, and what else they send is not received."""
        async with served_hub(clock=_loop_clock()) as hub:
            for number in range(5):
                await hub.send(post(payment_body(f"p{number}"), WRONG))
            answer = await hub.send(post(b"{", WRONG, length=100, close=False))
            elsewhere = await hub.send(post(b"{", target="/elsewhere", length=100, close=False))

            assert [503, 404] == [status_of(answer), status_of(elsewhere)]
            assert ["close"] * 2 == [headers_of(answer)["connection"], headers_of(elsewhere)["connection"]]

    async def test_from_other_addresses_are_not_looked_at(self) -> None:
        """The answer comes before the body, whatever else is right."""
        async with served_hub(allow=("198.51.100.0/24",)) as hub:
            answer = await hub.send(post(b"", GOOD, length=100, close=False))
            elsewhere = await hub.send(post(b"", target=f"/{CANARY}", close=False))

            assert (503, Situation.ADDRESS_REFUSED.value) == (status_of(answer), message_of(answer))
            assert "close" == headers_of(answer)["connection"]
            assert answer.partition(b"\r\nDate")[0] == elsewhere.partition(b"\r\nDate")[0]
            assert [(Caller.NOT_ALLOWED, None)] * 2 == [
                (report.caller, report.request) for report in hub.reports.exchanges
            ]

    @pytest.mark.parametrize(
        ("forwarded", "status"),
        [
            (["198.51.100.7"], 200),
            (["203.0.113.9, 198.51.100.7"], 200),
            (["203.0.113.9", "198.51.100.7, 127.0.0.2"], 200),
            (["198.51.100.7, 203.0.113.9"], 503),
            (["198.51.100.7", "203.0.113.9"], 503),
            ([f"{CANARY}, 198.51.100.7"], 503),
            ([], 503),
        ],
    )
    async def test_behind_a_proxy_are_the_last_that_it_names(self, forwarded: list[str], status: int) -> None:
        """All header lines count as one list."""
        async with served_hub(allow=("198.51.100.0/24",), trusted_proxies=("127.0.0.0/8",)) as hub:
            answer = await hub.send(post(payment_body(), GOOD, *(f"X-Forwarded-For: {line}" for line in forwarded)))

            assert status == status_of(answer)


class TestOtherRequests:
    """What is no request to a hub."""

    @pytest.mark.parametrize(
        "target", ["/", "/upc", "/upc/", "/upc/main/", "/upc/main/x", "/UPC/main", "//upc/main", "*"]
    )
    async def test_to_other_paths_find_nothing(self, hub: ServedHub, target: str) -> None:
        """404 leaves a payment in Processing."""
        answer = await hub.send(
            post(payment_body(), GOOD, target=target, method="OPTIONS" if target == "*" else "POST")
        )

        assert (404, "There is no hub here.") == (status_of(answer), message_of(answer))
        assert [] == hub.reports.exchanges

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
    async def test_with_other_methods_are_refused(self, hub: ServedHub, method: str) -> None:
        """With a text that repeats nothing."""
        answer = await hub.send(post(payment_body(CANARY), GOOD, method=method))

        assert (405, "The hub takes POST alone.") == (status_of(answer), message_of(answer))
        assert "POST" == headers_of(answer)["allow"]
        assert 200 == await hub.pay()

    @pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
    async def test_for_another_protocol_stay_http(self, hub: ServedHub, upgrade: str) -> None:
        """The payment is answered, and what follows is not read as HTTP."""
        lines = (GOOD, f"Upgrade: {upgrade}", "Connection: Upgrade")
        answer = await hub.send(post(payment_body(), *lines, close=False) + post(payment_body("p2"), GOOD))

        assert 200 == status_of(answer)
        assert ["main"] == [report.hub for report in hub.reports.exchanges]

    async def test_to_connect_find_nothing(self, hub: ServedHub) -> None:
        """The hub is no proxy."""
        answer = await hub.send(f"CONNECT {CANARY}.test:443 HTTP/1.1\r\nHost: {CANARY}\r\n\r\n".encode())

        assert 404 == status_of(answer)
        assert CANARY not in repr(answer)


class TestDefects:
    """Failures of ours."""

    async def test_never_mean_error(self) -> None:
        """The log has their kind and place, and no text."""
        async with served_hub(hub=_Deadlines(error=ValueError(CANARY))) as hub:
            with listening_to_logs() as said:
                answer = await hub.send(post(payment_body(), GOOD))

        assert (503, Situation.DEFECT.value) == (status_of(answer), message_of(answer))
        assert ["upc_request_failed"] == said.names
        assert "ValueError" == said.events[0]["type"]
        assert CANARY not in f"{answer!r}{said}"
        assert [Situation.DEFECT] == [report.answer.situation for report in hub.reports.exchanges]
