"""The hub as people run it, with the gateway that approves at once; everything else is as it is by default."""

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml
from harness.keyring import new_key_file

from programs.bench.children import BenchError, Child, child
from programs.bench.workload import HUB_PASSWORD, HUB_TENANT, HUB_USER

_LISTENING: Final = re.compile(rb'"upc_port":(\d+)')
_CONNECTED: Final = b'"state":"READY"'
_LINES_BEFORE: Final = 20
HUB_IN_FLIGHT: Final = 500
"""At least so many calls in flight are answered, where the limits allow more."""


@contextlib.contextmanager
def hub(name: str, *, plugin: str, folder: Path) -> Iterator[tuple[Child, str]]:
    """Run the hub, and yield its process and the URL for payments.

    Args:
        name: For people.
        plugin: gRPC target of the gateway.
        folder: Where the configuration is written.

    Raises:
        BenchError: It does not listen, or does not reach the gateway.
    """
    (folder / "password").write_text(HUB_PASSWORD + "\n")
    (folder / "key").write_text(new_key_file())
    file = folder / "hub.yaml"
    credentials = [{"user": HUB_USER, "password_file": str(folder / "password")}]
    configuration = {
        "upc": {
            "listen": "127.0.0.1:0",
            "accept_memory_store": True,
            "hubs": {"main": {"tenants": [HUB_TENANT], "credentials": credentials, "max_in_flight": 1_000}},
            "gateways": {
                "bench": {
                    "hub": "main",
                    "names": ["UPC_Token"],
                    "types": ["AmazonPay__c_12368"],
                    "target": plugin,
                    "max_in_flight": 1_000,
                }
            },
        },
        "admin": {"listen": "127.0.0.1:0"},
        # A run has more payments than the default store may hold.
        "store": {"max_entries": 5_000_000},
        "keys": [{"id": "first", "file": str(folder / "key")}],
    }
    file.write_text(yaml.safe_dump(configuration))
    command: list[str | Path] = [
        Path(sys.executable).with_name("payorch-server"), "upc", "serve", "--config", file
    ]  # fmt: skip
    with child(name, command, logs=True) as process:
        port = _port(process)
        yield process, f"http://127.0.0.1:{port}/upc/main"


def _port(process: Child) -> int:
    """Return the port, when the gateway has described itself."""
    port, said = 0, b""
    for _ in range(_LINES_BEFORE):
        said = process.line()
        if found := _LISTENING.search(said):
            port = int(found[1])
        if port and _CONNECTED in said:
            return port
    raise BenchError(f"The {process.name} process does not reach its gateway; it said {said!r}")
