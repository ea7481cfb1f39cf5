"""Identities of callers: from a token, a header of a trusted mesh, or the certificate of the connection."""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from payorch_server.access.bearer import KeySet, TokenError, TokenRules, UnknownKeyError, claimed_issuer
from payorch_server.access.fetched_keys import FetchedKeys
from payorch_server.model.caller import ANONYMOUS, has_spiffe_scheme, is_spiffe_id
from payorch_server.model.errors import CallError, Failure, call_error
from payorch_server.model.outcome import Reason
from payorch_server.model.secret import Secret
from payorch_server.rpc.settings import IdentitySettings, MeshSettings

_SCHEME: Final = "bearer "
# No commas: proxies join repeated headers with them, and the first part could be the caller's invention.
_BARE_IDENTITY: Final = re.compile(r"[!-+\--~]{1,512}")
# Prefixes of identities from other sources: no certificate may claim them.
_RESERVED: Final = ("dns:", "jwt:", "mesh:")
_PAIR: Final = re.compile(r'(?P<key>[A-Za-z]+)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^",;]*))')
# Connections; the calls of one come from the same peer.
_MAX_PEERS: Final = 4096
UNIX: Final = "unix"
"""The address of a peer on a Unix socket."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection."""

    address: str
    """IP address, UNIX, or empty if unknown."""
    encrypted: bool
    identities: tuple[str, ...]
    """From its certificate: URIs unchanged, then `dns:` and each name."""

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return self.address == UNIX or (bool(self.address) and ipaddress.ip_address(self.address).is_loopback)


def peer_of(context: Any) -> Peer:
    """Return the other end of a call's connection."""
    auth: Mapping[str, Sequence[bytes]] = context.auth_context()
    uris, names = ([name.decode(errors="replace") for name in auth.get(key, ())] for key in ("peer_uri", "peer_dns"))
    encrypted = b"ssl" in auth.get("transport_security_type", ())
    return Peer(_address(context.peer()), encrypted, identities_in(uris, names))


@lru_cache(maxsize=_MAX_PEERS)
def _address(peer: str) -> str:
    kind, _, rest = peer.partition(":")
    if kind == UNIX:
        return UNIX
    host = unquote(rest.rpartition(":")[0]).strip("[]").partition("%")[0]
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ""


class KeyMissingError(CallError):
    """A token that cannot be checked with the keys at hand, and perhaps with those that its issuer publishes now."""

    def __init__(self, failure: Failure, issuer: str) -> None:
        """Make the error.

        Args:
            failure: What the caller is answered if the issuer publishes no such key.
            issuer: Its name in the settings.
        """
        super().__init__(failure)
        self.issuer = issuer


class IdentityResolver:
    """Resolves the identities of a caller from its credentials."""

    def __init__(
        self, settings: IdentitySettings, key_sets: Mapping[str, KeySet], fetched: FetchedKeys | None = None
    ) -> None:
        """Make a resolver.

        Args:
            settings: Which credentials count.
            key_sets: From files, by the issuer's name in the settings.
            fetched: The keys of all other issuers; None if there are none.
        """
        self.key_sets = key_sets
        """Public keys from files; replaced as a whole."""
        self._fetched = fetched
        self._rules = {
            jwt.issuer: (
                name,
                TokenRules(jwt.issuer, jwt.audience, jwt.clock_skew_s, jwt.max_lifetime_s, jwt.subject_prefix),
            )
            for name, jwt in settings.jwt.items()
        }
        self._mesh = settings.mesh

    def __repr__(self) -> str:
        return f"IdentityResolver({self.key_sets!r}, mesh={self._mesh is not None})"

    def resolve(self, peer: Peer, metadata: Sequence[tuple[str, str | bytes]], now: datetime) -> tuple[str, ...]:
        """Return the authenticated identities, the most specific first, or ANONYMOUS if there are none.

        Args:
            peer: The other end of the connection.
            metadata: Of the call.
            now: The time.

        Raises:
            KeyMissingError: A token is given whose key may be had by `renew_keys`.
            CallError: A credential is given and not accepted; no other source is tried then.
        """
        # 1. A token, if tokens are accepted and the call has one.
        if self._rules and (given := _values(metadata, "authorization")):
            return (self._identity_in_token(given, peer, now),)
        # 2. The header of a mesh, from a trusted peer; from others it is ignored.
        if self._mesh and _is_trusted(peer, self._mesh) and (given := _values(metadata, self._mesh.header)):
            return _identities_in_header(given, self._mesh)
        # 3. The client certificate of the connection.
        return peer.identities or (ANONYMOUS,)

    def _identity_in_token(self, given: list[str], peer: Peer, now: datetime) -> str:
        # 1. Exactly one bearer token.
        if len(given) != 1 or given[0][: len(_SCHEME)].lower() != _SCHEME:
            raise _unauthenticated("authorization", "one bearer token")
        # 2. Plaintext from another machine could have been read on the way.
        if not peer.encrypted and not peer.is_local:
            raise _unauthenticated("authorization", "TLS")
        # 3. A token that the keys of the issuer verify that it claims to be of.
        token = Secret(given[0][len(_SCHEME) :].strip())
        try:
            name, rules = self._issuer(claimed_issuer(token))
            return f"jwt:{rules.subject_prefix}{self._verify(token, name, rules, now)}"
        except TokenError as error:
            raise _unauthenticated("authorization", str(error)) from None

    def _issuer(self, issuer: str) -> tuple[str, TokenRules]:
        if issuer not in self._rules:
            raise TokenError("issuer")
        return self._rules[issuer]

    def _verify(self, token: Secret[str], name: str, rules: TokenRules, now: datetime) -> str:
        """Return the subject of a token, verified with the keys of the issuer that it claims to be of."""
        if self._fetched is None or name not in self._fetched:
            if name not in self.key_sets:
                raise TokenError("a key set to check it with")
            return self.key_sets[name].verify(token, rules=rules, now=now)
        keys = self._fetched.key_set(name)
        if keys is None:
            raise KeyMissingError(_keys_unavailable(name).failure, name)
        try:
            return keys.verify(token, rules=rules, now=now)
        except UnknownKeyError as error:
            raise KeyMissingError(_unauthenticated("authorization", str(error)).failure, name) from None

    async def renew_keys(self, issuer: str, *, within_s: float) -> None:
        """Wait for the keys that an issuer publishes now.

        Args:
            issuer: Its name in the settings.
            within_s: How long to wait at most.

        Raises:
            CallError: They cannot be had, or not in that time; NOT_SENT.
        """
        if self._fetched is None or not await self._fetched.renew(issuer, within_s=within_s):
            raise _keys_unavailable(issuer)


