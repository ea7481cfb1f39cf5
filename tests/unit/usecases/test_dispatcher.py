import dataclasses
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from typing import Any, ClassVar

import httpx
import pytest
import structlog
from harness.clock import FakeClock
from harness.intents import (
    DAY_S,
    REQUEST_ID,
    FailingStore,
    FixedFingerprints,
    call_context,
    fingerprint,
    intent_executor,
    memory_store,
)
from harness.keyring import counted_entropy
from harness.routes import tenant, with_caller
from harness.scripted_http import ScriptedTransport, answer, transport_over
from payorch_server.intents.executor import idempotency_key
from payorch_server.intents.intent_record import decode_record, encode_record
from payorch_server.intents.ledger import CLOCK_SKEW_S
from payorch_server.model.attempt import ZuoraReply
from payorch_server.model.caller import Rights, TenantRights
from payorch_server.model.context import CallContext
from payorch_server.model.errors import CallError, UpstreamEvidence
from payorch_server.model.identifiers import RequestId
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.model.route import Route, RouteHints
from payorch_server.model.secret import Secret
from payorch_server.routing.conditions import RouteQuery
from payorch_server.routing.settings import ConditionSettings, RuleSettings, TargetSettings
from payorch_server.routing.table import RoutingTable
from payorch_server.runtime.lifecycle import TaskOwner
from payorch_server.store.port import Store
from payorch_server.usecases.dispatcher import CallResult, Dispatcher, Intent
from payorch_server.usecases.zuora_operation import ZuoraOperation
from payorch_server.zuora.client import ZuoraClient
from payorch_server.zuora.clock_offset import TOKEN_OPERATION, ClockOffsets
from payorch_server.zuora.concurrency import ConcurrencyLimiter
from payorch_server.zuora.messages import Call, HttpResponse
from payorch_server.zuora.settings import PathSettings, TenantSettings
from payorch_server.zuora.tenants import TenantDirectory
from payorch_server.zuora.tokens import TokenCache
from structlog.testing import capture_logs

PATHS = {"CreateSession": "sessions", "DecryptApplePay": "decryption"}
KEYS = {
    rpc: idempotency_key(namespace="default", rpc=rpc, request_id=REQUEST_ID)
    for rpc in ("CreateSession", "DecryptApplePay")
}
LOCKED, TEMPORARY = 53000050, 53000061


def refusal(code: int) -> httpx.Response:
    """Answer with a v1 refusal."""
    return answer(200, {"success": False, "reasons": [{"code": code, "message": "no"}]}, zuora_request_id="r1")


def done(track_id: str = "track-1") -> httpx.Response:
    """Answer with success."""
    return answer(200, {"id": "it"}, zuora_track_id=track_id, zuora_request_id="r2")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Operation(ZuoraOperation[str]):
    """An operation whose result is an id."""

    result_type: ClassVar = str
    path: str
    """The tenant's setting that has the path."""

    def build(self, _route: Route, tenant: TenantSettings) -> Call:
        return Call("x", getattr(tenant.paths, self.path), {"token": Secret("canary")})

    def parse(self, reply: ZuoraReply) -> str:
        return str(reply.payload["id"])

    def ids_of(self, _value: str) -> UpstreamEvidence:
        return UpstreamEvidence()


