"""Watches files for changes."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import watchfiles


async def changes(files: Iterable[Path], *, at_least_every_s: float) -> AsyncIterator[None]:
    """Yield whenever something happens in the folders of some files, and now and then without a reason.

    The folders are watched and not the files, because Kubernetes changes mounted files by replacing a link beside them,
    and editors replace files. Changes that come together are reported once.

    Args:
        files: They need not exist; their folders must.
        at_least_every_s: For what a watch cannot see: a change before it began, a file system that reports nothing.
    """
    folders = sorted({file.absolute().parent for file in files})
    async for _ in watchfiles.awatch(
        *folders,
        recursive=False,
        debounce=400,
        step=50,
        watch_filter=None,
        rust_timeout=int(at_least_every_s * 1000),
        yield_on_timeout=True,
    ):
        yield
