"""What a caller may do, over real sockets: each right, and what is never done without it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from harness.callers import access_settings, as_caller
from harness.calls import refusal
from harness.controlled_emulator import frozen_emulator, wait_until
from harness.keyring import new_key_file
from harness.redis_server import Servers, servers
from harness.requests import (
    EUR_NUMERIC,
    decryption_request,
    minted_token,
    payment_method_request,
    session_request,
)
from harness.service_process import grpc_port, start_service, write_configuration
from harness.stack import LocalStack, running
from payorch import CallError
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from structlog.testing import capture_logs
from zuora_emulator import Emulator, seed, serving
from zuora_emulator.clock import ManualClock

Stub = service_grpc.PaymentOrchestrationServiceStub
A_MINUTE = timedelta(minutes=1)
SENDING = ("sessions", "decryption", "payment_methods")
OF_US = {"tenants": {"acme": {"entities": ["us"], "orgs": ["*"]}}}
TWO = {"us": OF_US, "both": {}}


def session_in_eu() -> Any:
    """Make a session of the entity eu."""
    request = session_request()
    request.one_time_payment.account_id = seed.ACCOUNT_EU.id
    request.route.entity = "eu"
    return request


def decryption_in_eu() -> Any:
    """Make a paid decryption of the entity eu."""
    request = decryption_request(token_json=minted_token(currency_numeric=EUR_NUMERIC))
    request.expected_amount.currency_code = "EUR"
    request.account_id = seed.ACCOUNT_EU.id
    request.pay_invoice.invoice = seed.INVOICE_EU.number
    request.route.entity = "eu"
    return request


def method_in_eu() -> Any:
    """Make a payment method of the entity eu."""
    request = payment_method_request()
    request.account_by_number.number = seed.ACCOUNT_EU.number
    request.route.entity = "eu"
    return request


@dataclass(frozen=True, slots=True)
class Rpc:
    """An RPC that sends, a request of it for the entity eu, and what it is called elsewhere."""

    name: str
    request: Callable[[], Any]
    operation: service_pb2.Operation.ValueType
    sends: str

    def __str__(self) -> str:
        return self.name


RPCS = (
    Rpc("CreateSession", session_in_eu, service_pb2.OPERATION_CREATE_SESSION, "sessions"),
    Rpc("DecryptApplePay", decryption_in_eu, service_pb2.OPERATION_DECRYPT_APPLE_PAY, "decryption"),
    Rpc("CreatePaymentMethod", method_in_eu, service_pb2.OPERATION_CREATE_PAYMENT_METHOD, "payment_methods"),
)
each_rpc = pytest.mark.parametrize("rpc", RPCS, ids=str)


def traffic(emulator: Emulator) -> dict[str, tuple[int, int]]:
    """Count what arrived at Zuora, and what was executed there."""
    return {one: (emulator.journal.count(one), emulator.ledger.count(one)) for one in SENDING}


def denied(error: CallError, right: str, name: str = "") -> bool:
    """Tell whether an error is the refusal for want of a right, with every detail, and with nothing else."""
    expected = (
        grpc.StatusCode.PERMISSION_DENIED,
        "CALLER_NOT_PERMITTED",
        call_pb2.OUTCOME_NOT_SENT,
        call_pb2.ADVICE_FIX_REQUEST,
        {"right": right} | ({"name": name} if name else {}),
        (),
    )
    told = (error.code, error.reason, error.outcome, error.advice, error.metadata, error.violations)
    outcome = error.call_outcome
    bare = outcome is not None and not (outcome.zuora_codes or outcome.zuora_request_id or outcome.HasField("existing"))
    return expected == told and bare


def audited(logs: list[Any]) -> list[tuple[str, ...]]:
    """Return caller, RPC, decision, entity and missing right of each line of the audit."""
    return [
        (line["caller"], line["rpc"], line["decision"], line.get("entity", ""), line.get("right", ""))
        for line in logs
        if line["event"] == "access"
    ]


@asynccontextmanager
async def service(folder: Path, callers: Any, **more: Any) -> AsyncIterator[tuple[LocalStack, Any]]:
    """Start the service with callers before an emulator; yield both and a stub."""
    over = access_settings(folder, callers) | more.pop("over", {})
    async with running(over=over, **more) as stack, grpc.aio.insecure_channel(stack.target) as channel:
        yield stack, Stub(channel)


def intent_of(rpc: Rpc, request: Any) -> service_pb2.GetIntentRequest:
    """Ask for what became of a request."""
    return service_pb2.GetIntentRequest(request_id=request.request_id, operation=rpc.operation)


class TestAnotherEntity:
    """A caller with rights to one entity gets nothing of another: no call, no answer, no news."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("validate_only", [False, True])
    @each_rpc
    async def test_is_refused(self, tmp_path: Path, rpc: Rpc, *, validate_only: bool) -> None:
        """One line of the audit, and Zuora hears nothing; a dry run is no exception."""
        async with service(tmp_path, TWO) as (stack, stub):
            request = rpc.request()
            request.validate_only = validate_only

            with capture_logs() as logs:
                error = await refusal(getattr(stub, rpc.name)(request, **as_caller("us")))

            assert denied(error, "entity", "eu"), error
            assert [("jwt:us", rpc.name, "denied", "eu", "entity")] == audited(logs)
            assert dict.fromkeys(SENDING, (0, 0)) == traffic(stack.emulator)

    @pytest.mark.asyncio
    @each_rpc
    async def test_is_refused_after_an_equal_request_was_answered(self, tmp_path: Path, rpc: Rpc) -> None:
        """Somebody else of the namespace has the result; it is not handed on, neither by a resend nor by a look-up."""
        async with service(tmp_path, TWO) as (stack, stub):
            request = rpc.request()
            await getattr(stub, rpc.name)(request, **as_caller("both"))
            before = traffic(stack.emulator)

            with capture_logs() as logs:
                resent = await refusal(getattr(stub, rpc.name)(request, **as_caller("us")))
                looked_up = await refusal(stub.GetIntent(intent_of(rpc, request), **as_caller("us")))

            assert denied(resent, "entity", "eu"), resent
            assert denied(looked_up, "entity", "eu"), looked_up
            assert [
                ("jwt:us", rpc.name, "denied", "eu", "entity"),
                ("jwt:us", "GetIntent", "denied", "eu", "entity"),
            ] == audited(logs)
            assert (1, 1) == before[rpc.sends]
            assert before == traffic(stack.emulator)
            again = await stub.GetIntent(intent_of(rpc, request), **as_caller("both"))
            assert service_pb2.INTENT_STATE_SETTLED == again.intent_state

    @pytest.mark.asyncio
    @each_rpc
    async def test_is_refused_while_an_equal_request_is_under_way(self, tmp_path: Path, rpc: Rpc) -> None:
        """The flight is neither joined nor disturbed, and its time is not told."""
        emulator, clock = frozen_emulator()
        emulator.faults.add(f"{rpc.sends}:slow:1")
        async with service(tmp_path, TWO, emulator=emulator) as (_, stub):
            request = rpc.request()
            flight = getattr(stub, rpc.name)(request, **as_caller("both"))
            await clock.until_somebody_sleeps()

            with capture_logs() as logs:
                joining = await refusal(getattr(stub, rpc.name)(request, **as_caller("us")))
                looked_up = await refusal(stub.GetIntent(intent_of(rpc, request), **as_caller("us")))

            assert not flight.done()
            assert denied(joining, "entity", "eu"), joining
            assert denied(looked_up, "entity", "eu"), looked_up
            assert ["denied", "denied"] == [line[2] for line in audited(logs)]
            assert 1 == emulator.journal.count(rpc.sends)
            clock.advance(A_MINUTE)
            assert (await flight).call.track_id
            assert 1 == emulator.ledger.count(rpc.sends)

    @pytest.mark.asyncio
    async def test_is_served_to_who_may(self, tmp_path: Path) -> None:
        """The refusals above are for want of the right and of nothing else; equal calls of two callers are one."""
        async with service(tmp_path, {**TWO, "third": {}}) as (stack, stub):
            request = decryption_in_eu()

            with capture_logs() as logs:
                first, second = [await stub.DecryptApplePay(request, **as_caller(name)) for name in ("both", "third")]

            assert first.payment_id == second.payment_id != ""
            assert (1, 1) == traffic(stack.emulator)["decryption"]
            assert [("jwt:both", "allowed"), ("jwt:third", "allowed")] == [(line[0], line[2]) for line in audited(logs)]

    @pytest.mark.asyncio
    async def test_of_another_namespace_is_another_intent(self, tmp_path: Path) -> None:
        """The same request id of a caller in another namespace: nothing is shared, nothing is found."""
        async with service(tmp_path, {"both": {}, "other": {"namespace": "other"}}) as (stack, stub):
            request = session_in_eu()
            first = await stub.CreateSession(request, **as_caller("both"))

            found = await stub.GetIntent(intent_of(RPCS[0], request), **as_caller("other"))
            second = await stub.CreateSession(request, **as_caller("other"))

            assert service_pb2.INTENT_STATE_NOT_FOUND == found.intent_state
            assert first.session.token != second.session.token
            assert (2, 2) == traffic(stack.emulator)["sessions"]
            assert 2 == len({one.idempotency_key for one in stack.emulator.journal.of("sessions")})