class Bench:
    """A dispatcher over a scripted Zuora."""

    def __init__(
        self,
        *script: httpx.Response | Exception,
        clock: FakeClock | None = None,
        store: Store | None = None,
        zuora_ahead_s: float | None = None,
    ) -> None:
        self.clock = clock or FakeClock()
        waiting, dated = list(script), {}
        if zuora_ahead_s is not None:
            dated["date"] = format_datetime(self.clock.now() + timedelta(seconds=zuora_ahead_s), usegmt=True)

        def handle(request: httpx.Request) -> httpx.Response:
            if request.url.path == "/oauth/token":
                return answer(200, {"access_token": "t", "expires_in": 3599}, **dated)
            scripted = waiting.pop(0)
            if isinstance(scripted, Exception):
                raise scripted
            return scripted

        self.wire = ScriptedTransport(handler=handle)
        transport, tenants = transport_over(self.wire), {"acme": tenant(entities={})}
        self.tenants = tenants
        self.clocks = clocks = ClockOffsets(clock=self.clock, max_offset_s=60.0)
        zuora = ZuoraClient(
            tenants=TenantDirectory(tenants, {"acme": Secret("s")}),
            transport=transport,
            tokens=TokenCache(
                transport=transport,
                clock=self.clock,
                tasks=TaskOwner(),
                uniform=lambda low, _high: low,
                answered=lambda _credential, said, duration_s: clocks.note(
                    "acme", said, operation=TOKEN_OPERATION, duration_s=duration_s
                ),
            ),
            in_flight=ConcurrencyLimiter(),
            clock=self.clock,
            uniform=lambda _low, _high: 0.0,
            clocks=clocks,
        )
        self.executor = intent_executor(self.clock, store=store)
        self.dispatcher = Dispatcher(
            routing=RoutingTable(tenants=tenants, rules=[RuleSettings("all", TargetSettings("acme", "cards"))]),
            zuora=zuora,
            executor=self.executor,
            clock=self.clock,
            entropy=counted_entropy(),
        )

    def answered(self, ahead_s: float, *operations: str) -> None:
        """Note answers of a Zuora whose clock is ahead."""
        dated = {"date": format_datetime(self.clock.now() + timedelta(seconds=ahead_s), usegmt=True)}
        for operation in operations:
            self.clocks.note("acme", HttpResponse(200, dated, b"{}"), operation=operation, duration_s=0.1)

    @property
    def keys(self) -> list[str]:
        """The keys of what was sent, in order."""
        return [one.headers["idempotency-key"] for one in self.wire.requests if "idempotency-key" in one.headers]

    async def run(
        self, rpc: str, *, context: CallContext | None = None, validate_only: bool = False, **work: Any
    ) -> CallResult[str]:
        """Run a call of an RPC."""
        members: dict[str, Any] = {
            "path": PATHS[rpc],
            "moves_money": rpc != "CreateSession",
            "needs_record": rpc != "CreateSession",
            "is_disposable": rpc == "CreateSession",
        }
        fingerprints = FixedFingerprints({"k1": fingerprint()})
        intent = Intent(RequestId(REQUEST_ID), RouteQuery(rpc, RouteHints()), validate_only, fingerprints)
        return await self.dispatcher.run(intent, context or call_context(self.clock), _Operation(**members | work))


class TestFreshKey:
    """An unused session costs nothing, so a recorded refusal need not be its end."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("code", [LOCKED, TEMPORARY])
    async def test_follows_a_recorded_transient_refusal_of_a_session(self, code: int) -> None:
        """Once, with a key that is random; then the intent has its result, under its own key."""
        bench = Bench(refusal(code), done())

        first = await bench.run("CreateSession")
        again = await bench.run("CreateSession")

        assert (first.value, again.value) == ("it", "it")
        intents_key, fresh = bench.keys
        assert intents_key == KEYS["CreateSession"]
        assert fresh != intents_key
        assert (len(fresh), fresh[:4]) == (len(intents_key), "po1-")
        assert again.report.replayed

    @pytest.mark.asyncio
    async def test_is_used_once(self) -> None:
        """A second transient refusal is the caller's to hear."""
        bench = Bench(refusal(LOCKED), refusal(TEMPORARY), done())

        with pytest.raises(CallError) as caught:
            await bench.run("CreateSession")

        assert caught.value.failure.reason is Reason.UPSTREAM_TEMPORARY
        assert len(bench.keys) == 2

    @pytest.mark.asyncio
    async def test_does_not_replace_the_refusal_by_a_send_that_failed(self) -> None:
        """Nothing was sent under the new key, but the intent was: NOT_SENT would be wrong."""
        bench = Bench(refusal(LOCKED), answer(429, {}, retry_after="60"))

        with pytest.raises(CallError) as caught:
            await bench.run("CreateSession")

        assert caught.value.failure.reason is Reason.UPSTREAM_LOCKED

    @pytest.mark.asyncio
    @pytest.mark.parametrize("code", [LOCKED, TEMPORARY])
    async def test_is_never_used_where_money_could_move(self, code: int) -> None:
        """The refusal ends the intent: one key for ever."""
        bench = Bench(refusal(code), done())

        for _ in range(2):
            with pytest.raises(CallError) as caught:
                await bench.run("DecryptApplePay")

            assert caught.value.verdict.outcome is Outcome.REFUSED

        assert bench.keys == [KEYS["DecryptApplePay"]]

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            (53000020, Reason.UPSTREAM_REQUEST_REFUSED),
            (53000030, Reason.UPSTREAM_RULE_BROKEN),
            (53000060, Reason.UPSTREAM_INTERNAL),
            (53000099, Reason.UPSTREAM_GATEWAY_FAILED),
        ],
    )
    async def test_does_not_follow_other_refusals(self, code: int, reason: Reason) -> None:
        """A new key gets past no broken rule, and nothing unknown is ever sent under another key."""
        bench = Bench(refusal(code), done())

        with pytest.raises(CallError) as caught:
            await bench.run("CreateSession")

        assert caught.value.failure.reason is reason
        assert bench.keys == [KEYS["CreateSession"]]


