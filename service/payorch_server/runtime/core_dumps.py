"""Keeps the memory of this process, which holds secrets and card numbers, out of files."""

import ctypes
import os
import resource
import sys
from typing import Final

# Source: prctl(2).
_PR_SET_DUMPABLE: Final = 4


def forbid_core_dumps() -> None:
    """Have the kernel write no core dump of this process.

    The limit stops files. A kernel that hands dumps to a program, as systemd-coredump, ignores it and looks at the
    dumpable flag, without which other processes of the same user cannot read the memory either.

    Raises:
        OSError: The kernel refuses.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