@pytest.fixture
def redis_servers() -> Iterator[Servers]:
    """Servers of this test alone."""
    with servers() as made:
        yield made


class Replica:
    """A service process, its stub and its log."""

    def __init__(self, stub: Any, process: asyncio.subprocess.Process) -> None:
        self.stub = stub
        self._process = process

    async def audit(self) -> list[tuple[str, ...]]:
        """End the process, and return what its audit says."""
        self._process.terminate()
        audit, _ = await self._process.communicate()
        assert 0 == self._process.returncode
        return audited([json.loads(line) for line in audit.splitlines()])


@asynccontextmanager
async def replica(file: Path) -> AsyncIterator[Replica]:
    """Start a service process, and end it by force if nobody did."""
    process = await start_service(file, audit=asyncio.subprocess.PIPE)
    try:
        target = f"127.0.0.1:{await grpc_port(process)}"
        async with grpc.aio.insecure_channel(target) as channel:
            yield Replica(Stub(channel), process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def shared(folder: Path, redis_url: str) -> dict[str, Any]:
    """Make the settings of replicas that share a store, and two callers."""
    key = folder / "fleet-key"
    key.write_text(new_key_file())
    return access_settings(folder, TWO) | {
        "store": {"kind": "redis", "url": redis_url, "operation_timeout_s": 5.0, "connect_timeout_s": 5.0},
        "intents": {"keys": [{"id": "one", "file": str(key)}]},
        "accept_memory_store": False,
    }


async def _ended(flight: Any, clock: ManualClock) -> None:
    """Let Zuora answer, and wait for the caller to have it."""
    clock.advance(A_MINUTE)
    await wait_until(flight.done)


class TestAnotherEntityAcrossReplicas:
    """What one replica executed, another tells to those alone who may hear it."""

    @pytest.mark.asyncio
    @pytest.mark.timeout(60)
    async def test_is_refused_after_the_answer_and_under_way(self, tmp_path: Path, redis_servers: Servers) -> None:
        """On each RPC, with one line of the audit each; Zuora hears of the first call alone."""
        redis = redis_servers.start("--maxmemory-policy", "noeviction")
        emulator, clock = frozen_emulator()
        async with serving(emulator) as url:
            file = write_configuration(tmp_path, url, shared(tmp_path, redis.url))
            async with replica(file) as one, replica(file) as other:
                expected = []
                for rpc in RPCS:
                    request = rpc.request()
                    emulator.faults.add(f"{rpc.sends}:slow:1")
                    flight = getattr(one.stub, rpc.name)(request, **as_caller("both"))
                    await wait_until(lambda rpc=rpc: emulator.journal.count(rpc.sends) == 1)
                    for _ in ("under way", "answered"):
                        resent = await refusal(getattr(other.stub, rpc.name)(request, **as_caller("us")))
                        looked_up = await refusal(other.stub.GetIntent(intent_of(rpc, request), **as_caller("us")))
                        assert denied(resent, "entity", "eu"), resent
                        assert denied(looked_up, "entity", "eu"), looked_up
                        expected += [(rpc.name, "denied"), ("GetIntent", "denied")]
                        await _ended(flight, clock)
                    await flight
                audit = await other.audit()

        assert dict.fromkeys(SENDING, (1, 1)) == traffic(emulator)
        assert [("jwt:us", *line, "eu", "entity") for line in expected] == audit

    @pytest.mark.asyncio
    @pytest.mark.timeout(60)
    async def test_is_refused_although_the_call_itself_would_go_elsewhere(
        self, tmp_path: Path, redis_servers: Servers
    ) -> None:
        """A rule has moved: new intents go to the caller's own entity, the recorded one stays where it was sent."""
        redis = redis_servers.start("--maxmemory-policy", "noeviction")
        emulator = Emulator()
        async with serving(emulator) as url:
            over = shared(tmp_path, redis.url)
            (tmp_path / "moved").mkdir()
            file = write_configuration(tmp_path, url, over)
            to_us = {"name": "moved", "to": {"tenant": "acme", "entity": "us", "gateway": "cards-us"}}
            moved = write_configuration(tmp_path / "moved", url, over | {"routing": [to_us]})
            async with replica(file) as one, replica(moved) as other:
                request = session_in_eu()
                request.ClearField("route")
                request.one_time_payment.amount.currency_code = "EUR"
                await one.stub.CreateSession(request, **as_caller("both"))

                replayed = await refusal(other.stub.CreateSession(request, **as_caller("us")))
                served = await other.stub.CreateSession(request, **as_caller("both"))
                audit = await other.audit()

        assert denied(replayed, "entity", "eu"), replayed
        assert call_pb2.REPLAY_YES == served.call.replayed
        assert {"sessions": (1, 1)} == {name: count for name, count in traffic(emulator).items() if count != (0, 0)}
        assert [
            ("jwt:us", "CreateSession", "allowed", "us", ""),
            ("jwt:us", "CreateSession", "denied", "eu", "entity"),
            # By now the process knows where the intent was sent.
            ("jwt:both", "CreateSession", "allowed", "eu", ""),
        ] == audit


def with_card() -> Any:
    """Make a request with a card number."""
    request = payment_method_request()
    request.card.number, request.card.brand = "4111111111111111", "visa"
    request.card.expiry_month, request.card.expiry_year = 12, 2039
    return request


def in_solo() -> Any:
    """Make a request for the other tenant."""
    request = session_request()
    request.one_time_payment.account_id = seed.ACCOUNT_SINGLE.id
    request.route.tenant = "solo"
    return request


RIGHTS = [
    # without, with, RPC, request, missing
    ({"rpcs": ["GetIntent"]}, {"rpcs": ["CreateSession"]}, "CreateSession", session_request, ("rpc", "CreateSession")),
    (
        {"rpcs": ["CreateSession"]},
        {"rpcs": ["DecryptApplePay"]},
        "DecryptApplePay",
        decryption_request,
        ("rpc", "DecryptApplePay"),
    ),
    (
        {"rpcs": ["CreateSession"]},
        {"rpcs": ["CreatePaymentMethod"]},
        "CreatePaymentMethod",
        payment_method_request,
        ("rpc", "CreatePaymentMethod"),
    ),
    (OF_US, {"tenants": {"solo": {}}}, "CreateSession", in_solo, ("tenant", "solo")),
    (
        {"tenants": {"acme": {"entities": ["eu"], "orgs": ["*"]}}},
        {"tenants": {"acme": {"entities": ["us"], "orgs": ["*"]}}},
        "CreateSession",
        session_request,
        ("entity", "us"),
    ),
    (
        {"tenants": {"acme": {"entities": ["*"], "orgs": ["north", "south"]}}},
        {"tenants": {"acme": {"entities": ["*"], "orgs": ["*"]}}},
        "CreateSession",
        session_request,
        ("orgs", "*"),
    ),
    (
        {"tenants": {"acme": {"entities": ["*"], "orgs": ["south"]}}},
        {"tenants": {"acme": {"entities": ["*"], "orgs": ["north"]}}},
        "CreateSession",
        session_in_eu,
        ("orgs", "north"),
    ),
    ({"move_money": False}, {"move_money": True}, "DecryptApplePay", decryption_request, ("move_money",)),
    ({"raw_card_data": False}, {"raw_card_data": True}, "CreatePaymentMethod", with_card, ("raw_card_data",)),
]


class TestRights:
    """Each right, once missing and once there."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("without", "granted", "rpc", "request_of", "missing"), RIGHTS, ids=["-".join(row[-1]) for row in RIGHTS]
    )
    async def test_decides(
        self,
        tmp_path: Path,
        without: dict[str, Any],
        granted: dict[str, Any],
        rpc: str,
        request_of: Callable[[], Any],
        missing: tuple[str, ...],
    ) -> None:
        """Without it nothing is sent and nothing shown; with it alone the call is made."""
        over = {"payment_methods": {"raw_card_data": True}}
        async with service(tmp_path, {"without": without, "granted": granted}, over=over) as (stack, stub):
            method, request = getattr(stub, rpc), request_of()
            with capture_logs() as logs:
                refused = await refusal(method(request, **as_caller("without")))
                request.validate_only = True
                unseen = await refusal(method(request, **as_caller("without")))
            assert dict.fromkeys(SENDING, (0, 0)) == traffic(stack.emulator)
            request.validate_only = False

            await method(request, **as_caller("granted"))

            assert denied(refused, *missing), refused
            assert denied(unseen, *missing), unseen
            assert [(rpc, "denied", missing[0])] * 2 == [(line[1], line[2], line[4]) for line in audited(logs)]
            assert (1, 1) in traffic(stack.emulator).values()

    @pytest.mark.asyncio
    async def test_to_look_up_is_one_of_its_own(self, tmp_path: Path) -> None:
        """Who may read what became of an intent need not be able to send one, and the other way round."""
        callers = {
            "both": {},
            "reader": {"rpcs": ["GetIntent"], "move_money": False},
            "writer": {"rpcs": ["CreateSession"]},
        }
        async with service(tmp_path, callers) as (_, stub):
            request = session_request()
            await stub.CreateSession(request, **as_caller("writer"))

            found = await stub.GetIntent(intent_of(RPCS[0], request), **as_caller("reader"))
            refused = await refusal(stub.GetIntent(intent_of(RPCS[0], request), **as_caller("writer")))

        assert service_pb2.INTENT_STATE_SETTLED == found.intent_state
        assert denied(refused, "rpc", "GetIntent"), refused

    @pytest.mark.asyncio
    async def test_of_a_caller_that_is_not_listed_are_none(self, tmp_path: Path) -> None:
        """A good token of somebody whom the policy does not know."""
        async with service(tmp_path, TWO) as (stack, stub):
            with capture_logs() as logs:
                refused = await refusal(stub.CreateSession(session_request(), **as_caller("stranger")))

            assert denied(refused, "caller"), refused
            assert [("jwt:stranger", "CreateSession", "denied", "", "caller")] == audited(logs)
            assert dict.fromkeys(SENDING, (0, 0)) == traffic(stack.emulator)

    @pytest.mark.asyncio
    async def test_are_asked_for_before_rules_of_requests(self, tmp_path: Path) -> None:
        """Who may not use an RPC does not learn what it takes."""
        async with service(tmp_path, {"reader": {"rpcs": ["GetIntent"]}}) as (_, stub):
            empty = service_pb2.CreateSessionRequest()

            refused = await refusal(stub.CreateSession(empty, **as_caller("reader")))

        assert denied(refused, "rpc", "CreateSession"), refused
