"""What operators ask a running service with the handles that people have: a Track-Id or a request id."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from harness.authority import Authority
from harness.calls import refusal
from harness.keyring import new_key_file
from harness.redis_server import Servers, servers
from harness.requests import decryption_request, session_request
from harness.stack import LocalStack, running
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import diagnostics_service_pb2_grpc as diagnostics_grpc
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server import cli
from payorch_server.intents.executor import idempotency_key
from payorch_server.intents.intent_record import store_key
from payorch_server.model.identifiers import RequestId
from structlog.testing import capture_logs
from zuora_emulator import Emulator

CARD = "4929-1234-5678-1236"
EVERYTHING = {"rpcs": ["*"], "tenants": {"*": {"entities": ["*"], "orgs": ["*"]}}}


@pytest.fixture
def redis_servers() -> Iterator[Servers]:
    """Servers of this test alone."""
    with servers() as made:
        yield made


async def run(stack: LocalStack, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run `payorch-server` against the listener for operators; return its exit status and what it printed."""
    capsys.readouterr()
    command = [*arguments, "--address", stack.diagnostics_target]
    # The lines of the service would be among what is printed.
    with capture_logs():
        status = await asyncio.to_thread(cli.main, command)
    return status, capsys.readouterr().out


async def lose(stub: Any, stack: LocalStack, request_id: str, track_id: str) -> None:
    """Have Zuora answer no attempt of a call."""
    for _ in range(9):
        stack.emulator.faults.add("sessions:drop")
    metadata = (("zuora-track-id", track_id),)
    await refusal(stub.CreateSession(session_request(request_id), metadata=metadata, timeout=10))
    stack.emulator.faults.clear()


async def damage(stack: LocalStack, request_id: str) -> None:
    """Damage the record of an intent of CreateSession."""
    store = stack.application.components.resources.store
    key = store_key(idempotency_key(namespace="default", rpc="CreateSession", request_id=RequestId(request_id)))
    stored = await store.get(key)
    assert stored is not None
    assert await store.compare_and_set(key, stored.value[:-1], version=stored.version, ttl_s=60.0)


