"""Runs a command, shows every ten seconds what it does, and shows all that it wrote only if it fails.

python tools/progress.py COMMAND [ARGUMENT ...]
"""

import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

INTERVAL_S: Final = 10.0
_LINES_KEPT: Final = 1000
_WIDTH: Final = 110


def run(*command: str | Path, folder: Path | None = None, interval_s: float = INTERVAL_S) -> None:
    """Run a command until it ends, without input.

    Args:
        command: With its arguments.
        folder: Where it runs; the current one unless given.
        interval_s: Seconds between two lines, each with the last line that the command wrote by then, or the command.

    Raises:
        CalledProcessError: It failed; what it wrote is on the standard error output.
        FileNotFoundError: There is no such program.
    """
    begun_as = " ".join(map(str, command))
    begun = time.monotonic()  # noqa: TID251 - of a real process
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=folder, text=True, errors="replace", **pipes) as process:  # type: ignore[call-overload] # noqa: S603 - of callers here
        written: deque[str] = deque(maxlen=_LINES_KEPT)
        reader = threading.Thread(target=_collect, args=(process.stdout, written))
        reader.start()
        while (status := _status(process, interval_s)) is None:
            elapsed_s = time.monotonic() - begun  # noqa: TID251 - as above
            print(f"  {elapsed_s:4.0f} s  {_last_words(written) or begun_as:.{_WIDTH}}", flush=True)
        reader.join()
    if status:
        sys.stderr.writelines(f"{line}\n" for line in written)
        raise subprocess.CalledProcessError(status, command)


def _collect(output: Iterable[str], written: deque[str]) -> None:
    written.extend(line.rstrip() for line in output if line.strip())


def _last_words(written: deque[str]) -> str:
    """Return the last line that is more than punctuation, or nothing."""
    return next((line.strip() for line in reversed(written.copy()) if any(map(str.isalnum, line))), "")


def _status(process: subprocess.Popen[str], within_s: float) -> int | None:
    """Return the exit status, or None if it still runs."""
    try:
        return process.wait(within_s)
    except subprocess.TimeoutExpired:
        return None


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit status."""
    try:
        run(*arguments)
    except subprocess.CalledProcessError as error:
        return error.returncode
    except FileNotFoundError as error:
        print(f"{error.filename} is not installed.", file=sys.stderr)
        return 127
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
