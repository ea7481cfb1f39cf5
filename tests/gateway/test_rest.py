"""JSON over HTTP, as a service without gRPC would call."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import generate
import pytest
from harness.requests import decryption_request, payment_method_request, session_request
from harness.stack import running
from yarl import URL

from gateway.calls import SERVICE, Front, as_json
from gateway.envoy import envoy_before

FILTER = "build/clients/strict_json.lua"
TRACE = "0af7651916cd43dd8448eb211c80319c"
BACK_OFFICE = "https://backoffice.example.com"


def tracked(track_id: str) -> dict[str, str]:
    """Return the header that names a call."""
    return {"zuora-track-id": track_id}


@pytest.mark.asyncio
async def test_each_rpc_once(front: Front) -> None:
    """Answers are JSON, and the ledger holds each call under its Track-Id."""
    session = as_json(session_request())
    created = await front.post("CreateSession", session, tracked("rest-session"))
    decrypted = await front.post("DecryptApplePay", as_json(decryption_request()), tracked("rest-apple-pay"))
    saved = await front.post("CreatePaymentMethod", as_json(payment_method_request()), tracked("rest-method"))
    told = await front.post(
        "GetIntent",
        {"requestId": session["requestId"], "operation": "OPERATION_CREATE_SESSION"},
        tracked("rest-intent"),
    )

    assert [200] * 4 == [one.status for one in (created, decrypted, saved, told)]
    assert 32 == len(created.json["session"]["token"])
    assert "rest-session" == created.json["call"]["trackId"]
    assert "AMOUNT_CHECK_EQUAL" == decrypted.json["amountCheck"]
    assert saved.json["paymentMethod"]["id"]
    assert "INTENT_STATE_SETTLED" == told.json["intentState"]
    assert [
        ("sessions", "rest-session"),
        ("decryption", "rest-apple-pay"),
        ("payment_methods", "rest-method"),
    ] == front.executed


@pytest.mark.asyncio
async def test_an_error_is_told_whole(front: Front) -> None:
    """As JSON of google.rpc.Status, with outcome and advice in headers as well."""
    request = as_json(session_request())
    request["oneTimePayment"]["accountId"] = "nobody"

    answer = await front.post("CreateSession", request, tracked("rest-error"))

    assert 404 == answer.status
    assert 5 == answer.json["code"]
    assert ("UPSTREAM_NOT_FOUND", "payorch") == (
        answer.detail("google.rpc.ErrorInfo")["reason"],
        answer.detail("google.rpc.ErrorInfo")["domain"],
    )
    outcome = answer.detail("payorch.v1.CallOutcome")
    assert ("OUTCOME_REFUSED", "ADVICE_FIX_REQUEST", "rest-error") == (
        outcome["outcome"],
        outcome["advice"],
        outcome["trackId"],
    )
    assert ("REFUSED", "FIX_REQUEST", "rest-error") == tuple(
        answer.headers[name] for name in ("payorch-outcome", "payorch-advice", "zuora-track-id")
    )


@pytest.mark.asyncio
async def test_a_resend_executes_nothing(front: Front) -> None:
    """The same request under another Track-Id is answered with what is recorded."""
    request = as_json(session_request())

    first = await front.post("CreateSession", request, tracked("rest-first"))
    again = await front.post("CreateSession", request, tracked("rest-again"))

    assert first.json["session"] == again.json["session"]
    assert ("rest-again", "rest-first", "REPLAY_YES") == tuple(
        again.json["call"][name] for name in ("trackId", "executedTrackId", "replayed")
    )
    assert [("sessions", "rest-first")] == front.executed


@pytest.mark.asyncio
async def test_the_trace_goes_along(front: Front) -> None:
    """A Track-Id that the service makes names the caller's trace."""
    answer = await front.post("CreateSession", as_json(session_request()), {"traceparent": f"00-{TRACE}-{'b' * 16}-01"})

    assert answer.json["call"]["trackId"].startswith(f"{TRACE}-")


@pytest.mark.asyncio
async def test_the_callers_deadline_goes_along(front: Front) -> None:
    """It ends the call with an unknown outcome; the resend that the contract then advises joins what goes on."""
    front.stack.emulator.faults.add("sessions:slow:2")
    request = as_json(session_request())

    answer = await front.post("CreateSession", request, tracked("rest-hurry") | {"grpc-timeout": "500m"})
    again = await front.post("CreateSession", request)

    assert (504, 4) == (answer.status, answer.json["code"])
    assert (200, "rest-hurry") == (again.status, again.json["call"]["executedTrackId"])
    assert [("sessions", "rest-hurry")] == front.executed


def changed(**members: Any) -> bytes:
    """Return a session's request with members changed."""
    return json.dumps(as_json(session_request()) | members).encode()


