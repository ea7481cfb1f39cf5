import gzip
import json
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any

import httpx
import pytest
from harness.clock import FakeClock
from harness.routes import context, route, tenant
from harness.scripted_http import Chunks, ScriptedTransport, answer, transport_over
from payorch_server.model.errors import CallError
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.outcome import VERDICTS, Advice, Outcome, Reason
from payorch_server.model.secret import Secret
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.zuora.client import ZuoraClient
from payorch_server.zuora.concurrency import ConcurrencyLimiter
from payorch_server.zuora.errors import STATUSES
from payorch_server.zuora.messages import Call
from payorch_server.zuora.tenants import TenantDirectory
from payorch_server.zuora.tokens import TokenCache

CALLS = {
    "sessions": Call("sessions", "/web-payments/sessions", {}),
    "decryption": Call("decryption", "/v1/payment-methods/decryption", {}),
    "payment_methods": Call("payment_methods", "/v2/payment_methods", {}),
    "payment_methods_v1": Call("payment_methods_v1", "/v1/payment-methods", {}),
}
SUCCESSES: Mapping[str, dict[str, Any]] = {
    "sessions": {"token": "t" * 32},
    "decryption": {"success": True, "paymentMethodId": "pm1", "paymentId": "p1", "processId": "P1"},
    "payment_methods": {"id": "pm1", "type": "card", "state": "active"},
    "payment_methods_v1": {"success": True, "id": "pm1", "processId": "P1"},
}
BODIES: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "a success": lambda operation: SUCCESSES[operation],
    "a refusal": lambda _: {"success": False, "processId": "P1", "reasons": [{"code": 53200020, "message": "no"}]},
    "a fault": lambda _: {"success": False, "processId": "P1", "reasons": [{"code": 53200060, "message": "no"}]},
    "a method": lambda _: {
        "success": False,
        "processId": "P1",
        "paymentMethodId": "pm1",
        "reasons": [{"code": 53200030}],
    },
}
HEADERS = {"content-type": "application/json", "zuora-request-id": "r1", "retry-after": "0"}
# Only what is sent back before a request is looked at may be called NOT_SENT by its status alone.
EARLY = {401, 403, 429}
STATUS_LINES = sorted({200, 201, 202, 301, 402, 418, 499, 501, 505, 520, 530, 599, *STATUSES})


class Cut(httpx.AsyncByteStream):
    """A body whose connection breaks."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content
        raise httpx.ReadError("reset")


def _gzip_without_end(body: bytes) -> httpx.Response:
    return httpx.Response(0, headers={"content-encoding": "gzip"}, stream=Chunks(gzip.compress(body)[:-3]))


DAMAGES: Mapping[str, Callable[[bytes], httpx.Response]] = {
    "says gzip and is plain": lambda body: httpx.Response(0, headers={"content-encoding": "gzip"}, stream=Chunks(body)),
    "is gzip without its end": _gzip_without_end,
    "is in a coding that is not known": lambda body: httpx.Response(
        0, headers={"content-encoding": "br"}, stream=Chunks(body)
    ),
    "is cut off in the middle": lambda body: httpx.Response(0, stream=Cut(body[: len(body) // 2])),
    "is cut off after its end": lambda body: httpx.Response(0, stream=Cut(body)),
    "is cut off before it began, and has no length": lambda _: httpx.Response(0, stream=Chunks(b"")),
    "is cut off after a blank, and has no length": lambda _: httpx.Response(0, stream=Chunks(b"\xef\xbb\xbf\r\n")),
    "says success and its opposite": lambda body: httpx.Response(
        0, stream=Chunks(b'{"success": true, "success": false, ' + body[1:])
    ),
    "is half a text": lambda body: httpx.Response(0, stream=Chunks(body[:-1])),
    "is too large": lambda body: httpx.Response(0, stream=Chunks(body + b" " * 3000)),
    "unpacks to too much": lambda body: httpx.Response(
        0, headers={"content-encoding": "gzip"}, stream=Chunks(gzip.compress(body + b" " * 100_000))
    ),
}


async def outcome_of(operation: str, make: Callable[[], httpx.Response]) -> tuple[CallError | None, int]:
    """Execute a call whose every answer is made so; return its error and how often it was sent."""

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return answer(200, {"access_token": "token", "expires_in": 3599})
        return make()

    wire = ScriptedTransport(handler=handle)
    transport = transport_over(wire, max_answer_bytes=2000)
    clock = FakeClock()
    zuora = ZuoraClient(
        tenants=TenantDirectory({"acme": tenant()}, {"acme": Secret("s")}),
        transport=transport,
        tokens=TokenCache(transport=transport, clock=clock, tasks=TaskOwner(), uniform=lambda low, _high: low),
        in_flight=ConcurrencyLimiter(),
        clock=clock,
        uniform=lambda _low, _high: 0.0,
    )
    try:
        await zuora.execute(CALLS[operation], route=route(), context=context(), key=IdempotencyKey("po1-" + "0" * 40))
    except CallError as error:
        return error, sum(request.url.path != "/oauth/token" for request in wire.requests)
    return None, len(wire.requests) - 1


def damaged(status: int, damage: str, body: dict[str, Any]) -> httpx.Response:
    """Make an answer with a damaged body."""
    made = DAMAGES[damage](json.dumps(body).encode())
    return httpx.Response(status, headers={**HEADERS, **made.headers}, stream=made.stream)


@pytest.mark.asyncio
@pytest.mark.parametrize("damage", DAMAGES)
class TestAnswersWithADamagedBody:
    """The status and the ids that arrived count, and nothing becomes more certain for what is lost."""

    @pytest.mark.parametrize("operation", CALLS)
    async def test_are_never_more_certain_than_readable_ones(self, damage: str, operation: str) -> None:
        """Whatever the status and the lost body: a refusal, a success and a part are in doubt."""
        for status in STATUS_LINES:
            for said, body_of in BODIES.items():
                error, _ = await outcome_of(operation, partial(damaged, status, damage, body_of(operation)))

                assert error is not None, (status, said)
                outcome = error.verdict.outcome
                assert outcome is Outcome.UNKNOWN or (outcome is Outcome.NOT_SENT and status in EARLY), (status, said)

    @pytest.mark.parametrize("operation", CALLS)
    async def test_keep_status_and_ids(self, damage: str, operation: str) -> None:
        """Zuora's support can be given a request id, and the caller what exists."""
        for status in STATUS_LINES:
            error, _ = await outcome_of(operation, partial(damaged, status, damage, BODIES["a fault"](operation)))

            assert error is not None
            assert {attempt.http_status for attempt in error.failure.facts.attempts} == {status}
            assert {attempt.zuora_request_id for attempt in error.failure.facts.attempts} == {"r1"}
            assert error.failure.facts.zuora_request_id == "r1"

    async def test_keep_what_a_status_means_by_itself(self, damage: str) -> None:
        """Access checks, limits and edges say all that matters in their status."""
        for status, reason in STATUSES.items():
            error, sends = await outcome_of("decryption", partial(damaged, status, damage, {"message": "no"}))

            assert error is not None
            refuses = VERDICTS[reason].outcome is Outcome.REFUSED
            # The same answer to several sends is the stored one: an early check that is stored settles nothing.
            stored = sends > 1 and error.failure.reason in {Reason.UPSTREAM_REFUSAL_STORED, Reason.UPSTREAM_INTERNAL}
            expected = Reason.UPSTREAM_ANSWER_UNREADABLE if refuses else reason
            assert stored or error.failure.reason is expected, status
            if refuses:
                assert (error.verdict.outcome, error.verdict.advice) == (Outcome.UNKNOWN, Advice.LOOK_UP)

    async def test_are_sent_again_only_where_another_may_be_whole(self, damage: str) -> None:
        """A connection that broke is worth three attempts; a proxy that spoils every answer is not."""
        error, sends = await outcome_of("decryption", partial(damaged, 200, damage, SUCCESSES["decryption"]))

        assert error is not None
        assert error.failure.reason is Reason.UPSTREAM_ANSWER_UNREADABLE
        assert sends == (3 if "cut off" in damage else 1)


