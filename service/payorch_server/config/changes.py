"""What may change in a configuration while the service runs."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from payorch_server.access.callers import access_table
from payorch_server.config.document import Document
from payorch_server.model.caller import ANY

RELOADABLE: Final = frozenset({"tenants", "routing", "access", "verbose"})
"""Sections that a running service takes over; files of secrets, certificates and keys are too."""


def watched_files(files: Iterable[Path], document: Document) -> list[Path]:
    """Return the files whose changes a running service takes over."""
    tls, jwt = document.rpc.tls, document.identity.jwt
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
    before, after = (access_table(one.access, namespace=one.orchestration.namespace) for one in (running, fresh))
    entries = [entry.caller for one in (running, fresh) if one.access for entry in one.access.callers]
    for caller in dict.fromkeys(entries):
        identity = caller.removesuffix(ANY)
        old, new = before.caller(identity), after.caller(identity)
        if old and new and old.namespace != new.namespace:
            yield (
                f"access.callers ({caller}).namespace: would change from {old.namespace} to {new.namespace}, and every "
                "request_id in use would become a new intent; wait until all are settled, then restart"
            )
