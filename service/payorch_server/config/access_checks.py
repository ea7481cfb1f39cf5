"""What must hold in the access policy and around it: an entry that can never count is a mistake somebody made."""

import re
from collections.abc import Iterator
from typing import Final

from payorch_server.access.settings import AccessSettings, CallerSettings
from payorch_server.config.document import Document
from payorch_server.model.caller import ANONYMOUS, ANY
from payorch_server.model.operation import RPCS

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_IDENTITY: Final = re.compile(r"[!-~]{1,512}")
# A prefix that ends within a word would take in words that only begin alike.
_BOUNDARIES: Final = ("/", ":", ".", "-", "@")


def access_problems(document: Document) -> Iterator[str]:
    """Say what is wrong with the access policy."""
    access = document.access
    if access is None:
        return
    if not access.callers:
        yield "access.callers: must name at least one caller, or nobody may do anything"
    names = [one.caller for one in access.callers]
    for index, entry in enumerate(access.callers):
        path = f"access.callers.{index} ({entry.caller})"
        if names.index(entry.caller) != index:
            yield f"{path}.caller: has an earlier entry"
        yield from (f"{path}.{problem}" for problem in _entry_problems(entry, document, access))


def _entry_problems(entry: CallerSettings, document: Document, access: AccessSettings) -> Iterator[str]:
    if (problem := _identity_problem(entry.caller)) or (problem := _source_problem(entry.caller, document)):
        yield f"caller: {problem}"
    if not _NAMESPACE.fullmatch(entry.namespace):
        yield "namespace: a name has 1 to 64 letters, digits, '_', '.' or '-'"
    for rpc in entry.rpcs:
        if rpc not in {*RPCS, ANY}:
            yield f"rpcs: {rpc} is none of {', '.join(RPCS)} and {ANY}"
    yield from _tenant_problems(entry, document)
    if entry.caller == ANONYMOUS and entry.move_money and not access.anonymous_may_move_money:
        yield "move_money: for whoever reaches the port needs access.anonymous_may_move_money: true as well"
    if entry.raw_card_data and not document.payment_methods.raw_card_data:
        yield "raw_card_data: nobody's card numbers may pass while payment_methods.raw_card_data is false"


def _identity_problem(caller: str) -> str:
    stem = caller.removesuffix(ANY)
    if not _IDENTITY.fullmatch(stem) or ANY in stem:
        return "must be 1 to 512 characters from 0x21 to 0x7E; only a * at its end stands for anything"
    if stem != caller and not stem.endswith(_BOUNDARIES):
        return f"a prefix must end with one of {' '.join(_BOUNDARIES)} before its *"
    return ""


def _source_problem(caller: str, document: Document) -> str:
    """Say if nobody could ever vouch for an identity."""
    identity = document.identity
    certificates = document.grpc.tls is not None and bool(document.grpc.tls.client_ca_file)
    if caller == ANONYMOUS:
        return "everybody must show a certificate, so nobody is anonymous" if certificates else ""
    if caller.startswith("jwt:"):
        return "" if identity.jwt else "tokens are not taken; set identity.jwt"
    if caller.startswith("mesh:"):
        told = identity.mesh is not None and identity.mesh.format == "identity"
        return "" if told else "no header tells it; set identity.mesh with format: identity"
    told = identity.mesh is not None and identity.mesh.format == "xfcc"
    if ":" not in caller:
        return "must begin with a scheme such as spiffe:, dns:, jwt: or mesh:, or be anonymous"
    return "" if certificates or told else "nobody shows certificates; set grpc.tls.client_ca_file or identity.mesh"


def _tenant_problems(entry: CallerSettings, document: Document) -> Iterator[str]:
    for name, rights in entry.tenants.items():
        known = list(document.tenants.values()) if name == ANY else [document.tenants.get(name)]
        tenants = [tenant for tenant in known if tenant is not None]
        if not tenants:
            yield f"tenants.{name}: is not in tenants"
            continue
        entities = {entity for tenant in tenants for entity in tenant.entities}
        orgs = {org for tenant in tenants for org in tenant.orgs}
        for kind, wanted, there in (("entities", rights.entities, entities), ("orgs", rights.orgs, orgs)):
            for one in wanted:
                if one not in {*there, ANY}:
                    yield f"tenants.{name}.{kind}: {one} is not among them"


def listen_problems(path: str, host: str, document: Document, *, tls: bool) -> Iterator[str]:
    """Say what is wrong with listening where other machines can reach it."""
    if not tls and not document.grpc.plaintext_beyond_loopback:
        yield (
            f"{path}: {host} can be reached from other machines, in plaintext; set grpc.tls, listen on 127.0.0.1, or "
            "set grpc.plaintext_beyond_loopback: true where a mesh or a network hides it"
        )
    if document.access is None:
        yield f"{path}: {host} can be reached from other machines and nothing says who may do what; add access"
