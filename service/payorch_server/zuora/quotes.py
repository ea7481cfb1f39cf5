"""What of an answer quotes the request: the secret texts of the request are masked wherever Zuora repeats them."""

import base64
import dataclasses
import html
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote_plus

from payorch_server.model.errors import CallError, error_for
from payorch_server.model.sensitive_text import scrub_text
from payorch_server.model.shown_forms import MASKED, is_random_id, shown_code
from payorch_server.zuora.messages import secret_texts

# The part of a text that is masked; less of it is kept.
_MAX_CHARACTERS: Final = 1000
# Shorter words reveal nothing; a part of a word reveals something from a length on, and a word that stands in a longer
# one, or in what may have been decoded by chance, from another.
_WORD: Final = re.compile(r"\w{3,}")
_PART: Final = 6
_LONG: Final = 5
# What may be one text in an encoding, and within it what may be Base64 and hexadecimal digits.
_TOKEN: Final = re.compile(r"""[^\s"'<>(),;:]{4,}""")
_BASE64: Final = re.compile(r"[0-9A-Za-z+/_-]{4,}")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{6,}")
# Halves of surrogate pairs cannot be written to a log.
_ESCAPE: Final = re.compile(r"\\u(?![dD][89a-fA-F])([0-9A-Fa-f]{4})")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_DIGITS: Final = re.compile(r"[0-9](?:[^0-9A-Za-z]{0,4}[0-9]){5,}")
_BETWEEN_DIGITS: Final = re.compile(r"(?<=[0-9])[^0-9A-Za-z\n]{1,4}(?=[0-9])")


class Quotes:
    """The secret texts of one request."""

    def __init__(self, sent: Mapping[str, Any]) -> None:
        """Remember a request's body; nothing is done before there is something to compare."""
        self._sent = sent
        self._masked_ids: dict[str, str] = {}

    def mask_id(self, text: str) -> str:
        """Return an id, or MASKED if it quotes the request in any encoding."""
        if not text or not self._secrets:
            return text
        # The same few ids come several times.
        if text not in self._masked_ids:
            self._masked_ids[text] = MASKED if self._is_quoted_id(text) else text
        return self._masked_ids[text]

    def _is_quoted_id(self, text: str) -> bool:
        # Nearly all ids are random; a secret can be the same id.
        if is_random_id(text):
            return text.casefold() in self._secrets
        return self.mask_text(text) != text

    def mask_code(self, text: str) -> str:
        """Return a code in a known form, or MASKED if it has none or quotes the request."""
        return shown_code(text) if self.mask_text(text) == text else MASKED

    def mask_error(self, error: CallError) -> CallError:
        """Return an error in whose evidence nothing quotes the request."""
        evidence = error.failure.evidence
        shown = dataclasses.replace(
            evidence,
            zuora_codes=tuple(map(self.mask_code, evidence.zuora_codes)),
            payment_method_id=self.mask_id(evidence.payment_method_id),
            payment_id=self.mask_id(evidence.payment_id),
        )
        return error_for(dataclasses.replace(error.failure, evidence=shown))

    def mask_text(self, text: str) -> str:
        """Return a text in which what quotes the request, in any encoding, and what looks like a secret is masked."""
        text = _unescaped(text[:_MAX_CHARACTERS])
        if not text.isascii():
            text = _normalized(text)
        if self._secrets:
            text = _TOKEN.sub(self._without_encoded, text)
            text = _DIGITS.sub(self._without_digits, text)
            text = _WORD.sub(self._without_word, text)
        return scrub_text(text)

    @cached_property
    def _secrets(self) -> str:
        """All secrets in lower case, one a line."""
        return _normalized("\n".join(secret_texts(self._sent))).casefold()

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(_WORD.findall(self._secrets))

    @cached_property
    def _long_words(self) -> tuple[str, ...]:
        return tuple(word for word in self._words if len(word) >= _LONG)

    @cached_property
    def _secret_digits(self) -> str:
        return _BETWEEN_DIGITS.sub("", self._secrets)

    def _is_quote(self, word: str) -> bool:
        """Return whether a word, in lower case, is one of a secret, a large part of one, or holds one."""
        return word in self._words or self._is_long_quote(word)

    def _is_long_quote(self, word: str) -> bool:
        if len(word) < _LONG:
            return False
        return (len(word) >= _PART and word in self._secrets) or any(long in word for long in self._long_words)

    def _without_word(self, match: re.Match[str]) -> str:
        return MASKED if self._is_quote(match.group().casefold()) else match.group()

    def _without_digits(self, match: re.Match[str]) -> str:
        """Mask digits of a secret that are written with other separators."""
        digits = "".join(filter(str.isdecimal, match.group()))
        return MASKED if digits in self._secret_digits else match.group()

    def _without_encoded(self, match: re.Match[str]) -> str:
        token = match.group()
        return MASKED if any(map(self._is_quoted_in, _decoded(token))) else token

    def _is_quoted_in(self, decoded: str) -> bool:
        words = _WORD.findall(_normalized(decoded).casefold())
        # Anything can be decoded; only what becomes a whole text is trusted to have short words in it.
        return any(map(self._is_quote if decoded.isprintable() else self._is_long_quote, words))


NOTHING_QUOTED: Final = Quotes(MappingProxyType({}))
"""Of a request without secrets."""


def _unescaped(text: str) -> str:
    """Return a text without the escapes of HTML and of JSON inside JSON, in which a quote is not seen."""
    if "\\u" in text:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    return html.unescape(text) if "&" in text else text


def _normalized(text: str) -> str:
    """Return a text with its letters and digits in their usual form, and without characters that are not seen."""
    if text.isascii():
        return text
    return "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")


def _decoded(token: str) -> Iterator[str]:
    """Yield what a text may stand for: reversed, percent-encoded, in hexadecimal, or in Base64 from any beginning."""
    yield token[::-1]
    if "%" in token:
        yield unquote_plus(unquote_plus(token))
    for found in _HEX.findall(token):
        for first in (0, 1):
            digits = found[first : len(found) - (len(found) - first) % 2]
            yield bytes.fromhex(digits).decode(errors="replace")
    for found in _BASE64.findall(token):
        plain = found.translate(_URL_SAFE)
        for first in range(4):
            part = plain[first : len(plain) - ((len(plain) - first) % 4 == 1)]
            yield base64.b64decode(part + "=" * (-len(part) % 4)).decode(errors="replace")