class TestRun:
    """Route, key, intent; or only a look."""

    @pytest.mark.asyncio
    async def test_shows_a_dry_run(self) -> None:
        """Nothing is sent, recorded or revealed."""
        bench = Bench()

        shown = await bench.run("DecryptApplePay", validate_only=True)

        assert shown.preview is not None
        assert dict(shown.preview.headers)["idempotency-key"] == KEYS["DecryptApplePay"]
        assert "canary" not in shown.preview.body
        assert bench.wire.requests == []
        found = await bench.dispatcher.look_up(
            rpc="DecryptApplePay", request_id=REQUEST_ID, context=call_context(bench.clock)
        )
        assert found is None

    @pytest.mark.asyncio
    async def test_refuses_a_call_without_time(self) -> None:
        """Before anything is recorded."""
        bench = Bench()

        with pytest.raises(CallError) as caught:
            await bench.run("DecryptApplePay", context=call_context(bench.clock, seconds=0.1))

        assert caught.value.failure.reason is Reason.DEADLINE_TOO_SHORT
        assert bench.wire.requests == []

    @pytest.mark.asyncio
    async def test_keeps_namespaces_apart(self) -> None:
        """The same words of another caller are another intent."""
        bench = Bench(done(), done())
        third = with_caller(call_context(bench.clock), "third")
        other = with_caller(call_context(bench.clock), "other")

        await bench.run("DecryptApplePay")
        await bench.run("DecryptApplePay", context=other)

        assert len({*bench.keys}) == 2
        found = await bench.dispatcher.look_up(rpc="DecryptApplePay", request_id=REQUEST_ID, context=third)
        assert found is None

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("echoed", "replayed", "reason"),
        [("track-1", False, "our own"), ("track-0", True, "an earlier call's"), ("", None, "Zuora echoed none")],
    )
    async def test_knows_a_replay_by_the_echoed_track_id(
        self, echoed: str, *, replayed: bool | None, reason: str
    ) -> None:
        """The store was lost, and Zuora's answer is an earlier call's."""
        bench = Bench(answer(200, {"id": "it"}, **({"zuora_track_id": echoed} if echoed else {})))

        ended = await bench.run("DecryptApplePay")

        assert ended.report.replayed is replayed, reason

    @pytest.mark.asyncio
    async def test_builds_the_call_by_the_settings_of_the_tenant(self) -> None:
        """What is sent is what a dry run shows."""
        bench = Bench(done())
        bench.tenants["acme"] = tenant(entities={}, paths=PathSettings(decryption="/v9/decryption"))

        shown = await bench.run("DecryptApplePay", validate_only=True)
        await bench.run("DecryptApplePay")

        assert shown.preview is not None
        assert bench.wire.requests[-1].url == shown.preview.url == "https://zuora.test/v9/decryption"


NOTHING = Rights(tenants={"acme": TenantRights(orgs=frozenset({"*"}))})
PAYING = dataclasses.replace(NOTHING, move_money=True)


