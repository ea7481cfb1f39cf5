"""Logging as a process has it, into files of a test."""

import io
import logging
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import structlog
from payorch_server.telemetry.logging import LogStreams, start_logging
from payorch_server.telemetry.settings import TelemetrySettings


class LogFiles:
    """The streams, and the files that they are written to."""

    def __init__(self, streams: LogStreams, log: BinaryIO, audit: BinaryIO) -> None:
        self.streams = streams
        self._files = log, audit

    def read(self) -> tuple[bytes, bytes]:
        """Close the streams, and return what the log and the audit hold."""
        self.streams.close()
        for file in self._files:
            file.seek(0)
        log, audit = (file.read() for file in self._files)
        return log, audit


@contextmanager
def logging_to_files(settings: TelemetrySettings) -> Iterator[LogFiles]:
    """Start logging; everything that this sets in the process is set back."""
    root = logging.getLogger()
    configured = structlog.get_config() if structlog.is_configured() else None
    hooks = (sys.stderr, sys.stdout, sys.excepthook, sys.unraisablehook, threading.excepthook)
    handlers, level = root.handlers[:], root.level
    with tempfile.TemporaryFile(buffering=0) as log, tempfile.TemporaryFile(buffering=0) as audit:
        sys.stderr, sys.stdout = (io.TextIOWrapper(file, write_through=True) for file in (log, audit))
        texts = sys.stderr, sys.stdout
        files = LogFiles(start_logging(settings), log, audit)
        try:
            yield files
        finally:
            files.streams.close()
            structlog.configure(**configured) if configured else structlog.reset_defaults()
            root.handlers[:], root.level = handlers, level
            logging.captureWarnings(capture=False)
            sys.stderr, sys.stdout, sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
            for text in texts:
                text.detach()
