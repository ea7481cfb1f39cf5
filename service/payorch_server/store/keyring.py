"""The fleet's secret keys: the one in use, and its predecessor, which can still be read with."""

import hmac
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b, sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - the keys are used here

MIN_KEY_BYTES: Final = 32
FORM_MARK: Final = "|"
"""Separates the form of a fingerprint from the id of its key, which does not contain it."""
_NONCE_BYTES: Final = 12
_FINGERPRINT_LABEL: Final = b"payorch/fingerprint/1"
_COMPACT_LABEL: Final = b"payorch/fingerprint/2"
_COMPACT_BYTES: Final = 16
_SEAL_LABEL: Final = b"payorch/seal/1"
_SPAN_LABEL: Final = b"payorch/span/1"
_SPAN_NAME_DIGITS: Final = 16
_PSEUDONYM_LABEL: Final = b"payorch/pseudonym/1"
_PSEUDONYM_DIGITS: Final = 32
PSEUDONYM_PREFIX: Final = "hmac-"
"""Begins the texts that stand for others."""


class SealBroken(Exception):  # noqa: N818 - the seal is what is broken
    """A sealed value was made with a key that is gone, or was changed."""


class SealKeyGone(SealBroken):
    """The key that a value was sealed with is not configured."""


class _Hmac:
    """HMAC-SHA-256 under one key, three times as fast as `hmac.digest` for short values.

    The key's two blocks are hashed once, and each value continues from copies. Source: RFC 2104, section 4.
    """

    def __init__(self, key: bytes) -> None:
        block = key.ljust(sha256().block_size, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))

    def __call__(self, value: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(value)
        outer.update(inner.digest())
        return outer.digest()


class Keyring:
    """Keyed hashes and seals, by key id."""

    def __init__(self, keys: Sequence[tuple[str, Secret[bytes]]], *, entropy: Callable[[int], bytes]) -> None:
        """Derive what is needed.

        Args:
            keys: Id and secret of each key, the one in use first; each secret at least MIN_KEY_BYTES long.
            entropy: Returns so many random bytes.
        """
        self.key_ids = tuple(key_id for key_id, _ in keys)
        self._entropy = entropy
        self._hashes: Mapping[str, _Hmac] = {
            key_id: _Hmac(hmac.digest(reveal(secret), _FINGERPRINT_LABEL, sha256)) for key_id, secret in keys
        }
        self._compact_hashes = {
            key_id: blake2b(key=hmac.digest(reveal(secret), _COMPACT_LABEL, sha256), digest_size=_COMPACT_BYTES)
            for key_id, secret in keys
        }
        self._pseudonym_keys = tuple(hmac.digest(reveal(secret), _PSEUDONYM_LABEL, sha256) for _, secret in keys)
        self._span_key = hmac.digest(reveal(keys[0][1]), _SPAN_LABEL, sha256)
        self._seals: Mapping[str, AESGCM] = {
            key_id: AESGCM(hmac.digest(reveal(secret), _SEAL_LABEL, sha256)) for key_id, secret in keys
        }

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self.key_ids)})"

    def keyed_hash(self, key_id: str, value: bytes) -> bytes:
        """Return 32 bytes that cannot be computed or compared without the key."""
        return self._hashes[key_id](value)

    def compact_hash(self, key_id: str, value: bytes) -> bytes:
        """Return 16 bytes that cannot be computed or compared without the key."""
        digest = self._compact_hashes[key_id].copy()
        digest.update(value)
        return digest.digest()

    def name_in_spans(self, key: str) -> str:
        """Return 16 hexadecimal digits by which spans of one intent are found, without naming the intent."""
        return hmac.digest(self._span_key, key.encode(), sha256).hex()[:_SPAN_NAME_DIGITS]

    def pseudonyms(self, text: str, *, purpose: str) -> tuple[str, ...]:
        """Return what stands for a text that must not be shown or stored: PSEUDONYM_PREFIX and 32 hexadecimal digits.

        Args:
            text: Equal texts have equal pseudonyms while the key is the same.
            purpose: Texts of different purposes have different ones.

        Returns:
            One for each key, that of the key in use first.
        """
        value = f"{purpose}\0{text}".encode(errors="surrogatepass")
        return tuple(
            PSEUDONYM_PREFIX + hmac.digest(key, value, sha256).hex()[:_PSEUDONYM_DIGITS] for key in self._pseudonym_keys
        )

    def seal(self, value: bytes, *, purpose: str) -> tuple[str, bytes]:
        """Encrypt a value for the store; return the id of the key and the sealed bytes."""
        key_id = self.key_ids[0]
        nonce = self._entropy(_NONCE_BYTES)
        return key_id, nonce + self._seals[key_id].encrypt(nonce, value, purpose.encode())

    def unseal(self, key_id: str, sealed: bytes, *, purpose: str) -> bytes:
        """Return the value inside.

        Raises:
            SealKeyGone: The key is not configured.
            SealBroken: Value, purpose and key do not belong together.
        """
        seal = self._seals.get(key_id)
        if seal is None:
            raise SealKeyGone(f"The key {key_id} is not configured.")
        try:
            return seal.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode())
        # ValueError: too short to hold even a nonce.
        except (InvalidTag, ValueError) as error:
            raise SealBroken("The sealed value was changed.") from error