def amount(**members: Any) -> bytes:
    """Return a session's request with members of its amount changed."""
    request = as_json(session_request())
    request["oneTimePayment"]["amount"] |= members
    return json.dumps(request).encode()


REFUSED = [
    ("REQUEST_INVALID", changed(validateOnlyy=True), "a misspelt field would be dropped, and money would move"),
    ("REQUEST_INVALID", amount(curencyCode="USD"), "a misspelt field further down"),
    ("REQUEST_INVALID", changed(session={"token": "x"}), "a field of the answer"),
    ("REQUEST_INVALID", changed()[:-1] + b', "validateOnly": true, "validateOnly": false}', "one name twice"),
    ("REQUEST_INVALID", changed()[:-1] + b', "validateOnly": true, "validate_only": false}', "both names of a field"),
    ("REQUEST_INVALID", changed(requestId={"a": 1}), "an object for text"),
    ("REQUEST_INVALID", changed(route={"orgs": [None]}), "a null in a list, which would be left out"),
    ("REQUEST_INVALID", changed(gatewayOptions={"a": None}), "a null in a map"),
    ("REQUEST_INVALID", changed(route={"orgs": "x"}), "text for a list"),
    ("REQUEST_INVALID", amount(units=123.5), "a fraction, which would be rounded"),
    ("REQUEST_INVALID", changed().replace(b'"units": "100"', b'"units": 1e2'), "an exponent"),
    ("REQUEST_MALFORMED", changed(storeOnly={}), "two arms of a oneof"),
    ("REQUEST_MALFORMED", changed(validateOnly="4111111111111111"), "text for a boolean"),
    ("REQUEST_MALFORMED", changed()[:-1], "JSON that ends too early"),
    ("REQUEST_MALFORMED", changed() + changed(), "two values"),
    ("REQUEST_MALFORMED", changed()[:-1] + b",}", "a stray comma"),
    ("REQUEST_MALFORMED", changed().replace(b'"', b"'"), "single quotes"),
    ("REQUEST_MALFORMED", changed(gatewayOptions={"a": 1}).replace(b"1}", b"01}"), "a number that is none in JSON"),
    ("REQUEST_MALFORMED", b"4111111111111111", "no object"),
    ("REQUEST_MALFORMED", b"", "nothing"),
    ("REQUEST_INVALID", b'{"route":' * 10_000, "an abyss of objects"),
    ("REQUEST_INVALID", b'{"gatewayOptions":' + b"[" * 100_000, "an abyss of lists"),
]


@pytest.mark.asyncio
async def test_what_the_transcoder_would_change_or_repeat_is_refused(front: Front) -> None:
    """Before anything reaches the service, and without repeating a value."""
    for reason, body, why in REFUSED:
        answer = await front.post("CreateSession", body)

        told = (answer.status, answer.detail("google.rpc.ErrorInfo")["reason"])
        assert (400, reason) == told, why
        outcome = answer.detail("payorch.v1.CallOutcome")
        assert ("OUTCOME_NOT_SENT", "ADVICE_FIX_REQUEST") == (outcome["outcome"], outcome["advice"]), why
        assert ("NOT_SENT", "FIX_REQUEST") == (answer.headers["payorch-outcome"], answer.headers["payorch-advice"])
        assert "4111" not in answer.text, why
        # Every answer of the service has one.
        assert "zuora-track-id" not in answer.headers, why
    assert [] == front.executed


@pytest.mark.asyncio
async def test_the_place_of_an_unknown_field_is_told(front: Front) -> None:
    """By the field that holds it: its own name may be a value in the wrong place."""
    answer = await front.post("CreateSession", amount(curencyCode="USD"))

    (violation,) = answer.detail("google.rpc.BadRequest")["fieldViolations"]
    assert "oneTimePayment.amount" == violation["field"]
    assert "curencyCode" not in answer.text