@pytest.mark.asyncio
class TestTrace:
    """`payorch-server trace`."""

    async def test_finds_a_call_by_its_request_id(
        self, stack: LocalStack, stub: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The call before its execution, then what the ledger says of the intent."""
        metadata = (("zuora-track-id", "ticket-1"),)
        await stub.CreateSession(session_request("order-4711-attempt-1"), metadata=metadata, timeout=10)

        status, text = await run(stack, capsys, "trace", "order-4711-attempt-1")

        call, execution, intent, trace = text.strip().split("\n\n")
        assert (0, "trace ") == (status, trace[:6])
        assert call.startswith("call CreateSession, ")
        assert "  request id    order-4711-attempt-1\n" in call
        assert execution.startswith("execution CreateSession, ")
        assert "outcome       SUCCEEDED" in execution
        assert "caller" not in execution
        assert intent.startswith("intent CreateSession order-4711-attempt-1, ")
        assert "  state         settled\n  outcome       SUCCEEDED\n" in intent
        assert "ticket-1" in intent

    async def test_finds_a_request_id_that_looks_like_a_card_number(
        self, stack: LocalStack, stub: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Under its keyed hash, by either, and shows the hash alone."""
        await stub.CreateSession(session_request(CARD), timeout=10)

        status, text = await run(stack, capsys, "trace", CARD)
        found = json.loads((await run(stack, capsys, "trace", CARD, "--json"))[1])
        (hashed,) = {call["requestId"] for call in found["calls"]} | {found["intents"][0]["requestId"]}

        assert (0, False, True) == (status, CARD in text, hashed.startswith("hmac-"))
        assert 0 == (await run(stack, capsys, "trace", hashed))[0]

    async def test_says_where_to_look_if_there_is_nothing(
        self, stack: LocalStack, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Status 1; 2 for what can be neither id."""
        nothing = await run(stack, capsys, "trace", "order-4711-attempt-2")

        assert (1, True) == (nothing[0], "There is no record of order-4711-attempt-2." in nothing[1])
        assert (1, {"traceId"}) == (
            (status := await run(stack, capsys, "trace", "x", "--json"))[0],
            {*json.loads(status[1])},
        )
        assert 2 == (await run(stack, capsys, "trace", "a b"))[0]


@pytest.mark.asyncio
class TestIntents:
    """`payorch-server intents --unsettled`."""

    async def test_lists_what_is_in_doubt(
        self, stack: LocalStack, stub: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """By age, with what a person needs to resend it or to look it up; not what has been settled since."""
        await lose(stub, stack, "order-1-attempt-1", "ticket-1")
        await lose(stub, stack, CARD, "ticket-2")
        await lose(stub, stack, "order-3-attempt-1", "ticket-3")
        await stub.CreateSession(session_request("order-3-attempt-1"), timeout=10)

        status, text = await run(stack, capsys, "intents", "--unsettled")
        head, first, second, _, summary = text.splitlines()

        assert (0, "AGE") == (status, head.split()[0])
        row = ["0m", "acme/us", "CreateSession", "UPSTREAM_NO_ANSWER", "resend", "same", "request", "id"]
        assert row == first.split()[:8]
        assert ["order-1-attempt-1", "ticket-1"] == first.split()[-2:]
        assert second.split()[-2].startswith("hmac-")
        assert "acme: 2 in doubt, the oldest for 0m" == summary

    async def test_names_a_record_that_cannot_be_read(
        self, stack: LocalStack, stub: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """In the list, beside the calls of its request id, and in the errors that its callers receive."""
        request_id = "order-1-attempt-1"
        await lose(stub, stack, request_id, "ticket-1")
        await damage(stack, request_id)
        sent = stack.emulator.journal.count("sessions")

        resent = await refusal(stub.CreateSession(session_request(request_id), timeout=10))
        asked = service_pb2.GetIntentRequest(request_id=request_id, operation=service_pb2.OPERATION_CREATE_SESSION)
        looked_up = await refusal(stub.GetIntent(asked, timeout=10))
        _, listed = await run(stack, capsys, "intents", "--unsettled")
        status, traced = await run(stack, capsys, "trace", request_id)

        for error in (resent, looked_up):
            assert ("INTENT_RECORD_UNREADABLE", request_id) == (error.reason, error.metadata["requestId"])
        assert sent == stack.emulator.journal.count("sessions")
        assert "INTENT_RECORD_UNREADABLE" in listed.splitlines()[1]
        assert (0, True) == (status, f"\nintent CreateSession {request_id}\n" in traced)
        assert "  state         the record cannot be read\n  outcome       UNKNOWN\n" in traced

    async def test_prints_json(self, stack: LocalStack, stub: Any, capsys: pytest.CaptureFixture[str]) -> None:
        """Of one tenant."""
        await lose(stub, stack, "order-1-attempt-1", "ticket-1")

        _, found = await run(stack, capsys, "intents", "--unsettled", "--json", "--tenant", "acme")
        _, none = await run(stack, capsys, "intents", "--unsettled", "--tenant", "solo")

        (intent,) = json.loads(found)["intents"]
        assert ("order-1-attempt-1", "ERROR_REASON_UPSTREAM_NO_ANSWER") == (intent["requestId"], intent["errorReason"])
        assert "No intent is known to be in doubt." == none.strip()


def fleet(folder: Path, url: str) -> Mapping[str, Any]:
    """Return the settings of replicas that share a store."""
    (folder / "key").write_text(new_key_file())
    return {
        "store": {"kind": "redis", "url": url},
        "intents": {"keys": [{"id": "one", "file": str(folder / "key")}]},
        "accept_memory_store": False,
    }


@pytest.mark.asyncio
async def test_every_replica_knows_what_one_of_them_did(
    tmp_path: Path, redis_servers: Servers, capsys: pytest.CaptureFixture[str]
) -> None:
    """The records and the notes are in the store, if it is shared; the replica that wrote them may be gone."""
    redis = redis_servers.start("--maxmemory-policy", "noeviction")
    over, emulator = fleet(tmp_path, redis.url), Emulator()
    async with running(emulator=emulator, over=over) as one, grpc.aio.insecure_channel(one.target) as channel:
        await lose(service_stub(channel), one, "order-1-attempt-1", "ticket-1")
        await one.application.drain()
    async with running(over=over) as other:
        status, text = await run(other, capsys, "trace", "ticket-1")
        by_request = await run(other, capsys, "trace", "order-1-attempt-1")
        _, listed = await run(other, capsys, "intents", "--unsettled")

    assert (0, 1, 1) == (status, text.count("call CreateSession"), text.count("execution CreateSession"))
    assert (0, True) == (by_request[0], "intent CreateSession order-1-attempt-1" in by_request[1])
    assert "ticket-1" in listed


def service_stub(channel: grpc.aio.Channel) -> Any:
    """Make a stub for callers."""
    return service_grpc.PaymentOrchestrationServiceStub(channel)


def operators(namespaces: list[str]) -> Mapping[str, Any]:
    """Return an access policy: a shop, and operators without a right to call."""
    shop = {"caller": "mesh:shop", "namespace": "shop", **EVERYTHING}
    other = {"caller": "mesh:other", "namespace": "other", **EVERYTHING}
    operator = {"caller": "anonymous", "namespace": "operators", "diagnostics": True}
    mesh = {"header": "x-caller", "format": "identity", "peers": ["127.0.0.0/8"]}
    callers = [shop, other, operator | {"diagnostics_namespaces": namespaces}]
    return {"access": {"callers": callers}, "identity": {"mesh": mesh}}


@pytest.mark.asyncio
@pytest.mark.parametrize(("granted", "seen"), [(["*"], 2), (["shop"], 1), ([], 0)], ids=["all", "one", "none"])
async def test_operators_see_the_namespaces_that_they_were_granted(granted: list[str], seen: int) -> None:
    """And are refused where they ask for another one by name."""
    async with (
        running(over=operators(granted)) as stack,
        grpc.aio.insecure_channel(stack.target) as channel,
        grpc.aio.insecure_channel(stack.diagnostics_target) as diagnostics,
    ):
        asked = diagnostics_grpc.DiagnosticsServiceStub(diagnostics)
        for caller in ("shop", "other"):
            metadata = (("x-caller", caller), ("zuora-track-id", "ticket-1"))
            await service_stub(channel).CreateSession(session_request("order-1-attempt-1"), metadata=metadata)
        by_track_id = await asked.GetCall(diagnostics_pb2.GetCallRequest(track_id="ticket-1"))
        by_request_id = await asked.GetCall(diagnostics_pb2.GetCallRequest(request_id="order-1-attempt-1"))
        if "*" not in granted:
            named = diagnostics_pb2.GetCallRequest(track_id="ticket-1", namespace="other")
            assert "CALLER_NOT_PERMITTED" == (await refusal(asked.GetCall(named))).reason

    assert (2 * seen, 2 * seen) == (len(by_track_id.calls), len(by_request_id.calls))
    assert seen == len(by_request_id.intents)


@pytest.mark.asyncio
@pytest.mark.parametrize("fields", [{}, {"track_id": "t", "request_id": "r" * 16}, {"request_id": "short"}])
async def test_a_question_names_exactly_one_id(stack: LocalStack, fields: dict[str, str]) -> None:
    """The error says which."""
    async with grpc.aio.insecure_channel(stack.diagnostics_target) as channel:
        stub = diagnostics_grpc.DiagnosticsServiceStub(channel)
        error = await refusal(stub.GetCall(diagnostics_pb2.GetCallRequest(**fields)))

    assert ("REQUEST_INVALID", 1) == (error.reason, len(error.violations))


@pytest.mark.asyncio
async def test_the_listener_on_loopback_speaks_plaintext(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who comes by `kubectl exec` has no name to verify a certificate with."""
    certificate, key = Authority().issue("payorch.shop").write(tmp_path, "server")
    tls = {"certificate_file": certificate, "key_file": key}
    async with running(over={"grpc": {"tls": tls}}) as stack:
        status, text = await run(stack, capsys, "intents", "--unsettled")

    assert (0, "No intent is known to be in doubt.") == (status, text.strip())


@pytest.mark.asyncio
async def test_what_is_cut_at_the_end_of_a_process_is_noted(
    tmp_path: Path, redis_servers: Servers, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its successor lists it: the money of an execution that was cut may have moved."""
    redis = redis_servers.start("--maxmemory-policy", "noeviction")
    over = fleet(tmp_path, redis.url)
    async with running(over=over) as one, grpc.aio.insecure_channel(one.target) as channel:
        one.emulator.faults.add("decryption:slow:30")
        call = service_stub(channel).DecryptApplePay(decryption_request("order-1-attempt-1"), timeout=20)
        while one.emulator.journal.count("decryption") == 0:
            await asyncio.sleep(0.01)
        call.cancel()
    async with running(over=over) as other:
        _, listed = await run(other, capsys, "intents", "--unsettled")

    assert "order-1-attempt-1" in listed
