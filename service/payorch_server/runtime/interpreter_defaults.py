"""What would otherwise depend on the version of Python: how deeply JSON may be nested, what is verified of servers."""

import json
import re
import ssl
from typing import Any, Final

MAX_JSON_DEPTH: Final = 64
"""Of tokens, key sets and answers. Real ones have three to eight levels. The limits of parsers differ."""
# A text that does not end reaches to the end of the document, so that each byte is visited once.
_TEXT: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"{}[]")
_AS_BRACES: Final = bytes.maketrans(b"[]", b"{}")


def is_nested_deeper(document: bytes, *, levels: int = MAX_JSON_DEPTH) -> bool:
    """Return whether objects and arrays are nested more deeply than so many levels, in JSON or in what is none.

    In UTF-8: in UTF-16 and UTF-32 a byte that looks like a quote may be part of another character.
    """
    # 1. Few brackets cannot be nested deeply, wherever they stand.
    if document.count(b"{") + document.count(b"[") <= levels:
        return False
    # 2. Each round removes the innermost pairs. What remains of brackets that match nothing has no pairs.
    left = _TEXT.sub(b"", document).translate(None, _NOT_BRACKETS).translate(_AS_BRACES)
    too_many_open = b"{" * (levels + 1)
    for _ in range(levels):
        if not left or too_many_open in left:
            break
        left = left.replace(b"{}", b"")
    return b"{}" in left or too_many_open in left


def read_json(document: bytes) -> Any:
    """Return the value of a JSON text in UTF-8; a byte order mark may stand before it.

    Given bytes, Python's parser would also read UTF-16 and UTF-32, whose depth cannot be checked beforehand.

    Raises:
        ValueError: It is no JSON, not UTF-8, or nested more deeply than MAX_JSON_DEPTH.
    """
    text = document.decode("utf-8-sig")
    if is_nested_deeper(document):
        raise ValueError("The text is nested too deeply.")
    return json.loads(text)


def client_tls_context(ca_file: str) -> ssl.SSLContext:
    """Return what connections to servers are encrypted with.

    Python 3.13 made two changes to what it verifies by default: a certificate must have every extension that RFC 5280
    demands, which private authorities often omit, and the file may name an issuer that is no root. Here neither holds.

    Args:
        ca_file: Of trusted authorities, in PEM form; empty: the system's.

    Raises:
        OSError: The file cannot be read, or contains no certificate.
    """
    context = ssl.create_default_context(cafile=ca_file or None)
    context.verify_flags &= ~(ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN)
    return context
