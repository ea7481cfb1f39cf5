"""Processes of the cluster: started with a log each, waited for, ended with the block."""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ASK_EVERY_S: Final = 0.1
_STOP_S: Final = 15.0
_TAIL_LINES: Final = 15


class ClusterError(Exception):
    """Something is missing, did not come up, or is not as it must be; the text is for people."""


@dataclass(frozen=True, slots=True)
class Started:
    """A process that runs, and where its log is."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def require_alive(self) -> None:
        """Raise ClusterError with the end of the log if the process has ended."""
        if self.process.poll() is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
            status = self.process.returncode
            raise ClusterError(f"{self.name} ended with status {status}; the end of {self.log}:\n{tail}")


@contextmanager
def started(
    name: str, command: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Started]:
    """Run a process until the block ends; its output goes to NAME.log in the folder.

    Args:
        name: Of the process, for people.
        command: The program and its arguments.
        folder: Where its log is written.
        environment: Its variables; those of this process unless given.
    """
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)  # noqa: S603 - ours
        try:
            yield Started(name, process, log)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until(what: str, holds: Callable[[], bool], *, within_s: float, processes: Sequence[Started] = ()) -> None:
    """Ask until something holds.

    Args:
        what: What is waited for, as the end of a sentence.
        holds: The question.
        within_s: How long to ask; an answer takes time on top.
        processes: Those without which it can never hold.

    Raises:
        ClusterError: It does not hold in time, or one of the processes has ended.
    """
    for _ in range(int(within_s / _ASK_EVERY_S)):
        if holds():
            return
        for process in processes:
            process.require_alive()
        time.sleep(_ASK_EVERY_S)  # between two looks at processes that tell nobody when they are ready
    raise ClusterError(f"Waited {within_s:.0f} s in vain: {what}.")
