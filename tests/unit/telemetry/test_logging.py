"""What reaches standard error and standard output."""

import json
import logging
import subprocess
import sys
import threading
import warnings
from collections import Counter
from types import SimpleNamespace
from typing import Final, Literal, NoReturn

import pytest
import structlog
from harness.log_files import logging_to_files
from harness.routes import context, route
from payorch_server.access.permission import Action, permit
from payorch_server.telemetry.logging import redirect_standard_streams
from payorch_server.telemetry.settings import TelemetrySettings

CARD = "4111111111111111"
SECRET = "never-shown"

Format = Literal["json", "console"]


def _raised(text: str) -> ValueError:
    try:
        _raise(text)
    except ValueError as error:
        return error


def _raise(text: str) -> NoReturn:
    raise ValueError(text)


@pytest.mark.parametrize("log_format", ["json", "console"])
class TestLines:
    """JSON for machines and lines for people are treated alike."""

    def test_are_scrubbed(self, log_format: Format) -> None:
        """Values, names and the text of an exception that is asked for."""
        with logging_to_files(TelemetrySettings(log_format=log_format)) as files:
            structlog.get_logger().info("call", detail=CARD, inner={CARD: [CARD]}, exc_info=_raised(CARD))
            log, _ = files.read()

        assert b"ValueError" in log
        assert CARD.encode() not in log

    def test_show_an_exception_that_is_being_handled(self, log_format: Format) -> None:
        """Scrubbed, as an error, and whatever the level."""
        with logging_to_files(TelemetrySettings(log_format=log_format, log_level="error")) as files:
            try:
                _raise(CARD)
            except ValueError:
                structlog.get_logger().exception("unexpected_error", gateway="amazon")
            structlog.get_logger().warning("unexpected_warning")
            log, _ = files.read()

        assert b"ValueError" in log
        assert b"amazon" in log
        assert CARD.encode() not in log
        assert b"unexpected_warning" not in log

    def test_show_what_libraries_log_without_their_values(self, log_format: Format) -> None:
        """The event loop quotes exceptions that were never retrieved."""
        with logging_to_files(TelemetrySettings(log_format=log_format)) as files:
            logging.getLogger("asyncio").error(
                f"Task exception was never retrieved\nfuture: <{SECRET}>",  # noqa: G004 - it is how the loop does it
                exc_info=_raised(SECRET),
            )
            logging.getLogger("lib").warning("took %s", SECRET)
            log, _ = files.read()

        assert b"Task exception was never retrieved" in log
        assert b"_raised" in log
        assert SECRET.encode() not in log

    def test_show_how_the_process_ends(self, log_format: Format) -> None:
        """The interpreter would print the exception's text."""
        with logging_to_files(TelemetrySettings(log_format=log_format)) as files:
            error = _raised(SECRET)
            sys.excepthook(ValueError, error, error.__traceback__)
            threading.excepthook(SimpleNamespace(exc_value=error))  # type: ignore[arg-type] # its class cannot be made
            log, _ = files.read()

        assert 2 == log.count(b"ValueError")
        assert SECRET.encode() not in log

    def test_hold_whatever_else_the_process_prints(self, log_format: Format) -> None:
        """Prints, warnings and ignored exceptions: none of them is written by the thread that made it."""
        with logging_to_files(TelemetrySettings(log_format=log_format)) as files:
            redirect_standard_streams(files.streams)
            print("printed", "text")  # noqa: T201 - as a library may
            print("end", end="\n\n", file=sys.stderr)  # noqa: T201 - as a library may
            warnings.showwarning(UserWarning(SECRET), UserWarning, "file.py", 1)
            sys.unraisablehook(SimpleNamespace(exc_value=_raised(SECRET)))  # type: ignore[arg-type] # as above
            log, audit = files.read()

        assert log.startswith(b"printed text\nend\n\n")
        assert b"py.warnings" in log
        assert b"exception_ignored" in log
        assert SECRET.encode() not in log
        assert b"" == audit

    def test_are_broken_where_no_line_ends(self, log_format: Format) -> None:
        """A progress bar, or a dump, would be held in memory for ever."""
        with logging_to_files(TelemetrySettings(log_format=log_format)) as files:
            redirect_standard_streams(files.streams)
            for _ in range(10):
                print("." * 10_000, end="")  # noqa: T201 - as a library may
            print()  # noqa: T201 - as a library may
            log, _ = files.read()

        assert log.replace(b"\n", b"") == b"." * 100_000
        assert max(map(len, log.split(b"\n"))) < 20_000

    def test_of_the_audit_are_a_stream_of_their_own(self, log_format: Format) -> None:
        """Neither stream holds lines of the other, and the least level does not matter to the audit."""
        with logging_to_files(TelemetrySettings(log_format=log_format, log_level="error")) as files:
            accepted = permit(context(), Action("CreateSession"), route())
            structlog.get_logger().error("call", code="INTERNAL")
            log, audit = files.read()

        assert accepted
        assert (1, 0) == (audit.count(b"allowed"), audit.count(b"INTERNAL"))
        assert (0, 1) == (log.count(b"allowed"), log.count(b"INTERNAL"))

    def test_are_written_without_the_text_of_a_value_that_fails(self, log_format: Format) -> None:
        """Its type is written instead, and costs neither the call nor the line."""

        class Failing:
            def __str__(self) -> str:
                raise ValueError(SECRET)

            __repr__ = __str__

        with logging_to_files(TelemetrySettings(log_format=log_format)) as files:
            structlog.get_logger().info("call", value=Failing(), other="seen", password=SECRET)
            log, _ = files.read()

        assert 0 == files.streams.log.lost
        assert [1, 1, 0] == [log.count(part) for part in (b"<Failing>", b"seen", SECRET.encode())]


