"""What may change in a configuration while the hub runs."""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from payorch_server.config.hub_document import HubConfiguration, HubDocument

RELOADABLE: Final = frozenset({"hubs", "gateways", "tls", "allow", "trusted_proxies"})
"""Settings of `upc` whose changes a running hub applies; so it does for passwords and certificates."""


def watched_hub_files(files: Iterable[Path], document: HubDocument) -> list[Path]:
    """Return the files whose changes a running hub applies."""
    upc = document.upc
    named = [generation.password_file for hub in upc.hubs.values() for generation in hub.credentials]
    named += [upc.tls.certificate_file, upc.tls.key_file] if upc.tls else []
    named.append(document.telemetry.otlp_headers_file)
    for gateway in upc.gateways.values():
        tls = gateway.tls
        named += [tls.ca_file, tls.certificate_file, tls.key_file] if tls else []
    return [*files, *(Path(name) for name in named if name)]


def hub_change_problems(before: HubDocument, after: HubDocument) -> Iterator[str]:
    """List the changes from one document of the hub to the next that need a restart."""
    for section in HubDocument.model_fields:
        if section != "upc" and getattr(before, section) != getattr(after, section):
            yield f"{section}: has changed, which needs a restart"
    for field in dataclasses.fields(before.upc):
        old, new = (getattr(document.upc, field.name) for document in (before, after))
        # A listener cannot begin or cease to speak TLS.
        is_fixed = field.name not in RELOADABLE or (field.name == "tls" and bool(old) != bool(new))
        if is_fixed and old != new:
            yield f"upc.{field.name}: has changed, which needs a restart"


def fixed_hub_secret_problems(before: HubConfiguration, fresh: HubConfiguration) -> Iterator[str]:
    """List changed files whose contents are read once: after a restart a replica would differ from this one."""
    if fresh.keys != before.keys:
        yield "keys: a file has changed; give the new key a new id and restart"
    if fresh.store_password != before.store_password:
        yield "store.password_file: has changed, which needs a restart"
