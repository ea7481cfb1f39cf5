"""What may change in a configuration while the service runs."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from payorch_server.access.callers import access_table
from payorch_server.config.document import ConfigError, Document, Settings
from payorch_server.config.strict_yaml import read_yaml
from payorch_server.model.caller import ANY
from payorch_server.model.operation import ROUTED_RPCS

RELOADABLE: Final = frozenset({"tenants", "routing", "access", "verbose"})
"""Sections that a running service takes over; files of secrets, certificates and keys are too."""


def watched_files(files: Iterable[Path], document: Document) -> list[Path]:
    """Return the files whose changes a running service takes over."""
    tls, jwt = document.grpc.tls, document.identity.jwt
    named = [tenant.client_secret_file for tenant in document.tenants.values()]
    named += [tls.certificate_file, tls.key_file, tls.client_ca_file] if tls else []
    named += [jwt.key_set_file] if jwt else []
    return [*files, *(Path(name) for name in named if name)]


def change_problems(running: Document, fresh: Document) -> Iterator[str]:
    """Say what may not change from one document to the next while calls are under way."""
    for section in type(running).model_fields:
        if section not in RELOADABLE and getattr(running, section) != getattr(fresh, section):
            yield f"{section}: has changed, and cannot while the service runs; restart it"
    yield from namespace_problems(running, fresh)


def namespace_problems(running: Document, fresh: Document) -> Iterator[str]:
    """Say whose namespace would change: all of their unsettled intents would be forgotten, and could run twice."""
    before, after = (access_table(one.access, namespace=one.intents.namespace) for one in (running, fresh))
    entries = [entry.caller for one in (running, fresh) if one.access for entry in one.access.callers]
    for caller in dict.fromkeys(entries):
        identity = caller.removesuffix(ANY)
        old, new = before.caller(identity), after.caller(identity)
        if old and new and old.namespace != new.namespace:
            yield (
                f"access.callers ({caller}).namespace: would change from {old.namespace} to {new.namespace}, and every "
                "request_id in use would become a new intent; wait until all are settled, then restart"
            )


def switched_off(*files: Path) -> Mapping[str, frozenset[str]]:
    """Return the RPCs that each tenant's `switched_off` names, as far as that can be read.

    A kill switch is thrown on days when other things are broken too. It only ever refuses calls, so it needs no proof.

    Args:
        files: Of the configuration; one that cannot be read hides none of the others.
    """
    found: dict[str, frozenset[str]] = {}
    for file in files:
        try:
            content = read_yaml(file)
        except ConfigError:
            continue
        tenants = content.get("tenants") if isinstance(content, dict) else None
        for name, tenant in (tenants if isinstance(tenants, dict) else {}).items():
            named = tenant.get("switched_off") if isinstance(tenant, dict) else None
            # A name without its brackets is a slip that can mean one thing only.
            listed = [named] if isinstance(named, str) else named if isinstance(named, list) else ()
            found[str(name)] = found.get(str(name), frozenset()) | {rpc for rpc in ROUTED_RPCS if rpc in listed}
    return found


def with_switched_off(running: Settings, wanted: Mapping[str, frozenset[str]]) -> Settings | None:
    """Return the running settings with more switched off, or None if there is nothing more; nothing is switched on.

    Args:
        running: What the service runs with.
        wanted: RPCs by tenant; tenants that it does not run with are left out.
    """
    tenants = {
        name: dataclasses.replace(tenant, switched_off=tuple(sorted({*tenant.switched_off, *wanted.get(name, ())})))
        for name, tenant in running.document.tenants.items()
    }
    if all(set(tenants[name].switched_off) == set(one.switched_off) for name, one in running.document.tenants.items()):
        return None
    return dataclasses.replace(running, document=running.document.model_copy(update={"tenants": tenants}))
