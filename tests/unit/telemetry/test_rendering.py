"""A line of JSON is rendered as structlog's own processors and a scrubber of every member would render it."""

import json
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import pytest
import structlog
from hypothesis import example, given, settings
from hypothesis import strategies as st
from payorch_server.calls.recording import log_fields, record_of_call
from payorch_server.model.attempt import Attempt, UpstreamFacts
from payorch_server.model.call_notes import CallNotes, RouteNames
from payorch_server.model.caller import Caller
from payorch_server.model.errors import UpstreamEvidence, call_error
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.runtime.clock import SystemClock
from payorch_server.telemetry import scrubber
from payorch_server.telemetry.log_writer import MAX_HELD_BYTES
from payorch_server.telemetry.logging import _renderer
from payorch_server.telemetry.settings import TelemetrySettings

SECRETS = (
    "4111111111111111",
    "4929 1234 5678 1236",
    "card 34393239313233343536373831323336 refused",
    "34393239313233343536373831323336",
    "f34393239313233343536373831323336",
    "NDkyOTEyMzQ1Njc4MTIzNg==",
    "DE89370400440532013000",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "Bearer 0123456789abcdef",
    "jane%40example.com",
    "client_secret=s3cr3t",
    "\uff14\uff19\uff12\uff19123456781236",
)
HARD = ("\ud800", "a\x00b\x1b[31m\u2028\r\n", '"\\', "\U0010ffff", "", "x" * 300, "0" * 36)
ids = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda made: made.hex),
    st.from_regex(r"[0-9a-f]{32}-[0-9]{16}", fullmatch=True),
    st.from_regex(r"(po1|upc1)-[0-9a-f]{40}", fullmatch=True),
    st.from_regex(r"[23][0-9a-f]([23][0-9a-f]){15}", fullmatch=True),
)
texts = st.one_of(
    ids,
    st.text(st.characters(), max_size=40),
    st.sampled_from(SECRETS + HARD),
    st.builds("{}{}{}".format, st.text(max_size=5), st.sampled_from(SECRETS), st.text(max_size=5)),
)
values = st.one_of(
    texts,
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False),
    st.integers(-(2**62), 2**62),
    st.binary(max_size=20),
    st.datetimes(timezones=st.just(UTC)),
    st.lists(texts, max_size=3),
    st.dictionaries(texts, texts, max_size=3),
)
names = st.one_of(
    st.sampled_from(["rpc", "track_id", "password", "api_key", "level", "timestamp", "key", "tenant"]),
    texts.filter(lambda text: text != "exc_info"),
)
moments = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis wants it so


def rendered(event: str, fields: dict[str, Any], moment: datetime) -> bytes:
    """Render a line as the service does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SystemClock, "now", lambda _self: moment)
        return _renderer(TelemetrySettings(), 2)("info", event, dict(fields))


def by_structlog(event: str, fields: dict[str, Any], moment: datetime) -> bytes:
    """Render a line slowly and simply."""
    line: Any = {"event": event, **fields}
    line = {scrubber._scrub_key(name): scrubber._scrub_member(name, value, 0) for name, value in line.items()}
    line = structlog.processors.add_log_level(None, "info", line)
    line["timestamp"] = moment.isoformat().replace("+00:00", "Z")
    line = {name: line[name] for name in dict.fromkeys(("timestamp", "level", *line))}
    return msgspec.json.encode(escaped(line), enc_hook=str)


def escaped(value: Any) -> Any:
    """Escape lone surrogates, which no UTF-8 has."""
    if isinstance(value, str):
        return "".join(f"\\u{ord(char):04x}" if "\ud800" <= char <= "\udfff" else char for char in value)
    if isinstance(value, dict):
        return {escaped(name): escaped(member) for name, member in value.items()}
    return [escaped(item) for item in value] if isinstance(value, list) else value


class TestLinesOfStrangers:
    """No text costs the line in which it stands."""

    @pytest.mark.parametrize("log_format", ["json", "console"])
    @settings(max_examples=200, deadline=None)
    @given(
        fields=st.dictionaries(names, st.recursive(values, lambda inner: st.lists(inner, max_size=2)), max_size=4),
        event=texts,
        repeated=st.sampled_from([1, 1, 1, 300_000]),
    )
    @example(fields={"kids": ["\ud800"]}, event="issuer_keys_fetched", repeated=1)
    @example(fields={"detail": "\x00"}, event="call", repeated=300_000)
    @example(fields={"size": 10**5000}, event="call", repeated=1)
    def test_are_written_and_fit(
        self, log_format: Literal["json", "console"], fields: dict[str, Any], event: str, repeated: int
    ) -> None:
        """As UTF-8, and in JSON as one object on one line."""
        fields = {
            name: value * repeated if isinstance(value, str) and len(value) == 1 else value
            for name, value in fields.items()
        }

        line = _renderer(TelemetrySettings(log_format=log_format), 2)("info", event, fields)

        assert 0 < len(line) <= MAX_HELD_BYTES // 4
        assert line.decode()
        if log_format == "json":
            assert b"\n" not in line
            assert "info" == json.loads(line)["level"]


class TestRendering:
    """What is remembered of earlier lines makes no difference."""

    @settings(max_examples=150, deadline=None)
    @given(fields=st.dictionaries(names, values, max_size=6), event=texts, moment=moments)
    @example(fields={"a": "\ud800"}, event="call", moment=datetime(2026, 1, 1, tzinfo=UTC))
    def test_is_that_of_structlog(self, fields: dict[str, Any], event: str, moment: datetime) -> None:
        """For any fields, twice: the second time the texts are known."""
        expected = by_structlog(event, fields, moment)

        assert [expected] * 2 == [rendered(event, fields, moment) for _ in range(2)]

    @settings(max_examples=80, deadline=None)
    @given(texts=st.lists(texts, min_size=8, max_size=8), reason=st.sampled_from([None, *Reason]), moment=moments)
    def test_of_a_call_is_that_of_structlog(self, texts: list[str], reason: Reason | None, moment: datetime) -> None:
        """Whatever texts its record has."""
        caller, rule, tenant, detail, track_id, zuora_id, phase, trace_id = texts
        notes = CallNotes(trace_id=trace_id, route=RouteNames(tenant=tenant, rule=rule), phases_s={phase: 0.25})
        attempt = Attempt(1, 200, zuora_id, moment, 0.5, Outcome.UNKNOWN)
        notes.note_success(UpstreamFacts((attempt,), zuora_id, "", track_id), UpstreamEvidence())
        record = record_of_call(
            call_error(reason, detail) if reason else None,
            method="payorch.v1.PaymentOrchestrationService/CreateSession",
            code="OK",
            track_id=track_id,
            caller=Caller(caller, ""),
            notes=notes,
            ended_at=moment,
            duration_s=0.123456789,
        )

        fields = log_fields(record)

        assert by_structlog("call", fields, moment) == rendered("call", fields, moment)
