"""The checks of single members; each that fails adds a violation and yields no bytes, which no right member does."""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from payorch_server.applepay.violation import TokenRule, TokenViolation

_SHA256_BYTES: Final = 32
_HEX: Final = re.compile(r"[0-9A-Fa-f]*")

# SubjectPublicKeyInfo of an uncompressed P-256 point, up to its coordinates.
_SPKI_START: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
_COORDINATE_BYTES: Final = 32
_SPKI_BYTES: Final = len(_SPKI_START) + 2 * _COORDINATE_BYTES
# Source: FIPS 186-4 D.1.2.3, curve P-256.
_P: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B: Final = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


@dataclass(frozen=True, slots=True, repr=False)
class Members:
    """An object under examination.

    Attributes:
        values: Its members.
        prefix: What precedes a member's name in a path.
        violations: Where violations are added; shared by all objects of one token.
    """

    values: Mapping[str, object]
    prefix: str
    violations: list[TokenViolation]

    def refuse(self, name: str, rule: TokenRule, must: str) -> None:
        """Add a violation of the member `name`."""
        self.violations.append(TokenViolation(f"{self.prefix}{name}", rule, f"{name} must {must}"))

    def string(self, name: str) -> str | None:
        """Return a required string."""
        value = self.values.get(name)
        if isinstance(value, str):
            return value
        if name in self.values:
            self.refuse(name, TokenRule.WRONG_TYPE, "be a string")
        else:
            self.refuse(name, TokenRule.REQUIRED, "be present")
        return None

    def child(self, name: str) -> "Members | None":
        """Return a required object."""
        value = self.values.get(name)
        if isinstance(value, dict):
            return Members(values=value, prefix=f"{self.prefix}{name}.", violations=self.violations)
        if isinstance(value, str):
            self.refuse(name, TokenRule.WRONG_TYPE, _not_text(value))
        elif name in self.values:
            self.refuse(name, TokenRule.WRONG_TYPE, "be a JSON object")
        else:
            self.refuse(name, TokenRule.REQUIRED, "be present")
        return None

    def base64(self, name: str, *, at_least: int, at_most: int) -> bytes:
        """Return the bytes of required base64: standard alphabet, padded, no spare bits set, of bounded size."""
        text = self.string(name)
        if text is None:
            return b""
        decoded = _decode_base64(text)
        if decoded is None:
            self.refuse(name, TokenRule.BASE64, "be standard base64 with padding")
        elif not at_least <= len(decoded) <= at_most:
            bounds = f"{at_least}" if at_least == at_most else f"{at_least} to {at_most}"
            self.refuse(name, TokenRule.LENGTH, f"hold {bounds} bytes")
        else:
            return decoded
        return b""

    def sha256_base64(self, name: str) -> bytes:
        """Return 32 bytes of required base64."""
        return self.base64(name, at_least=_SHA256_BYTES, at_most=_SHA256_BYTES)

    def sha256_hex(self, name: str) -> bytes:
        """Return 32 bytes of required hex, in either case."""
        text = self.string(name)
        if text is None:
            return b""
        if not _HEX.fullmatch(text):
            self.refuse(name, TokenRule.HEX, "be hex digits")
        elif len(text) != 2 * _SHA256_BYTES:
            self.refuse(name, TokenRule.LENGTH, f"be {2 * _SHA256_BYTES} hex digits")
        else:
            return bytes.fromhex(text)
        return b""

    def p256_key(self, name: str) -> bytes:
        """Return the SubjectPublicKeyInfo of a required point on P-256."""
        key = self.base64(name, at_least=_SPKI_BYTES, at_most=_SPKI_BYTES)
        if key and not (key.startswith(_SPKI_START) and _is_on_curve(key[len(_SPKI_START) :])):
            self.refuse(name, TokenRule.NOT_P256, "be the SubjectPublicKeyInfo of a point on P-256")
            return b""
        return key


def _not_text(value: str) -> str:
    """Return what an object must be instead of this text, in words for its maker."""
    if not value:
        return "be the JSON object, not an empty string, which simulators hand out"
    if _decode_base64(value) is not None:
        return "be the JSON object, not base64 of it"
    return "be the JSON object, not a JSON string of it"


def _decode_base64(text: str) -> bytes | None:
    try:
        decoded = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return None
    # Of the several texts that lenient readers take for the same bytes, one is right.
    return decoded if binascii.b2a_base64(decoded, newline=False).decode() == text else None


def _is_on_curve(point: bytes) -> bool:
    x, y = int.from_bytes(point[:_COORDINATE_BYTES]), int.from_bytes(point[_COORDINATE_BYTES:])
    return x < _P and y < _P and (y * y - x * x * x + 3 * x - _B) % _P == 0
