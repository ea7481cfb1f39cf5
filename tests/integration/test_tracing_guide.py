"""docs/tracing.md tells a story; it happens here."""

import asyncio
import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from harness.calls import refusal
from harness.requests import decryption_request
from harness.stack import LocalStack
from payorch_server.calls.recording import log_fields, record_of_call
from payorch_server.commands import trace
from payorch_server.model.attempt import Attempt
from payorch_server.model.call_notes import CallNotes, RouteNames
from payorch_server.model.caller import Caller
from payorch_server.model.errors import call_error
from payorch_server.model.identifiers import TrackId, trace_id_of
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.upc.observation import span_ids_of_key
from payorch_server.upc.request import Operation, RequestName, idempotency_key

PAGE = (Path(__file__).parents[2] / "docs" / "tracing.md").read_text(encoding="utf-8")
TRACK_ID = "checkout-4711-try-1"


def tell(stack: LocalStack, link: str) -> str:
    """Run the command of step 1."""
    with grpc.insecure_channel(stack.diagnostics_target) as channel:
        status, told = trace.show(trace.TraceQuery(TRACK_ID, link=link), channel=channel)
    assert 0 == status
    return told


def without_ids(text: str) -> str:
    """Replace Zuora's ids, which differ from run to run."""
    return re.sub(r"\b[0-9a-f]{32}\b", "ID", text)


@pytest.mark.asyncio
async def test_the_five_steps_lead_to_the_cause(stack: LocalStack, stub: Any) -> None:
    """The shop gives up, the service does not, and the lines of the page are printed."""
    link = re.search(r"trace (\S+) --link (\S+)", PAGE)
    assert link is not None
    assert TRACK_ID == link[1]
    stack.emulator.faults.add("decryption:slow:0.5", times=1)
    await refusal(stub.DecryptApplePay(decryption_request(), metadata=(("zuora-track-id", TRACK_ID),), timeout=0.3))
    async with asyncio.timeout(10):
        while "execution" not in (told := await asyncio.to_thread(tell, stack, link[2])):
            await asyncio.sleep(0.02)

    block = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    for line in block[1].splitlines():
        assert without_ids(line.strip()) in without_ids(told)
    assert re.search(r"exists +\S+ \S+", told), "payment method and payment"
    assert f"trace https://traces.example/trace/{trace_id_of(TrackId(TRACK_ID))}" in told
    assert re.search(r"Zuora +[0-9a-f-]{36}", told)
    assert re.search(r"phases .*zuora", told)


def test_the_page_names_every_member_of_the_log_line() -> None:
    """And none that does not exist."""
    listed = PAGE.partition("One JSON object for each call:")[2].partition("where there")[0]
    route = RouteNames("acme", "us", (), "cards", "rule", "hash")
    attempt = Attempt(1, 200, "z", datetime(2026, 11, 20, tzinfo=UTC), 0.1, Outcome.SUCCEEDED)
    notes = CallNotes("ab" * 16, route, "opened", dict.fromkeys(("record", "token", "queue", "zuora"), 0.1), (attempt,))
    notes.zuora_request_id, notes.request_id = "z", "r"
    error = call_error(Reason.PAYMENT_DECLINED, "declined")

    record = record_of_call(
        error,
        method="/x",
        code="OK",
        track_id="t",
        caller=Caller("jwt:a", "shop"),
        notes=notes,
        ended_at=attempt.started_at,
        duration_s=1.0,
    )

    assert set(log_fields(record)) == set(re.findall(r"`(\w+)`", listed))


def test_the_page_computes_what_the_service_computes() -> None:
    """By hand, with tools that are everywhere."""
    command = re.search(r"```sh\n(printf .*?)```", PAGE, re.DOTALL)
    assert command is not None

    by_hand = subprocess.run(  # noqa: S603 - the page's own command
        ["/bin/bash", "-c", command[1]], env={"TRACK_ID": TRACK_ID, "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert trace_id_of(TrackId(TRACK_ID)) == by_hand.stdout.strip()


def test_a_payment_leads_to_its_trace() -> None:
    """The commands of the page compute what the hub computes."""
    section = PAGE.partition("## From a payment of Zuora's to the hub")[2]
    commands = section.partition("```sh\n")[2].partition("```")[0]
    name = RequestName("12368", Operation.PAYMENT, "4028818579a43c3f0179aba917410419")
    given = {"PATH": os.defpath, "TENANT_ID": name.tenant_id, "PAYMENT_ID": name.id}

    computed = subprocess.run(["/bin/sh", "-ec", commands], capture_output=True, text=True, check=True, env=given)  # noqa: S603 - of our page

    assert computed.stdout.strip() == f"{span_ids_of_key(idempotency_key(name))[0]:032x}"