@pytest.mark.asyncio
class TestAnEmptyBody:
    """It is whole only where the answer says how long it is."""

    @pytest.mark.parametrize("framing", [{"content-length": "0"}, {"transfer-encoding": "chunked"}], ids=str)
    async def test_refuses_by_its_status_where_it_is_whole(self, framing: dict[str, str]) -> None:
        """Servers send 400 and 404 without a word."""
        for status, reason in ((400, Reason.UPSTREAM_REQUEST_REFUSED), (404, Reason.UPSTREAM_NOT_FOUND)):
            error, sends = await outcome_of(
                "decryption", partial(httpx.Response, status, headers=framing, stream=Chunks(b""))
            )

            assert error is not None
            assert (error.failure.reason, sends) == (reason, 1)

    async def test_is_named_to_operators(self) -> None:
        """Nothing shows that the connection broke."""
        error, _ = await outcome_of("decryption", partial(httpx.Response, 400, stream=Chunks(b"")))

        assert error is not None
        assert error.failure.detail == "status 400: the body is empty and has no length (0 bytes)"


@pytest.mark.asyncio
class TestALegibleId:
    """The id of what exists reaches the caller, though the answer is in doubt."""

    @pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500, 502])
    async def test_is_shown(self, status: int) -> None:
        """Also where a later attempt brings no answer."""
        script = iter([damaged(status, "is cut off after its end", BODIES["a method"]("decryption"))])

        def make() -> httpx.Response:
            following = next(script, None)
            if following is None:
                raise httpx.ReadError("reset")
            return following

        error, _ = await outcome_of("decryption", make)

        assert error is not None
        assert error.verdict.outcome is Outcome.UNKNOWN
        assert error.failure.evidence.payment_method_id == "pm1"

    async def test_is_that_of_a_created_method(self) -> None:
        """Zuora's newer operation names it `id`."""
        error, _ = await outcome_of(
            "payment_methods", lambda: damaged(201, "is half a text", SUCCESSES["payment_methods"])
        )

        assert error is not None
        assert (error.verdict.outcome, error.failure.evidence.payment_method_id) == (Outcome.UNKNOWN, "pm1")

    async def test_is_none_of_an_edges_own(self) -> None:
        """An edge names its error pages so."""
        error, _ = await outcome_of(
            "payment_methods", lambda: damaged(503, "is half a text", {"id": "edge-1", "a": "b"})
        )

        assert error is not None
        assert error.failure.evidence.payment_method_id == ""