def audited(logs: list[Any]) -> list[tuple[str, str, str]]:
    """Return decision, RPC and missing right of each line of the audit."""
    return [(line["decision"], line["rpc"], line.get("right", "")) for line in logs if line["event"] == "access"]


async def refusal_of(work: Awaitable[object]) -> dict[str, str]:
    """Await what must be refused for want of a right; return which."""
    with pytest.raises(CallError) as caught:
        await work
    assert caught.value.failure.reason is Reason.CALLER_NOT_PERMITTED
    return dict(caught.value.failure.metadata)


class TestRights:
    """What a caller may do is decided on the route, before a key is used, a record read or a preview shown."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("validate_only", [False, True])
    @pytest.mark.parametrize(
        ("granted", "work", "missing"),
        [
            (Rights(), {}, {"right": "tenant", "name": "acme"}),
            (Rights(tenants={"acme": TenantRights()}), {}, {"right": "orgs", "name": "*"}),
            (NOTHING, {}, {"right": "move_money"}),
            (PAYING, {"raw_card_data": True}, {"right": "raw_card_data"}),
        ],
    )
    async def test_that_are_missing_end_the_call(
        self, granted: Rights, work: dict[str, Any], missing: dict[str, str], *, validate_only: bool
    ) -> None:
        """A dry run shows the tenant's account and gateway, so it needs the same rights."""
        bench = Bench()
        mine = with_caller(call_context(bench.clock), "default", granted)

        with capture_logs() as logs:
            refused = await refusal_of(bench.run("DecryptApplePay", context=mine, validate_only=validate_only, **work))

        assert missing == refused
        assert [("denied", "DecryptApplePay", missing["right"])] == audited(logs)
        assert [] == bench.wire.requests

    @pytest.mark.asyncio
    async def test_that_are_there_are_audited_once(self) -> None:
        """However often the route is looked at on the way."""
        bench = Bench(done())
        mine = with_caller(call_context(bench.clock), "default", PAYING)

        with capture_logs() as logs:
            await bench.run("DecryptApplePay", context=mine)

        assert [("allowed", "DecryptApplePay", "")] == audited(logs)

    @pytest.mark.asyncio
    async def test_are_audited_once_however_long_another_replica_takes(self) -> None:
        """The record is read again and again until its lease has ended."""
        clock = FakeClock()
        looks = []

        def look(operation: str, _key: str) -> bool:
            looks.append(operation)
            if looks.count("put_if_absent") == 20:
                clock.advance(2)
            return False

        bench = Bench(done(), done(), clock=clock, store=FailingStore(memory_store(clock), fails=look))
        await bench.run("DecryptApplePay")
        key = f"intent:{KEYS['DecryptApplePay']}"
        await lease(bench, key, until_s=clock.now().timestamp() + 1 - CLOCK_SKEW_S)
        mine = with_caller(call_context(clock), "default", PAYING)

        with capture_logs() as logs:
            await bench.run("DecryptApplePay", context=mine)

        assert looks.count("put_if_absent") >= 20
        assert [("allowed", "DecryptApplePay", "")] == audited(logs)

    @pytest.mark.asyncio
    async def test_are_needed_to_look_an_intent_up(self) -> None:
        """On its own route; whether money moved is no matter, and neither is an intent that is not there."""
        bench = Bench(done())
        await bench.run("DecryptApplePay")
        asked = {"rpc": "DecryptApplePay", "request_id": REQUEST_ID}

        with capture_logs() as logs:
            stranger = with_caller(call_context(bench.clock), "default", Rights(frozenset({"GetIntent"})))
            refused = await refusal_of(bench.dispatcher.look_up(**asked, context=stranger))
            reader = with_caller(call_context(bench.clock), "default", NOTHING)
            found = await bench.dispatcher.look_up(**asked, context=reader)
            other = await bench.dispatcher.look_up(**asked | {"rpc": "CreateSession"}, context=stranger)

        assert ({"right": "tenant", "name": "acme"}, True, None) == (refused, found is not None, other)
        assert [("denied", "GetIntent", "tenant"), ("allowed", "GetIntent", "")] == audited(logs)


