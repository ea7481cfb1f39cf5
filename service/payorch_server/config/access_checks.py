"""Checks of the access policy: an entry that can never apply is a mistake."""

import re
from collections.abc import Iterator
from typing import Final

from payorch_server.access.settings import AccessSettings, CallerSettings
from payorch_server.config.document import Document
from payorch_server.config.issuer_checks import token_problem
from payorch_server.model.caller import ANONYMOUS, ANY, has_spiffe_scheme, is_spiffe_id
from payorch_server.model.names import did_you_mean, label, shown_name
from payorch_server.model.operation import RPCS

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_IDENTITY: Final = re.compile(r"[!-~]{1,512}")
# A prefix that ends within a word would also match longer words.
_BOUNDARIES: Final = ("/", ":", ".", "-", "@")


def access_problems(document: Document) -> Iterator[str]:
    """List the problems of the access policy."""
    access = document.access
    if access is None:
        return
    if not access.callers:
        yield "access.callers: must list at least one caller, or every call would be refused"
    names = [entry.caller for entry in access.callers]
    for index, entry in enumerate(access.callers):
        path = f"access.callers.{index}{label(entry.caller)}"
        if names.index(entry.caller) != index:
            yield f"{path}.caller: is listed twice"
        yield from (f"{path}.{problem}" for problem in _entry_problems(entry, document, access))


def _entry_problems(entry: CallerSettings, document: Document, access: AccessSettings) -> Iterator[str]:
    if (problem := _identity_problem(entry.caller)) or (problem := _source_problem(entry.caller, document)):
        yield f"caller: {problem}"
    if not _NAMESPACE.fullmatch(entry.namespace):
        yield "namespace: a name has 1 to 64 letters, digits, '_', '.' or '-'"
    for rpc in entry.rpcs:
        if rpc not in {*RPCS, ANY}:
            yield f"rpcs: {shown_name(rpc)} is none of {', '.join(RPCS)} and {ANY}{did_you_mean(rpc, RPCS)}"
    yield from _tenant_problems(entry, document)
    if entry.caller == ANONYMOUS and entry.move_money and not access.anonymous_may_move_money:
        yield "move_money: for anonymous callers it also needs access.anonymous_may_move_money: true"
    if entry.raw_card_data and not document.payment_methods.raw_card_data:
        yield "raw_card_data: card numbers are refused while payment_methods.raw_card_data is false"


def _identity_problem(caller: str) -> str:
    stem = caller.removesuffix(ANY)
    if not _IDENTITY.fullmatch(stem) or ANY in stem:
        return "must be 1 to 512 characters from 0x21 to 0x7E; a * may only stand at the end"
    if stem != caller and not stem.endswith(_BOUNDARIES):
        return f"a prefix must end with one of {' '.join(_BOUNDARIES)} before the *"
    return _spiffe_problem(stem if stem == caller else stem.rstrip("".join(_BOUNDARIES)), stem)


def _spiffe_problem(known: str, stem: str) -> str:
    """Return why no certificate can carry such a SPIFFE id, or an empty text.

    Args:
        known: The identity, or of a prefix what precedes the last boundary.
        stem: The identity or prefix as it is written.
    """
    if not has_spiffe_scheme(stem):
        return ""
    # One boundary may end a prefix; several would be an empty segment or a dot segment.
    if is_spiffe_id(known) and len(stem) - len(known) <= 1:
        return ""
    return (
        "must be a SPIFFE id such as spiffe://example.org/ns/shop/sa/checkout, the trust domain in lower case, without "
        "empty, dot or encoded segments and without a slash at its end, or a prefix of one and a *"
    )


def _source_problem(caller: str, document: Document) -> str:
    """Return why no configured source of identities can authenticate the caller, or an empty text."""
    identity = document.identity
    certificates = document.grpc.tls is not None and bool(document.grpc.tls.client_ca_file)
    if caller == ANONYMOUS:
        return "every caller must present a certificate, so none is anonymous" if certificates else ""
    if caller.startswith("jwt:"):
        return token_problem(caller, identity.jwt)
    if caller.startswith("mesh:"):
        bare_header = identity.mesh is not None and identity.mesh.format == "identity"
        return "" if bare_header else "no header carries it; set identity.mesh with format: identity"
    forwarded = identity.mesh is not None and identity.mesh.format == "xfcc"
    if ":" not in caller:
        return "must begin with a scheme such as spiffe:, dns:, jwt: or mesh:, or be anonymous"
    if certificates or forwarded:
        return ""
    return "client certificates are not requested; set grpc.tls.client_ca_file or identity.mesh"


def _tenant_problems(entry: CallerSettings, document: Document) -> Iterator[str]:
    for name, rights in entry.tenants.items():
        candidates = list(document.tenants.values()) if name == ANY else [document.tenants.get(name)]
        tenants = [tenant for tenant in candidates if tenant is not None]
        if not tenants:
            yield f"tenants.{name}: is not in tenants{did_you_mean(name, document.tenants)}"
            continue
        entities = {entity for tenant in tenants for entity in tenant.entities}
        orgs = {org for tenant in tenants for org in tenant.orgs}
        for kind, granted, configured in (("entities", rights.entities, entities), ("orgs", rights.orgs, orgs)):
            for item in granted:
                if item not in {*configured, ANY}:
                    near = did_you_mean(item, configured)
                    yield f"tenants.{name}.{kind}: {shown_name(item)} is none of the tenant's {kind}{near}"


def listen_problems(path: str, host: str, document: Document, *, tls: bool) -> Iterator[str]:
    """List the problems of a listener that other machines can reach."""
    if not tls and not document.grpc.plaintext_beyond_loopback:
        yield (
            f"{path}: {host} can be reached from other machines in plaintext; set grpc.tls, listen on 127.0.0.1, or "
            "set grpc.plaintext_beyond_loopback: true where a mesh or a network protects it"
        )
    if document.access is None:
        yield f"{path}: {host} can be reached from other machines without an access policy; add access"
