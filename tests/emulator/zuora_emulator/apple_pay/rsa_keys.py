"""The RSA keys of tokens of version RSA_v1, all published: their primes follow from names, as the curve keys do.

Each prime is the first one at or above a hash of its name; the table says how far above, since a search takes seconds.
"""

import functools
import hashlib
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import rsa

_LABEL = "payorch zuora-emulator NOT APPLE 1/RSA"
_PUBLIC_EXPONENT = 65537
_PRIME_BYTES = 128  # keys of 2048 bits, as devices and merchants have
_LOWEST = 3 << (8 * _PRIME_BYTES - 2) | 1  # both highest bits, so that the product has all its bits; and odd
_STEPS: Mapping[str, tuple[int, int]] = {
    "leaf": (1596, 396),
    "processing 0 of merchant.example.payorch": (494, 824),
    "processing 1 of merchant.example.payorch": (130, 1374),
    "processing 0 of merchant.example.other": (308, 508),
    "processing 1 of merchant.example.other": (196, 60),
}


def has_rsa_key(name: str) -> bool:
    """Return whether there is an RSA key of that name."""
    return name in _STEPS


@functools.cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """Return the RSA key of that name; it is the same under every authority.

    Raises:
        KeyError: There is no such key.
    """
    first, second = (_start(f"{_LABEL} {name}/{which}") + step for which, step in zip("pq", _STEPS[name], strict=True))
    private_exponent = pow(_PUBLIC_EXPONENT, -1, (first - 1) * (second - 1))
    numbers = rsa.RSAPrivateNumbers(
        p=first,
        q=second,
        d=private_exponent,
        dmp1=rsa.rsa_crt_dmp1(private_exponent, first),
        dmq1=rsa.rsa_crt_dmq1(private_exponent, second),
        iqmp=rsa.rsa_crt_iqmp(first, second),
        public_numbers=rsa.RSAPublicNumbers(e=_PUBLIC_EXPONENT, n=first * second),
    )
    # A test has the keys validated once; here it would cost a tenth of a second for each.
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def _start(name: str) -> int:
    return int.from_bytes(hashlib.shake_256(name.encode()).digest(_PRIME_BYTES)) | _LOWEST
