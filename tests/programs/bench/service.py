"""The service as people run it: the real command with a configuration file, everything else as it is by default."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from programs.bench.children import BenchError, Child, child
from programs.bench.workload import CLIENT_ID, ENTITY_ID, GATEWAY_ID, TENANT

_LINES_BEFORE_LISTENING: Final = 20


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a service listens, as `host:port`."""

    grpc: str
    admin: str


def _limits(code: Path | None) -> dict[str, Any]:
    """Return what lifts the limit on calls in flight, for a checkout that has one."""
    limited = code is None or (code / "service/payorch_server/zuora/concurrency.py").exists()
    return {"max_in_flight": 10_000} if limited else {}


def _configuration(upstream: str, secret: Path, code: Path | None, collector: str) -> dict[str, Any]:
    return {
        **({"telemetry": {"traces": "otlp", "otlp_endpoint": collector}} if collector else {}),
        "grpc": {"listen": "127.0.0.1:0", "drain_wait_s": 0.0, "drain_grace_s": 1.0},
        "admin": {"listen": "127.0.0.1:0"},
        "accept_memory_store": True,
        # A run has more calls than the default store may hold.
        "store": {"max_entries": 5_000_000},
        "tenants": {
            TENANT: {
                "base_url": upstream,
                "client_id": CLIENT_ID,
                "client_secret_file": str(secret),
                "entities": {"main": ENTITY_ID},
                "gateways": {"cards": {"id": GATEWAY_ID, "label": "Cards"}},
                **_limits(code),
            }
        },
        "routing": [{"name": "all", "to": {"tenant": TENANT, "entity": "main", "gateway": "cards"}}],
    }


@contextlib.contextmanager
def service(
    name: str, *, upstream: str, folder: Path, code: Path | None = None, collector: str = ""
) -> Iterator[tuple[Child, Addresses]]:
    """Run the service, and yield its process and addresses.

    Args:
        name: For people.
        upstream: Scheme, host and port of the stub.
        folder: Where the configuration is written.
        code: Root of another checkout whose service is run in place of this one.
        collector: Where every span goes; empty: nowhere.

    Raises:
        BenchError: It does not listen.
    """
    secret, file = folder / "secret", folder / "payorch.yaml"
    secret.write_text("bench\n")
    file.write_text(yaml.safe_dump(_configuration(upstream, secret, code, collector)))
    command: list[str | Path] = [Path(sys.executable).with_name("payorch-server"), "serve", "--config", file]
    if code is not None:
        command = ["/usr/bin/env", f"PYTHONPATH={code / 'service'}:{code / 'clients/python/src'}", *command]
    with child(name, command, logs=True) as process:
        yield process, _addresses(process)


def _addresses(process: Child) -> Addresses:
    said = b""
    for _ in range(_LINES_BEFORE_LISTENING):
        said = process.line()
        try:
            event = msgspec.json.decode(said)
        except msgspec.DecodeError:
            continue
        if event.get("event") == "listening":
            return Addresses(f"127.0.0.1:{event['grpc_port']}", f"127.0.0.1:{event['admin_port']}")
    raise BenchError(f"The {process.name} process does not listen; it said {said!r}")
