"""Structured log lines to standard error, which hold only what was chosen to be logged.

Texts of exceptions and of libraries could hold anything, so of both only the kind and the place are written.
"""

import logging
import re
import sys
import threading
from types import TracebackType
from typing import Any, Final

import msgspec
import structlog

from payorch_server.telemetry.scrubber import scrub
from payorch_server.telemetry.settings import TelemetrySettings

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_LOG: Final = structlog.get_logger("payorch.process")
_MAX_FRAMES: Final = 8
# The words of a text before its first value.
_WORDS: Final = re.compile(r"[A-Za-z ,.]{0,100}")


def _render_json(_logger: Any, _method: str, event: structlog.typing.EventDict) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


def start_logging(settings: TelemetrySettings) -> None:
    """Send structured log lines to standard error, as JSON or for people.

    What libraries log and what crashes the process or a thread is written in the same way.
    """
    json = settings.log_format == "json"
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Before the scrubber, which sees what it is given and nothing that is made after it.
            structlog.processors.format_exc_info,
            scrub,
            _render_json if json else _console(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.log_level]),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer)
        if json
        else structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_LibraryHandler()], force=True)
    sys.excepthook = _log_process_crash
    threading.excepthook = _log_thread_crash


def _console() -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


class _LibraryHandler(logging.Handler):
    """Writes what libraries log as lines of ours: asyncio, for example, quotes exceptions that were not retrieved."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the first words of a record, the kind of its exception, and where that arose."""
        text = _WORDS.match(str(record.msg))
        log = _LOG.error if record.levelno >= logging.ERROR else _LOG.warning
        kind, error, _ = record.exc_info or (None, None, None)
        fields = {"type": kind.__name__, "where": where(error)} if kind and error else {}
        log("library_log", library=record.name, detail=text.group() if text else "", **fields)


def where(error: BaseException) -> str:
    """Return where an exception arose, outermost frame first, without its text."""
    frames = []
    trace_back = error.__traceback__
    while trace_back is not None:
        code = trace_back.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/')[2]}:{trace_back.tb_lineno} {code.co_name}")
        trace_back = trace_back.tb_next
    return " > ".join(frames[-_MAX_FRAMES:])


def _log_process_crash(kind: type[BaseException], error: BaseException, _trace_back: TracebackType | None) -> None:
    _LOG.error("process_crashed", type=kind.__name__, where=where(error))


def _log_thread_crash(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        _LOG.error("thread_crashed", type=type(ended.exc_value).__name__, where=where(ended.exc_value))
