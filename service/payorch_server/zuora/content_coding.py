"""HTTP's content codings, undone with a bound.

Source: RFC 9110, section 8.4; RFC 1951 and 1952. Some servers send deflate without the zlib format around it.
"""

import zlib
from typing import Final

from payorch_server.zuora.messages import Damage

_GZIP: Final = frozenset({"gzip", "x-gzip"})
# Names that servers write for a body that is not compressed.
_IDENTITY: Final = frozenset({"", "identity", "none", "utf-8"})
_GZIP_START: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_DEFLATE_METHOD: Final = 8
_MAX_CODINGS: Final = 3
_PIECE_BYTES: Final = 4096


def decompress(body: bytes, codings: str, *, max_bytes: int) -> tuple[bytes, Damage | None]:
    """Return a body without its codings, and what is wrong with it; of a damaged one what precedes the damage.

    Args:
        body: As it was sent.
        codings: The value of Content-Encoding; empty if the answer has none.
        max_bytes: Of the result, and of every step on the way to it.
    """
    if not codings and not body.startswith(_GZIP_START):
        return body, None
    names = [name.strip().lower() for name in codings.split(",")]
    applied = [name for name in names if name not in _IDENTITY]
    if not applied and body.startswith(_GZIP_START):
        # No JSON begins so: a proxy has lost the field.
        applied = ["gzip"]
    if len(applied) > _MAX_CODINGS:
        return body, Damage.UNDECODABLE
    damage: Damage | None = None
    for done, name in enumerate(reversed(applied)):
        if not body or damage is not None:
            break
        # More often a proxy has repeated the field than compressed twice.
        if done and name in _GZIP and not body.startswith(_GZIP_START):
            continue
        body, damage = _undo(name, body, max_bytes)
    return body, damage


def _undo(coding: str, body: bytes, max_bytes: int) -> tuple[bytes, Damage | None]:
    if coding in _GZIP:
        return _inflate(body, _GZIP_WINDOW, max_bytes)
    if coding == "deflate":
        return _inflate(body, zlib.MAX_WBITS if _has_zlib_header(body) else -zlib.MAX_WBITS, max_bytes)
    return body, Damage.UNDECODABLE


def _has_zlib_header(body: bytes) -> bool:
    # Source: RFC 1950, section 2.2: the method, and a check that makes the first two bytes a multiple of 31.
    return body[0] & 0x0F == _DEFLATE_METHOD and int.from_bytes(body[:2]) % 31 == 0


def _inflate(packed: bytes, window_bits: int, max_bytes: int) -> tuple[bytes, Damage | None]:
    plain = bytearray()
    engine = zlib.decompressobj(window_bits)
    at = 0
    while at < len(packed):
        # 1. A piece at a time, so that what precedes damage is kept, and never more than one byte beyond the limit.
        try:
            plain += engine.decompress(packed[at : at + _PIECE_BYTES], max_bytes + 1 - len(plain))
        except zlib.error:
            # A body that was never compressed is legible as it is.
            return bytes(plain) or packed[:max_bytes], Damage.UNDECODABLE
        at += _PIECE_BYTES
        if len(plain) > max_bytes:
            return bytes(plain[:max_bytes]), Damage.TOO_LARGE
        # 2. The end of a member: only zeros, or in gzip another member, may follow. There may be thousands, so what
        # follows is copied only where it is no member.
        if engine.eof:
            at = min(at, len(packed)) - len(engine.unused_data)
            if not packed.startswith(_GZIP_START, at) and not packed[at:].strip(b"\0"):
                return bytes(plain), None
            if window_bits != _GZIP_WINDOW:
                return bytes(plain), Damage.UNDECODABLE
            engine = zlib.decompressobj(window_bits)
    # 3. The end is missing, and with it the check that proves that nothing is.
    return bytes(plain), Damage.UNDECODABLE
