"""The service as people run it: the real command with a configuration file, everything else as it is by default."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from harness.keyring import new_key_file

from programs.bench.children import BenchError, Child, child
from programs.bench.workload import CLIENT_ID, ENTITY_ID, GATEWAY_ID, GATEWAY_LABEL, TENANT

_LINES_BEFORE_LISTENING: Final = 20
_IN_FLIGHT: Final = 10_000
_RULES: Final = 1_000
_TENANTS: Final = 200
_TO: Final = {"entity": "main", "gateway": "cards"}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a service listens, as `host:port`."""

    grpc: str
    admin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What is other than by default."""

    collector: str = ""
    """Where every span goes; empty: nowhere."""
    redis_url: str = ""
    """Of the store; empty: it is the process's memory."""
    certificate: tuple[str, str] | None = None
    """Files of the listener's certificate and its key; None: plaintext."""
    many_rules: bool = False
    """Whether a thousand rules, the last of which matches, name two hundred tenants."""


def _configuration(upstream: str, folder: Path, variant: Variant) -> dict[str, Any]:
    (folder / "secret").write_text("bench\n")
    (folder / "key").write_text(new_key_file())
    configuration: dict[str, Any] = {
        "grpc": {
            "listen": "127.0.0.1:0",
            "drain_wait_s": 0.0,
            "drain_grace_s": 1.0,
            # A run has as many calls in flight as callers can keep, and none may be refused.
            "max_calls_in_progress": _IN_FLIGHT,
            "max_start_delay_s": 10.0,
        },
        "admin": {"listen": "127.0.0.1:0"},
        "tenants": {TENANT: _tenant(upstream, folder)},
        "routing": [{"name": "all", "to": {"tenant": TENANT, **_TO}}],
    }
    if variant.collector:
        configuration["telemetry"] = {"traces": "otlp", "otlp_endpoint": variant.collector}
    if variant.certificate:
        configuration["grpc"]["tls"] = dict(zip(("certificate_file", "key_file"), variant.certificate, strict=True))
    if variant.redis_url:
        configuration["store"] = {"kind": "redis", "url": variant.redis_url}
        configuration["intents"] = {"keys": [{"id": "first", "file": str(folder / "key")}]}
    else:
        # A run has more calls than the default store may hold.
        configuration |= {"accept_memory_store": True, "store": {"max_entries": 5_000_000}}
    if variant.many_rules:
        configuration["tenants"] |= {f"tenant-{number}": _tenant(upstream, folder) for number in range(_TENANTS)}
        configuration["routing"] = [*map(_other_rule, range(_RULES - 1)), *configuration["routing"]]
    return configuration


def _tenant(upstream: str, folder: Path) -> dict[str, Any]:
    return {
        "base_url": upstream,
        "client_id": CLIENT_ID,
        "client_secret_file": str(folder / "secret"),
        "entities": {"main": ENTITY_ID},
        "gateways": {"cards": {"id": GATEWAY_ID, "label": GATEWAY_LABEL}},
        "max_in_flight": _IN_FLIGHT,
    }


def _other_rule(number: int) -> dict[str, Any]:
    """Return a rule that matches none of the calls, for one of several reasons."""
    tenant = f"tenant-{number % _TENANTS}"
    reasons: list[dict[str, Any]] = [
        {"tenant": [tenant]},
        {"currency": ["SEK", "NOK"]},
        {"caller": [f"spiffe://example.org/ns/shop-{number}/*"]},
        {"amount": {"currency": "USD", "min": "100000.00"}},
    ]
    return {"name": f"rule-{number}", "when": reasons[number % len(reasons)], "to": {"tenant": tenant, **_TO}}


@contextlib.contextmanager
def service(
    name: str, variant: Variant, *, upstream: str, folder: Path, code: Path | None = None
) -> Iterator[tuple[Child, Addresses]]:
    """Run the service, and yield its process and addresses.

    Args:
        name: For people.
        variant: How it is configured.
        upstream: Scheme, host and port of the stub.
        folder: Where the configuration is written.
        code: Root of another checkout whose service is run in place of this one.

    Raises:
        BenchError: It does not listen.
    """
    file = write_configuration(upstream, folder, variant)
    command: list[str | Path] = [Path(sys.executable).with_name("payorch-server"), "serve", "--config", file]
    if code is not None:
        command = ["/usr/bin/env", f"PYTHONPATH={code / 'service'}:{code / 'clients/python/src'}", *command]
    with child(name, command, logs=True) as process:
        yield process, listening_addresses(process)


def write_configuration(upstream: str, folder: Path, variant: Variant) -> Path:
    """Write the configuration of a service into a folder; return the file."""
    file = folder / "payorch.yaml"
    file.write_text(yaml.safe_dump(_configuration(upstream, folder, variant)))
    return file


def listening_addresses(process: Child) -> Addresses:
    """Wait until a service listens; return where.

    Raises:
        BenchError: It does not.
    """
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
