"""What reaches standard error."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import NoReturn

import pytest
import structlog
from payorch_server.telemetry.logging import start_logging
from payorch_server.telemetry.settings import TelemetrySettings

CARD = "4111111111111111"
SECRET = "never-shown"


@pytest.fixture
def logged_text(capsysbinary: pytest.CaptureFixture[bytes]) -> Iterator[Callable[[], str]]:
    """Return what was written to standard error; everything that `start_logging` sets is set back."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    handlers, level = root.handlers[:], root.level
    configured = structlog.get_config() if structlog.is_configured() else None
    yield lambda: str(capsysbinary.readouterr().err, "utf-8")
    structlog.configure(**configured) if configured else structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level
    sys.excepthook, threading.excepthook = hooks


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

    def test_are_scrubbed(self, logged_text: Callable[[], str], log_format: str) -> None:
        """Values, names and the text of an exception that is asked for."""
        start_logging(TelemetrySettings(log_format=log_format))  # type: ignore[arg-type] # one of the two

        structlog.get_logger().info("call", detail=CARD, inner={CARD: [CARD]}, exc_info=_raised(CARD))

        text = logged_text()
        assert "ValueError" in text
        assert CARD not in text

    def test_tell_what_libraries_say_without_their_values(
        self, logged_text: Callable[[], str], log_format: str
    ) -> None:
        """The event loop quotes exceptions that nobody retrieved."""
        start_logging(TelemetrySettings(log_format=log_format))  # type: ignore[arg-type] # one of the two

        logging.getLogger("asyncio").error(
            f"Task exception was never retrieved\nfuture: <{SECRET}>",  # noqa: G004 - it is how the loop does it
            exc_info=_raised(SECRET),
        )
        logging.getLogger("lib").warning("took %s", SECRET)

        text = logged_text()
        assert "Task exception was never retrieved" in text
        assert "_raised" in text
        assert SECRET not in text

    def test_tell_how_the_process_ends(self, logged_text: Callable[[], str], log_format: str) -> None:
        """The interpreter would print the exception's text."""
        start_logging(TelemetrySettings(log_format=log_format))  # type: ignore[arg-type] # one of the two
        error = _raised(SECRET)

        sys.excepthook(ValueError, error, error.__traceback__)
        threading.excepthook(SimpleNamespace(exc_value=error))  # type: ignore[arg-type] # its class cannot be made

        text = logged_text()
        assert 2 == text.count("ValueError")
        assert SECRET not in text


def test_a_line_is_one_json_object(logged_text: Callable[[], str]) -> None:
    """With its level and its time."""
    start_logging(TelemetrySettings())

    structlog.get_logger().info("call", code="OK")

    line = json.loads(logged_text())
    assert {"event": "call", "code": "OK", "level": "info"} == {name: line[name] for name in ("event", "code", "level")}
    assert "timestamp" in line
