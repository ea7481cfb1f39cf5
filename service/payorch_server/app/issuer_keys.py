"""The fetched keys of a configuration's issuers of tokens."""

from collections.abc import Callable, Mapping
from typing import Final

import structlog

from payorch_server import version
from payorch_server.access.bearer import KeySet
from payorch_server.access.fetched_keys import FetchedKeys
from payorch_server.access.key_fetching import KeySetClient
from payorch_server.access.key_source import KeySource, with_port
from payorch_server.config import Document, Settings
from payorch_server.model.caller import ANONYMOUS
from payorch_server.model.proxy import Proxy, proxy_of
from payorch_server.rpc.settings import JwtSettings
from payorch_server.runtime.clock import Clock
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.lifecycle import TaskOwner

_LOG: Final = structlog.get_logger("payorch.access")
_MAX_SHOWN: Final = 20


def fetched_keys(
    settings: Settings,
    *,
    clock: Clock,
    tasks: TaskOwner,
    deadlines: Deadlines,
    uniform: Callable[[float, float], float],
) -> FetchedKeys:
    """Return the keys of the issuers that have no file; none is fetched yet.

    Args:
        settings: A configuration that has passed every check.
        clock: For the ages of keys.
        tasks: Owns the fetches.
        deadlines: Of the process.
        uniform: Draws from an interval.
    """
    document = settings.document
    http = document.zuora_http
    proxy = proxy_of(http.proxy_url, http.proxy_username, settings.proxy_password)
    sources = {
        name: key_source(jwt, proxy if jwt.through_proxy else None)
        for name, jwt in document.identity.jwt.items()
        if not jwt.key_set_file
    }
    return FetchedKeys(
        sources,
        client=KeySetClient(version=version(), deadlines=deadlines),
        clock=clock,
        tasks=tasks,
        deadlines=deadlines,
        max_waiting=max(1, document.grpc.max_calls_in_progress // 2),
        uniform=uniform,
    )


def report_skipped_keys(before: Mapping[str, KeySet], after: Mapping[str, KeySet]) -> None:
    """Log which keys of files cannot be used, where that has changed.

    Args:
        before: The keys that were in use, by the issuer's name.
        after: Those that will be.
    """
    for name, keys in after.items():
        if keys.skipped and (name not in before or before[name].skipped != keys.skipped):
            _LOG.warning("issuer_keys_skipped", issuer=name, skipped=list(keys.skipped[:_MAX_SHOWN]))


def needs_fetched_keys(document: Document) -> bool:
    """Return whether no caller at all can be identified before keys have been fetched."""
    identity, tls, access = document.identity, document.grpc.tls, document.access
    otherwise = (
        any(jwt.key_set_file for jwt in identity.jwt.values()),
        identity.mesh is not None,
        tls is not None and bool(tls.client_ca_file),
        access is None or any(entry.caller == ANONYMOUS for entry in access.callers),
    )
    return bool(identity.jwt) and not any(otherwise)


def key_source(jwt: JwtSettings, proxy: Proxy | None) -> KeySource:
    """Return where the keys of an issuer come from.

    Args:
        jwt: The settings of the issuer.
        proxy: To fetch them through; None: directly.
    """
    return KeySource(
        issuer=jwt.issuer,
        url=jwt.key_set_url,
        hosts=frozenset(host for listed in jwt.key_set_hosts if (host := with_port(listed))),
        ca_file=jwt.ca_file,
        proxy=proxy,
        max_age_s=jwt.max_key_age_s,
    )
