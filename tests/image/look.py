"""Looks at a container made from the image: what it holds, and that it works as its user with nothing writable.

Run by build_with_buildah.sh as root, with the name of the container and of the base image.
"""

import asyncio
import json
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from local.stack import configuration
from zuora_emulator import Emulator, serving

USER = "10001:10001"
OURS = {"payorch", "payorch-server"}
# Mounts last as long as the process: the root cannot be written to, the folder with the configuration is at /mnt.
READ_ONLY = """
root=$1 folder=$2; shift 2
mount --bind "$root" "$root" && mount --rbind /dev "$root/dev" && mount --bind "$folder" "$root/mnt"
mount -o remount,bind,ro "$root/mnt" && mount -o remount,bind,ro "$root"
exec chroot --userspec=10001:10001 "$root" /usr/bin/env -i PYTHONDONTWRITEBYTECODE=1 "$@"
"""


def buildah(*arguments: str) -> str:
    """Run buildah and return what it prints."""
    return subprocess.run(["buildah", *arguments], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603, S607


@contextmanager
def mounted(container: str) -> Iterator[Path]:
    """Give a container's root folder."""
    try:
        yield Path(buildah("mount", container))
    finally:
        buildah("umount", container)


def normal(name: str) -> str:
    """Write a distribution's name as the packaging standards do."""
    return re.sub(r"[-_.]+", "-", name).lower()


def look_at_settings(container: str) -> None:
    """The image starts the service as a numeric user that is not root, and says what it is."""
    config = json.loads(buildah("inspect", container))["OCIv1"]["config"]

    assert config["User"] == USER
    assert config["Entrypoint"] == ["/opt/payorch/bin/payorch-server"]
    assert not config.get("Cmd")
    assert {port.partition("/")[0] for port in config["ExposedPorts"]} == {"50051", "9464"}
    assert config["Labels"]["org.opencontainers.image.version"] == "test"
    assert re.fullmatch("[0-9a-f]{40}", config["Labels"]["org.opencontainers.image.revision"])


def look_at_files(root: Path, base: Path) -> None:
    """Beyond its base the image holds one virtual environment with what is locked and our two packages."""
    added = {str(path.relative_to(root)) for path in root.rglob("*")} - {
        str(path.relative_to(base)) for path in base.rglob("*")
    }
    outside = sorted(path for path in added if not path.startswith("opt/payorch"))
    packages = root / "opt/payorch/lib/python3.11/site-packages"
    installed = {normal(path.name.partition("-")[0]) for path in packages.glob("*.dist-info")}
    locked = {
        normal(match[1])
        for match in re.finditer(r"^([\w.-]+)==", Path("requirements/runtime.txt").read_text(), re.MULTILINE)
    }
    interpreted = [
        path for path in packages.rglob("*.py") if not list(path.parent.glob(f"__pycache__/{path.stem}.cpython-*.pyc"))
    ]

    assert outside == []
    assert installed == locked | OURS
    assert not list(packages.glob("pip")) + list(packages.glob("zuora_emulator")) + list(packages.glob("*.pth"))
    assert interpreted == []
    assert {path.name for path in (packages / "payorch_server").iterdir()} == {
        *(path.name for path in Path("service/payorch_server").iterdir()),
        "__pycache__",
    }


def start(root: Path, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the service's command as its user on a read-only root."""
    command = ["unshare", "--mount", "sh", "-euc", READ_ONLY, "-", str(root), str(folder)]
    return subprocess.Popen(  # noqa: S603
        [*command, "/opt/payorch/bin/payorch-server", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def answer(root: Path, folder: Path, *arguments: str) -> tuple[int, str]:
    """Run one of the service's commands to its end."""
    process = start(root, folder, *arguments)
    output, _ = process.communicate(timeout=30)
    return process.returncode, output


async def look_at_running(root: Path, folder: Path) -> None:
    """The service checks its configuration, becomes ready, says so over both ports and ends well at SIGTERM."""
    async with serving(Emulator(), port=0) as url:
        document: dict[str, Any] = configuration(emulator_url=url, folder=folder)
        document["rpc"]["listen"] = "127.0.0.1:50951"
        document["admin"]["listen"] = "127.0.0.1:9964"
        (folder / "payorch.yaml").write_text(yaml.safe_dump(document).replace(str(folder), "/mnt"))
        code, output = await asyncio.to_thread(answer, root, folder, "check-config", "--config", "/mnt/payorch.yaml")
        assert (code, "good" in output) == (0, True), output
        code, output = await asyncio.to_thread(answer, root, folder, "config-schema")
        assert (code, json.loads(output)["title"]) == (0, "payorch configuration")
        service = start(root, folder, "serve", "--config", "/mnt/payorch.yaml")
        try:
            await until_ready(root, folder)
            with urllib.request.urlopen("http://127.0.0.1:9964/readyz") as ready:  # noqa: ASYNC210 - a program for people
                assert json.load(ready)["ready"] is True
            status = Path(f"/proc/{service.pid}/status").read_text()  # noqa: ASYNC240 - /proc does not block
            assert re.search(r"^Uid:\s+10001\s+10001", status, re.MULTILINE), status
            print("Memory when idle:", *re.findall(r"VmRSS:\s+(.*)", status))
        finally:
            service.send_signal(signal.SIGTERM)
            log, _ = await asyncio.to_thread(service.communicate, timeout=30)
        assert (service.returncode, '"stopped"' in log) == (0, True), log


async def until_ready(root: Path, folder: Path) -> None:
    """Ask with the image's own health check until it answers well."""
    code, output = 1, ""
    for _ in range(20):
        code, output = await asyncio.to_thread(answer, root, folder, "healthcheck", "--address", "127.0.0.1:50951")
        if code == 0:
            break
        await asyncio.sleep(0.5)
    assert (code, output) == (0, "SERVING\n")


def main(arguments: Sequence[str]) -> None:
    """Look at everything; the first thing that is wrong ends it."""
    container, base_image = arguments
    look_at_settings(container)
    base = buildah("from", "--pull-never", base_image)
    try:
        with mounted(container) as root, mounted(base) as base_root, tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)  # another user reads it
            look_at_files(root, base_root)
            asyncio.run(look_at_running(root, Path(folder)))
    finally:
        buildah("rm", base)
    print("The image is good.")


if __name__ == "__main__":
    main(sys.argv[1:])