@pytest.mark.asyncio
async def test_both_names_of_fields_and_free_names_of_maps_are_taken(front: Front) -> None:
    """And every shape that a request may have."""
    request = {
        "request_id": "rest-names-00000001",
        "route": {"attributes": {'a "quoted" \\u0041': "1"}, "orgs": []},
        "validate_only": True,
        "gatewayOptions": {"x": "1", "y": "2"},
        "one_time_payment": {
            "accountId": "2c92c0f8000000000000000000000001",
            "amount": {"currency_code": "USD", "units": 100, "nanos": None},
        },
    }

    answer = await front.post("CreateSession", request)

    assert 200 == answer.status, answer.text
    assert answer.json["upstreamRequest"]["body"]
    assert [] == front.executed


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (f"{SERVICE}/CreateSession?requestId=rest-query-00000001", {}, 501),
        (f"{SERVICE}/Nothing", {}, 501),
        (f"{SERVICE}/%43reateSession", {}, 501),
        ("payorch.v1.DiagnosticsService/GetCallRecord", {}, 501),
        ("", {}, 501),
        (f"{SERVICE}/CreateSession", {"content-type": "text/plain"}, 400),
        (f"{SERVICE}/CreateSession", {"content-type": "application/x-www-form-urlencoded"}, 400),
        (f"{SERVICE}/CreateSession", {"content-type": "application/grpcx"}, 400),
        # Envoy tells gRPC by lower case alone, and would transcode these.
        (f"{SERVICE}/CreateSession", {"content-type": "Application/grpc"}, 400),
        (f"{SERVICE}/CreateSession", {"content-type": "APPLICATION/GRPC+proto"}, 400),
        (f"{SERVICE}/CreateSession", {"content-type": "Application/grpc-web"}, 400),
    ],
)
async def test_only_json_to_a_method_is_taken(front: Front, path: str, headers: dict[str, str], status: int) -> None:
    """A query lands in logs, and text that is no JSON is what a foreign page may send unasked."""
    sent = {"content-type": "application/json", **headers}
    async with (
        aiohttp.ClientSession() as session,
        session.post(URL(f"http://{front.envoy.address}/{path}", encoded=True), data=changed(), headers=sent) as answer,
    ):
        assert status == answer.status
        assert "NOT_SENT" == answer.headers["payorch-outcome"]
    assert [] == front.executed


@pytest.mark.asyncio
async def test_nothing_passes_a_filter_that_fails(tmp_path: Path) -> None:
    """Neither JSON nor gRPC: Envoy alone would let both on."""
    begins = "function envoy_on_request(handle)\n"
    text = (generate.ROOT / FILTER).read_text()
    assert 1 == text.count(begins)
    broken = tmp_path / "broken.lua"
    broken.write_text(text.replace(begins, f"{begins}  error('broken')\n"))
    message = session_request().SerializeToString()
    framed = b"\0" + len(message).to_bytes(4, "big") + message
    async with (
        running() as stack,
        envoy_before(stack.target, tmp_path, lambda text: text.replace(FILTER, str(broken))) as envoy,
    ):
        front = Front(stack, envoy)

        told = await front.post("CreateSession", changed())
        told_in_grpc = await front.post("CreateSession", framed, {"content-type": "application/grpc-web"})

        assert (403, "7") == (told.status, told_in_grpc.headers["grpc-status"])
        assert [] == front.executed


@pytest.mark.asyncio
async def test_envoy_sends_nothing_again(front: Front) -> None:
    """Not even when a caller asks it to: the sends are the service's own, and the advice is the caller's to follow."""
    for _ in range(10):
        front.stack.emulator.faults.add("sessions:503")
    wish = {"x-envoy-retry-on": "5xx", "x-envoy-retry-grpc-on": "unavailable", "x-envoy-max-retries": "3"}

    answer = await front.post("CreateSession", as_json(session_request()), wish)

    outcome = answer.detail("payorch.v1.CallOutcome")
    assert (503, "OUTCOME_UNKNOWN", "ADVICE_RESEND_SAME_REQUEST_ID") == (
        answer.status,
        outcome["outcome"],
        outcome["advice"],
    )
    assert len(outcome["attempts"]) == len(front.stack.emulator.journal.of("sessions"))
    assert 0 == await front.envoy.counter("cluster.payorch.upstream_rq_retry")


@pytest.mark.asyncio
async def test_no_outcome_is_made_up(tmp_path: Path) -> None:
    """When the service is gone, Envoy says so, and the contract's default holds: UNKNOWN."""
    async with running() as stack, envoy_before(stack.target, tmp_path) as envoy:
        front = Front(stack, envoy)
        await stack.application.drain()

        answer = await front.post("CreateSession", as_json(session_request()))

        assert 503 == answer.status
        assert "CallOutcome" not in answer.text
        assert "payorch-outcome" not in answer.headers
        assert [] == front.executed


@pytest.mark.asyncio
@pytest.mark.parametrize(("origin", "allowed"), [(BACK_OFFICE, BACK_OFFICE), ("https://shop.example.com", None)])
async def test_only_listed_pages_may_call(front: Front, origin: str, allowed: str | None) -> None:
    """The browser of any other is told nothing that would let it send."""
    asked = {"origin": origin, "access-control-request-method": "POST"}
    async with (
        aiohttp.ClientSession() as session,
        session.options(f"http://{front.envoy.address}/{SERVICE}/CreateSession", headers=asked) as answer,
    ):
        assert allowed == answer.headers.get("access-control-allow-origin")
