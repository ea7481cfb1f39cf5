"""What gRPC sends over HTTP/2, made by hand: heads without compression, messages, and what no client would send."""

import re
import struct
import zlib
from dataclasses import dataclass
from typing import Final

from harness.http2 import END_HEADERS, HEADERS, frame

MAX_FRAME_BYTES: Final = 16_384
"""What a payload may have unless the peer allows more. Source: RFC 9113, section 4.2."""
# Static table. Source: RFC 7541, appendix A.
_METHOD_POST, _SCHEME_HTTP, _PATH, _AUTHORITY = b"\x83", b"\x86", 4, 1
_LARGEST_PREFIX: Final = 127
_COMPRESSED: Final = 1
_STATUS: Final = re.compile(rb"grpc-status.(\d{1,2})", re.DOTALL)
_OUTCOME: Final = b"payorch-outcome"
_ZEROS: Final = bytes(2**20)
_RAW_WBITS: Final = -15
# Source: RFC 1952, section 2.3: no name, no time, written by an unknown system.
_GZIP_HEAD: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"


@dataclass(frozen=True, slots=True)
class Trailers:
    """How a call ended."""

    code: int
    """The gRPC status code."""
    has_outcome: bool
    """Whether the service says what became of the call."""


def integer(value: int, *, first: int = 0, bits: int = 7) -> bytes:
    """Encode a number. Source: RFC 7541, section 5.1."""
    largest = (1 << bits) - 1
    if value < largest:
        return bytes((first | value,))
    encoded, rest = bytearray((first | largest,)), value - largest
    while rest > _LARGEST_PREFIX:
        encoded.append(rest & _LARGEST_PREFIX | 0x80)
        rest >>= 7
    return bytes((*encoded, rest))


def field(name: bytes, value: bytes) -> bytes:
    """Encode a field that enters no table. Source: RFC 7541, section 6.2.2."""
    return b"\x00" + integer(len(name)) + name + integer(len(value)) + value


def _indexed_name(index: int, value: bytes) -> bytes:
    return integer(index, bits=4) + integer(len(value)) + value


def call_head(path: str, *further: tuple[bytes, bytes]) -> bytes:
    """Return the head of a call: the fields that gRPC requires, and further ones."""
    return b"".join(
        (
            _METHOD_POST,
            _SCHEME_HTTP,
            _indexed_name(_PATH, path.encode()),
            _indexed_name(_AUTHORITY, b"payorch"),
            field(b"content-type", b"application/grpc"),
            field(b"te", b"trailers"),
            *(field(name, value) for name, value in further),
        )
    )


def head_frame(block: bytes, *, stream: int, flags: int = 0) -> bytes:
    """Return the frame that opens a stream."""
    return frame(HEADERS, block, flags=END_HEADERS | flags, stream=stream)


def message(payload: bytes, *, compressed: bool = False, announced_bytes: int | None = None) -> bytes:
    """Return a gRPC message, or the beginning of a longer one that is announced."""
    length = len(payload) if announced_bytes is None else announced_bytes
    return bytes((_COMPRESSED if compressed else 0,)) + length.to_bytes(4, "big") + payload


def trailers(block: bytes) -> Trailers | None:
    """Read the last head of an answer; None if it is not the last. A client without a table gets each name in full."""
    found = _STATUS.search(block)
    return Trailers(int(found[1]), _OUTCOME in block) if found else None


def gzipped_zeros(unpacked_bytes: int) -> bytes:
    """Return gzip that unpacks to as many zeros.

    Each mebibyte is compressed without the memory of the one before, so one of them is made and repeated.
    """
    blocks, rest = divmod(unpacked_bytes, len(_ZEROS))
    packer = zlib.compressobj(9, zlib.DEFLATED, _RAW_WBITS)
    block = packer.compress(_ZEROS) + packer.flush(zlib.Z_FULL_FLUSH)
    tail = packer.compress(_ZEROS[:rest]) + packer.flush(zlib.Z_FINISH)
    sum_of_zeros = zlib.crc32(_ZEROS[:rest])
    for _ in range(blocks):
        sum_of_zeros = zlib.crc32(_ZEROS, sum_of_zeros)
    return _GZIP_HEAD + block * blocks + tail + struct.pack("<II", sum_of_zeros, unpacked_bytes & 0xFFFFFFFF)
