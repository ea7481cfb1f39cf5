"""The service and the emulator, started together over loopback sockets."""

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from opentelemetry.sdk.trace import SpanProcessor  # noqa: TID251 - to look at spans
from payorch_server import config
from payorch_server.app import start as app
from payorch_server.runtime.clock import Clock, SystemClock
from zuora_emulator import Emulator, seed, serving

TENANT = "acme"
SOLO_TENANT = "solo"
NARROW_TENANT = "narrow"
"""The same tenant with a token for each entity; only where it is asked for."""


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A running pair."""

    emulator: Emulator
    emulator_url: str
    application: app.Application
    folder: Path
    """Where the configuration, payorch.yaml, and the secrets are."""

    @property
    def target(self) -> str:
        """What a gRPC client connects to."""
        return f"127.0.0.1:{self.application.grpc_port}"

    @property
    def diagnostics_target(self) -> str:
        """What a gRPC client of operators connects to."""
        return f"127.0.0.1:{self.application.diagnostics_port}"

    @property
    def admin_url(self) -> str:
        """Where the probes are."""
        return f"http://127.0.0.1:{self.application.admin_port}"


def configuration(*, emulator_url: str, folder: Path) -> dict[str, Any]:
    """Return a configuration for the emulator's tenants; writes their secrets into the folder."""
    for client in (seed.CLIENT_A, seed.CLIENT_B):
        (folder / client.client_id).write_text(client.client_secret + "\n")
    return {
        "grpc": {"listen": "127.0.0.1:0", "drain_wait_s": 0.0, "drain_grace_s": 5.0},
        "admin": {"listen": "127.0.0.1:0"},
        "diagnostics": {"listen": "127.0.0.1:0"},
        "accept_memory_store": True,
        "tenants": {
            TENANT: {
                "base_url": emulator_url,
                "client_id": seed.CLIENT_A.client_id,
                "client_secret_file": str(folder / seed.CLIENT_A.client_id),
                "entities": {"us": seed.ENTITY_US, "eu": seed.ENTITY_EU},
                "orgs": {"north": seed.ORG_NORTH, "south": seed.ORG_SOUTH},
                "gateways": {
                    "cards-us": {"id": seed.GATEWAY_US.id, "label": seed.GATEWAY_US.name},
                    "cards-eu": {"id": seed.GATEWAY_EU.id, "label": seed.GATEWAY_EU.name},
                },
            },
            SOLO_TENANT: {
                "base_url": emulator_url,
                "client_id": seed.CLIENT_B.client_id,
                "client_secret_file": str(folder / seed.CLIENT_B.client_id),
                "gateways": {"cards": {"id": seed.GATEWAY_SINGLE.id, "label": seed.GATEWAY_SINGLE.name}},
            },
        },
        "routing": [
            {
                "name": "solo",
                "when": {"tenant": [SOLO_TENANT]},
                "to": {"tenant": SOLO_TENANT, "gateway": "cards"},
            },
            {
                "name": "europe",
                "when": {"entity": ["eu"]},
                "to": {"tenant": TENANT, "entity": "eu", "orgs": ["north"], "gateway": "cards-eu"},
            },
            {
                "name": "euro",
                "when": {"currency": ["EUR"]},
                "to": {"tenant": TENANT, "entity": "eu", "gateway": "cards-eu"},
            },
            {
                "name": "zuora-chooses",
                "when": {"gateway": ["zuora_default"]},
                "to": {"tenant": TENANT, "entity": "us", "gateway": "zuora_default"},
            },
            {
                "name": "no-unknown-brand",
                "when": {"attributes": {"brand": "north"}},
                "to": {"tenant": TENANT, "entity": "us", "orgs": ["north"], "gateway": "cards-us"},
            },
            {
                "name": "dollars-and-yen",
                "when": {"currency": ["USD", "JPY"]},
                "to": {"tenant": TENANT, "entity": "us", "gateway": "cards-us"},
            },
            {
                "name": "methods-and-wallets",
                "when": {"rpc": ["DecryptApplePay", "CreatePaymentMethod"]},
                "to": {"tenant": TENANT, "entity": "us", "gateway": "cards-us"},
            },
        ],
    }


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return the base with the members of the other over it, mappings member by member."""
    result = dict(base)
    for name, value in over.items():
        below = result.get(name)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[name] = merged(below, value) if both else value
    return result


@asynccontextmanager
async def running(
    *,
    emulator: Emulator | None = None,
    emulator_port: int = 0,
    tenants: Sequence[str] = (TENANT, SOLO_TENANT),
    over: Mapping[str, Any] | None = None,
    span_processors: Sequence[SpanProcessor] = (),
    clock: Clock | None = None,
    watched: bool = False,
) -> AsyncIterator[LocalStack]:
    """Start both over loopback sockets, and end both.

    Args:
        emulator: The emulator; a fresh one unless given.
        emulator_port: 0 takes a free one.
        tenants: Which of the configured tenants to keep.
        over: Settings over those of `configuration`.
        span_processors: Receivers of the service's spans.
        clock: The service's clock; the machine's unless given.
        watched: Whether the service reloads its files when they change.
    """
    emulator = emulator or Emulator()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="payorch-")))
        url = await stack.enter_async_context(serving(emulator, port=emulator_port))
        file = folder / "payorch.yaml"
        content = configuration(emulator_url=url, folder=folder)
        content["tenants"][NARROW_TENANT] = content["tenants"][TENANT] | {"token_scope": "entity"}
        content = merged(content, over or {})
        content["tenants"] = {name: content["tenants"][name] for name in tenants}
        content["routing"] = [rule for rule in content["routing"] if rule["to"]["tenant"] in tenants]
        file.write_text(yaml.safe_dump(content))
        application = await app.start(
            config.load(file),
            stack=stack,
            files=(file,) if watched else (),
            options=app.StartOptions(clock=clock or SystemClock(), span_processors=span_processors),
        )
        yield LocalStack(emulator, url, application, folder)
