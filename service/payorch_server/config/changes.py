"""What may change in a configuration while the service runs."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from payorch_server.access.callers import access_table
from payorch_server.config.base_document import ConfigError
from payorch_server.config.document import Document, Settings
from payorch_server.config.strict_yaml import read_yaml
from payorch_server.model.caller import ANY
from payorch_server.model.operation import ROUTED_RPCS

RELOADABLE: Final = frozenset({"tenants", "routing", "access", "verbose"})
"""Sections whose changes a running service applies; so it does for secrets, certificates and the key set."""


def watched_files(files: Iterable[Path], document: Document) -> list[Path]:
    """Return the files whose changes a running service applies."""
    tls = document.grpc.tls
    named = [tenant.client_secret_file for tenant in document.tenants.values()]
    named += [tls.certificate_file, tls.key_file, tls.client_ca_file] if tls else []
    named.append(document.telemetry.otlp_headers_file)
    named += [jwt.key_set_file for jwt in document.identity.jwt.values()]
    return [*files, *(Path(name) for name in named if name)]


def change_problems(before: Document, after: Document) -> Iterator[str]:
    """List the changes from one document to the next that need a restart."""
    for section in type(before).model_fields:
        if section not in RELOADABLE and getattr(before, section) != getattr(after, section):
            yield f"{section}: has changed, which needs a restart"
    yield from namespace_problems(before, after)


def namespace_problems(before: Document, after: Document) -> Iterator[str]:
    """List the callers whose namespace would change: their unsettled intents would be lost, and could run twice."""
    documents = (before, after)
    old_table, new_table = (access_table(each.access, namespace=each.intents.namespace) for each in documents)
    entries = [entry.caller for each in documents if each.access for entry in each.access.callers]
    for caller in dict.fromkeys(entries):
        identity = caller.removesuffix(ANY)
        old, new = old_table.caller(identity), new_table.caller(identity)
        if old and new and old.namespace != new.namespace:
            yield (
                f"access.callers ({caller}).namespace: would change from {old.namespace} to {new.namespace}, and every "
                "request_id in use would become a new intent; wait until all are settled, then restart"
            )


def switched_off(*files: Path) -> Mapping[str, frozenset[str]]:
    """Return the RPCs in each tenant's `switched_off`, as far as the files can be read.

    A kill switch must work on days when other settings are broken. It can only refuse calls, so it needs no check.

    Args:
        files: The configuration files; those that cannot be read are skipped.
    """
    found: dict[str, frozenset[str]] = {}
    for file in files:
        try:
            content = read_yaml(file)
        except ConfigError:
            continue
        tenants = content.get("tenants") if isinstance(content, dict) else None
        for name, tenant in (tenants if isinstance(tenants, dict) else {}).items():
            value = tenant.get("switched_off") if isinstance(tenant, dict) else None
            # A name without brackets is a slip that can mean only one thing.
            listed = [value] if isinstance(value, str) else value if isinstance(value, list) else ()
            found[str(name)] = found.get(str(name), frozenset()) | {rpc for rpc in ROUTED_RPCS if rpc in listed}
    return found


def with_switched_off(settings: Settings, wanted: Mapping[str, frozenset[str]]) -> Settings | None:
    """Return the settings with further RPCs switched off, or None if there are none; nothing is switched on.

    Args:
        settings: The settings in use.
        wanted: RPCs by tenant; unknown tenants are ignored.
    """
    tenants = {
        name: dataclasses.replace(tenant, switched_off=tuple(sorted({*tenant.switched_off, *wanted.get(name, ())})))
        for name, tenant in settings.document.tenants.items()
    }
    before = settings.document.tenants.items()
    if all(set(tenants[name].switched_off) == set(tenant.switched_off) for name, tenant in before):
        return None
    return dataclasses.replace(settings, document=settings.document.model_copy(update={"tenants": tenants}))
