"""gRPC-Web and gRPC through Envoy, and gRPC directly, from the command line."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable

import pytest
from google.protobuf.message import Message
from harness.requests import decryption_request, payment_method_request, session_request
from payorch.v1 import call_pb2

from gateway.calls import IMAGE, SERVICE, Front, as_json, run

GRPC = ("--protocol", "grpc", "--http2-prior-knowledge", "--schema", IMAGE)
WEB = ("--protocol", "grpcweb", "--schema", IMAGE)
RPCS: tuple[tuple[str, str, Callable[[], Message]], ...] = (
    ("CreateSession", "sessions", session_request),
    ("DecryptApplePay", "decryption", decryption_request),
    ("CreatePaymentMethod", "payment_methods", payment_method_request),
)


async def curl(front: Front, options: tuple[str, ...], method: str, request: Message, track_id: str) -> tuple[int, str]:
    """Call through Envoy with buf; return its status, and what it prints."""
    url = f"http://{front.envoy.address}/{SERVICE}/{method}"
    header = ("--header", f"zuora-track-id: {track_id}")
    status, output, errors = await run(
        "buf", "curl", *options, *header, "--data", "@-", url, given=json.dumps(as_json(request))
    )
    return status, errors if status else output


@pytest.mark.asyncio
@pytest.mark.parametrize("options", [WEB, GRPC], ids=["grpc-web", "grpc"])
async def test_each_rpc_once(front: Front, options: tuple[str, ...]) -> None:
    """The answers are typed, and the ledger holds each call under its Track-Id."""
    for method, operation, request in RPCS:
        status, told = await curl(front, options, method, request(), f"web-{operation}")

        assert 0 == status, told
        assert f"web-{operation}" == json.loads(told)["call"]["trackId"]
    assert [(operation, f"web-{operation}") for _, operation, _ in RPCS] == front.executed


@pytest.mark.asyncio
@pytest.mark.parametrize("options", [WEB, GRPC], ids=["grpc-web", "grpc"])
async def test_an_error_is_told_whole(front: Front, options: tuple[str, ...]) -> None:
    """The details come in trailers, which gRPC-Web carries in the body."""
    request = session_request()
    request.one_time_payment.account_id = "nobody"

    _, told = await curl(front, options, "CreateSession", request, "web-error")

    error = json.loads(told)
    details = {one["type"]: base64.b64decode(one["value"] + "==") for one in error["details"]}
    outcome = call_pb2.CallOutcome.FromString(details["payorch.v1.CallOutcome"])
    assert "not_found" == error["code"]
    assert (call_pb2.OUTCOME_REFUSED, call_pb2.ADVICE_FIX_REQUEST, "web-error") == (
        outcome.outcome,
        outcome.advice,
        outcome.track_id,
    )


@pytest.mark.asyncio
async def test_grpcurl_shows_details_by_the_descriptor_set(front: Front) -> None:
    """Also without reflection, which Envoy does not let through."""
    request = session_request()
    request.one_time_payment.account_id = "nobody"
    options = ("-plaintext", "-protoset", IMAGE, "-d", "@", front.envoy.address)

    _, _, told = await run("grpcurl", *options, f"{SERVICE}/CreateSession", given=json.dumps(as_json(request)))

    assert '"advice": "ADVICE_FIX_REQUEST"' in told
    assert '"reason": "UPSTREAM_NOT_FOUND"' in told


@pytest.mark.asyncio
async def test_nothing_else_is_let_through(front: Front) -> None:
    """No reflection and no operators' calls."""
    known = ("-protoset", IMAGE, "-d", "{}", front.envoy.address, "payorch.v1.DiagnosticsService/GetCall")
    asked = await run("grpcurl", "-plaintext", front.envoy.address, "list")
    operated = await run("grpcurl", "-plaintext", *known)

    assert "does not support the reflection API" in asked[2]
    assert "Code: Unimplemented" in operated[2]


@pytest.mark.asyncio
async def test_no_outcome_is_made_up_when_a_body_ends_broken(front: Front) -> None:
    """Envoy passes on what it has understood by then: the session exists, though Envoy says 400."""
    front.stack.emulator.faults.add("sessions:slow:2")
    message = session_request().SerializeToString()
    framed = base64.b64encode(b"\0" + len(message).to_bytes(4, "big") + message)

    async def body() -> AsyncIterator[bytes]:
        yield framed
        async with asyncio.timeout(10):
            while not front.stack.emulator.journal.of("sessions"):
                await asyncio.sleep(0.01)
        yield b"!!!!"

    answer = await front.post("CreateSession", body(), {"content-type": "application/grpc-web-text"})

    assert 400 == answer.status
    assert "payorch-outcome" not in answer.headers
    assert "NOT_SENT" not in answer.text
