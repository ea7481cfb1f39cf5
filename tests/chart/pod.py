"""What a pod of the chart would hold, on this machine: the service started from the files that the chart renders."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import yaml
from payorch_server import config
from payorch_server.app import start as app
from zuora_emulator import seed

from chart.rendering import FLEET_FOLDER, SECRET_FOLDER, config_of, of_kind

TLS_FOLDER: Final = "/etc/payorch/tls"
KEY_SET_FOLDER: Final = "/etc/payorch/key-set"
_FOLDERS: Final = (SECRET_FOLDER, FLEET_FOLDER, TLS_FOLDER, KEY_SET_FOLDER)


@asynccontextmanager
async def started(
    objects: list[dict[str, Any]], folder: Path, mounted: Mapping[str, bytes] | None = None
) -> AsyncIterator[app.Application]:
    """Start the service on free ports of this machine.

    Args:
        objects: The objects of a release with an emulator.
        folder: An empty one, in place of all that a pod mounts.
        mounted: Files of Secrets and ConfigMaps beside the emulator's published secret.
    """
    for name, content in {"default": seed.CLIENT_B.client_secret.encode(), **(mounted or {})}.items():
        (folder / name).write_bytes(content)
    document = config_of(objects)
    for section in ("grpc", "admin"):
        document[section]["listen"] = "127.0.0.1:0"
    document["diagnostics"]["listen"] = ""
    files = []
    for name, text in of_kind(objects, "ConfigMap")[0]["data"].items():
        content = yaml.safe_dump({key: document[key] for key in yaml.safe_load(text)})
        files.append(folder / name)
        files[-1].write_text(moved(content, folder))
    async with AsyncExitStack() as stack:
        yield await app.start(config.load(*files), stack=stack)


def moved(text: str, folder: Path) -> str:
    """Return a text in which the folders of a pod are one of this machine."""
    for one in _FOLDERS:
        text = text.replace(one, str(folder))
    return text
