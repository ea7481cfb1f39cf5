"""Key sets of issuers, discovery documents, and how long their answers are fresh."""

import json
from collections.abc import Iterator

from harness.authority import ISSUER, Issuer, key_set
from payorch_server.access.bearer import ALGORITHMS, KeySetError, parse_key_set
from payorch_server.access.key_source import (
    MAX_FRESH_S,
    MIN_FRESH_S,
    KeyFetchError,
    KeySource,
    fresh_for_s,
    host_and_port,
    key_set_url,
    with_port,
)

from fuzz.hard_json import hard_json
from fuzz.target import Target, require

_SOURCE = KeySource(ISSUER, hosts=frozenset({"keys.test:443"}))


def run(data: bytes) -> None:
    """Parse as each kind of document, as a header field and as a URL."""
    try:
        keys = parse_key_set(data)
    except KeySetError:
        pass
    else:
        require(keys.keys, "a key set has a key")
        require(all(algorithm in ALGORITHMS.values() for _, algorithm in keys.keys.values()), "algorithms are ours")
        require(not any(hasattr(key, "private_numbers") for key, _ in keys.keys.values()), "keys are public ones")
    try:
        url = key_set_url(data, _SOURCE)
    except KeyFetchError:
        pass
    else:
        require(host_and_port(url) in {"issuer.test:443", "keys.test:443"}, "keys come from allowed hosts alone")
    text = data.decode("latin-1")
    require(MIN_FRESH_S <= fresh_for_s([text], text[:10]) <= MAX_FRESH_S, "freshness has bounds")
    host_and_port(text)
    with_port(text)


def _seeds() -> Iterator[bytes]:
    issuers = [Issuer(algorithm, kid=algorithm) for algorithm in ("ES256", "EdDSA")]
    document = json.loads(key_set(*issuers))
    yield json.dumps(document, separators=(",", ":")).encode()
    yield json.dumps(document).encode("utf-16-le")
    document["keys"] += [
        {"kty": "oct", "k": "AAAA"},
        {"use": "enc"},
        {"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"},
    ]
    yield json.dumps(document, separators=(",", ":")).encode()
    yield json.dumps({"issuer": ISSUER, "jwks_uri": f"{ISSUER}:443/keys?a=b"}).encode()
    yield json.dumps({"issuer": ISSUER, "jwks_uri": "https://keys.test/jwks"}).encode("utf-32")
    yield b'max-age=600, stale-while-revalidate="60", no-cache'
    yield b"https://[::1]:8443/keys"
    yield from hard_json()


TARGET = Target(
    "key_set",
    run,
    _seeds,
    covers=("access.bearer", "access.key_source"),
    words=(
        *('"keys":[', '"kty":', '"RSA"', '"EC"', '"OKP"', '"crv":', '"P-256"', '"Ed25519"', '"x":', '"y":', '"d":'),
        *('"kid":', '"alg":', '"use":', '"sig"', '"enc"', '"n":', '"e":', '"key_ops":', '"issuer":', '"jwks_uri":'),
        *("https://", "issuer.test", "@", "\\u0000", "max-age=", "no-store"),
    ),
    max_bytes=16_384,
    has_secrets=False,  # public keys
)
