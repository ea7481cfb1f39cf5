"""What a target is, and what every execution of one is held to."""

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
from payorch_server.telemetry.logging import _LibraryHandler

CANARY: Final = "CANARY7f3a"
"""Stands in the secret parts of inputs; no error and no log line may contain it."""
_ROOT: Final = Path(__file__).parents[2]
_OURS: Final = tuple(f"{_ROOT / name}/" for name in ("service", "clients", "tests"))


class PromiseBroken(AssertionError):  # noqa: N818 - the promise is what is broken
    """A target's oracle refuses what the parser made of an input."""


@dataclass(frozen=True, slots=True)
class Target:
    """A parser with its oracle."""

    name: str
    run: Callable[[bytes], None]
    """Parses an input and checks the result. Whatever it raises is a finding."""
    seeds: Callable[[], Iterable[bytes]]
    """Makes the inputs that fuzzing begins with."""
    covers: tuple[str, ...]
    """The modules of the product whose parsers it calls."""
    words: tuple[str, ...] = ()
    """What the mutator inserts, beside the canary."""
    max_bytes: int = 4096
    """Longest input that the mutator makes; memory and time are judged beside it."""
    has_secrets: bool = True
    """Whether the canary may be inserted anywhere, since no part of an input may be shown."""

    @property
    def inserted(self) -> tuple[str, ...]:
        """What the mutator inserts."""
        return (*self.words, CANARY) if self.has_secrets else self.words


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with an execution."""

    kind: str
    """`crash`, `promise`, `leak`, `slow` or `memory`; libFuzzer adds `timeout` and `oom`."""
    where: str
    """The innermost place of ours, or the broken promise: one finding for each kind and place is kept."""
    text: str = field(repr=False)

    @property
    def signature(self) -> str:
        """What makes two findings one."""
        return f"{self.kind} {self.where}"


_SAID: Final[list[tuple[str, str]]] = []
"""What was said during an execution, each with its kind: log lines, and the texts of errors that were noted."""


def _hear(_logger: Any, _method: str, fields: Any) -> Any:
    _SAID.append((f"log line {fields.get('event')}", str(fields)))
    raise structlog.DropEvent


@contextmanager
def listening() -> Iterator[None]:
    """Collect what the service would write to its log, lines of libraries as it writes them too."""
    root, handlers = logging.getLogger(), logging.getLogger().handlers
    root.handlers = [_LibraryHandler(logging.WARNING)]
    structlog.configure(processors=[structlog.processors.format_exc_info, _hear])
    try:
        yield
    finally:
        root.handlers = handlers
        structlog.reset_defaults()


def note(*said: object) -> None:
    """Note what must not contain a secret: texts as they are, errors with the errors that they came from."""
    for each in said:
        _SAID.append((type(each).__name__, _error_text(each) if isinstance(each, BaseException) else str(each)))


def heard(event: str) -> bool:
    """Return whether a line of this event was logged during the execution."""
    return any(kind == f"log line {event}" for kind, _ in _SAID)


def require(holds: object, promise: str) -> None:
    """Raise PromiseBroken unless a promise holds.

    Args:
        holds: What must be true.
        promise: In words that do not change from input to input.
    """
    if not holds:
        raise PromiseBroken(promise)


def execute(target: Target, data: bytes) -> Finding | None:
    """Run a target once; return what is wrong."""
    _SAID.clear()
    try:
        target.run(data)
    except PromiseBroken as broken:
        return Finding("promise", str(broken), _trace_back(broken))
    except Exception as error:  # noqa: BLE001 - whatever a parser raises that its target does not expect is a finding
        return Finding("crash", f"{type(error).__name__} in {_place(error)}", _trace_back(error))
    for kind, text in _SAID:
        if CANARY in text:
            return Finding("leak", kind, text)
    return None


def _error_text(error: BaseException) -> str:
    """Return all texts of an error and of those that it came from, in the ways in which programs print them."""
    texts: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        texts += (str(seen), repr(seen), repr(vars(seen)), repr(getattr(seen, "doc", "")))
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "\n".join(texts)


def _place(error: BaseException) -> str:
    """Return the innermost function of ours in which an error arose."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_OURS)]
    frame = (ours or frames)[-1]
    return f"{Path(frame.filename).name} {frame.name}"


def _trace_back(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