def _values(metadata: Sequence[tuple[str, str | bytes]], key: str) -> list[str]:
    return [value if isinstance(value, str) else "" for name, value in metadata if name == key]


def _is_trusted(peer: Peer, mesh: MeshSettings) -> bool:
    return any(_matches(peer, trusted) for trusted in mesh.peers)


def _matches(peer: Peer, trusted: str) -> bool:
    try:
        network = ipaddress.ip_network(trusted)
    except ValueError:
        return trusted in peer.identities
    return peer.address not in {"", UNIX} and ipaddress.ip_address(peer.address) in network


def _identities_in_header(given: list[str], mesh: MeshSettings) -> tuple[str, ...]:
    if len(given) != 1:
        raise _unauthenticated(mesh.header, "one value")
    if mesh.format == "identity":
        if not _BARE_IDENTITY.fullmatch(given[0]):
            raise _unauthenticated(mesh.header, "one identity without commas and white space")
        return (f"mesh:{given[0]}",)
    try:
        return parse_client_certificate_header(given[0])
    except HeaderFormatError as error:
        raise _unauthenticated(mesh.header, str(error)) from None


def _unauthenticated(credential: str, rule: str) -> CallError:
    detail = f"the credential {credential} breaks the rule: {rule}"
    return call_error(Reason.CALLER_UNAUTHENTICATED, detail, credential=credential, rule=rule)


def _keys_unavailable(issuer: str) -> CallError:
    detail = f"the keys of the issuer {issuer} cannot be fetched, or not in time, so the token cannot be checked"
    return call_error(Reason.CALLER_KEYS_UNAVAILABLE, detail, credential="authorization", issuer=issuer)


def identities_in(uris: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """Return URIs unchanged, then `dns:` and each name.

    URIs that look like identities of another source are dropped: a certificate authority does not issue tokens, and
    the right to a URI is not the right to a name. So are URIs of the scheme spiffe that are no SPIFFE ids.
    """
    allowed = [uri for uri in uris if ":" in uri and not uri.lower().startswith(_RESERVED) and not _is_false_id(uri)]
    return (*allowed, *(f"dns:{name}" for name in names if name))


def _is_false_id(uri: str) -> bool:
    return has_spiffe_scheme(uri) and not is_spiffe_id(uri)


class HeaderFormatError(Exception):
    """A header without a usable identity; the text is the rule that it breaks."""


def parse_client_certificate_header(text: str) -> tuple[str, ...]:
    """Return the identities in Envoy's x-forwarded-client-cert: URIs unchanged, then `dns:` and each name.

    `By=spiffe://...;Hash=...;Subject="CN=a,O=b";URI=spiffe://...;DNS=a;DNS=b`, elements separated by commas, one per
    proxy on the way. Source: Envoy, "HTTP connection manager: HTTP header manipulation", x-forwarded-client-cert.

    Raises:
        HeaderFormatError: It is malformed, has no identity, or has several elements (an ambiguous caller).
    """
    uris: list[str] = []
    names: list[str] = []
    position = 0
    while position < len(text):
        pair = _PAIR.match(text, position)
        if pair is None:
            raise HeaderFormatError("pairs of key and value, divided by ;")
        value = pair["plain"] if pair["quoted"] is None else re.sub(r"\\(.)", r"\1", pair["quoted"])
        if pair["key"].lower() == "uri":
            uris.append(value)
        elif pair["key"].lower() == "dns":
            names.append(value)
        position = pair.end()
        if text[position : position + 1] == ",":
            raise HeaderFormatError("one element")
        if position < len(text) and text[position] != ";":
            raise HeaderFormatError("pairs of key and value, divided by ;")
        position += 1
    if not (identities := identities_in(uris, names)):
        raise HeaderFormatError("a URI or DNS")
    return identities
