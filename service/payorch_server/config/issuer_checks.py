"""Checks of the issuers of tokens: two issuers must never give two callers the same identity."""

import re
from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Final

from payorch_server.model.caller import ANY
from payorch_server.rpc.settings import JwtSettings

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SUBJECT_PREFIX: Final = re.compile(r"(?:[!-)+-~]{0,63}[/:.@-])?")
"""Empty, or up to 64 characters without a `*`, of which the last separates it from the subject."""


def issuer_problems(issuers: Mapping[str, JwtSettings]) -> Iterator[str]:
    """List the problems of the issuers of tokens."""
    for name, jwt in issuers.items():
        yield from (f"identity.jwt.{name}{problem}" for problem in _problems_of_one(name, jwt))
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
        return f"no issuer of identity.jwt issues it; identities begin with {' or '.join(begins.values())}"
    if len(matching) > 1:
        return f"covers tokens of several issuers, {', '.join(matching)}; give each an entry of its own"
    return ""
