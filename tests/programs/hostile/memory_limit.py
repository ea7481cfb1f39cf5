"""The memory that a process may have, as a cgroup limits it; where none can be made, what it has had at most."""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MB: Final = 2**20
_MOUNTS: Final = {1: Path("/sys/fs/cgroup/memory"), 2: Path("/sys/fs/cgroup")}
_ONLY_IN: Final = {1: "memory.limit_in_bytes", 2: "cgroup.controllers"}
_PEAK: Final = re.compile(r"VmHWM:\s+(\d+) kB")
# Source: proc(5), clear_refs: 5 begins a new peak.
_NEW_PEAK: Final = "5"


@dataclass(frozen=True, slots=True)
class Group:
    """A cgroup with a limit."""

    folder: Path
    version: int

    def command(self, *words: str) -> list[str]:
        """Return the command that runs another command inside of the group."""
        script = f'echo $$ > "{self.folder}/cgroup.procs" && exec "$@"'
        return ["/bin/sh", "-c", script, "sh", *words]

    @property
    def kills(self) -> int:
        """How often the kernel killed a process of the group for its memory."""
        file = "memory.oom_control" if self.version == 1 else "memory.events"
        found = re.search(r"^oom_kill (\d+)$", (self.folder / file).read_text(), re.MULTILINE)
        return int(found[1]) if found else 0


@contextlib.contextmanager
def limited_group(limit_bytes: int) -> Iterator[Group | None]:
    """Make a group with a limit and remove it; None where this machine lets no group be made."""
    group = _limited(_made(_own(r"\d+:memory:/(.*)"), 1), limit_bytes)
    group = group or _limited(_made(_own(r"0::/(.*)"), 2), limit_bytes)
    try:
        yield group
    finally:
        if group is not None:
            with contextlib.suppress(OSError):  # a process that does not end; its group is of no harm
                group.folder.rmdir()


def _own(pattern: str) -> str:
    """Return the path of this process's group below the mount."""
    found = re.search(f"^{pattern}$", Path("/proc/self/cgroup").read_text(), re.MULTILINE)
    return found[1] if found else ""


def _made(own: str, version: int) -> Group | None:
    """Make a group below this process's own, or below the mount: in a container, the own path is that of its host."""
    mount = _MOUNTS[version]
    parent = mount / own if (mount / own).is_dir() else mount
    if not (mount / _ONLY_IN[version]).exists():
        return None
    folder = parent / f"payorch-hostile-{os.getpid()}"
    try:
        if version == 2:
            with contextlib.suppress(OSError):  # it may be enabled, or not be ours to enable
                (parent / "cgroup.subtree_control").write_text("+memory")
        folder.mkdir()
    except OSError:
        return None
    return Group(folder, version)


def _limited(group: Group | None, limit_bytes: int) -> Group | None:
    if group is None:
        return None
    file = "memory.limit_in_bytes" if group.version == 1 else "memory.max"
    swap, value = ("memory.memsw.limit_in_bytes", limit_bytes) if group.version == 1 else ("memory.swap.max", 0)
    try:
        (group.folder / file).write_text(str(limit_bytes))
    except OSError:  # the controller is not delegated to us
        group.folder.rmdir()
        return None
    with contextlib.suppress(OSError):  # a machine without swap need not have the file
        (group.folder / swap).write_text(str(value))
    return group


def begin_peak(pid: int) -> None:
    """Forget what a process has had at most so far; a process that has ended has none."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text(_NEW_PEAK)


def peak_mb(pid: int) -> float:
    """Return what a process has had resident at most since `begin_peak`; 0 if it has ended."""
    try:
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) * 1024 / MB if found else 0.0
