"""Checks of the issuers of tokens: two issuers must never give two callers the same identity."""

import re
from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Final

from payorch_server.access.key_source import host_and_port, with_port
from payorch_server.model.caller import ANY
from payorch_server.model.names import shown_name
from payorch_server.rpc.settings import JwtSettings

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SUBJECT_PREFIX: Final = re.compile(r"(?:[!-)+-~]{0,63}[/:.@-])?")
"""Empty, or up to 64 characters without a `*`, of which the last separates it from the subject."""


def issuer_problems(issuers: Mapping[str, JwtSettings], *, has_proxy: bool) -> Iterator[str]:
    """List the problems of the issuers of tokens.

    Args:
        issuers: By name.
        has_proxy: Whether a proxy is configured that keys can be fetched through.
    """
    for name, jwt in issuers.items():
        yield from (f"identity.jwt.{name}{problem}" for problem in _problems_of_one(name, jwt))
        yield from (f"identity.jwt.{name}{problem}" for problem in _source_problems(jwt, has_proxy=has_proxy))
    for (name, jwt), (other, other_jwt) in permutations(issuers.items(), 2):
        if name < other and jwt.issuer == other_jwt.issuer:
            yield f"identity.jwt.{other}.issuer: is that of identity.jwt.{name}; list each issuer once"
        same = jwt.subject_prefix == other_jwt.subject_prefix
        if other_jwt.subject_prefix.startswith(jwt.subject_prefix) and (name < other or not same):
            yield (
                f"identity.jwt.{other}.subject_prefix: begins with that of identity.jwt.{name}, so both could issue "
                "the same identity; give each issuer a prefix of its own, such as corp:"
            )


def _problems_of_one(name: str, jwt: JwtSettings) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield ": a name has 1 to 64 letters, digits, '_', '.' or '-'"
    if not (jwt.issuer and jwt.audience):
        yield ": must have issuer and audience, or tokens issued for other services would be accepted"
    if not _SUBJECT_PREFIX.fullmatch(jwt.subject_prefix):
        yield ".subject_prefix: must be up to 64 characters from 0x21 to 0x7E without *, the last one of / : . - @"
    if jwt.clock_skew_s >= jwt.max_lifetime_s:
        yield f".clock_skew_s: must be less than identity.jwt.{name}.max_lifetime_s; lower it, or raise the other"


def _source_problems(jwt: JwtSettings, *, has_proxy: bool) -> Iterator[str]:
    """List the problems with where the keys of an issuer come from."""
    given = {"key_set_file": jwt.key_set_file, "key_set_url": jwt.key_set_url, "discovery: true": jwt.discovery}
    chosen = [setting for setting, value in given.items() if value]
    if len(chosen) != 1:
        found = " and ".join(chosen) or "none"
        yield f": must have exactly one of key_set_file, key_set_url and discovery: true; it has {found}"
    if jwt.key_set_url and host_and_port(jwt.key_set_url) is None:
        yield ".key_set_url: must be an https URL without user and fragment, such as https://id.example/keys"
    if jwt.discovery and (host_and_port(jwt.issuer) is None or "?" in jwt.issuer):
        yield ".issuer: must be an https URL without a query where discovery is true, such as https://id.example"
    if jwt.key_set_hosts and not jwt.discovery:
        yield ".key_set_hosts: has an effect with discovery: true only"
    for at, host in enumerate(jwt.key_set_hosts):
        if with_port(host) is None:
            yield f".key_set_hosts.{at}: must be a host, or a host and a port, such as keys.example:8443"
    if chosen == ["key_set_file"] and (jwt.ca_file or jwt.through_proxy):
        yield ": ca_file and through_proxy have an effect with key_set_url or discovery only"
    if jwt.through_proxy and not has_proxy:
        yield ".through_proxy: needs zuora_http.proxy_url"


def token_problem(caller: str, issuers: Mapping[str, JwtSettings]) -> str:
    """Return why no issuer, or more than one, can issue the identity of an entry, or an empty text.

    Args:
        caller: An identity, or a prefix of identities and a `*`.
        issuers: Of tokens, by name.
    """
    if not issuers:
        return "tokens are not accepted; set identity.jwt"
    begins = {name: f"jwt:{jwt.subject_prefix}" for name, jwt in issuers.items()}
    stem = caller.removesuffix(ANY)
    matching = [
        name for name, begin in begins.items() if stem.startswith(begin) or (stem != caller and begin.startswith(stem))
    ]
    if not matching:
        known = " or ".join(map(shown_name, begins.values()))
        return f"no issuer of identity.jwt issues it; identities begin with {known}"
    if len(matching) > 1:
        return f"covers tokens of several issuers, {', '.join(matching)}; give each an entry of its own"
    return ""
