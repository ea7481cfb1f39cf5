"""JSON that parsers differ about, or that costs them much: seeds for every target that reads some."""

from collections.abc import Iterator


def hard_json() -> Iterator[bytes]:
    """Yield texts of at most some kilobytes."""
    deep = 3000
    yield b"[" * deep
    yield b'{"a":' * 1000 + b"1" + b"}" * 1000
    # As bytes of UTF-16 and UTF-32, a quote is part of other characters as well.
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le"):
        yield ('["\u0122",' + "[" * (deep // 2)).encode(encoding)
        yield '{"keys":[{"a":"\u2222"}]}'.encode(encoding)
    yield b'{"a":' + b"9" * 4400 + b"}"
    yield b'{"a":1e999999999,"b":-0.0,"c":1E-400,"d":NaN,"e":-Infinity}'
    yield b'{"a":1e9999999999999999999,"b":-1E+99999999999999999999999}'
    yield b'{"\\ud800":"\\udfff","\\u0000":"\\ud83d\\ude00"}'
    yield b'{"a":1,"a":2,"\\u0061":3}'
    yield b'"' + b"\\" * 2001
    yield b'{"a":"' + b'\\"' * 1000
    yield b"\xef\xbb\xbf{}"
    yield b'{"a":"\xff\xfe\xed\xa0\x80"}'
