"""Identities that proxies and certificates name."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from payorch_server.model.errors import CallError
from payorch_server.rpc.identity import (
    HeaderFormatError,
    IdentityResolver,
    Peer,
    parse_client_certificate_header,
    peer_of,
)
from payorch_server.rpc.settings import IdentitySettings, MeshSettings

from fuzz.target import Target, note, require

_NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
_PEER: Final = Peer("127.0.0.1", encrypted=False, identities=())
_FORMATS: Final = ("xfcc", "identity")
_RESOLVERS: Final = tuple(
    IdentityResolver(IdentitySettings({}, MeshSettings(("127.0.0.1/32",), "x", form)), {}) for form in _FORMATS
)


class _Context:
    """The connection of a call, as gRPC describes it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def auth_context(self) -> dict[str, list[bytes]]:
        names = [name.encode("latin-1") for name in self._text.split(";")]
        return {"transport_security_type": [b"ssl"], "peer_uri": names, "peer_dns": names}

    def peer(self) -> str:
        return self._text


def run(data: bytes) -> None:
    """Read the header in both formats, as a list of names in a certificate, and as the address of a peer."""
    text = data.decode("latin-1")
    for resolver, form in zip(_RESOLVERS, _FORMATS, strict=True):
        try:
            identities = resolver.resolve(_PEER, (("x", text),), _NOW)
        except CallError as error:
            note(error, error.failure)
            continue
        require(identities, "an accepted header names an identity")
        if form == "identity":
            require(identities == (f"mesh:{text}",) and "," not in text, "a bare identity is the whole header")
        else:
            _check_names(identities)
    with contextlib.suppress(HeaderFormatError):
        parse_client_certificate_header(text)
    peer = peer_of(_Context(text))
    _check_names(peer.identities)
    require(peer.is_local in {True, False}, "a peer is on this machine or not")


def _check_names(identities: tuple[str, ...]) -> None:
    for identity in identities:
        require(not identity.lower().startswith(("jwt:", "mesh:")), "a certificate names no identity of another source")
        require(":" in identity, "an identity is a URI or has a prefix")


def _seeds() -> Iterator[bytes]:
    yield b'By=spiffe://a/b;Hash=00;Subject="CN=a,O=b";URI=spiffe://x/ns/shop/sa/checkout;DNS=a.test;DNS=b.test'
    yield b'Cert="-----BEGIN%20CERTIFICATE";Chain="a\\"b\\\\";uri="spiffe://x/y"'
    yield b"URI=jwt:checkout;DNS=,URI=dns:x"
    yield b"spiffe://x/ns/shop/sa/checkout"
    yield b"ipv4:127.0.0.1:50051"
    yield b"ipv6:%5B::1%25eth0%5D:50051"
    yield b"unix:/tmp/socket"
    yield b"mesh:a;JWT:b;SPIFFE://x;dns:c"


TARGET = Target(
    "identity_header",
    run,
    _seeds,
    covers=("rpc.identity", "model.caller"),
    words=(
        "URI=",
        "DNS=",
        "By=",
        "Hash=",
        'Subject="',
        "spiffe://",
        ";",
        ",",
        "\\",
        "%5B",
        "ipv4:",
        "ipv6:",
        "unix:",
        "jwt:",
    ),
)
