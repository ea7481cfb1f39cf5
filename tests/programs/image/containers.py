"""Images, their files and their programs, without an engine."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from stat import S_ISDIR, S_ISLNK, S_ISREG

# Mounts last as long as the process. The root cannot be written to, the folder with the configuration is at /mnt, and
# whoever starts a shell finds an empty file.
_READ_ONLY = """
root=$1 folder=$2; shift 2
mount --bind "$root" "$root" && mount --rbind /dev "$root/dev" && mount --bind "$folder" "$root/mnt"
for shell in sh dash bash; do mount --bind /dev/null "$root/usr/bin/$shell"; done
mount -o remount,bind,ro "$root/mnt" && mount -o remount,bind,ro "$root"
exec chroot --userspec=10001:10001 "$root" /usr/bin/env -i PYTHONDONTWRITEBYTECODE=1 "$@"
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a file system knows of a file, but for where its bytes are."""

    mode: int
    owner: int
    group: int
    time_ns: int
    content: str
    """Of a file the digest, of a link the target."""
    size_bytes: int


def buildah(*arguments: str) -> str:
    """Run buildah and return what it prints."""
    return subprocess.run(["buildah", *arguments], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603, S607


@contextmanager
def mounted(image: str) -> Iterator[Path]:
    """Give the root folder of a container made from the image."""
    container = buildah("from", "--pull-never", image)
    try:
        yield Path(buildah("mount", container))
    finally:
        buildah("rm", container)


def entries(root: Path) -> dict[str, Entry]:
    """Read everything below a root, links as links."""
    return {str(path.relative_to(root)): _entry(path) for path in root.rglob("*")}


def _entry(path: Path) -> Entry:
    status = path.lstat()
    content, size_bytes = "", 0
    if S_ISLNK(status.st_mode):
        content = str(path.readlink())
    elif S_ISREG(status.st_mode):
        content, size_bytes = sha256(path.read_bytes()).hexdigest(), status.st_size
    else:
        assert S_ISDIR(status.st_mode) or path.parts[-2] == "dev", path
    return Entry(status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, content, size_bytes)


def start(root: Path, folder: Path, *command: str) -> subprocess.Popen[str]:
    """Start a command as the images' user on a read-only root without a shell."""
    outside = ["unshare", "--mount", "sh", "-euc", _READ_ONLY, "-", os.fspath(root), os.fspath(folder)]
    return subprocess.Popen([*outside, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603


def answer(root: Path, folder: Path, *command: str) -> tuple[int, str]:
    """Run a command to its end."""
    process = start(root, folder, *command)
    output, _ = process.communicate(timeout=30)
    return process.returncode, output
