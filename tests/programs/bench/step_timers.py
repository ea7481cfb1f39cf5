"""The service with a timer around each step of a call, as docs/architecture.md lists them; a process of its own.

A step's own time is that between entering and leaving it on the event loop's thread, without the steps inside it and
without waits.
"""

import inspect
import json
import re
import signal
import sys
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass
from functools import reduce, wraps
from importlib import import_module
from pathlib import Path
from time import process_time_ns, thread_time_ns
from types import FrameType, FunctionType, coroutine
from typing import Any, Final, cast

import grpc
from payorch_server import cli
from payorch_server.rpc.interceptors._unary import behaviour_of, with_behaviour

PAGE: Final = Path(__file__).parents[3] / "docs" / "architecture.md"
_STEP: Final = re.compile(r"^\| \d+ \| `([\w/]+)\.py` \| `([\w.]+)` \|", re.MULTILINE)
_PACKAGE: Final = "payorch_server"
_TRIALS: Final = 2000


@dataclass(slots=True)
class Step:
    """How long one step took so far."""

    own_ns: int = 0
    calls: int = 0
    entries: int = 0
    """How often it was entered: when it was called, and whenever it was resumed after a wait."""
    inner_entries: int = 0
    """How often other steps were entered from it."""


class Steps:
    """How long each step took so far."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.by_name: dict[str, Step] = {}
        self._entered: list[list[int]] = []

    def enter(self) -> int:
        """Return the moment at which a step is entered."""
        self._entered.append([0, 0])
        return thread_time_ns()

    def leave(self, step: Step, entered_ns: int) -> None:
        """Note that the step that was entered last is left."""
        took_ns = thread_time_ns() - entered_ns
        inside_ns, inner_entries = self._entered.pop()
        step.own_ns += took_ns - inside_ns
        step.entries += 1
        step.inner_entries += inner_entries
        if self._entered:
            self._entered[-1][0] += took_ns
            self._entered[-1][1] += 1

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that is timed, and so are the handlers that it returns."""
        step = self.by_name.setdefault(name, Step())

        @wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:
            entered_ns = self.enter()
            step.calls += 1
            try:
                return self._behaving(name, function(*arguments, **options))
            finally:
                self.leave(step, entered_ns)

        # gRPC and the event loop look at the kind of a function.
        @wraps(function)
        async def timed_coroutine(*arguments: Any, **options: Any) -> Any:
            step.calls += 1
            return self._behaving(name, await self._resumed(step, function(*arguments, **options)))

        return timed_coroutine if inspect.iscoroutinefunction(function) else timed

    def _behaving(self, name: str, result: Any) -> Any:
        """Return a result whose behaviour is timed, if it has or is one."""
        if isinstance(result, grpc.RpcMethodHandler) and (behaviour := behaviour_of(result)):
            return with_behaviour(result, self.timed(name, behaviour))
        return self.timed(name, result) if isinstance(result, FunctionType) else result

    @coroutine
    def _resumed(self, step: Step, running: Any) -> Generator[Any, Any, Any]:
        """Run a coroutine, timed whenever it is resumed."""
        resume, value = running.send, None
        while True:
            entered_ns = self.enter()
            try:
                yielded = resume(value)
            except StopIteration as end:
                return end.value
            finally:
                self.leave(step, entered_ns)
            try:
                resume, value = running.send, (yield yielded)
            except BaseException as error:  # noqa: BLE001 - whatever is thrown in is passed on
                resume, value = running.throw, cast("Any", error)

    def time_all(self) -> None:
        """Put timers around the steps of the page, wherever they are named."""
        for file, dotted in _STEP.findall(PAGE.read_text(encoding="utf-8")):
            module = import_module(f"{_PACKAGE}.{file.replace('/', '.')}")
            *path, last = dotted.split(".")
            owner = reduce(getattr, path, cast("Any", module))
            function = inspect.getattr_static(owner, last)
            name = f"{file}.py {dotted}"
            if isinstance(function, FunctionType):
                _replace(owner, last, function, self.timed(name, function))

    def totals(self) -> Mapping[str, Any]:
        """Return what took how long so far, with the CPU time of this thread and of the process."""
        steps = {name: asdict(step) for name, step in self.by_name.items()}
        return {"steps": steps, "thread_ns": thread_time_ns(), "process_ns": process_time_ns()}


def timer_cost_ns() -> tuple[float, float]:
    """Return what a timer adds to the step that is entered, and to the one that it is entered from."""
    steps = Steps()
    inner = steps.timed("inner", lambda: None)
    steps.timed("outer", lambda: [inner() for _ in range(_TRIALS)])()
    return steps.by_name["inner"].own_ns / _TRIALS, steps.by_name["outer"].own_ns / _TRIALS


def _replace(owner: Any, name: str, function: Any, by: Any) -> None:
    """Replace a function in its class, or in every module of ours that has imported it."""
    if inspect.isclass(owner):
        setattr(owner, name, by)
        return
    for module in [module for key, module in sys.modules.items() if key.startswith(_PACKAGE)]:
        for held, value in list(vars(module).items()):
            if value is function:
                setattr(module, held, by)


def main() -> int:
    """Serve with timers; at SIGUSR1, write the totals so far to the file that is the first argument."""
    file, *arguments = sys.argv[1:]
    steps = Steps()
    import_module(f"{_PACKAGE}.app.start")
    steps.time_all()

    def write(_number: int, _frame: FrameType | None) -> None:
        partial = Path(f"{file}.part")
        partial.write_text(json.dumps({**steps.totals(), "timer_ns": timer_cost_ns()}))
        partial.replace(file)

    signal.signal(signal.SIGUSR1, write)
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