class TestJson:
    """A line is one JSON object."""

    def test_has_level_and_time(self) -> None:
        """Beside the event and its members."""
        with logging_to_files(TelemetrySettings()) as files:
            structlog.get_logger().info("call", code="OK")
            line = json.loads(files.read()[0])

        names = ("event", "code", "level")
        assert {"event": "call", "code": "OK", "level": "info"} == {name: line[name] for name in names}
        assert "timestamp" in line

    def test_reports_lost_lines(self) -> None:
        """With the stream and their number."""
        with logging_to_files(TelemetrySettings()) as files:
            for _ in range(3):
                files.streams.audit.count_lost()
            lines = [json.loads(line) for line in files.read()[1].splitlines()]

        assert {("lines_lost", "audit", "warning")} == {
            (line["event"], line["stream"], line["level"]) for line in lines
        }
        assert 3 == sum(line["lines"] for line in lines)


# A pipe that takes little at a time, as one that is almost full.
_BOTH: Final = """
import os
import structlog
from payorch_server.telemetry import log_writer
from payorch_server.telemetry.logging import start_logging
from payorch_server.telemetry.settings import TelemetrySettings

log_writer.os.writev = lambda descriptor, parts: os.write(descriptor, b"".join(parts)[:7])
streams = start_logging(TelemetrySettings())
log, audit = structlog.get_logger("payorch.rpc"), structlog.get_logger("payorch.audit")
for _ in range(100):
    log.info("log")
    audit.info("access")
for writer in streams.all:
    writer.close(timeout_s=20.0)
"""


def test_lines_of_both_streams_in_one_pipe_stay_whole() -> None:
    """As `2>&1` and systemd join them."""
    command = [sys.executable, "-c", _BOTH]
    joined = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True).stdout  # noqa: S603 - our own command

    events = Counter(json.loads(line)["event"] for line in joined.splitlines())
    assert {"log": 100, "access": 100} == events


class TestAudit:
    """A line is accepted if it will be written soon."""

    def test_accepts_nothing_while_its_writer_does_not_write(self) -> None:
        """The line is queued all the same, or counted as lost."""
        with logging_to_files(TelemetrySettings()) as files:
            files.streams.audit.close(timeout_s=1.0)

            assert not permit(context(), Action("CreateSession"), route())
            assert 1 == files.streams.audit.lost
