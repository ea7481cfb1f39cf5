"""How the kernel confines the processes in pods, as /proc of this process' own namespace tells."""

from pathlib import Path
from typing import Final

from programs.cluster.process import ClusterError

_USER: Final = "10001"
# As the kernel writes them: ids real, effective, saved and of files; capabilities; mode 2 is a filter of system calls.
_STATUS: Final = {
    "Uid": "\t".join([_USER] * 4),
    "Gid": "\t".join([_USER] * 4),
    "CapEff": "0" * 16,
    "CapBnd": "0" * 16,
    "NoNewPrivs": "1",
    "Seccomp": "2",
}


def shown(program: str, *, count: int) -> str:
    """Require that a program's processes are confined as their pods' specs ask.

    Args:
        program: Its path in the container, an argument of the interpreter.
        count: How many processes there must be.

    Raises:
        ClusterError: There are more or fewer, or one may do too much.
    """
    found = [folder for folder in Path("/proc").glob("[0-9]*") if program in _arguments(folder)]
    if len(found) != count:
        raise ClusterError(f"{len(found)} processes of {program} run in pods, instead of {count}.")
    for folder in found:
        status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line)
        if wrong := {name: status.get(name) for name, wanted in _STATUS.items() if status.get(name) != wanted}:
            raise ClusterError(f"A process of {program} is less confined than asked for: {wrong}")
        if "ro" not in _root_options(folder):
            raise ClusterError(f"The root folder of a process of {program} can be written to.")
    return f"{count} processes run as user {_USER} without capabilities, with seccomp, on a read-only root"


def _arguments(folder: Path) -> list[str]:
    try:
        return (folder / "cmdline").read_text().split("\0")
    except OSError:  # It has just ended.
        return []


def _root_options(folder: Path) -> list[str]:
    mounts = [line.split() for line in (folder / "mountinfo").read_text().splitlines()]
    return next(one[5] for one in mounts if one[4] == "/").split(",")
