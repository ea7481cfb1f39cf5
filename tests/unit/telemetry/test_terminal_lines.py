"""What a developer sees in a terminal."""

import os
import pty
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from payorch_server.telemetry.terminal_lines import MAX_CHARACTERS, has_colours, terminal_line

NOON = datetime(2026, 11, 26, 12, 0, 5, 340_000, tzinfo=UTC)
MINTED = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
REFUSED: Mapping[str, Any] = {
    "rpc": "CreateSession",
    "outcome": "NOT_SENT",
    "reason": "REQUEST_INVALID",
    "detail": "flow: exactly one field is required in oneof; request_id: must be 16 to 128 characters, and others",
    "advice": "FIX_REQUEST",
    "track_id": MINTED,
    "request_id": "order-4711-attempt-1",
    "trace_id": MINTED[:32],
    "caller": "anonymous",
    "namespace": "default",
    "code": "INVALID_ARGUMENT",
    "duration_s": 0.0034,
}
values = st.one_of(
    st.text(max_size=300),
    st.integers(),
    st.floats(),
    st.none(),
    st.booleans(),
    st.lists(st.text(max_size=100), max_size=9),
    st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3),
)
names = st.one_of(st.sampled_from([*REFUSED, "decision", "tenant", "exception", "problems"]), st.text(max_size=12))


def shown(event: str = "call", *, level: str = "info", colours: bool = False, **fields: Any) -> str:
    """Render a line."""
    return terminal_line({"timestamp": NOON, "level": level, "event": event, **fields}, colours=colours)


class TestCall:
    """Which call, what happened to it and why, at first sight."""

    def test_begins_with_event_outcome_and_cause(self) -> None:
        """Whatever is longer continues below."""
        first, second = shown(**REFUSED).split("\n")

        assert first.startswith("call CreateSession NOT_SENT REQUEST_INVALID: flow: exactly one field is required")
        assert first.endswith("  fix request")
        assert re.fullmatch(r"    3 ms  anonymous  \S+  order-4711-attempt-1  12:00:05Z", second)

    def test_names_every_id_once(self) -> None:
        """The trace is in the Track-Id, or computed from it."""
        text = shown(**REFUSED)

        assert (1, 1) == (text.count(MINTED[:32]), text.count("order-4711-attempt-1"))

    def test_that_succeeded_fits_into_one_line(self) -> None:
        """With place, caller, time taken and both ids."""
        fields = {"rpc": "CreateSession", "outcome": "SUCCEEDED", "tenant": "acme", "entity": "us", "rule": "dollars"}
        ids = {"track_id": MINTED, "request_id": "0192f0c1-7d9b-7cc0-8d3e-2f6f6a2f1b10", "trace_id": MINTED[:32]}
        text = shown(**fields, **ids, caller="anonymous", intent="opened", attempts=1, duration_s=1.234, zuora_s=1.2)

        where = f"1.23 s  acme/us  anonymous  {MINTED}  {ids['request_id']}  12:00:05Z"
        assert f"call CreateSession SUCCEEDED  {where}" == text

    def test_shows_what_else_a_line_about_it_has(self) -> None:
        """Such as where a defect is."""
        text = shown("call_crashed", level="error", **REFUSED, type="ValueError", where="a.py:1 f > b.py:2 g")

        assert text.startswith("call_crashed ERROR CreateSession")
        assert "type=ValueError  where=a.py:1 f > b.py:2 g" in text.replace("\n    ", "  ")


class TestLine:
    """Of any kind."""

    def test_of_the_process_has_its_fields_with_their_names(self) -> None:
        """The detail of a warning speaks for itself."""
        warned = shown("store_in_memory", level="warning", accept_memory_store=True, detail="a restart loses all")

        assert "store_in_memory WARNING  a restart loses all  accept_memory_store=True  12:00:05Z" == warned

    @given(event=st.sampled_from(["call", "listening"]), fields=st.dictionaries(names, values, max_size=8))
    @example(event="call", fields={"detail": "x" * 1000})
    @example(event="call", fields={"track_id": "t" * 64, "request_id": "r" * 128, "caller": "c" * 513})
    def test_is_nowhere_longer_than_a_window(self, event: str, fields: dict[str, Any]) -> None:
        """And changes nothing in the terminal, whatever it holds."""
        lines = shown(event, **fields).split("\n")

        assert lines[0].startswith(event)
        assert all(len(line) <= MAX_CHARACTERS and line.isprintable() for line in lines)
        assert all(line.startswith("    ") for line in lines[1:])

    @given(detail=st.text(st.one_of(st.just(" "), st.characters(categories=["L", "N"])), max_size=500))
    def test_loses_nothing_of_its_detail(self, detail: str) -> None:
        """It is what a reader looks for."""
        squeezed = re.sub(r"\s", "", shown(detail=detail, track_id="t"))

        assert detail.replace(" ", "") in squeezed

    def test_has_the_same_text_in_colour(self) -> None:
        """Colours take no room."""
        plain = re.sub("\x1b\\[[0-9]+m", "", shown(**REFUSED, colours=True))

        assert shown(**REFUSED) == plain
        assert "\x1b[33mNOT_SENT\x1b[0m" in shown(**REFUSED, colours=True)


@pytest.fixture
def terminal() -> Iterator[int]:
    """Open a terminal; give the end that programs write to."""
    reader, writer = pty.openpty()
    yield writer
    os.close(reader)
    os.close(writer)


class TestColours:
    """Where they are wanted and can be shown."""

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [("TERM", "xterm", True), ("TERM", "dumb", False), ("NO_COLOR", "1", False), ("NO_COLOR", "", True)],
    )
    def test_are_of_a_terminal_whose_user_wants_them(
        self, terminal: int, monkeypatch: pytest.MonkeyPatch, name: str, value: str, *, expected: bool
    ) -> None:
        """NO_COLOR counts unless it is empty."""
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv(name, value)

        assert expected is has_colours(terminal)

    def test_are_never_in_a_pipe(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor in a file."""
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)
        reader, writer = os.pipe()

        assert not has_colours(writer)
        os.close(reader)
        os.close(writer)