async def lease(bench: Bench, key: str, *, until_s: float) -> None:
    """Let another replica hold the intent, as if it had not ended."""
    store = bench.dispatcher._executor.ledger._store
    stored = await store.get(key)
    assert stored is not None
    held = dataclasses.replace(decode_record(stored.value), lease_until_s=until_s, settlement=None)
    assert await store.compare_and_set(key, encode_record(held), version=stored.version, ttl_s=DAY_S)


@pytest.mark.asyncio
class TestKillSwitch:
    """An operator can stop an RPC for a tenant."""

    async def test_refuses_before_anything_is_sent(self) -> None:
        """The caller may resend; other RPCs go on."""
        bench = Bench(done())
        bench.tenants["acme"] = tenant(entities={}, switched_off=("DecryptApplePay",))

        with pytest.raises(CallError) as caught:
            await bench.run("DecryptApplePay")

        assert caught.value.failure.reason is Reason.SWITCHED_OFF
        assert caught.value.failure.metadata == {"tenant": "acme"}
        assert bench.keys == []
        assert (await bench.run("CreateSession")).value == "it"

    async def test_leaves_the_intent_to_a_later_resend(self) -> None:
        """Switched on again, it is executed under its own key."""
        bench = Bench(done())
        bench.tenants["acme"] = tenant(entities={}, switched_off=("DecryptApplePay",))
        with pytest.raises(CallError) as caught:
            await bench.run("DecryptApplePay")

        assert caught.value.verdict.outcome is Outcome.NOT_SENT

        bench.tenants["acme"] = tenant(entities={})

        assert (await bench.run("DecryptApplePay")).value == "it"
        assert bench.keys == [KEYS["DecryptApplePay"]]

    async def test_proves_nothing_of_an_earlier_send(self) -> None:
        """That one may have been executed: the outcome stays unknown."""
        bench = Bench(*(httpx.ReadError("reset") for _ in range(3)))
        with pytest.raises(CallError) as caught:
            await bench.run("DecryptApplePay")

        assert caught.value.verdict.outcome is Outcome.UNKNOWN
        bench.tenants["acme"] = tenant(entities={}, switched_off=("DecryptApplePay",))

        with pytest.raises(CallError) as caught:
            await bench.run("DecryptApplePay")

        assert caught.value.failure.reason is Reason.EARLIER_ATTEMPT_UNSETTLED
        assert len(bench.keys) == 3


@pytest.mark.asyncio
class TestTimeOfZuora:
    """What it shows of an intent's age counts, whatever the clock here says."""

    async def test_stops_a_resend_that_would_be_a_second_execution(self) -> None:
        """Another process sent the intent; the token's answer shows that Zuora has forgotten it."""
        clock = FakeClock()
        store = memory_store(clock)
        lost = Bench(*(httpx.ReadError("reset") for _ in range(3)), clock=clock, store=store)
        with pytest.raises(CallError) as caught:
            await lost.run("DecryptApplePay")

        assert caught.value.verdict.outcome is Outcome.UNKNOWN
        late = Bench(done(), clock=clock, store=store, zuora_ahead_s=DAY_S)
        with pytest.raises(CallError) as caught:
            await late.run("DecryptApplePay")

        assert (Reason.INTENT_EXPIRED, []) == (caught.value.failure.reason, late.keys)

    async def test_stops_no_session(self) -> None:
        """A second one costs nothing."""
        clock = FakeClock()
        store = memory_store(clock)
        lost = Bench(*(httpx.ReadError("reset") for _ in range(3)), clock=clock, store=store)
        with pytest.raises(CallError):
            await lost.run("CreateSession")

        late = Bench(done(), clock=clock, store=store, zuora_ahead_s=DAY_S)

        assert "it" == (await late.run("CreateSession")).value

    async def test_is_needed_to_move_money(self) -> None:
        """While the clocks differ too much, nothing but a session is sent; nothing is recorded that ends the intent."""
        bench = Bench(done(), done())
        bench.answered(5400.0, TOKEN_OPERATION, "sessions", "sessions")

        with pytest.raises(CallError) as caught:
            await bench.run("DecryptApplePay")
        sent, session = bench.keys, await bench.run("CreateSession")
        bench.answered(0.0, "sessions", "sessions")
        later = await bench.run("DecryptApplePay")

        failure, verdict = caught.value.failure, caught.value.verdict
        assert (failure.reason, verdict.outcome) == (Reason.CLOCK_OFFSET_TOO_LARGE, Outcome.NOT_SENT)
        assert ({"tenant": "acme"}, []) == (failure.metadata, sent)
        assert ("it", "it") == (session.value, later.value)

    async def test_is_that_of_the_tenant(self) -> None:
        """An intent is as old as the clock says that is behind."""
        bench = Bench(done(), done(), zuora_ahead_s=-60.0)
        await bench.run("CreateSession")
        await bench.run("DecryptApplePay")

        record = await bench.executor.ledger.look_up(KEYS["DecryptApplePay"])

        assert record is not None
        assert record.opened_at_s == pytest.approx(bench.clock.now().timestamp() - 60, abs=1)


