from datetime import timedelta
from email.utils import format_datetime
from typing import Final

import httpx
import pytest
from harness.clock import FakeClock
from harness.routes import context, route, tenant
from harness.scripted_http import ScriptedTransport, answer, transport_over
from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.earlier_sends import EarlierSends
from payorch_server.model.errors import CallError
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.outcome import Reason
from payorch_server.model.secret import Secret
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.zuora.client import ZuoraClient
from payorch_server.zuora.clock_offset import TOKEN_OPERATION, ClockOffsets
from payorch_server.zuora.concurrency import ConcurrencyLimiter
from payorch_server.zuora.messages import Call
from payorch_server.zuora.tenants import TenantDirectory
from payorch_server.zuora.tokens import TokenCache

CALL: Final = Call("decryption", "/v1/payment-methods/decryption", {"processPayment": True})
KEY: Final = IdempotencyKey("po1-" + "0" * 40)
TOKEN_PATH: Final = "/oauth/token"
HOUR_S: Final = 3600.0
REFUSED: Final = {"success": False, "reasons": [{"code": 53000020, "message": "no"}]}


class Zuora:
    """A far end whose clock is ahead of ours, and a client of it that knows nothing yet."""

    def __init__(self, *, ahead_s: float = 0.0, dated: bool = True, body: object = None) -> None:
        self.clock = FakeClock()
        self.wire = ScriptedTransport(handler=self._answer)
        self._ahead, self._dated = timedelta(seconds=ahead_s), dated
        self._body = body or {"success": True, "paymentMethodId": "pm-1"}
        clocks = ClockOffsets(clock=self.clock, max_offset_s=60.0)
        transport = transport_over(self.wire)
        tokens = TokenCache(
            transport=transport,
            clock=self.clock,
            tasks=TaskOwner(),
            uniform=lambda low, _high: low,
            answered=lambda _credential, said, duration_s: clocks.note(
                "acme", said, operation=TOKEN_OPERATION, duration_s=duration_s
            ),
        )
        self.client = ZuoraClient(
            tenants=TenantDirectory({"acme": tenant()}, {"acme": Secret("s")}),
            transport=transport,
            tokens=tokens,
            in_flight=ConcurrencyLimiter(),
            clock=self.clock,
            uniform=lambda _low, _high: 0.0,
            clocks=clocks,
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        headers = {"zuora_request_id": "r1"}
        if self._dated:
            headers["date"] = format_datetime(self.clock.now() + self._ahead, usegmt=True)
        token = {"access_token": "token", "expires_in": 3599}
        return answer(200, token if request.url.path == TOKEN_PATH else self._body, **headers)

    async def execute(self, *, first_send_ago_s: float | None, doubtful: bool = True) -> ZuoraReply | Reason:
        """Send an intent that was first sent so many seconds ago; return its reply, or why there is none."""
        first_s = None if first_send_ago_s is None else self.clock.now().timestamp() - first_send_ago_s
        earlier = EarlierSends(doubtful=doubtful, first_send_s=first_s)
        try:
            return await self.client.execute(
                CALL, route=route(), context=context(deadline_s=1055.0), key=KEY, earlier=earlier
            )
        except CallError as error:
            return error.failure.reason

    @property
    def sent(self) -> int:
        """How many requests were no token requests."""
        return sum(request.url.path != TOKEN_PATH for request in self.wire.requests)


@pytest.mark.asyncio
class TestAge:
    """The age of an intent is looked at after its token has come, whose answer shows Zuora's clock."""

    @pytest.mark.parametrize(
        ("ahead_s", "ago_s", "reason"),
        [
            (0, 23 * HOUR_S + 2, "more than 23 hours by both clocks"),
            (70 * 60, 22 * HOUR_S, "our clock is 70 minutes behind"),
            (86_400, 0, "our clock is a day behind"),
        ],
    )
    async def test_stops_what_zuora_may_have_forgotten(self, ahead_s: float, ago_s: float, reason: str) -> None:
        """Nothing is sent."""
        zuora = Zuora(ahead_s=ahead_s)

        assert await zuora.execute(first_send_ago_s=ago_s) is Reason.INTENT_EXPIRED, reason
        assert zuora.sent == 0

    @pytest.mark.parametrize(
        ("doubtful", "expected"),
        [(False, Reason.CLOCK_OFFSET_TOO_LARGE), (True, Reason.EARLIER_ATTEMPT_UNSETTLED)],
    )
    async def test_cannot_be_told_where_our_clock_was_ahead(self, *, doubtful: bool, expected: Reason) -> None:
        """The record would let resends pass for 90 minutes too long; nothing was sent, so it can be given up."""
        zuora = Zuora(ahead_s=-90 * 60)

        assert await zuora.execute(first_send_ago_s=0, doubtful=doubtful) is expected
        assert zuora.sent == 0

    @pytest.mark.parametrize(
        ("ahead_s", "ago_s", "expected"),
        [
            (86_400, 0, Reason.CLOCK_OFFSET_TOO_LARGE),
            (3e7, 10, Reason.CLOCK_OFFSET_TOO_LARGE),
            (0, 23 * HOUR_S + 2, Reason.INTENT_EXPIRED),
            (50, 23 * HOUR_S - 10, Reason.INTENT_EXPIRED),
        ],
    )
    async def test_is_not_too_great_for_what_was_just_opened(
        self, ahead_s: float, ago_s: float, expected: Reason
    ) -> None:
        """A first Date may be wrong by a day; an intent of which nothing was sent must not end as unknown for that."""
        zuora = Zuora(ahead_s=ahead_s)

        assert await zuora.execute(first_send_ago_s=ago_s, doubtful=False) is expected
        assert zuora.sent == 0

    @pytest.mark.parametrize(
        ("ahead_s", "ago_s", "dated"),
        [(0, 0, True), (0, 22.9 * HOUR_S, True), (-59, 0, True), (86_400, None, True), (86_400, 0, False)],
        ids=["new", "almost 23 hours", "an offset within the limit", "a session", "no Date"],
    )
    async def test_stops_nothing_else(self, ahead_s: float, ago_s: float | None, dated: bool) -> None:  # noqa: FBT001 - of the table
        """Least of all a session, whose age guards nothing."""
        zuora = Zuora(ahead_s=ahead_s, dated=dated)

        assert isinstance(await zuora.execute(first_send_ago_s=ago_s), ZuoraReply)


@pytest.mark.asyncio
class TestRepeatedRefusal:
    """The same answer twice is the key's stored answer only while Zuora cannot have forgotten the first send."""

    @pytest.mark.parametrize(
        ("ago_s", "ahead_s", "dated", "expected"),
        [
            (HOUR_S, 0, True, Reason.UPSTREAM_REQUEST_REFUSED),
            (22 * HOUR_S - 2, 0, True, Reason.UPSTREAM_REQUEST_REFUSED),
            (22 * HOUR_S - 2, 59, True, Reason.EARLIER_ATTEMPT_UNSETTLED),
            (22 * HOUR_S + 2, 0, True, Reason.EARLIER_ATTEMPT_UNSETTLED),
            (22 * HOUR_S + 2, -59, True, Reason.UPSTREAM_REQUEST_REFUSED),
            (22 * HOUR_S - 2, 0, False, Reason.UPSTREAM_REQUEST_REFUSED),
            (22 * HOUR_S + 2, 0, False, Reason.EARLIER_ATTEMPT_UNSETTLED),
            (30 * HOUR_S, 0, False, Reason.EARLIER_ATTEMPT_UNSETTLED),
        ],
    )
    async def test_is_believed_for_22_hours_by_zuoras_clock(
        self,
        ago_s: float,
        ahead_s: float,
        dated: bool,  # noqa: FBT001 - of the table
        expected: Reason,
    ) -> None:
        """By the Date of the answer, and without one by the clock that is ahead."""
        zuora = Zuora(ahead_s=ahead_s, dated=dated, body=REFUSED)

        assert await zuora.execute(first_send_ago_s=ago_s) is expected
        assert zuora.sent > 1
