"""Structured lines, which hold only what was chosen to be logged.

The log goes to standard error, the audit to standard output, which container runtimes keep apart.

Texts of exceptions and of libraries could hold anything, so of both only the kind and the place are written.
"""

import atexit
import io
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, TextIO

import msgspec
import structlog

from payorch_server.model import CommandError
from payorch_server.runtime.clock import SystemClock
from payorch_server.telemetry.log_context import bound_fields
from payorch_server.telemetry.log_writer import COLLECT_S, MAX_HELD_BYTES, LogWriter
from payorch_server.telemetry.scrubber import scrub
from payorch_server.telemetry.settings import TelemetrySettings
from payorch_server.telemetry.terminal_lines import has_colours, terminal_line

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_PROCESS: Final = "payorch.process"
"""Its lines are about no call: what serves several, such as a connection, belongs to the task that happened to open it.
"""
_LOG: Final = structlog.get_logger(_PROCESS)
_AUDIT: Final = "payorch.audit"
"""Its lines have a stream of their own, and any level: an audit must not be silenced."""
_PAYLOADS: Final = "payorch.payloads"
"""Its lines have any level: they were requested."""
_FLUSH_S: Final = 1.0
# A process that is killed takes these lines along, and they say which money was moved.
_COLLECT_AUDIT_S: Final = 0.01
_MAX_FRAMES: Final = 8
_MAX_BEGUN_CHARACTERS: Final = 8192
# A longer line could be one that never fits into what is held, or one for which many others are lost.
_MAX_LINE_BYTES: Final = MAX_HELD_BYTES // 4
_MAX_CUT_CHARACTERS: Final = 1000
# The words of a text before its first value.
_WORDS: Final = re.compile(r"[A-Za-z ,.]{0,100}")


class StreamClosedError(CommandError):
    """The process was started without standard output or standard error."""


@dataclass(frozen=True, slots=True)
class LogStreams:
    """The streams of a process, each with its writer."""

    log: LogWriter
    """To standard error."""
    audit: LogWriter
    """To standard output: what forges or floods the log does not reach it."""

    @property
    def all(self) -> Sequence[LogWriter]:
        """Both."""
        return self.log, self.audit

    def close(self) -> None:
        """Write what is held; takes two seconds at most."""
        for writer in self.all:
            writer.close(timeout_s=_FLUSH_S)


def start_logging(settings: TelemetrySettings) -> LogStreams:
    """Send structured lines to standard error and, for the audit, to standard output, as JSON or for people.

    What libraries log and what crashes the process or a thread is written in the same way.

    Returns:
        The streams. A line is written soon after it was logged, the last ones when the process ends.

    Raises:
        StreamClosedError: The process was started without one of them.
    """
    log_to, audit_to = _descriptor(sys.stderr, "log"), _descriptor(sys.stdout, "audit")
    turn = threading.Lock() if os.path.sameopenfile(log_to, audit_to) else None
    render, render_audit = (_renderer(settings, descriptor) for descriptor in (log_to, audit_to))
    log = LogWriter(log_to, name="log", lost_line=_lost_line(render, "log"), collect_s=COLLECT_S, turn=turn)
    lost_audit = _lost_line(render_audit, "audit")
    audit = LogWriter(audit_to, name="audit", lost_line=lost_audit, collect_s=_COLLECT_AUDIT_S, turn=turn)
    least = _LEVELS[settings.log_level]
    chosen = _StreamLogger(log, render, least=least)
    named = {
        _AUDIT: _AuditLogger(audit, render_audit),
        _PAYLOADS: _StreamLogger(log, render),
        _PROCESS: _StreamLogger(log, render, least=least, is_about_calls=False),
    }
    structlog.configure(
        # They render by themselves: what structlog does around a renderer costs as much as the renderer.
        wrapper_class=lambda logger, **_unused: logger,  # type: ignore[arg-type] # it is called, and nothing more
        logger_factory=lambda name="", *_: named.get(name, chosen),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_LibraryHandler()], force=True)
    sys.excepthook = _log_process_crash
    threading.excepthook = _log_thread_crash
    streams = LogStreams(log, audit)
    atexit.register(streams.close)
    return streams


def _descriptor(stream: TextIO | None, name: str) -> int:
    # The next file or socket that is opened would get its number, and its lines.
    if stream is None:
        raise StreamClosedError(f"the {name} cannot be written: its standard stream is closed")
    return stream.fileno()


def redirect_standard_streams(streams: LogStreams) -> None:
    """Have everything else that this process prints written to the log by its thread.

    A print on the event loop could be blocked by a reader, and one to standard output would be in the audit.
    """
    sys.stdout = sys.stderr = _LogText(streams.log)
    sys.unraisablehook = _log_unraisable
    logging.captureWarnings(capture=True)


