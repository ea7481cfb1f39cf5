"""RSA-OAEP with SHA-256 and MGF1 with SHA-256 (RFC 8017 section 7.1.1), with a seed that the caller gives.

The library draws the seed itself, and a token that is to be minted twice alike needs the same one twice.
"""

import hashlib

from cryptography.hazmat.primitives.asymmetric import rsa

_HASH_BYTES = 32
_LABEL_HASH = hashlib.sha256(b"").digest()


def encrypt(*, key: rsa.RSAPublicKey, message: bytes, seed: bytes) -> bytes:
    """Return the ciphertext, as long as the modulus.

    Args:
        key: The recipient's.
        message: At most 190 bytes for a key of 2048 bits.
        seed: 32 random bytes.
    """
    size = key.key_size // 8
    padding = bytes(size - len(message) - 2 * _HASH_BYTES - 2)
    block = _LABEL_HASH + padding + b"\x01" + message
    masked_block = _xor(block, _mask(seed, len(block)))
    masked_seed = _xor(seed, _mask(masked_block, _HASH_BYTES))
    numbers = key.public_numbers()
    return pow(int.from_bytes(masked_seed + masked_block), numbers.e, numbers.n).to_bytes(size)


def _mask(seed: bytes, size: int) -> bytes:
    counters = range(-(-size // _HASH_BYTES))
    return b"".join(hashlib.sha256(seed + counter.to_bytes(4)).digest() for counter in counters)[:size]


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
