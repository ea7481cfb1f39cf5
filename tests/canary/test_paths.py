"""Nothing secret is written anywhere, whichever way a call takes."""

from pathlib import Path

import pytest
from harness.redis_server import RedisServer
from payorch_server.model.outcome import Reason

from canary import scenarios
from canary.search import beginnings, hits
from canary.watch import SINKS

OF_A_RUNNING_SERVICE = {
    "admin",
    "journal",
    "log",
    "metadata",
    "records",
    "reflection",
    "reprs",
    "spans",
    "status",
    "store",
}
REDACTED = b"billing_details: [redacted]"


def leaks(seen: scenarios.Seen) -> list[str]:
    """Name what was found, and what shows it."""
    found = hits(seen.canaries, seen.sinks)
    return sorted(f"{hit}: {beginnings(hit, seen.canaries, seen.sinks)}" for hit in found)


@pytest.mark.asyncio
@pytest.mark.timeout(60)
@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_every_arm_of_every_rpc_keeps_its_secrets(tmp_path: Path, log_format: str) -> None:
    """Shown, executed and looked up, at level debug; only what Zuora cannot create is refused."""
    seen = await scenarios.every_arm(tmp_path, log_format=log_format, sweeps=log_format == "json")

    assert [] == leaks(seen)
    assert set(seen.refused) == scenarios.REFUSED_ARMS
    assert {*OF_A_RUNNING_SERVICE, "preview"} <= {name for name, told in seen.sinks.written.items() if told}
    assert REDACTED in seen.sinks["log"]


@pytest.mark.asyncio
@pytest.mark.timeout(60)
async def test_the_shared_store_holds_no_secret(tmp_path: Path, redis_server: RedisServer) -> None:
    """Everything in Redis is read, as somebody with its password could."""
    seen = await scenarios.every_arm(tmp_path, redis_url=redis_server.url, sweeps=False)

    assert [] == leaks(seen)
    assert len(seen.sinks["store"]) > 10_000


@pytest.mark.asyncio
async def test_zuora_quotes_the_request(tmp_path: Path) -> None:
    """Its texts are told to operators without what they quote."""
    seen = await scenarios.quoting(tmp_path)

    assert [] == leaks(seen)
    assert b"Invalid value: [masked]" in seen.sinks["log"]


@pytest.mark.asyncio
@pytest.mark.timeout(60)
async def test_calls_that_are_named_by_a_card_number(tmp_path: Path) -> None:
    """Such a Track-Id is hashed in the log, spans, records and keys of the store."""
    seen = await scenarios.named_by_secrets(tmp_path)

    assert [] == leaks(seen)
    assert all(b"hmac-" in seen.sinks[sink] for sink in ("log", "spans", "records", "store"))


@pytest.mark.asyncio
@pytest.mark.timeout(60)
async def test_whatever_goes_wrong(tmp_path: Path) -> None:
    """Faults of Zuora and of the network, a deadline, a caller who leaves."""
    seen = await scenarios.failing(tmp_path)

    assert [] == leaks(seen)
    assert len(set(seen.refused.values())) > 15


@pytest.mark.asyncio
async def test_requests_that_break_rules(tmp_path: Path) -> None:
    """Secrets in wrong places, too long ones, unknown fields, bytes that are no message."""
    seen = await scenarios.misusing(tmp_path)

    assert [] == leaks(seen)
    assert {"REQUEST_INVALID", "REQUEST_MALFORMED", "REQUEST_TOO_LARGE"} == set(seen.refused.values())


@pytest.mark.asyncio
async def test_every_reason_and_every_exception(tmp_path: Path) -> None:
    """Private texts are for the log, and texts of exceptions for nobody; responses full of secrets are redacted."""
    seen = await scenarios.scripted(tmp_path)

    assert [] == leaks(seen)
    assert {reason.name for reason in Reason} <= set(seen.refused.values())
    assert b"payment_method.card_summary.last4: [redacted]" in seen.sinks["log"]


@pytest.mark.asyncio
async def test_lines_that_should_not_have_been_written(tmp_path: Path) -> None:
    """The last line holds."""
    seen = await scenarios.telling(tmp_path)

    assert [] == leaks(seen)
    assert 6 == seen.sinks["log"].count(b"[scrubbed]")


@pytest.mark.asyncio
async def test_a_process_that_crashes_within_a_call(tmp_path: Path) -> None:
    """Its last words are ours, and not the interpreter's."""
    seen = await scenarios.crashing(tmp_path)

    assert [] == leaks(seen)
    assert b"process_crashed" in seen.sinks["process"]


def test_every_sink_is_watched() -> None:
    """The list of sinks, which test_redactors.py takes its rows from, is the list of what is written."""
    assert {*OF_A_RUNNING_SERVICE, "client error", "preview", "process"} == set(SINKS)