_Fields = dict[str, Any]
_Render = Callable[[str, str, _Fields], bytes]


def _renderer(settings: TelemetrySettings, descriptor: int) -> _Render:
    """Return the function that renders level, event and fields: no line is worth a call, and no value the line."""
    write = _json if settings.log_format == "json" else _for_people(descriptor)
    clock = SystemClock()

    def render(level: str, event: str, fields: _Fields) -> bytes:
        line: _Fields = {"event": event, **fields}
        head = {"timestamp": clock.now(), "level": level}
        try:
            if "exc_info" in line:
                line = dict(structlog.processors.format_exc_info(None, level, line))
            # After the exception is a text. What is added behind it is ours, whatever a field is called.
            line = {**head, **scrub(line), **head}
            written = write(line)
        except Exception:  # noqa: BLE001 - a value may fail in any way; as texts they do not
            line = {**head, **scrub({str(name): _text(value) for name, value in line.items()}), **head}
            written = write(line)
        if len(written) > _MAX_LINE_BYTES:
            written = write({**{name: _cut(value) for name, value in line.items()}, **head})
        return written

    return render


def _text(value: Any) -> str:
    """Return the text of a value, or its type if that fails."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - what is logged may be anything
        return f"<{type(value).__name__}>"


def _cut(value: Any) -> str:
    text = _text(value)
    left_out = len(text) - _MAX_CUT_CHARACTERS
    return f"{text[:_MAX_CUT_CHARACTERS]}... ({left_out} more characters)" if left_out > 0 else text


_ENCODER: Final = msgspec.json.Encoder(enc_hook=str)


def _json(line: _Fields) -> bytes:
    try:
        return _ENCODER.encode(line)
    except UnicodeEncodeError:
        return _ENCODER.encode(_in_unicode(line))


def _in_unicode(value: Any) -> Any:
    """Return a scrubbed value with escapes for surrogates, which JSON from elsewhere may contain and UTF-8 has not."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_in_unicode(name): _in_unicode(member) for name, member in value.items()}
    return [_in_unicode(item) for item in value] if isinstance(value, list) else value


def _for_people(descriptor: int) -> Callable[[_Fields], bytes]:
    colours = has_colours(descriptor)
    return lambda line: terminal_line(line, colours=colours).encode(errors="backslashreplace")


def _lost_line(render: _Render, stream: str) -> Callable[[int], bytes]:
    return lambda lines: render("warning", "lines_lost", {"stream": stream, "lines": lines}) + b"\n"


class _StreamLogger:
    """Renders events, with what names the call that they are about, and offers them to a stream."""

    def __init__(
        self, writer: LogWriter, render: _Render, *, least: int = logging.NOTSET, is_about_calls: bool = True
    ) -> None:
        self._writer = writer
        self._render = render
        self._least = least
        self._is_about_calls = is_about_calls

    def debug(self, event: str, **fields: Any) -> bool:
        return self._log("debug", event, fields)

    def info(self, event: str, **fields: Any) -> bool:
        """Return whether the line will be written, as far as that can be known."""
        return self._log("info", event, fields)

    def warning(self, event: str, **fields: Any) -> bool:
        return self._log("warning", event, fields)

    def error(self, event: str, **fields: Any) -> bool:
        return self._log("error", event, fields)

    def exception(self, event: str, **fields: Any) -> bool:
        return self._log("error", event, {"exc_info": True, **fields})

    def _log(self, level: str, event: str, fields: _Fields) -> bool:
        if _LEVELS[level] < self._least:
            return False
        # The line of a call has them already.
        if self._is_about_calls and "trace_id" not in fields:
            fields = {**bound_fields(), **fields}
        line = self._render(level, event, fields)
        if line:
            return self._writer.write(line)
        self._writer.count_lost()
        return False


class _AuditLogger(_StreamLogger):
    """Accepts a line if it is queued, and lines are being written."""

    def info(self, event: str, **fields: Any) -> bool:
        return self._log("info", event, fields) and not self._writer.is_stalled


class _LogText(io.TextIOBase):
    """A standard stream whose text goes to a writer, line by line; a line that does not end is broken."""

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer
        self._begun = ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        if len(self._begun) > _MAX_BEGUN_CHARACTERS:
            lines.append(self._begun)
            self._begun = ""
        for line in lines:
            self._writer.write(line.encode(errors="backslashreplace"))
        return len(text)


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


def _log_unraisable(ignored: Any) -> None:
    if ignored.exc_value is not None:
        _LOG.error("exception_ignored", type=type(ignored.exc_value).__name__, where=where(ignored.exc_value))
