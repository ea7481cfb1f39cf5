"""Runs a function in a process of its own, forked from one that has imported what is slow to import."""

import importlib
import json
import os
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

PRELOADED: Final = (
    "aiohttp.web",
    "cryptography.x509",
    "google.rpc.error_details_pb2",
    "google.type.money_pb2",
    "grpc.aio",
    "httpx",
    "hypothesis",
    "msgspec",
    "opentelemetry.sdk.metrics",
    "opentelemetry.sdk.trace",
    "protovalidate",
    "pydantic_settings",
    "redis.asyncio",
    "starlette.applications",
    "structlog",
)
"""Modules of others, which no mutant changes. Plug-ins of pytest are not among them: pytest rewrites them."""
_POLL_S: Final = 1.0
_MEMORY_BYTES: Final = 4 * 2**30
_FROM_OUTSIDE: Final = frozenset({signal.SIGHUP, signal.SIGKILL, signal.SIGTERM})
"""Signals that another process or the kernel sends, not an error in the code that runs."""


class OutOfTimeError(Exception):
    """The process used up its time."""


class EndedFromOutsideError(Exception):
    """Another process or the kernel ended the process, which says nothing about its task."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a process may run."""

    cpu_s: int
    wall_s: float


def preload() -> None:
    """Import what every process would have to import."""
    for name in PRELOADED:
        importlib.import_module(name)


def run(task: Callable[[], Any], limits: Limits, waiting: Callable[[], None]) -> Any:
    """Return what a task returns in its own process, as JSON carries it.

    Args:
        task: What to do; its output is thrown away.
        limits: Of the process; the CPU time of those that it starts is not counted.
        waiting: Called about once a second.

    Raises:
        OutOfTimeError: The process reached a limit.
        EndedFromOutsideError: The process got a signal that its task does not cause, as from the OOM killer.
        RuntimeError: The task failed; the message is its traceback.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _be_child(task, limits, writing)
    os.setpgid(child, child)
    os.close(writing)
    try:
        written = _read(reading, limits.wall_s, waiting)
    finally:
        os.close(reading)
        # The child leads a group of its own, with all that its tests have started.
        os.killpg(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if not written:
        ended_by = -os.waitstatus_to_exitcode(status)
        if written is None or ended_by == signal.SIGXCPU:
            raise OutOfTimeError
        if ended_by in _FROM_OUTSIDE:
            raise EndedFromOutsideError(signal.Signals(ended_by).name)
        return {"signal": ended_by}
    answer = json.loads(written)
    if "failed" in answer:
        raise RuntimeError(answer["failed"])
    return answer["returned"]


def _be_child(task: Callable[[], Any], limits: Limits, writing: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + 5))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    try:
        answer = {"returned": task()}
    except BaseException:  # noqa: BLE001 - whatever it was, the parent has to learn of it
        answer = {"failed": traceback.format_exc()}
    try:
        with os.fdopen(writing, "w") as pipe:
            json.dump(answer, pipe)
        # The parent ends the group once it has read all; ending here would run what the tests left at exit.
        signal.pause()
    finally:
        os._exit(1)


def _read(reading: int, wall_s: float, waiting: Callable[[], None]) -> bytes | None:
    """Return all that the child wrote until its end, nothing if it died, or None if the time was up."""
    until = time.monotonic() + wall_s  # noqa: TID251 - of a real process
    written = b""
    while time.monotonic() < until:  # noqa: TID251 - as above
        waiting()
        if select.select([reading], [], [], _POLL_S)[0]:
            part = os.read(reading, 1 << 20)
            if not part:
                return written
            written += part
    return None
