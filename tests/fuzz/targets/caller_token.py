"""Tokens of callers: whole ones, and ones that are put together from mutated parts."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ed25519
from harness.authority import AUDIENCE, ISSUER, Issuer
from payorch_server.access.bearer import KeySet
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Reason
from payorch_server.rpc.identity import IdentityResolver, Peer
from payorch_server.rpc.settings import IdentitySettings, JwtSettings

from fuzz.hard_json import hard_json
from fuzz.target import CANARY, Target, note, require

_NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
_KEY: Final = ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32)
"""Ed25519 signs equal texts equally, so that executions can be repeated."""
_KEYS: Final = KeySet({"k": (_KEY.public_key(), "EdDSA")})
_RESOLVER: Final = IdentityResolver(
    IdentitySettings({"own": JwtSettings(ISSUER, AUDIENCE, "/nowhere")}), {"own": _KEYS}
)
_PEER: Final = Peer("127.0.0.1", encrypted=True, identities=())
_WHOLE, _UNSIGNED, _SIGNED = b"w", b"u", b"s"
_CLAIMS: Final = {"iss": ISSUER, "aud": AUDIENCE, "sub": CANARY, "exp": _NOW.timestamp() + 60}


def run(data: bytes) -> None:
    """Resolve a token.

    `w` is followed by a whole authorization line, `u` and `s` by the texts of header and claims, with a line feed in
    between, which are encoded here. Only what follows `s` is signed with the issuer's key.
    """
    form, rest = data[:1], data[1:]
    value = rest.decode("latin-1")
    if form != _WHOLE:
        value = f"Bearer {_token(rest, signed=form == _SIGNED)}"
    try:
        identities = _RESOLVER.resolve(_PEER, (("authorization", value),), _NOW)
    except CallError as error:
        note(error, error.failure)
        require(error.failure.reason is Reason.CALLER_UNAUTHENTICATED, "a token is refused as what it is")
        return
    genuine = form == _SIGNED or value[len("Bearer ") :].strip() in _GENUINE
    require(genuine, "a token that the issuer did not sign yields no identity")
    require(len(identities) == 1 and identities[0].startswith("jwt:"), "a token yields one identity")
    if form == _SIGNED:
        claims = json.loads(rest.partition(b"\n")[2])
        require(identities == (f"jwt:{claims['sub']}",), "the identity is the subject")
        require(claims["iss"] == ISSUER and AUDIENCE in claims["aud"], "issuer and audience are ours")
        require(_NOW.timestamp() - 30 < claims["exp"] <= _NOW.timestamp() + 86_400 + 30, "the token is valid now")


def _token(parts: bytes, *, signed: bool) -> str:
    header, _, claims = parts.partition(b"\n")
    text = f"{_unpadded(header)}.{_unpadded(claims)}"
    return f"{text}.{_unpadded(_KEY.sign(text.encode()) if signed else bytes(64))}"


def _unpadded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _signed_seed(**changes: object) -> bytes:
    return b'{"alg":"EdDSA","kid":"k"}\n' + json.dumps({**_CLAIMS, **changes}, separators=(",", ":")).encode()


_GENUINE: Final = frozenset({_token(_signed_seed(), signed=True)})


def _seeds() -> Iterator[bytes]:
    yield from (_WHOLE + f"Bearer {token}".encode() for token in _GENUINE)
    for form in (_UNSIGNED, _SIGNED):
        yield form + _signed_seed()
        yield form + _signed_seed(nbf=0, iat=_NOW.timestamp(), aud=["a", AUDIENCE], jti=CANARY)
    header, _, claims = _signed_seed().partition(b"\n")
    yield _SIGNED + header + b"\n" + claims.decode().encode("utf-16-le")
    yield _UNSIGNED + b'{"alg":"none","kid":"k","crit":["exp"],"b64":false}\n' + claims
    yield _UNSIGNED + b'{"alg":"HS256","kid":"k","jwk":{},"x5c":[]}\n' + claims
    yield _WHOLE + f"Bearer {Issuer('EdDSA', kid='k').token(CANARY, now=_NOW)[:40]}..".encode()
    yield from (_UNSIGNED + b'{"alg":"EdDSA","kid":"k"}\n' + text for text in hard_json())
    yield from (_UNSIGNED + text + b"\n" + claims for text in hard_json())


TARGET = Target(
    "caller_token",
    run,
    _seeds,
    covers=("access.bearer", "rpc.identity"),
    words=(
        *(
            '"alg":',
            '"kid":',
            '"EdDSA"',
            '"none"',
            '"HS256"',
            '"iss":',
            '"aud":',
            '"sub":',
            '"exp":',
            '"nbf":',
            '"iat":',
        ),
        *(ISSUER, AUDIENCE, "NaN", "Infinity", "1e999", "true", "null", "[", "{", "\\u0000", "\\ud800", '"crit":'),
    ),
    max_bytes=8192,
)
