"""Which identities somebody vouches for: a token, a trusted mesh, or the certificate of the connection."""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote

from payorch_server.model.caller import ANONYMOUS
from payorch_server.model.errors import CallError, call_error
from payorch_server.model.outcome import Reason
from payorch_server.model.secret import Secret
from payorch_server.rpc.bearer import KeySet, TokenRefused, TokenRules
from payorch_server.rpc.settings import IdentitySettings, MeshSettings

_SCHEME: Final = "bearer "
# Whoever joins repeated headers writes commas: the first part may then be the caller's own invention.
_TOLD: Final = re.compile(r"[!-+\--~]{1,512}")
# What begins so is vouched for by somebody else, or is written by us.
_RESERVED: Final = ("dns:", "jwt:", "mesh:")
_PAIR: Final = re.compile(r'(?P<key>[A-Za-z]+)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^",;]*))')
UNIX: Final = "unix"
"""The address of a peer on a Unix socket."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection."""

    address: str
    """IP address, UNIX, or empty when it is not known."""
    encrypted: bool
    identities: tuple[str, ...]
    """In its certificate: URIs as they are, then `dns:` and each name."""

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return self.address == UNIX or (bool(self.address) and ipaddress.ip_address(self.address).is_loopback)


def peer_of(context: Any) -> Peer:
    """Return the other end of a call's connection."""
    auth: Mapping[str, Sequence[bytes]] = context.auth_context()
    uris, names = ([one.decode(errors="replace") for one in auth.get(kind, ())] for kind in ("peer_uri", "peer_dns"))
    encrypted = b"ssl" in auth.get("transport_security_type", ())
    return Peer(_address(context.peer()), encrypted, identities_in(uris, names))


def _address(peer: str) -> str:
    kind, _, rest = peer.partition(":")
    if kind == UNIX:
        return UNIX
    host = unquote(rest.rpartition(":")[0]).strip("[]").partition("%")[0]
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ""


class Identities:
    """Finds out who calls."""

    def __init__(self, settings: IdentitySettings, key_set: KeySet | None) -> None:
        self.key_set = key_set
        """Of the issuer of tokens; replaced as a whole."""
        jwt = settings.jwt
        self._rules = TokenRules(jwt.issuer, jwt.audience, jwt.clock_skew_s) if jwt else None
        self._mesh = settings.mesh

    def __repr__(self) -> str:
        return f"Identities({self.key_set!r}, mesh={self._mesh is not None})"

    def of(self, peer: Peer, metadata: Sequence[tuple[str, str | bytes]], now: datetime) -> tuple[str, ...]:
        """Return the identities that somebody vouches for, the most specific first; ANONYMOUS when nobody does.

        Args:
            peer: The other end of the connection.
            metadata: Of the call.
            now: The time.

        Raises:
            CallError: A credential is given and not accepted; NOT_SENT. Nothing else is tried then.
        """
        if self._rules and (given := _values(metadata, "authorization")):
            if self.key_set is None:
                raise _refused("authorization", "a key set to check it with")
            return (_by_token(given, peer, self.key_set, self._rules, now),)
        if self._mesh and _is_believed(peer, self._mesh) and (given := _values(metadata, self._mesh.header)):
            return _by_mesh(given, self._mesh)
        return peer.identities or (ANONYMOUS,)


def _values(metadata: Sequence[tuple[str, str | bytes]], key: str) -> list[str]:
    return [value if isinstance(value, str) else "" for name, value in metadata if name == key]


def _by_token(given: list[str], peer: Peer, keys: KeySet, rules: TokenRules, now: datetime) -> str:
    if len(given) != 1 or given[0][: len(_SCHEME)].lower() != _SCHEME:
        raise _refused("authorization", "one bearer token")
    if not peer.encrypted and not peer.is_local:
        raise _refused("authorization", "TLS")
    try:
        return f"jwt:{keys.subject(Secret(given[0][len(_SCHEME) :].strip()), rules=rules, now=now)}"
    except TokenRefused as refusal:
        raise _refused("authorization", str(refusal)) from None


def _is_believed(peer: Peer, mesh: MeshSettings) -> bool:
    return any(_is_one_of(peer, one) for one in mesh.peers)


def _is_one_of(peer: Peer, believed: str) -> bool:
    try:
        network = ipaddress.ip_network(believed)
    except ValueError:
        return believed in peer.identities
    return peer.address not in {"", UNIX} and ipaddress.ip_address(peer.address) in network


def _by_mesh(given: list[str], mesh: MeshSettings) -> tuple[str, ...]:
    if len(given) != 1:
        raise _refused(mesh.header, "one value")
    if mesh.format == "identity":
        if not _TOLD.fullmatch(given[0]):
            raise _refused(mesh.header, "one identity without commas and white space")
        return (f"mesh:{given[0]}",)
    try:
        return parse_header(given[0])
    except HeaderBroken as error:
        raise _refused(mesh.header, str(error)) from None


def _refused(credential: str, rule: str) -> CallError:
    private = f"the credential {credential} breaks the rule: {rule}"
    return call_error(Reason.CALLER_UNAUTHENTICATED, private, credential=credential, rule=rule)


def identities_in(uris: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """Return URIs as they are, then `dns:` and each name.

    A URI that reads like an identity of another kind counts for nothing: an authority that issues certificates does not
    vouch for tokens, and whoever may have any URI in a certificate may not have any name.
    """
    own = [uri for uri in uris if ":" in uri and not uri.lower().startswith(_RESERVED)]
    return (*own, *(f"dns:{name}" for name in names if name))


class HeaderBroken(Exception):  # noqa: N818 - it is the header that is broken
    """A header that names no caller; its text is the rule that it breaks."""


def parse_header(text: str) -> tuple[str, ...]:
    """Return the identities in Envoy's x-forwarded-client-cert: URIs as they are, then `dns:` and each name.

    `By=spiffe://...;Hash=...;Subject="CN=a,O=b";URI=spiffe://...;DNS=a;DNS=b`, elements divided by commas, one for each
    proxy on the way. Source: Envoy, "HTTP connection manager: HTTP header manipulation", x-forwarded-client-cert.

    Raises:
        HeaderBroken: It cannot be read, names nobody, or has several elements: who of them calls is a guess.
    """
    uris: list[str] = []
    names: list[str] = []
    place = 0
    while place < len(text):
        pair = _PAIR.match(text, place)
        if pair is None:
            raise HeaderBroken("pairs of key and value, divided by ;")
        value = pair["plain"] if pair["quoted"] is None else re.sub(r"\\(.)", r"\1", pair["quoted"])
        if pair["key"].lower() == "uri":
            uris.append(value)
        elif pair["key"].lower() == "dns":
            names.append(value)
        place = pair.end()
        if text[place : place + 1] == ",":
            raise HeaderBroken("one element")
        if place < len(text) and text[place] != ";":
            raise HeaderBroken("pairs of key and value, divided by ;")
        place += 1
    if not (identities := identities_in(uris, names)):
        raise HeaderBroken("a URI or DNS")
    return identities
