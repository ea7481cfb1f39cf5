"""Checks between the settings of the hub: each problem is a sentence that begins with its path."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from payorch_server.config.collector_files import collector_problems
from payorch_server.config.hub_document import HubDocument
from payorch_server.model.names import did_you_mean, shown_name
from payorch_server.runtime.listen_address import can_be_called, is_loopback, network_of, split_address
from payorch_server.store.settings import problems as store_problems
from payorch_server.upc.settings import HubSettings, PluginSettings, UpcSettings

_NAME: Final = re.compile(r"[a-z0-9-]{1,40}")
_NAME_RULE: Final = "a name has 1 to 40 lower-case letters, digits or '-'; rename it"
_TYPE: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*__[cC]_[A-Za-z0-9-]+")
_MAX_CREDENTIALS: Final = 2


def hub_problems(document: HubDocument) -> Iterator[str]:
    """List every problem of the hub's document."""
    upc = document.upc
    yield from _store_problems(document)
    yield from _listen_problems(document)
    yield from collector_problems(document.telemetry)
    yield from _network_problems(upc)
    if not upc.hubs:
        yield "upc.hubs: must name at least one hub; add the one that Zuora calls"
    # A gateway of a hub that does not exist is a slip of its own.
    used = {gateway.hub for gateway in upc.gateways.values()}
    for name, hub in upc.hubs.items():
        path = f"upc.hubs.{name}"
        yield from (f"{path}{problem}" for problem in _hub_problems(name, hub))
        if name not in used and used <= set(upc.hubs):
            yield f"{path}: no gateway is called through it, so every request would be refused; add one to upc.gateways"
    for name, gateway in upc.gateways.items():
        yield from (f"upc.gateways.{name}{problem}" for problem in _gateway_problems(name, gateway, upc))
    yield from _ambiguities(upc)


def _store_problems(document: HubDocument) -> Iterator[str]:
    yield from (f"store.{problem}" for problem in store_problems(document.store))
    if document.store.kind == "memory" and not document.upc.accept_memory_store:
        yield (
            "store.kind: with memory a restart loses all records and replicas cannot see each other's, so money may "
            "not move; set store.kind: redis, or upc.accept_memory_store: true for tests and laptops"
        )
    if document.store.kind == "redis" and not document.keys:
        yield "keys: replicas that share a store must share at least one key; add one"


def _listen_problems(document: HubDocument) -> Iterator[str]:
    upc = document.upc
    addresses = {"upc": split_address(upc.listen), "admin": split_address(document.admin.listen)}
    for section, address in addresses.items():
        if address is None:
            yield f"{section}.listen: must be host:port, such as 0.0.0.0:8443"
    if upc.tls and upc.plaintext_behind_proxy:
        yield "upc.plaintext_behind_proxy: has no effect with upc.tls; remove one of the two"
    if addresses["upc"] is None or addresses["admin"] is None:
        return
    (host, port), (_, admin_port) = addresses["upc"], addresses["admin"]
    if port and port == admin_port:
        yield "admin.listen: has the port of upc.listen; give each listener a port of its own"
    if not (upc.tls or upc.plaintext_behind_proxy or is_loopback(host)):
        yield (
            f"upc.listen: {upc.listen} can be reached from other machines in plaintext; set upc.tls, listen on "
            "127.0.0.1, or set upc.plaintext_behind_proxy: true where a proxy in front ends TLS"
        )


def _network_problems(upc: UpcSettings) -> Iterator[str]:
    for setting, texts in (("allow", upc.allow), ("trusted_proxies", upc.trusted_proxies)):
        for index, text in enumerate(texts):
            network = network_of(text)
            if network is None:
                yield (
                    f"upc.{setting}.{index}: must be a network such as 198.51.100.0/24, without bits of a host; "
                    "write its first address"
                )
            elif setting == "trusted_proxies" and not network.prefixlen:
                yield f"upc.{setting}.{index}: covers every address, so any caller could claim any; list the proxies"


def _hub_problems(name: str, hub: HubSettings) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield f": {_NAME_RULE}"
    yield from _list_problems(".tenants", hub.tenants, "the ids of the Zuora tenants that may call the hub")
    if not 1 <= len(hub.credentials) <= _MAX_CREDENTIALS:
        yield ".credentials: must be one generation or two; add one, or remove those that Zuora does not use any more"
    for index, generation in enumerate(hub.credentials):
        if not generation.user or ":" in generation.user or not generation.user.isprintable():
            yield f".credentials.{index}.user: must be a printable name without a colon; choose another in Zuora"


def _list_problems(path: str, texts: Sequence[str], what: str) -> Iterator[str]:
    """List the problems of a list that must have something in it, each once."""
    if not texts:
        yield f"{path}: must not be empty; list {what}"
    for index, text in enumerate(texts):
        if not text or text != text.strip() or not text.isprintable():
            yield f"{path}.{index}: must be a printable text without blanks around it; write it as Zuora shows it"
        elif text in texts[:index]:
            yield f"{path}.{index}: {shown_name(text)} is listed twice; remove one"


def _gateway_problems(name: str, gateway: PluginSettings, upc: UpcSettings) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield f": {_NAME_RULE}"
    if gateway.hub not in upc.hubs:
        known = ", ".join(upc.hubs) or "them"
        near = did_you_mean(gateway.hub, upc.hubs)
        yield f".hub: {shown_name(gateway.hub)} is not in upc.hubs; name one of {known}{near}"
    yield from _list_problems(".names", gateway.names, "the names of its gateway instances in Zuora")
    yield from _list_problems(".types", gateway.types, "the types of its payment methods")
    for index, method_type in enumerate(gateway.types):
        if not _TYPE.fullmatch(method_type):
            yield (
                f".types.{index}: must be a full type such as AmazonPay__c_12368; write the name, __c_, and the id of "
                "the tenant"
            )
    if not can_be_called(gateway.target.removeprefix("dns:///")):
        yield ".target: must be host:port or dns:///host:port, such as dns:///amazon-gateway.pay:50051; add the rest"
    tls = gateway.tls
    if tls and bool(tls.certificate_file) != bool(tls.key_file):
        yield ".tls: must have certificate_file and key_file, or neither; add the other one"


def _ambiguities(upc: UpcSettings) -> Iterator[str]:
    """List the requests that would have two gateways; the tenants of all gateways of a hub are those of the hub."""
    homes: dict[tuple[str, str, str], str] = {}
    for name, gateway in upc.gateways.items():
        for instance in dict.fromkeys(gateway.names):
            for method_type in dict.fromkeys(text.casefold() for text in gateway.types):
                other = homes.setdefault((gateway.hub, instance, method_type), name)
                if other != name:
                    yield (
                        f"upc.gateways.{name}: {instance} with {method_type} is also that of upc.gateways.{other}, so "
                        "such a request would have two gateways; remove it from one"
                    )