class _FullAudit:
    """A logger that accepts no line."""

    def info(self, _line: object) -> bool:
        return False


@contextmanager
def audit_that_accepts_nothing() -> Iterator[None]:
    """Refuse every line until the context ends."""
    before = structlog.get_config()
    structlog.configure(
        processors=[lambda _logger, _method, _event: "line"], logger_factory=lambda *_names: _FullAudit()
    )
    try:
        yield
    finally:
        structlog.configure(**before)


@pytest.mark.asyncio
class TestAudit:
    """No money moves without a line of its permission."""

    async def test_refuses_what_moves_money_before_anything_is_sent(self) -> None:
        """Nothing is recorded, so that the resend executes it once."""
        bench = Bench(done())

        with audit_that_accepts_nothing(), pytest.raises(CallError) as caught:
            await bench.run("DecryptApplePay")
        sent, again = len(bench.keys), await bench.run("DecryptApplePay")

        assert (caught.value.failure.reason, caught.value.verdict.outcome) == (
            Reason.AUDIT_UNAVAILABLE,
            Outcome.NOT_SENT,
        )
        assert (0, "it") == (sent, again.value)

    async def test_proves_nothing_of_an_earlier_send(self) -> None:
        """That one may have been executed: the outcome stays unknown."""
        bench = Bench(*(httpx.ReadError("reset") for _ in range(3)))
        with pytest.raises(CallError):
            await bench.run("DecryptApplePay")

        with audit_that_accepts_nothing(), pytest.raises(CallError) as caught:
            await bench.run("DecryptApplePay")

        assert caught.value.failure.reason is Reason.EARLIER_ATTEMPT_UNSETTLED
        assert len(bench.keys) == 3

    async def test_takes_no_answer_from_a_payment_that_was_sent(self) -> None:
        """A resend receives the recorded result, and a preview is no payment."""
        bench = Bench(done())
        await bench.run("DecryptApplePay")

        with audit_that_accepts_nothing():
            replayed = await bench.run("DecryptApplePay")
            shown = await bench.run("DecryptApplePay", validate_only=True)

        assert "it" == replayed.value
        assert shown.preview is not None
        assert len(bench.keys) == 1

    async def test_is_not_needed_by_other_calls(self) -> None:
        """Nor by payments where the operator has decided so."""
        bench = Bench(done(), done())

        with audit_that_accepts_nothing():
            session = await bench.run("CreateSession")
            bench.dispatcher._audit_required = False
            payment = await bench.run("DecryptApplePay")

        assert ("it", "it") == (session.value, payment.value)


@pytest.mark.asyncio
class TestCaller:
    """Rules may ask who calls."""

    async def test_is_known_to_the_rules(self) -> None:
        """The identity is the interceptor's, not something a request says."""
        bench = Bench(done())
        rules = [
            RuleSettings("shops", TargetSettings("acme", "cards"), ConditionSettings(caller=("shop-*",))),
            RuleSettings("others", TargetSettings("acme", "cards")),
        ]
        bench.dispatcher.routing = RoutingTable(tenants=bench.tenants, rules=rules)

        shown = await bench.run(
            "CreateSession", context=with_caller(call_context(bench.clock), "shop-7"), validate_only=True
        )

        assert shown.report.route.rule == "shops"
